//! The writer's queue: bounded, with a oneshot channel for each command's answer.
//!
//! A full queue refuses at once; no caller waits for a place. Half of the places are reserved for commands that end
//! something, so that a rush of new orders can't keep an old one from giving its stock back. Callers may drop their
//! future at any point: a command that is queued is carried out all the same.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

#[cfg(test)]
use super::writer::WriteContext;
use super::{
    DatabaseError, Lost, Outage, StoreError,
    channel::{Receiver, Sender, channel},
    command::{Command, Lane, UpkeepCommand},
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

/// Why a batch isn't acknowledged.
#[derive(Debug, Clone)]
pub(super) enum Unacknowledged {
    /// Nothing of the batch was done.
    Undone(Outage),
    /// The COMMIT failed after the database may have written it.
    Unknown(DatabaseError),
}

impl From<rusqlite::Error> for Unacknowledged {
    fn from(error: rusqlite::Error) -> Self {
        Self::Undone(error.into())
    }
}

impl From<Lost> for Unacknowledged {
    fn from(lost: Lost) -> Self {
        Self::Undone(lost.into())
    }
}

impl From<Unacknowledged> for StoreError {
    fn from(cause: Unacknowledged) -> Self {
        match cause {
            Unacknowledged::Undone(outage) => Self::Unavailable(outage),
            Unacknowledged::Unknown(error) => Self::OutcomeUnknown(error),
        }
    }
}

/// Where a command's caller waits for its outcome.
#[derive(Debug)]
pub(super) struct Reply<T, E>(oneshot::Sender<Result<T, E>>);

impl<T: Send + 'static, E: From<StoreError> + Send + 'static> Reply<T, E> {
    /// Returns the answer with this outcome.
    pub(super) fn executed(self, outcome: Result<T, Refusal<E>>) -> Executed {
        let (outcome, failed) = match outcome {
            Ok(value) => (Some(Ok(value)), None),
            Err(Refusal::No(refusal)) => (Some(Err(refusal)), None),
            Err(Refusal::Failed(error)) => (None, Some(error)),
        };
        Executed { answer: Box::new(Pending { outcome, reply: self }), failed }
    }

    /// Returns the answer of a command that isn't carried out.
    pub(super) fn unexecuted(self) -> Box<dyn Answer> {
        Box::new(Pending { outcome: None, reply: self })
    }

    #[cfg(test)]
    pub(super) fn to(caller: oneshot::Sender<Result<T, E>>) -> Self {
        Self(caller)
    }

    /// Answers at once.
    pub(super) fn tell(self, outcome: Result<T, E>) {
        // The caller may be gone; the command was carried out for its effect.
        drop(self.0.send(outcome));
    }
}

/// A command that was carried out, or on which the database failed: then the batch has to be rolled back.
pub(super) struct Executed {
    pub(super) answer: Box<dyn Answer>,
    pub(super) failed: Option<rusqlite::Error>,
}

/// A command's answer, until it is known whether the command counts.
pub(super) trait Answer: Send {
    /// Sends the caller the outcome, or the reason why there is none.
    fn tell(self: Box<Self>, fate: Result<(), Unacknowledged>);
}

struct Pending<T, E> {
    outcome: Option<Result<T, E>>,
    reply: Reply<T, E>,
}

impl<T: Send + 'static, E: From<StoreError> + Send + 'static> Answer for Pending<T, E> {
    fn tell(self: Box<Self>, fate: Result<(), Unacknowledged>) {
        let Self { outcome, reply } = *self;
        let outcome = match fate {
            Ok(()) => outcome.unwrap_or_else(|| Err(StoreError::Unavailable(Outage::WriterGone).into())),
            Err(cause) => Err(StoreError::from(cause).into()),
        };
        reply.tell(outcome);
    }
}

#[cfg(test)]
type TestWork = dyn FnOnce(&mut WriteContext) -> Result<Box<dyn Any + Send>, Refusal<StoreError>> + Send;

/// A test's work on the writer's own connection.
#[cfg(test)]
pub(super) struct TestCommand {
    pub(super) lane: Lane,
    pub(super) work: Box<TestWork>,
    pub(super) reply: Reply<Box<dyn Any + Send>, StoreError>,
}

#[cfg(test)]
impl TestCommand {
    pub(super) fn execute(self, context: &mut WriteContext) -> Executed {
        let Self { work, reply, .. } = self;
        reply.executed(work(context))
    }
}

/// State shared by the writer and the callers.
#[derive(Debug, Default)]
pub(super) struct Shared {
    pub(super) queued_commands: AtomicUsize,
    pub(super) closing: AtomicBool,
    pub(super) commits: AtomicU64,
    pub(super) committed_commands: AtomicU64,
    pub(super) failed_batches: AtomicU64,
    /// When a batch was last written and committed; `None` if the one after it failed.
    committed_at: Mutex<Option<Instant>>,
    pub(super) unresolved_orders: AtomicI64,
    pub(super) awaiting_release_orders: AtomicI64,
}

impl Shared {
    pub(super) fn committed_at(&self) -> Option<Instant> {
        *self.committed_at.lock()
    }

    pub(super) fn set_committed_at(&self, at: Option<Instant>) {
        *self.committed_at.lock() = at;
    }

    /// Returns why nobody is there to answer.
    fn absence(&self) -> StoreError {
        let closed = self.closing.load(Relaxed);
        if closed { StoreError::Closed } else { StoreError::Unavailable(Outage::WriterGone) }
    }
}

/// A command that is queued. It is carried out, whether or not its outcome is read.
#[derive(Debug)]
pub(super) struct Sent<T, E> {
    outcome: oneshot::Receiver<Result<T, E>>,
    shared: Arc<Shared>,
}

impl<T, E: From<StoreError>> Sent<T, E> {
    /// Waits until the command's lane says that it counts.
    pub(super) async fn outcome(self) -> Result<T, E> {
        self.outcome.await.unwrap_or_else(|_dropped| Err(self.shared.absence().into()))
    }

    /// Returns the outcome if there is one already.
    pub(super) fn known(&mut self) -> Option<Result<T, E>> {
        self.outcome.try_recv().ok()
    }
}

/// The callers' end of the queue.
#[derive(Debug)]
pub(super) struct Queue {
    commands: Sender,
    commands_max: usize,
    shared: Arc<Shared>,
    /// Closes when the writer has ended and closed the file.
    ended: watch::Receiver<()>,
}

impl Queue {
    /// Returns both ends of a queue for `commands_max` commands, and the same number of commands that end something.
    pub(super) fn new(commands_max: usize, shared: Arc<Shared>, ended: watch::Receiver<()>) -> (Self, Receiver) {
        let commands_max = commands_max.max(1);
        let (commands, receiver) = channel();
        (Self { commands, commands_max, shared, ended }, receiver)
    }

    /// Sends the command and returns its outcome, at the moment that its lane defines.
    pub(super) async fn submit<T, E: From<StoreError>, C: Into<Command>>(
        &self,
        command: impl FnOnce(Reply<T, E>) -> C,
    ) -> Result<T, E> {
        self.send(command)?.outcome().await
    }

    /// Queues the command, and returns what its outcome is read from. Commands are carried out in the order of these calls.
    ///
    /// # Errors
    /// `Overloaded` when the queue is full; `Closed` or `Unavailable` when nobody is there to answer.
    pub(super) fn send<T, E, C: Into<Command>>(
        &self,
        command: impl FnOnce(Reply<T, E>) -> C,
    ) -> Result<Sent<T, E>, StoreError> {
        let (caller, outcome) = oneshot::channel();
        self.push(command(Reply(caller)).into())?;
        Ok(Sent { outcome, shared: Arc::clone(&self.shared) })
    }

    /// Has the writer carry out what it holds back.
    pub(super) fn wake(&self) {
        // Refused only if so much is queued that the writer is awake, or if there is no writer.
        drop(self.send(|reply: Reply<(), StoreError>| UpkeepCommand::Wake { reply }));
    }

    fn push(&self, command: Command) -> Result<(), StoreError> {
        if self.shared.closing.load(Relaxed) {
            return Err(StoreError::Closed);
        }
        let (lane, _) = command.terms();
        let room = if lane == Lane::Ending { self.commands_max.saturating_mul(2) } else { self.commands_max };
        // A command is counted before it is sent, so that the writer never subtracts it before it is added.
        if self.shared.queued_commands.fetch_add(1, Relaxed) >= room {
            self.shared.queued_commands.fetch_sub(1, Relaxed);
            return Err(StoreError::Overloaded { queued_max: self.commands_max });
        }
        if self.commands.send(command) {
            return Ok(());
        }
        self.shared.queued_commands.fetch_sub(1, Relaxed);
        Err(self.shared.absence())
    }

    pub(super) const fn commands_max(&self) -> usize {
        self.commands_max
    }

    /// Refuses further commands, and returns when the writer has carried out the queued ones and closed the file.
    pub(super) async fn close(&self) {
        self.shared.closing.store(true, Relaxed);
        // Wakes a writer that waits for work, however full the queue is.
        let (caller, _nobody) = oneshot::channel();
        let wake = UpkeepCommand::Wake { reply: Reply(caller) };
        self.shared.queued_commands.fetch_add(1, Relaxed);
        if !self.commands.send(wake.into()) {
            self.shared.queued_commands.fetch_sub(1, Relaxed);
        }
        self.until_ended().await;
    }

    /// Returns when the writer has closed the file.
    pub(super) async fn until_ended(&self) {
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }
}

/// Returns what a panic said, for the log.
pub(super) fn panic_text(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message")
}
