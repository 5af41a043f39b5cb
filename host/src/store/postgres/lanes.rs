//! The lanes in which commands are carried out, each over a connection of its own.
//!
//! ```text
//! Step, Rest ─▶ holds    orders opened, stock taken; many in one transaction, not waited for on the disk
//! Ending     ─▶ endings  orders and deducts ended, durable; many in one transaction
//! Durable    ─▶ desk     stock by hand, plugins, upkeep; one by one
//! ```
//!
//! Commands of one order or deduct are carried out in the order in which they came: an end waits until what is in the lane
//! of holds is done.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{
    OrderId, Taker,
    command::{Command, Lane, OrderCommand, ReservationCommand, UpkeepCommand},
};
use crate::{
    order::Reference,
    store::queue::{Carrier, Reply},
};

/// The callers' end of all lanes.
#[derive(Debug, Clone)]
pub(in crate::store) struct Lanes {
    holds: mpsc::UnboundedSender<Command>,
    endings: mpsc::UnboundedSender<Command>,
    desk: mpsc::UnboundedSender<Command>,
    waiting: Arc<Mutex<HashMap<Subject, Waiting>>>,
}

/// The lanes' own ends.
pub(super) struct Ends {
    pub(super) holds: mpsc::UnboundedReceiver<Command>,
    pub(super) endings: mpsc::UnboundedReceiver<Command>,
    pub(super) desk: mpsc::UnboundedReceiver<Command>,
}

/// What a command is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Subject {
    Order(OrderId),
    Deduct(Reference),
}

/// The commands of a subject in the lane of holds, and those that wait for them.
#[derive(Default)]
struct Waiting {
    in_holds: usize,
    behind: VecDeque<Command>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Waiting").field("in_holds", &self.in_holds).finish_non_exhaustive()
    }
}

pub(super) fn lanes() -> (Lanes, Ends) {
    let ((holds, holds_end), (endings, endings_end), (desk, desk_end)) =
        (mpsc::unbounded_channel(), mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let ends = Ends { holds: holds_end, endings: endings_end, desk: desk_end };
    (Lanes { holds, endings, desk, waiting: Arc::default() }, ends)
}

impl Carrier for Lanes {
    fn send(&self, command: Command) -> bool {
        let (lane, _) = command.terms();
        match (subject(&command), lane) {
            (Some(subject), Lane::Rest | Lane::Step) => {
                let mut waiting = self.waiting.lock();
                waiting.entry(subject).or_default().in_holds += 1;
                self.holds.send(command).is_ok()
            }
            (Some(subject), Lane::Durable | Lane::Ending) => {
                let mut waiting = self.waiting.lock();
                match waiting.get_mut(&subject) {
                    Some(waiting) => {
                        waiting.behind.push_back(command);
                        // What it waits for may lie there only because nobody asked for it.
                        self.wake()
                    }
                    None => self.endings.send(command).is_ok(),
                }
            }
            (None, _) => self.desk.send(command).is_ok(),
        }
    }
}

impl Lanes {
    /// Has what rests in the lane of holds carried out, and returns whether the lane is there. Such a command isn't counted as
    /// queued.
    pub(super) fn wake(&self) -> bool {
        let (caller, _nobody) = tokio::sync::oneshot::channel();
        self.holds.send(UpkeepCommand::Wake { reply: Reply::to(caller) }.into()).is_ok()
    }

    /// Notes that commands of the lane of holds are done, and lets those go on that waited for them.
    pub(super) fn held(&self, subjects: impl Iterator<Item = Subject>) {
        let mut all = self.waiting.lock();
        for subject in subjects {
            let Some(waiting) = all.get_mut(&subject) else { continue };
            waiting.in_holds -= 1;
            if waiting.in_holds == 0
                && let Some(Waiting { behind, .. }) = all.remove(&subject)
            {
                for command in behind {
                    // Refused only if the lane is gone, and its callers with it.
                    drop(self.endings.send(command));
                }
            }
        }
    }
}

/// Returns what the command is about; `None` if that is neither an order nor a deduct.
pub(super) fn subject(command: &Command) -> Option<Subject> {
    let of_taker = |taker: &Taker| match taker {
        Taker::Order(id) => Subject::Order(*id),
        Taker::Deduct(reference) => Subject::Deduct(reference.clone()),
    };
    match command {
        Command::Order(OrderCommand::Open(open)) => Some(Subject::Order(open.id)),
        Command::Order(
            OrderCommand::Complete { id, .. } | OrderCommand::Fail { id, .. } | OrderCommand::AwaitRelease { id, .. },
        ) => Some(Subject::Order(*id)),
        Command::Reservation(ReservationCommand::Take(take)) => Some(of_taker(&take.taker)),
        Command::Reservation(ReservationCommand::StartOver { taker, .. }) => Some(of_taker(taker)),
        Command::Reservation(
            ReservationCommand::Settle { reference, .. }
            | ReservationCommand::Refuse { reference, .. }
            | ReservationCommand::Release { reference, .. },
        ) => Some(Subject::Deduct(reference.clone())),
        Command::Stock(_) | Command::Plugin(_) | Command::Catalogue(_) | Command::Upkeep(_) => None,
        #[cfg(test)]
        Command::Test(_) => None,
    }
}
