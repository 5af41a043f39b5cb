//! Carries out the lane of ends.
//!
//! What was asked for here is carried out, however often the connection is lost: an order whose end nobody could write holds its
//! stock. A COMMIT that nobody answered is tried again under the same guards, and what is found done counts.

use std::{
    mem,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, SystemTime},
};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{
    Answered, OrderId, Released, StoreError,
    command::{Command, OrderCommand, ReservationCommand},
    connection::Connection,
    endings::{Await, Complete, Ended, Endings, Settle},
    holds::{Holder, ids},
    host::Host,
    link::Failed,
    returns::{Failing, fail, refuse, release, start_over},
    transaction::in_time,
};
use crate::{
    order::{Fingerprint, Reference},
    store::{
        Durability, Taker,
        queue::{Reply, Shared},
    },
};

/// The pauses between two tries while the database isn't there.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// The lane of ends, over one connection.
pub(super) struct Ending {
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) connection: Connection,
    pub(super) host: Arc<Host>,
    pub(super) shared: Arc<Shared>,
    pub(super) batch_commands_max: usize,
    /// From then on the database isn't waited for any more.
    pub(super) giving_up: CancellationToken,
}

struct Fail {
    id: OrderId,
    reason: String,
    answer: Option<Answered>,
    reply: Reply<(), StoreError>,
}

/// What gives stock back one by one.
enum Return {
    Refuse { reference: Reference, answer: Option<(Fingerprint, Answered)>, reply: Reply<(), StoreError> },
    Release { reference: Reference, reply: Reply<Released, StoreError> },
    StartOver { taker: Taker, plugins: String, durability: Durability, reply: Reply<(), StoreError> },
}

#[derive(Default)]
struct Batch {
    endings: Endings,
    fails: Vec<Fail>,
    returns: Vec<Return>,
}

impl Batch {
    fn count(&self) -> usize {
        self.endings.count() + self.fails.len() + self.returns.len()
    }

    fn add(&mut self, command: Command) {
        match command {
            Command::Order(OrderCommand::Open(open)) => self.endings.opens.push(*open),
            Command::Order(OrderCommand::Complete { id, receipt, answer, reply }) => {
                self.endings.completes.push(Complete { id, receipt, answer, reply });
            }
            Command::Order(OrderCommand::AwaitRelease { id, reason, answer, reply }) => {
                self.endings.awaits.push(Await { id, reason, answer, reply });
            }
            Command::Order(OrderCommand::Fail { id, reason, answer, reply }) => {
                self.fails.push(Fail { id, reason, answer, reply });
            }
            Command::Reservation(ReservationCommand::Settle { reference, answer, reply }) => {
                self.endings.settles.push(Settle { reference, answer, reply });
            }
            Command::Reservation(ReservationCommand::Refuse { reference, answer, reply }) => {
                self.returns.push(Return::Refuse { reference, answer, reply });
            }
            Command::Reservation(ReservationCommand::Release { reference, reply }) => {
                self.returns.push(Return::Release { reference, reply });
            }
            Command::Reservation(ReservationCommand::StartOver { taker, plugins, durability, reply }) => {
                self.returns.push(Return::StartOver { taker, plugins, durability, reply });
            }
            // They have lanes of their own.
            Command::Reservation(ReservationCommand::Take(_))
            | Command::Stock(_)
            | Command::Plugin(_)
            | Command::Catalogue(_)
            | Command::Upkeep(_) => {}
            #[cfg(test)]
            Command::Test(_) => {}
        }
    }
}

/// Does the work until the database has answered it. The work learns whether an earlier try may have counted.
macro_rules! insist {
    ($ending:ident, |$client:ident, $is_repeated:ident| $work:expr) => {{
        let mut tries = Tries::default();
        loop {
            let $is_repeated = tries.is_repeated;
            let outcome = match $ending.connection.session().await {
                Ok($client) => in_time($work).await,
                Err(failed) => Err(failed),
            };
            match &outcome {
                Ok(_) => $ending.host.note_committed(),
                Err(failed) => {
                    $ending.connection.undo(failed).await;
                    if $ending.connection.is_silent() {
                        $ending.host.note_commits_wait();
                    }
                }
            }
            match outcome {
                Ok(done) => break Ok(done),
                Err(failed) => match tries.next(failed, &$ending.giving_up).await {
                    Ok(()) => {}
                    Err(failed) => break Err(failed),
                },
            }
        }
    }};
}

impl Ending {
    pub(super) async fn run(mut self) {
        while let Some(first) = self.commands.recv().await {
            let mut batch = Batch::default();
            let mut next = Some(first);
            while let Some(command) = next {
                batch.add(command);
                next = if batch.count() < self.batch_commands_max { self.commands.try_recv().ok() } else { None };
            }
            let commands = batch.count();
            self.write(batch).await;
            self.shared.queued_commands.fetch_sub(commands, Relaxed);
        }
    }

    async fn write(&mut self, Batch { endings, mut fails, returns }: Batch) {
        if endings.count() > 0 {
            self.end(endings).await;
        }
        if !fails.is_empty() {
            // One order twice in a statement would be updated by either of them.
            fails.sort_by_key(|fail| fail.id);
            let (mut once, mut again) = (Vec::with_capacity(fails.len()), Vec::new());
            for fail in fails {
                let is_known = once.last().is_some_and(|before: &Fail| before.id == fail.id);
                if is_known { again.push(fail) } else { once.push(fail) }
            }
            self.fail(once).await;
            for fail in again {
                self.fail(vec![fail]).await;
            }
        }
        for one in returns {
            self.give_back(one).await;
        }
        self.connection.prepare_seen().await;
    }

