//! The only thread that writes. It runs all queued commands in one transaction, so that many callers share the cost of
//! one fsync.
//!
//! Invariants: a durable command is answered only after the COMMIT of the transaction it ran in. A durable command that
//! was rolled back is never acknowledged, and the next batch starts afresh. A step is answered before its commit: if
//! its batch fails, every later command of that order finds nothing and says so.
//!
//! ```text
//! BEGIN IMMEDIATE ─ step ─ step ─ durable ─ … ─ queue empty or batch full ─ COMMIT ─ answers to the durable ones
//!                    └ answered at once       only steps: wait up to `linger` for more
//! ```

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError, TryRecvError},
    },
    thread,
    time::{Duration, Instant},
};

use rusqlite::{Connection, config::DbConfig};
use tokio::sync::watch;

use super::{
    StoreError,
    alarm::Alarm,
    command::{Command, Lane, Stock},
    counters::RunningTime,
    items::Items,
    levels::Levels,
    place::Place,
    queue::{Answer, Executed, Shared, Unacknowledged, panic_text},
};
use crate::order::{Item, Status};

/// For how long a check of the files holds. Most batches are over by then, and are checked once.
const PLACE_HOLDS: Duration = Duration::from_millis(5);

/// What a command works with: the write connection, inside the batch's transaction.
pub(super) struct WriteContext {
    pub(super) connection: Connection,
    pub(super) running: RunningTime,
    pub(super) levels: Arc<Levels>,
    uncommitted: Uncommitted,
}

/// Changes that are published only after the commit.
#[derive(Default)]
struct Uncommitted {
    unresolved_orders: i64,
    awaiting_release_orders: i64,
    items: Vec<Item>,
    removed_items: Vec<Item>,
}

impl WriteContext {
    pub(super) fn new(connection: Connection, running: RunningTime, levels: Arc<Levels>) -> Self {
        Self { connection, running, levels, uncommitted: Uncommitted::default() }
    }

    pub(super) fn order_opened(&mut self) {
        self.uncommitted.unresolved_orders += 1;
    }

    pub(super) fn order_ended(&mut self, before: Status) {
        self.uncommitted.unresolved_orders -= 1;
        if before == Status::PendingRelease {
            self.uncommitted.awaiting_release_orders -= 1;
        }
    }

    pub(super) fn release_awaited(&mut self) {
        self.uncommitted.awaiting_release_orders += 1;
    }

    pub(super) fn item_known(&mut self, item: Item) {
        self.uncommitted.removed_items.retain(|removed| *removed != item);
        self.uncommitted.items.push(item);
    }

    pub(super) fn item_removed(&mut self, item: Item) {
        self.uncommitted.items.retain(|known| *known != item);
        self.uncommitted.removed_items.push(item);
    }
}

/// The writer's end of the queue and everything it owns.
pub(super) struct Writer {
    pub(super) context: WriteContext,
    pub(super) commands: Receiver<Command>,
    pub(super) shared: Arc<Shared>,
    pub(super) items: Arc<Items>,
    pub(super) alarm: Arc<Alarm>,
    pub(super) place: Arc<Place>,
    pub(super) batch_commands_max: usize,
    pub(super) linger: Duration,
    /// Rows changed up to the end of the last batch, rolled back or not.
    pub(super) changed_rows: u64,
    /// Held as long as the file is open.
    pub(super) guard: File,
    pub(super) ended: watch::Sender<()>,
}

impl Writer {
    /// Runs until the store is closed or its last handle dropped, then closes the file.
    pub(super) fn run(mut self) {
        let outcome = catch_unwind(AssertUnwindSafe(|| self.serve()));
        if let Err(payload) = outcome {
            let message = panic_text(payload.as_ref());
            tracing::error!(message, "the order store's writer stopped; no order can be taken until till is restarted");
        }
        let Self { context, commands, place, guard, ended, .. } = self;
        // The order matters: no caller waits for an ended writer, no till opens the file before it is closed, and no
        // `close` returns before that.
        drop(commands);
        close(context, &place);
        drop(guard);
        drop(ended);
    }

    fn serve(&mut self) {
        while let Some(command) = self.next() {
            self.batch(command);
        }
    }

    /// Returns the next batch's first command; `None` if there will be no more.
    fn next(&mut self) -> Option<Command> {
        let command = if self.shared.closing.load(Relaxed) { self.last()? } else { self.commands.recv().ok()? };
        self.shared.queued_commands.fetch_sub(1, Relaxed);
        Some(command)
    }

