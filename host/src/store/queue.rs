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
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    time::Instant,
};

use parking_lot::Mutex;
use tokio::sync::{oneshot, watch};

use super::{Durability, Outage, StoreError, writer::WriteContext};

/// When a command is answered, and how much of the queue it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Once executed, not yet committed.
    Step,
    /// Once committed.
    Durable,
    /// Once committed. The command ends an order or a reservation, and may use the reserved places.
    Ending,
}

impl From<Durability> for Lane {
    fn from(durability: Durability) -> Self {
        match durability {
            Durability::Queued => Self::Step,
            Durability::Committed => Self::Durable,
        }
    }
}

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

/// A command in the queue.
pub(super) struct Command {
    pub(super) lane: Lane,
    pub(super) stock: Stock,
    pub(super) task: Box<dyn Task>,
}

/// What a command does to the stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stock {
    /// Nothing, or it tells [`Levels`](super::levels::Levels) by itself.
    Told,
    /// Perhaps something: no level is known after it.
    Open,
}

/// A command's work: the writer executes it once, then answers it once.
pub(super) trait Task: Send {
    /// Executes the command and keeps the outcome for [`Task::answer`].
    ///
    /// # Errors
    /// Only SQLite's, after which the batch has to be rolled back. A refusal is an outcome.
    fn execute(&mut self, context: &mut WriteContext) -> Result<(), rusqlite::Error>;

    /// Sends the caller the outcome, or the outage that prevented it.
    fn answer(self: Box<Self>, fate: Result<(), Outage>);
}

struct Submitted<F, T, E> {
    work: Option<F>,
    outcome: Option<Result<T, E>>,
    caller: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Task for Submitted<F, T, E>
where
    F: FnOnce(&mut WriteContext) -> Result<T, Refusal<E>> + Send,
    T: Send,
    E: Send + From<StoreError>,
{
    fn execute(&mut self, context: &mut WriteContext) -> Result<(), rusqlite::Error> {
        let Some(work) = self.work.take() else { return Ok(()) };
        self.outcome = Some(match work(context) {
            Ok(value) => Ok(value),
            Err(Refusal::No(refusal)) => Err(refusal),
            Err(Refusal::Failed(error)) => return Err(error),
        });
        Ok(())
    }

    fn answer(self: Box<Self>, fate: Result<(), Outage>) {
        let unavailable = |outage| Err(StoreError::Unavailable(outage).into());
        let outcome = match fate {
            Ok(()) => self.outcome.unwrap_or_else(|| unavailable(Outage::WriterGone)),
            Err(outage) => unavailable(outage),
        };
        // The caller may be gone; the command was carried out for its effect.
        drop(self.caller.send(outcome));
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
}

/// The callers' end of the queue.
#[derive(Debug)]
pub(super) struct Queue {
    commands: SyncSender<Command>,
    commands_max: usize,
    shared: Arc<Shared>,
    /// Closes when the writer has ended and closed the file.
    ended: watch::Receiver<()>,
}

impl Queue {
    /// Returns both ends of a queue for `commands_max` commands, and the same number of commands that end something.
    pub(super) fn new(
        commands_max: usize,
        shared: Arc<Shared>,
        ended: watch::Receiver<()>,
    ) -> (Self, Receiver<Command>) {
        let commands_max = commands_max.max(1);
        let (commands, receiver) = sync_channel(commands_max.saturating_mul(2));
        (Self { commands, commands_max, shared, ended }, receiver)
    }

    /// Runs `work` on the writer and returns its result, at the moment that `lane` defines.
    pub(super) async fn submit<F, T, E>(&self, lane: Lane, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut WriteContext) -> Result<T, Refusal<E>> + Send + 'static,
        T: Send + 'static,
        E: Send + From<StoreError> + 'static,
    {
        self.send(lane, Stock::Open, work)?.outcome().await
    }

    /// Queues the work, and returns what its outcome is read from. Commands are carried out in the order of these calls.
    ///
    /// # Errors
    /// `Overloaded` when the queue is full; `Closed` or `Unavailable` when nobody is there to answer.
    pub(super) fn send<F, T, E>(&self, lane: Lane, stock: Stock, work: F) -> Result<Sent<T, E>, StoreError>
    where
        F: FnOnce(&mut WriteContext) -> Result<T, Refusal<E>> + Send + 'static,
        T: Send + 'static,
        E: Send + From<StoreError> + 'static,
    {
        let (caller, outcome) = oneshot::channel();
        self.push(Command { lane, stock, task: Box::new(Submitted { work: Some(work), outcome: None, caller }) })?;
        Ok(Sent { outcome, shared: Arc::clone(&self.shared) })
    }

    fn push(&self, command: Command) -> Result<(), StoreError> {
        if self.shared.closing.load(Relaxed) {
            return Err(StoreError::Closed);
        }
        let room = if command.lane == Lane::Ending { self.commands_max.saturating_mul(2) } else { self.commands_max };
        // A command is counted before it is sent, so that the writer never subtracts it before it is added.
        if self.shared.queued_commands.fetch_add(1, Relaxed) >= room {
            self.shared.queued_commands.fetch_sub(1, Relaxed);
            return Err(StoreError::Overloaded { queued_max: self.commands_max });
        }
        self.commands.try_send(command).map_err(|_gone| {
            self.shared.queued_commands.fetch_sub(1, Relaxed);
            self.shared.absence()
        })
    }

    pub(super) const fn commands_max(&self) -> usize {
        self.commands_max
    }

    /// Refuses further commands, and returns when the writer has carried out the queued ones and closed the file.
    pub(super) async fn close(&self) {
        self.shared.closing.store(true, Relaxed);
        // Wakes a writer that waits for work. If the queue is full, the writer is awake.
        let (caller, _nobody) = oneshot::channel::<Result<(), StoreError>>();
        let work = |_context: &mut WriteContext| Ok(());
        let task = Box::new(Submitted { work: Some(work), outcome: None, caller });
        self.shared.queued_commands.fetch_add(1, Relaxed);
        if self.commands.try_send(Command { lane: Lane::Step, stock: Stock::Open, task }).is_err() {
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
