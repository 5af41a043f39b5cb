//! The only thread that writes. It runs all queued commands in one transaction, so that many callers share the cost of
//! one fsync.
//!
//! Invariants: a durable command is answered only after the COMMIT of the transaction it ran in. A durable command that
//! was rolled back is never acknowledged, and the next batch starts afresh. A step is answered before its commit: if
//! its batch fails, every later command of that order finds nothing and says so.
//!
//! An order's opening, for which nobody waits, is held back (`held.rs`). With its completion the order is written once.
//!
//! ```text
//! BEGIN IMMEDIATE ─ step ─ step ─ durable ─ … ─ queue empty or batch full ─ COMMIT ─ answers to the durable ones
//!                    └ answered at once       only steps: wait up to `linger` for more
//! ```

use std::{
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::{Duration, Instant, SystemTime},
};

use rusqlite::{Connection, config::DbConfig};
use tokio::sync::watch;

use super::{
    Answered, OrderId, StoreError,
    alarm::Alarm,
    channel::{Received, Receiver},
    command::{Command, Lane, LevelsAfter, OrderCommand, ReservationCommand},
    counters::RunningTime,
    execution::{Executed, Refusal},
    held::{Held, Opening},
    items::Items,
    json::ReceiptText,
    levels::Levels,
    orders,
    place::Place,
    queue::{Answer, Reply, Shared, Unacknowledged, panic_text},
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
    pub(super) commands: Receiver,
    pub(super) shared: Arc<Shared>,
    pub(super) items: Arc<Items>,
    pub(super) alarm: Arc<Alarm>,
    pub(super) place: Arc<Place>,
    pub(super) batch_commands_max: usize,
    pub(super) linger: Duration,
    /// Rows changed up to the end of the last batch, rolled back or not.
    pub(super) changed_rows: u64,
    pub(super) held: Held,
    /// Whether nothing came for the linger time, so that the writer sleeps until something comes.
    pub(super) rests: bool,
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
        while let Some(work) = self.next() {
            self.batch(work);
        }
    }

    /// Returns what the next batch begins with; `None` if there will be no more.
    fn next(&mut self) -> Option<Work> {
        loop {
            if self.held_are_due() {
                return Some(Work::Held);
            }
            match self.receive() {
                Received::Command(command) => {
                    self.rests = false;
                    if let Some(command) = self.held.hold(command) {
                        return Some(Work::Command(command));
                    }
                }
                Received::TimedOut => self.rests = true,
                Received::Closed => return (self.held.count() > 0).then_some(Work::Held),
            }
        }
    }

    /// Waits for the next command. As long as the last ones are recent, those that may rest don't wake the writer: they are queued for
    /// up to half of the linger time, and held for up to the other half.
    fn receive(&mut self) -> Received {
        let received = if self.shared.closing.load(Relaxed) {
            self.last().map_or(Received::Closed, Received::Command)
        } else {
            let left = self.held.age().map(|age| self.held_for().saturating_sub(age));
            self.commands.receive(left.or((!self.rests).then(|| self.held_for())))
        };
        if let Received::Command(_) = received {
            self.shared.queued_commands.fetch_sub(1, Relaxed);
        }
        received
    }

    /// Returns the next queued command after the store was closed. Waits for commands that are counted but not in the
    /// queue yet.
    fn last(&mut self) -> Option<Command> {
        loop {
            match self.commands.try_receive() {
                Some(command) => return Some(command),
                None if self.shared.queued_commands.load(Relaxed) > 0 => thread::yield_now(),
                None => return None,
            }
        }
    }

    fn held_are_due(&self) -> bool {
        self.held.count() >= self.batch_commands_max || self.held.age().is_some_and(|age| age >= self.held_for())
    }

    fn held_for(&self) -> Duration {
        self.linger / 2
    }

    /// Executes the work and what is queued after it in one transaction, and answers it.
    fn batch(&mut self, first: Work) {
        if let Err(cause) = self.begin() {
            return self.refuse(first, cause);
        }
        // What is held has lingered.
        let linger = if matches!(first, Work::Held) { Duration::ZERO } else { self.linger };
        let begun_at = Instant::now();
        let linger_until = begun_at + linger;
        let mut batch = Batch::default();
        let mut next = Some(first);
        while let Some(work) = next {
            if let Err(error) = self.work(work, &mut batch) {
                return self.abort(batch.committing, error.into());
            }
            let full = batch.executed >= self.batch_commands_max;
            next = if full { None } else { self.following(batch.committing.is_empty(), linger_until) };
        }
        if let Err(error) = self.open_those_before_the_newest(&mut batch) {
            return self.abort(batch.committing, error.into());
        }
        match self.commit(begun_at) {
            Ok(()) => self.acknowledge(batch.committing, batch.executed),
            Err(cause) => self.abort(batch.committing, cause),
        }
    }

    fn work(&mut self, work: Work, batch: &mut Batch) -> rusqlite::Result<()> {
        match work {
            Work::Held => self.open_held(None, batch),
            Work::Command(Command::Order(OrderCommand::Complete { id, receipt, answer, reply })) => {
                match self.held.remove(id) {
                    Some(opening) => self.complete_held(opening, receipt, answer, reply, batch),
                    None => self.execute(OrderCommand::Complete { id, receipt, answer, reply }.into(), batch),
                }
            }
            Work::Command(command) if command.leaves_held() => self.execute(command, batch),
            Work::Command(command) => {
                self.open_held(None, batch)?;
                self.execute(command, batch)
            }
        }
    }

    /// Carries out the openings that are held, of orders with numbers below `before` if there is one.
    fn open_held(&mut self, before: Option<OrderId>, batch: &mut Batch) -> rusqlite::Result<()> {
        while let Some(opening) = self.held.pop(before) {
            self.open(opening, batch)?;
        }
        Ok(())
    }

    fn open(&mut self, Opening { open, take, .. }: Opening, batch: &mut Batch) -> rusqlite::Result<()> {
        let opened = self.execute(OrderCommand::Open(open).into(), batch);
        match take {
            Some(take) if opened.is_ok() => self.execute(ReservationCommand::Take(take).into(), batch),
            Some(take) => {
                self.context.levels.withdrawn(&take.pieces);
                opened
            }
            None => opened,
        }
    }

    /// Keeps the orders of a commit, and of all before, below those of the next.
    fn open_those_before_the_newest(&mut self, batch: &mut Batch) -> rusqlite::Result<()> {
        if self.held_are_due() {
            return self.open_held(None, batch);
        }
        batch.newest.map_or(Ok(()), |newest| self.open_held(Some(newest), batch))
    }

    /// Writes an order with its opening and its completion at once. If that can't be, carries out one after the other, and each says
    /// what is wrong.
    fn complete_held(
        &mut self,
        opening: Opening,
        receipt: Box<ReceiptText>,
        answer: Option<Answered>,
        reply: Reply<(), StoreError>,
        batch: &mut Batch,
    ) -> rusqlite::Result<()> {
        let id = opening.open.id;
        match orders::sell(&self.context, &opening, &receipt, answer.as_ref()) {
            Ok(true) => {
                opening.open.reply.tell(Ok(SystemTime::now()));
                batch.note(id, 3);
                self.finish(Lane::Ending, reply.executed(Ok(())), batch)
            }
            Ok(false) => {
                self.open(opening, batch)?;
                self.execute(OrderCommand::Complete { id, receipt, answer, reply }.into(), batch)
            }
            Err(error) => {
                opening.take.inspect(|take| self.context.levels.withdrawn(&take.pieces));
                batch.committing.push(opening.open.reply.unexecuted());
                self.finish(Lane::Ending, reply.executed(Err(Refusal::Failed(error))), batch)
            }
        }
    }

    fn execute(&mut self, command: Command, batch: &mut Batch) -> rusqlite::Result<()> {
        let (lane, levels_after) = command.terms();
        if let Command::Order(OrderCommand::Open(open)) = &command {
            batch.note(open.id, 0);
        }
        let executed = command.execute(&mut self.context);
        if levels_after == LevelsAfter::Unknown {
            self.context.levels.forget();
        }
        batch.executed += 1;
        self.finish(lane, executed, batch)
    }

    /// Answers a step, and keeps another answer until the commit.
    fn finish(&self, lane: Lane, Executed { answer, failed }: Executed, batch: &mut Batch) -> rusqlite::Result<()> {
        let outcome = failed.map_or_else(|| self.still_open(), Err);
        match lane {
            Lane::Rest | Lane::Step if outcome.is_ok() => answer.tell(Ok(())),
            Lane::Rest | Lane::Step | Lane::Durable | Lane::Ending => batch.committing.push(answer),
        }
        outcome
    }

    /// SQLite ends the transaction by itself on some errors. A command that hid such an error must not be acknowledged, nor the
    /// commands before it.
    fn still_open(&self) -> rusqlite::Result<()> {
        if self.context.connection.is_autocommit() { Err(rolled_back()) } else { Ok(()) }
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

    /// Returns the next queued command. If the batch has only steps, nobody waits for the commit, so this waits for
    /// more commands until `linger_until`.
    fn following(&mut self, only_steps: bool, linger_until: Instant) -> Option<Work> {
        loop {
            let command = match self.commands.try_receive() {
                Some(command) => command,
                None if only_steps && !self.shared.closing.load(Relaxed) => {
                    let left = linger_until.saturating_duration_since(Instant::now());
                    match self.commands.receive(Some(left)) {
                        Received::Command(command) => command,
                        Received::TimedOut | Received::Closed => return None,
                    }
                }
                None => return None,
            };
            self.shared.queued_commands.fetch_sub(1, Relaxed);
            if let Some(command) = self.held.hold(command) {
                return Some(Work::Command(command));
            }
            if self.held.count() >= self.batch_commands_max {
                return Some(Work::Held);
            }
        }
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

    /// Refuses the work, and all that is held or queued, together: one by one, each would wait for the same lock.
    fn refuse(&mut self, first: Work, cause: Unacknowledged) {
        let mut answers = Vec::new();
        while let Some(Opening { open, take, .. }) = self.held.pop(None) {
            answers.push(self.unexecuted(OrderCommand::Open(open).into()));
            answers.extend(take.map(|take| self.unexecuted(ReservationCommand::Take(take).into())));
        }
        if let Work::Command(command) = first {
            answers.push(self.unexecuted(command));
        }
        while answers.len() < self.batch_commands_max
            && let Some(command) = self.commands.try_receive()
        {
            self.shared.queued_commands.fetch_sub(1, Relaxed);
            answers.push(self.unexecuted(command));
        }
        self.abort(answers, cause);
    }

    fn unexecuted(&self, command: Command) -> Box<dyn Answer> {
        if let Command::Reservation(ReservationCommand::Take(take)) = &command
            && take.was_ahead
        {
            self.context.levels.withdrawn(&take.pieces);
        }
        command.unexecuted()
    }
}

/// What the writer does next.
enum Work {
    Command(Command),
    /// Carry out the openings that are held.
    Held,
}

/// What a transaction has done so far.
#[derive(Default)]
struct Batch {
    /// Answers that wait for the commit.
    committing: Vec<Box<dyn Answer>>,
    executed: usize,
    /// The highest number of an order that was written.
    newest: Option<OrderId>,
}

impl Batch {
    /// Notes an order that was written, by `commands` commands.
    fn note(&mut self, id: OrderId, commands: usize) {
        self.newest = self.newest.max(Some(id));
        self.executed += commands;
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