    /// Returns the next queued command after the store was closed. Waits for commands that are counted but not in the
    /// queue yet.
    fn last(&self) -> Option<Command> {
        loop {
            match self.commands.try_recv() {
                Ok(command) => return Some(command),
                Err(TryRecvError::Empty) if self.shared.queued_commands.load(Relaxed) > 0 => thread::yield_now(),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return None,
            }
        }
    }

    /// Executes the command and those queued after it in one transaction, and answers them.
    fn batch(&mut self, first: Command) {
        if let Err(cause) = self.begin() {
            return self.refuse(first, cause);
        }
        let begun_at = Instant::now();
        let linger_until = begun_at + self.linger;
        let mut committing: Vec<Box<dyn Answer>> = Vec::new();
        let mut executed = 0;
        let mut next = Some(first);
        while let Some(command) = next {
            let (lane, _) = command.terms();
            let (answer, outcome) = self.execute(command);
            if let Err(error) = outcome {
                committing.push(answer);
                return self.abort(committing, error.into());
            }
            executed += 1;
            match lane {
                Lane::Step => answer.tell(Ok(())),
                Lane::Durable | Lane::Ending => committing.push(answer),
            }
            let full = executed >= self.batch_commands_max;
            next = if full { None } else { self.following(committing.is_empty(), linger_until) };
        }
        match self.commit(begun_at) {
            Ok(()) => self.acknowledge(committing, executed),
            Err(cause) => self.abort(committing, cause),
        }
    }

    /// Commits the batch, if the files are still where they were opened.
    fn commit(&mut self, begun_at: Instant) -> Result<(), Unacknowledged> {
        if begun_at.elapsed() >= PLACE_HOLDS {
            self.place.check_log()?;
        }
        let connection = &self.context.connection;
        let committed = connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute([]));
        committed.map_err(|error| fate_of_commit(error, connection.is_autocommit())).map(drop)
    }

    /// Opens the batch's transaction, first closing one that a failed ROLLBACK left open, if the files are where they were
    /// opened.
    fn begin(&mut self) -> Result<(), Unacknowledged> {
        self.place.check_log()?;
        if !self.context.connection.is_autocommit() {
            self.context.connection.execute_batch("ROLLBACK")?;
        }
        self.context.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(())
    }

    fn execute(&mut self, command: Command) -> (Box<dyn Answer>, rusqlite::Result<()>) {
        let (_, stock) = command.terms();
        let Executed { answer, failed } = command.execute(&mut self.context);
        if stock == Stock::Open {
            self.context.levels.forget();
        }
        // SQLite ends the transaction by itself on some errors. A command that hid such an error must not be
        // acknowledged, nor the commands before it.
        let ended = || self.context.connection.is_autocommit().then(rolled_back);
        (answer, failed.or_else(ended).map_or(Ok(()), Err))
    }

    /// Returns the next queued command. If the batch has only steps, nobody waits for the commit, so this waits for
    /// more commands until `linger_until`.
    fn following(&mut self, only_steps: bool, linger_until: Instant) -> Option<Command> {
        let command = match self.commands.try_recv() {
            Ok(command) => command,
            Err(TryRecvError::Empty) if only_steps && !self.shared.closing.load(Relaxed) => {
                let left = linger_until.saturating_duration_since(Instant::now());
                match self.commands.recv_timeout(left) {
                    Ok(command) => command,
                    Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return None,
                }
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => return None,
        };
        self.shared.queued_commands.fetch_sub(1, Relaxed);
        Some(command)
    }

    fn acknowledge(&mut self, committed: Vec<Box<dyn Answer>>, executed: usize) {
        let Uncommitted { unresolved_orders, awaiting_release_orders, items, removed_items } =
            std::mem::take(&mut self.context.uncommitted);
        self.items.add(items);
        self.items.remove(&removed_items);
        self.shared.unresolved_orders.fetch_add(unresolved_orders, Relaxed);
        self.shared.awaiting_release_orders.fetch_add(awaiting_release_orders, Relaxed);
        self.shared.commits.fetch_add(1, Relaxed);
        // A commit without changes, such as for the end of a lost order, doesn't touch the disk and proves nothing.
        if self.has_changed_rows() {
            self.shared.set_committed_at(Some(Instant::now()));
        }
        self.shared.committed_commands.fetch_add(u64::try_from(executed).unwrap_or(u64::MAX), Relaxed);
        for answer in committed {
            answer.tell(Ok(()));
        }
        self.alarm.look_at_log(self.place.log_bytes());
    }

    /// Returns whether any row was changed since the last call.
    fn has_changed_rows(&mut self) -> bool {
        let now = self.context.connection.total_changes();
        std::mem::replace(&mut self.changed_rows, now) != now
    }

    /// Rolls the batch back and answers all callers that wait for its commit.
    ///
    /// The next batch goes on even after a failed sync, although the system may have dropped the unwritten pages and
    /// marked them clean. SQLite counts a batch's frames as part of the log only once they are synced, so the next
    /// batch overwrites them, and a checkpoint that wasn't synced is repeated. Nothing relies on a second sync of the
    /// same bytes. If the host ends before the next batch, a refused command may become visible, because its frames may
    /// be on the disk.
    fn abort(&mut self, answers: Vec<Box<dyn Answer>>, cause: Unacknowledged) {
        self.context.uncommitted = Uncommitted::default();
        self.context.levels.forget();
        if !self.context.connection.is_autocommit()
            && let Err(error) = self.context.connection.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "a failed batch could not be rolled back; trying again before the next");
        }
        self.shared.failed_batches.fetch_add(1, Relaxed);
        _ = self.has_changed_rows();
        self.shared.set_committed_at(None);
        self.alarm.look_at_failure(&cause);
        if answers.is_empty() {
            // Nobody waits for the commit of steps, so nobody else can report this.
            tracing::warn!(error = %StoreError::from(cause), "orders in progress were lost with a failed batch");
            return;
        }
        for answer in answers {
            answer.tell(Err(cause.clone()));
        }
    }

    /// Refuses the command and all queued ones together: one by one, each would wait for the same lock.
    fn refuse(&mut self, first: Command, cause: Unacknowledged) {
        let mut answers = vec![first.unexecuted()];
        while answers.len() < self.batch_commands_max
            && let Ok(command) = self.commands.try_recv()
        {
            self.shared.queued_commands.fetch_sub(1, Relaxed);
            answers.push(command.unexecuted());
        }
        self.abort(answers, cause);
    }
}