    async fn end(&mut self, endings: Endings) {
        let opening: Vec<i64> = ids(&endings.opens).map(OrderId::row).collect();
        let holder = Holder { host: self.host.id(), numbers_from: self.host.numbers.lowest(&opening) };
        let count = endings.count();
        let written = insist!(self, |client, is_repeated| endings.write(client, holder, is_repeated));
        let opened: Vec<OrderId> = endings.opens.iter().map(|open| open.id).collect();
        match written {
            Ok(ended) => {
                self.shared.committed(count);
                tell(endings, ended);
            }
            Err(Failed::Refused(error)) if count > 1 => {
                tracing::warn!(%error, "the database refused a batch of ends; each is tried by itself");
                for one in apart(endings) {
                    let written = insist!(self, |client, is_repeated| one.write(client, holder, is_repeated));
                    match written {
                        Ok(ended) => tell(one, ended),
                        Err(failed) => refuse_all(one, &failed),
                    }
                }
            }
            Err(failed) => {
                self.shared.batch_failed();
                refuse_all(endings, &failed);
            }
        }
        self.host.numbers.settled(opened.into_iter());
    }

    async fn fail(&mut self, fails: Vec<Fail>) {
        let failing: Vec<Failing<'_>> = fails
            .iter()
            .map(|Fail { id, reason, answer, .. }| Failing { id: *id, reason, answer: answer.as_ref() })
            .collect();
        let written = insist!(self, |client, _is_repeated| fail(client, &failing));
        drop(failing);
        match written {
            Ok(outcomes) => {
                self.shared.committed(fails.len());
                for (fail, outcome) in fails.into_iter().zip(outcomes) {
                    fail.reply.tell(outcome);
                }
            }
            Err(failed) => {
                self.shared.batch_failed();
                for fail in fails {
                    fail.reply.tell(Err(failed.error()));
                }
            }
        }
    }

    async fn give_back(&mut self, one: Return) {
        let host = self.host.id();
        match one {
            Return::Refuse { reference, answer, reply } => {
                let refused = insist!(self, |client, _is_repeated| refuse(client, &reference, answer.as_ref(), host));
                reply.tell(refused.unwrap_or_else(|failed| Err(failed.into())));
            }
            Return::Release { reference, reply } => {
                let released = insist!(self, |client, _is_repeated| release(client, &reference, host));
                reply.tell(released.unwrap_or_else(|failed| Err(failed.into())));
            }
            Return::StartOver { taker, plugins, durability, reply } => {
                let is_durable = durability == Durability::Committed;
                let started = insist!(self, |client, _is_repeated| start_over(client, &taker, &plugins, is_durable));
                reply.tell(started.unwrap_or_else(|failed| Err(failed.into())));
            }
        }
        self.shared.committed(1);
    }
}

/// What is remembered of a work from try to try.
struct Tries {
    /// Whether an earlier try may have counted.
    is_repeated: bool,
    pause: Duration,
}

impl Default for Tries {
    fn default() -> Self {
        Self { is_repeated: false, pause: PAUSE_MIN }
    }
}

impl Tries {
    /// Waits before the next try. Returns the failure if there is to be none.
    async fn next(&mut self, failed: Failed, giving_up: &CancellationToken) -> Result<(), Failed> {
        match &failed {
            Failed::Refused(_) => return Err(failed),
            Failed::Crossed(_) | Failed::Lost(_) => {}
            Failed::Unknown(_) => self.is_repeated = true,
        }
        if giving_up.is_cancelled() {
            return Err(failed);
        }
        tokio::select! {
            () = giving_up.cancelled() => {}
            () = tokio::time::sleep(self.pause) => {}
        }
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        Ok(())
    }
}

fn tell(Endings { opens, completes, awaits, settles }: Endings, ended: Ended) {
    let Ended { opened, completed, awaited, settled } = ended;
    let now = SystemTime::now();
    opens.into_iter().zip(opened).for_each(|(open, outcome)| open.reply.tell(outcome.map(|()| now)));
    completes.into_iter().zip(completed).for_each(|(complete, outcome)| complete.reply.tell(outcome));
    awaits.into_iter().zip(awaited).for_each(|(waiting, outcome)| waiting.reply.tell(outcome));
    settles.into_iter().zip(settled).for_each(|(settle, outcome)| settle.reply.tell(outcome));
}

fn refuse_all(Endings { opens, completes, awaits, settles }: Endings, failed: &Failed) {
    opens.into_iter().for_each(|open| open.reply.tell(Err(failed.error())));
    completes.into_iter().for_each(|complete| complete.reply.tell(Err(failed.error())));
    awaits.into_iter().for_each(|waiting| waiting.reply.tell(Err(failed.error())));
    settles.into_iter().for_each(|settle| settle.reply.tell(Err(failed.error())));
}

/// Returns the ends one by one.
fn apart(mut endings: Endings) -> impl Iterator<Item = Endings> {
    let opens =
        mem::take(&mut endings.opens).into_iter().map(|open| Endings { opens: vec![open], ..Endings::default() });
    let completes = mem::take(&mut endings.completes).into_iter();
    let completes = completes.map(|complete| Endings { completes: vec![complete], ..Endings::default() });
    let awaits = mem::take(&mut endings.awaits).into_iter();
    let awaits = awaits.map(|waiting| Endings { awaits: vec![waiting], ..Endings::default() });
    let settles = mem::take(&mut endings.settles).into_iter();
    let settles = settles.map(|settle| Endings { settles: vec![settle], ..Endings::default() });
    opens.chain(completes).chain(awaits).chain(settles)
}
