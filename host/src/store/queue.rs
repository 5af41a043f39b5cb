//! The queue in front of a database's writers: bounded, with a oneshot channel for each command's answer.
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
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::{
    DatabaseError, Gauges, Lost, Outage, StoreError,
    command::{Command, Lane, UpkeepCommand},
};

/// Why a batch isn't acknowledged.
#[derive(Debug, Clone)]
pub(super) enum Unacknowledged {
    /// Nothing of the batch was done.
    Undone(Outage),
    /// The COMMIT failed after the database may have written it.
    Unknown(DatabaseError),
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
    /// Returns the answer of a command that isn't carried out.
    pub(super) fn unexecuted(self) -> Box<dyn Answer> {
        self.pending(None)
    }

    /// Returns the answer with this outcome; `None` if there will be none but the batch's own.
    pub(super) fn pending(self, outcome: Option<Result<T, E>>) -> Box<dyn Answer> {
        Box::new(Pending { outcome, reply: self })
    }

    /// Returns a reply to that caller.
    pub(super) fn to(caller: oneshot::Sender<Result<T, E>>) -> Self {
        Self(caller)
    }

    /// Answers at once.
    pub(super) fn tell(self, outcome: Result<T, E>) {
        // The caller may be gone; the command was carried out for its effect.
        drop(self.0.send(outcome));
    }
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
    fn committed_at(&self) -> Option<Instant> {
        *self.committed_at.lock()
    }

    pub(super) fn set_committed_at(&self, at: Option<Instant>) {
        *self.committed_at.lock() = at;
    }

    /// Notes a transaction of so many commands that was committed.
    pub(super) fn committed(&self, commands: usize) {
        self.commits.fetch_add(1, Relaxed);
        self.committed_commands.fetch_add(commands as u64, Relaxed);
        self.set_committed_at(Some(Instant::now()));
    }

    /// Notes a transaction that came to nothing.
    pub(super) fn batch_failed(&self) {
        self.failed_batches.fetch_add(1, Relaxed);
        self.set_committed_at(None);
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

/// What brings commands to those who carry them out.
pub(super) trait Carrier {
    /// Passes the command on, and returns whether there is anybody to carry it out.
    fn send(&self, command: Command) -> bool;
}

/// The callers' end of the queue.
#[derive(Debug)]
pub(super) struct Queue<C> {
    commands: C,
    commands_max: usize,
    shared: Arc<Shared>,
    /// Closes when the writer has ended and closed the file.
    ended: watch::Receiver<()>,
}

impl<K: Carrier> Queue<K> {
    /// Returns a queue for `commands_max` commands, and the same number of commands that end something.
    pub(super) fn new(commands: K, commands_max: usize, shared: Arc<Shared>, ended: watch::Receiver<()>) -> Self {
        Self { commands, commands_max: commands_max.max(1), shared, ended }
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

    /// Returns what a command's outcome is read from that is known already.
    pub(super) fn answered<T, E>(&self, outcome: Result<T, E>) -> Sent<T, E> {
        let (caller, sent) = oneshot::channel();
        drop(caller.send(outcome));
        Sent { outcome: sent, shared: Arc::clone(&self.shared) }
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

    /// Returns the figures that every database has.
    pub(super) fn gauges(&self, known_items: usize) -> Gauges {
        let shared = &self.shared;
        Gauges {
            queued_commands: shared.queued_commands.load(Relaxed),
            queued_commands_max: self.commands_max,
            commits: shared.commits.load(Relaxed),
            committed_commands: shared.committed_commands.load(Relaxed),
            failed_batches: shared.failed_batches.load(Relaxed),
            unresolved_orders: u64::try_from(shared.unresolved_orders.load(Relaxed)).unwrap_or(0),
            awaiting_release_orders: u64::try_from(shared.awaiting_release_orders.load(Relaxed)).unwrap_or(0),
            known_items,
            wal_bytes: 0,
            hosts: 1,
            lease_age: Duration::ZERO,
            without_standby: false,
        }
    }

    /// Returns whether rows were committed within the last `ago`, and nothing failed since.
    pub(super) fn committed_within(&self, ago: Duration) -> bool {
        self.shared.committed_at().is_some_and(|at| at.elapsed() <= ago)
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