/// Returns what a COMMIT that failed left behind; `has_ended` if the transaction is over nevertheless.
///
/// A transaction that is still open was not written: SQLite could take no lock, or the database refused it. Otherwise SQLite has
/// rolled back. After an I/O error the last frame may be in the log all the same, because only its sync failed. This process
/// doesn't count such a frame, and overwrites it with the next batch; if the process ends before, the next start finds it.
fn fate_of_commit(error: rusqlite::Error, has_ended: bool) -> Unacknowledged {
    let may_be_written = error.sqlite_error_code() == Some(rusqlite::ErrorCode::SystemIoFailure);
    if has_ended && may_be_written { Unacknowledged::Unknown(error.into()) } else { error.into() }
}

/// Returns SQLite's word for a transaction that ended by itself.
fn rolled_back() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK), None)
}

/// Saves the running time, moves the write-ahead log into the file and closes it. If that fails nothing is lost: the
/// log stays.
///
/// The last connection to a file deletes its log by path. If the store isn't where it was opened, the file at that path
/// belongs to somebody else.
fn close(WriteContext { connection, running, .. }: WriteContext, place: &Place) {
    if place.check().is_err() {
        let kept = connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true);
        if let Err(error) = kept.and_then(|_| connection.close().map_err(|(_connection, error)| error)) {
            tracing::warn!(%error, "the order store was not closed cleanly");
        }
        return;
    }
    let checkpoint = running
        .write(&connection)
        .and_then(|()| connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_row| Ok(())));
    let closed = connection.close().map_err(|(_connection, error)| error);
    if let Err(error) = checkpoint.and(closed) {
        tracing::warn!(%error, "the order store was not closed cleanly; its write-ahead log is read at the next start");
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::{Error, ffi};

    use super::*;

    #[test]
    fn only_a_commit_that_may_be_on_the_disk_is_of_unknown_outcome() {
        let check = |code, has_ended, is_unknown| {
            let error = Error::SqliteFailure(ffi::Error::new(code), None);
            let fate = fate_of_commit(error, has_ended);
            assert_eq!(matches!(fate, Unacknowledged::Unknown(_)), is_unknown, "{code} {has_ended}: {fate:?}");
        };
        check(ffi::SQLITE_IOERR_FSYNC, true, true);
        check(ffi::SQLITE_IOERR_WRITE, true, true);
        check(ffi::SQLITE_IOERR_LOCK, false, false);
        check(ffi::SQLITE_BUSY, false, false);
        check(ffi::SQLITE_FULL, true, false);
        check(ffi::SQLITE_CONSTRAINT_FOREIGNKEY, false, false);
    }
}
