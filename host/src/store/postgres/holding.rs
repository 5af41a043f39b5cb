//! Carries out the lane of holds.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant, SystemTime},
};

use tokio::sync::mpsc;

use super::{
    Durability, OrderId, Outage, StoreError, Taker,
    command::{Command, Lane, OpenOrder, OrderCommand, ReservationCommand, UpkeepCommand},
    connection::Connection,
    holds::{Held, Holder, Holds, ids},
    host::Host,
    lanes::{Lanes, Subject, subject},
    link::Failed,
    returns::start_over,
    transaction::{in_time, rollback},
};
use crate::store::queue::{Reply, Shared};

/// How often a transaction is tried that others are in the way of.
const TRIES_MAX: u32 = 10;

/// The lane of holds, over one connection.
pub(super) struct Holding {
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
    pub(super) lanes: Lanes,
    pub(super) connection: Connection,
    pub(super) host: Arc<Host>,
    pub(super) shared: Arc<Shared>,
    pub(super) batch_commands_max: usize,
    pub(super) linger: Duration,
    /// Orders whose opening waits for their first take, so that both are one command of one transaction.
    pub(super) resting: BTreeMap<OrderId, (Instant, Box<OpenOrder>)>,
}

/// A canary's take to be given back.
struct StartOver {
    taker: Taker,
    plugins: String,
    durability: Durability,
    reply: Reply<(), StoreError>,
}

#[derive(Default)]
struct Batch {
    holds: Holds,
    start_overs: Vec<StartOver>,
    subjects: Vec<Subject>,
}

impl Batch {
    fn count(&self) -> usize {
        self.holds.opens.len() + self.holds.takes.len() + self.start_overs.len()
    }
}

impl Holding {
    pub(super) async fn run(mut self) {
        while let Some(batch) = self.next().await {
            if batch.count() > 0 {
                self.write(batch).await;
            }
        }
    }

    /// Waits for the next commands; `None` when there will be no more.
    async fn next(&mut self) -> Option<Batch> {
        let mut batch = Batch::default();
        let first = match self.resting.values().map(|(since, _)| *since).min() {
            None => Some(self.commands.recv().await?),
            Some(since) => {
                let until = tokio::time::Instant::from_std(since + self.linger);
                match tokio::time::timeout_at(until, self.commands.recv()).await {
                    Ok(Some(command)) => Some(command),
                    Ok(None) => {
                        self.open_resting(&mut batch, |_| true);
                        return Some(batch);
                    }
                    Err(_elapsed) => None,
                }
            }
        };
        let mut next = first;
        while let Some(command) = next {
            self.add(command, &mut batch);
            next = if batch.count() < self.batch_commands_max { self.commands.try_recv().ok() } else { None };
        }
        let linger = self.linger;
        self.open_resting(&mut batch, |since| since.elapsed() >= linger);
        Some(batch)
    }

    fn add(&mut self, command: Command, batch: &mut Batch) {
        let of = subject(&command);
        match command {
            Command::Order(OrderCommand::Open(open)) if open.lane == Lane::Rest => {
                self.resting.insert(open.id, (Instant::now(), open));
                return;
            }
            Command::Order(OrderCommand::Open(open)) => batch.holds.opens.push(*open),
            Command::Reservation(ReservationCommand::Take(take)) => {
                if let Taker::Order(id) = &take.taker
                    && let Some((_, open)) = self.resting.remove(id)
                {
                    batch.subjects.push(Subject::Order(open.id));
                    batch.holds.opens.push(*open);
                }
                batch.holds.takes.push(take);
            }
            Command::Reservation(ReservationCommand::StartOver { taker, plugins, durability, reply }) => {
                batch.start_overs.push(StartOver { taker, plugins, durability, reply });
            }
            Command::Upkeep(UpkeepCommand::Wake { reply }) => {
                self.open_resting(batch, |_| true);
                reply.tell(Ok(()));
            }
            // They have lanes of their own.
            Command::Order(
                OrderCommand::Complete { .. } | OrderCommand::Fail { .. } | OrderCommand::AwaitRelease { .. },
            )
            | Command::Reservation(
                ReservationCommand::Settle { .. }
                | ReservationCommand::Refuse { .. }
                | ReservationCommand::Release { .. },
            )
            | Command::Stock(_)
            | Command::Plugin(_)
            | Command::Catalogue(_)
            | Command::Upkeep(
                UpkeepCommand::PruneAnswers { .. }
                | UpkeepCommand::CheckReadiness { .. }
                | UpkeepCommand::NoteHost { .. },
            ) => {}
            #[cfg(test)]
            Command::Test(_) => {}
        }
        batch.subjects.extend(of);
    }

