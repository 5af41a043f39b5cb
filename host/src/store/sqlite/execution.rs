//! A command on its way through the writer: carried out inside the batch's transaction, answered when that is committed.

#[cfg(test)]
use std::any::Any;

#[cfg(test)]
use super::command::Lane;
use super::{
    StoreError,
    command::Command,
    queue::{Answer, Reply, Unacknowledged},
    writer::WriteContext,
};

/// Why a command was not carried out.
#[derive(Debug)]
pub(super) enum Refusal<E> {
    /// The command doesn't apply. Nothing was changed, and the batch goes on.
    No(E),
    /// SQLite failed, perhaps midway: the whole batch is rolled back.
    Failed(rusqlite::Error),
}

impl<E> From<rusqlite::Error> for Refusal<E> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// A command that was carried out, or on which the database failed: then the batch has to be rolled back.
pub(super) struct Executed {
    pub(super) answer: Box<dyn Answer>,
    pub(super) failed: Option<rusqlite::Error>,
}

impl Command {
    /// Carries the command out, once, inside the batch's transaction.
    pub(super) fn execute(self, context: &mut WriteContext) -> Executed {
        match self {
            Self::Order(command) => command.execute(context),
            Self::Reservation(command) => command.execute(context),
            Self::Stock(command) => command.execute(context),
            Self::Plugin(command) => command.execute(context),
            Self::Catalogue(command) => command.execute(context),
            Self::Upkeep(command) => command.execute(context),
            #[cfg(test)]
            Self::Test(command) => command.execute(context),
        }
    }
}

impl<T: Send + 'static, E: From<StoreError> + Send + 'static> Reply<T, E> {
    /// Returns the answer with this outcome.
    pub(super) fn executed(self, outcome: Result<T, Refusal<E>>) -> Executed {
        let (outcome, failed) = match outcome {
            Ok(value) => (Some(Ok(value)), None),
            Err(Refusal::No(refusal)) => (Some(Err(refusal)), None),
            Err(Refusal::Failed(error)) => (None, Some(error)),
        };
        Executed { answer: self.pending(outcome), failed }
    }
}

impl From<rusqlite::Error> for Unacknowledged {
    fn from(error: rusqlite::Error) -> Self {
        Self::Undone(error.into())
    }
}

#[cfg(test)]
type TestWork = dyn FnOnce(&mut WriteContext) -> Result<Box<dyn Any + Send>, Refusal<StoreError>> + Send;

/// A test's work on the writer's own connection.
#[cfg(test)]
pub(in crate::store) struct TestCommand {
    pub(in crate::store) lane: Lane,
    pub(super) work: Box<TestWork>,
    pub(in crate::store) reply: Reply<Box<dyn Any + Send>, StoreError>,
}

#[cfg(test)]
impl TestCommand {
    fn execute(self, context: &mut WriteContext) -> Executed {
        let Self { work, reply, .. } = self;
        reply.executed(work(context))
    }
}