    fn open_resting(&mut self, batch: &mut Batch, is_due: impl Fn(Instant) -> bool) {
        for (id, (since, open)) in mem::take(&mut self.resting) {
            if is_due(since) {
                batch.subjects.push(Subject::Order(id));
                batch.holds.opens.push(*open);
            } else {
                self.resting.insert(id, (since, open));
            }
        }
    }

    async fn write(&mut self, Batch { holds, start_overs, subjects }: Batch) {
        let opened: Vec<OrderId> = ids(&holds.opens).collect();
        let commands = subjects.len();
        if !holds.opens.is_empty() || !holds.takes.is_empty() {
            self.hold(holds).await;
        }
        for start_over in start_overs {
            self.start_over(start_over).await;
        }
        self.connection.prepare_seen().await;
        self.host.numbers.settled(opened.into_iter());
        self.lanes.held(subjects.into_iter());
        self.shared.queued_commands.fetch_sub(commands, Relaxed);
    }

    /// Writes what is to be held. If the database refuses the whole, each command is tried by itself.
    async fn hold(&mut self, holds: Holds) {
        match self.try_to_hold(&holds).await {
            Ok(held) => {
                self.shared.committed(holds.opens.len() + holds.takes.len());
                tell(holds, held);
            }
            Err(NotHeld::Failed(Failed::Refused(error))) if holds.opens.len() + holds.takes.len() > 1 => {
                tracing::warn!(%error, "the database refused a batch of orders; each is tried by itself");
                for one in apart(holds) {
                    match self.try_to_hold(&one).await {
                        Ok(held) => tell(one, held),
                        Err(why) => self.fail(one, &why),
                    }
                }
            }
            Err(why) => self.fail(holds, &why),
        }
    }

    fn fail(&self, holds: Holds, why: &NotHeld) {
        self.shared.batch_failed();
        refuse(holds, why);
    }

    async fn try_to_hold(&mut self, holds: &Holds) -> Result<Held, NotHeld> {
        let mut tries = 0;
        loop {
            if !self.host.has_lease() {
                return Err(NotHeld::LeaseOver);
            }
            let opening: Vec<i64> = ids(&holds.opens).map(OrderId::row).collect();
            let holder = Holder { host: self.host.id(), numbers_from: self.host.numbers.lowest(&opening) };
            let client = self.connection.session().await?;
            let failed = match in_time(holds.write(client, holder)).await {
                Ok(Some(held)) => return Ok(held),
                Ok(None) => {
                    _ = in_time(rollback(client)).await;
                    self.host.lease_is_over();
                    return Err(NotHeld::LeaseOver);
                }
                Err(failed) => failed,
            };
            self.connection.undo(&failed).await;
            tries += 1;
            match failed {
                // Nobody was told anything: the same may be tried again.
                Failed::Crossed(_) | Failed::Lost(_) if tries < TRIES_MAX => {
                    tokio::time::sleep(Duration::from_millis(u64::from(tries * tries))).await;
                }
                failed => return Err(failed.into()),
            }
        }
    }

    async fn start_over(&mut self, StartOver { taker, plugins, durability, reply }: StartOver) {
        let is_durable = durability == Durability::Committed;
        let outcome = match self.connection.session().await {
            Ok(client) => in_time(start_over(client, &taker, &plugins, is_durable)).await,
            Err(failed) => Err(failed),
        };
        if let Err(failed) = &outcome {
            self.connection.undo(failed).await;
        }
        reply.tell(outcome.unwrap_or_else(|failed| Err(failed.into())));
    }
}

/// Why a batch was not carried out.
enum NotHeld {
    LeaseOver,
    Failed(Failed),
}

impl From<Failed> for NotHeld {
    fn from(failed: Failed) -> Self {
        Self::Failed(failed)
    }
}

impl NotHeld {
    fn error(&self) -> StoreError {
        match self {
            Self::LeaseOver => StoreError::Unavailable(Outage::LeaseOver),
            Self::Failed(failed) => failed.error(),
        }
    }
}

fn refuse(Holds { opens, takes }: Holds, why: &NotHeld) {
    for open in opens {
        open.reply.tell(Err(why.error()));
    }
    for take in takes {
        take.reply.tell(Err(why.error().into()));
    }
}

fn tell(Holds { opens, takes }: Holds, Held { opened, taken }: Held) {
    let now = SystemTime::now();
    for (open, outcome) in opens.into_iter().zip(opened) {
        open.reply.tell(outcome.map(|()| now));
    }
    for (take, outcome) in takes.into_iter().zip(taken) {
        take.reply.tell(outcome);
    }
}

/// Returns the holds one by one; an order's opening comes before its take.
fn apart(Holds { opens, takes }: Holds) -> impl Iterator<Item = Holds> {
    let opens = opens.into_iter().map(|open| Holds { opens: vec![open], takes: Vec::new() });
    opens.chain(takes.into_iter().map(|take| Holds { opens: Vec::new(), takes: vec![take] }))
}
