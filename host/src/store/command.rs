//! The writer's commands, as values: what a caller asks for, and where its answer goes.
//!
//! A command says nothing of how it is carried out: each database does that in its own folder. When a command is answered, and
//! what it does to the stock, is said here for all of them, so that a new one can't leave it open.

use std::{collections::BTreeMap, sync::Arc, time::Duration, time::SystemTime};

#[cfg(test)]
use super::sqlite::TestCommand;
use super::{
    Answered, ApprovalId, ApprovalRow, Audited, Durability, HookChange, HookOrder, HostChange, OrderId, PluginVersion,
    Released, RolloutId, RolloutRow, RolloutState, StockChanged, StockError, StockLevel, StoreError, SwapAction,
    TakeError, Taker, VersionId, VersionText,
    json::{OrderText, ReceiptText},
    queue::{Answer, Reply},
};
use crate::{
    hooks::Installation,
    order::{Fingerprint, Item, Keyed, Reference},
};

pub(super) enum Command {
    Order(OrderCommand),
    Reservation(ReservationCommand),
    Stock(StockCommand),
    Plugin(Box<PluginCommand>),
    Catalogue(CatalogueCommand),
    Upkeep(UpkeepCommand),
    #[cfg(test)]
    Test(TestCommand),
}

/// Begins or ends an order.
pub(super) enum OrderCommand {
    Open(Box<OpenOrder>),
    Complete { id: OrderId, receipt: Box<ReceiptText>, answer: Option<Answered>, reply: Reply<(), StoreError> },
    Fail { id: OrderId, reason: String, answer: Option<Answered>, reply: Reply<(), StoreError> },
    AwaitRelease { id: OrderId, reason: String, answer: Option<Answered>, reply: Reply<(), StoreError> },
}

/// An order to be written. Its creation is answered with the time at which that was done.
pub(super) struct OpenOrder {
    pub(super) id: OrderId,
    pub(super) order: OrderText,
    pub(super) keyed: Option<Keyed>,
    pub(super) lane: Lane,
    pub(super) reply: Reply<SystemTime, StoreError>,
}

/// Changes what a reference holds.
pub(super) enum ReservationCommand {
    Take(Take),
    StartOver { taker: Taker, plugins: String, durability: Durability, reply: Reply<(), StoreError> },
    Settle { reference: Reference, answer: Option<(Fingerprint, Answered)>, reply: Reply<(), StoreError> },
    Refuse { reference: Reference, answer: Option<(Fingerprint, Answered)>, reply: Reply<(), StoreError> },
    Release { reference: Reference, reply: Reply<Released, StoreError> },
}

/// A take of pieces, summed by item.
pub(super) struct Take {
    pub(super) taker: Taker,
    pub(super) pieces: Arc<BTreeMap<Item, u64>>,
    /// Whether the take was answered before it was queued (`levels.rs`).
    pub(super) was_ahead: bool,
    pub(super) reply: Reply<Vec<StockLevel>, TakeError>,
}

/// Changes the stock by hand.
pub(super) enum StockCommand {
    Seed { opening: Vec<(Item, u32)>, reply: Reply<(), StoreError> },
    Set { item: Item, counted: u32, why: String, reply: Reply<StockChanged, StoreError> },
    Add { item: Item, delta: i64, why: String, reply: Reply<StockChanged, StockError> },
    Remove { item: Item, why: String, reply: Reply<(), StockError> },
}

/// Changes the plugins' versions and rollouts, or notes something in their audit.
pub(super) enum PluginCommand {
    Publish {
        /// The version that has to be live, if it matters: another host may have changed it.
        over: Option<VersionId>,
        text: VersionText,
        /// The order of the hook's installations from now on, if it changes.
        order: Option<HookOrder>,
        action: SwapAction,
        audited: Audited,
        reply: Reply<PluginVersion, StoreError>,
    },
    Uninstall {
        /// The version that has to be live.
        live: PluginVersion,
        /// The order of the hook's installations that are left.
        order: HookOrder,
        audited: Audited,
        reply: Reply<(), StoreError>,
    },
    Reorder {
        order: HookOrder,
        audited: Audited,
        reply: Reply<(), StoreError>,
    },
    AskApproval {
        change: HookChange<VersionText>,
        by: String,
        reason: String,
        reply: Reply<ApprovalRow, StoreError>,
    },
    RejectApproval {
        id: ApprovalId,
        by: String,
        reason: String,
        reply: Reply<(), StoreError>,
    },
    NoteRefusal {
        at: Option<Installation>,
        by: String,
        detail: String,
        reply: Reply<(), StoreError>,
    },
    NoteFolderHas {
        at: Installation,
        version: VersionId,
        reply: Reply<(), StoreError>,
    },
    BeginRollout {
        text: VersionText,
        plan: String,
        by: String,
        detail: String,
        reply: Reply<RolloutRow, StoreError>,
    },
    ChangeRollout {
        id: RolloutId,
        state: RolloutState,
        by: String,
        reason: String,
        reply: Reply<(), StoreError>,
    },
    PromoteRollout {
        id: RolloutId,
        text: VersionText,
        by: String,
        reason: String,
        reply: Reply<PluginVersion, StoreError>,
    },
}

/// Replaces the catalogue.
pub(super) struct CatalogueCommand {
    /// The epoch that the catalogue has to have: another host may have replaced it.
    pub(super) over: u64,
    pub(super) parts: Vec<Vec<u8>>,
    pub(super) reply: Reply<u64, StoreError>,
}

pub(super) enum UpkeepCommand {
    PruneAnswers {
        kept: Duration,
        reply: Reply<bool, StoreError>,
    },
    CheckReadiness {
        reply: Reply<(), StoreError>,
    },
    /// Records what happened to a host.
    NoteHost {
        host: String,
        what: HostChange,
        detail: String,
        reply: Reply<(), StoreError>,
    },
    /// Does nothing but wake the writer.
    Wake {
        reply: Reply<(), StoreError>,
    },
}

/// When a command is answered, and how much of the queue it may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// Once executed, as a step; nobody waits for it, so the writer needn't wake for it and may hold it back (`held.rs`).
    Rest,
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

/// What the copy of the levels (`levels.rs`) is after a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LevelsAfter {
    /// As right as before: the command changes no stock, or changes the copy itself.
    Known,
    /// Forgotten: the command may change the stock.
    Unknown,
}

impl Command {
    /// Returns when the command is answered, and what the copy of the levels is after it.
    pub(super) fn terms(&self) -> (Lane, LevelsAfter) {
        match self {
            Self::Order(command) => match command {
                OrderCommand::Open(open) => (open.lane, LevelsAfter::Known),
                OrderCommand::Complete { .. } | OrderCommand::AwaitRelease { .. } => (Lane::Ending, LevelsAfter::Known),
                OrderCommand::Fail { .. } => (Lane::Ending, LevelsAfter::Unknown),
            },
            Self::Reservation(command) => match command {
                ReservationCommand::Take(take) => {
                    (if take.was_ahead { Lane::Rest } else { Lane::Step }, LevelsAfter::Known)
                }
                ReservationCommand::StartOver { durability, .. } => ((*durability).into(), LevelsAfter::Unknown),
                ReservationCommand::Settle { .. } => (Lane::Ending, LevelsAfter::Known),
                ReservationCommand::Refuse { .. } | ReservationCommand::Release { .. } => {
                    (Lane::Ending, LevelsAfter::Unknown)
                }
            },
            Self::Stock(
                StockCommand::Seed { .. }
                | StockCommand::Set { .. }
                | StockCommand::Add { .. }
                | StockCommand::Remove { .. },
            ) => (Lane::Durable, LevelsAfter::Unknown),
            Self::Plugin(_) | Self::Catalogue(_) => (Lane::Durable, LevelsAfter::Known),
            Self::Upkeep(
                UpkeepCommand::PruneAnswers { .. }
                | UpkeepCommand::CheckReadiness { .. }
                | UpkeepCommand::NoteHost { .. },
            ) => (Lane::Durable, LevelsAfter::Known),
            Self::Upkeep(UpkeepCommand::Wake { .. }) => (Lane::Step, LevelsAfter::Known),
            #[cfg(test)]
            Self::Test(command) => (command.lane, LevelsAfter::Unknown),
        }
    }

    /// Returns whether the command needs nothing of other orders' openings: they may stay held.
    pub(super) fn leaves_held(&self) -> bool {
        match self {
            Self::Order(OrderCommand::Complete { .. }) => true,
            Self::Reservation(ReservationCommand::Take(take)) => take.was_ahead,
            _ => false,
        }
    }

    /// Returns the answer of a command that isn't carried out.
    pub(super) fn unexecuted(self) -> Box<dyn Answer> {
        match self {
            Self::Order(command) => match command {
                OrderCommand::Open(open) => open.reply.unexecuted(),
                OrderCommand::Complete { reply, .. }
                | OrderCommand::Fail { reply, .. }
                | OrderCommand::AwaitRelease { reply, .. } => reply.unexecuted(),
            },
            Self::Reservation(command) => match command {
                ReservationCommand::Take(take) => take.reply.unexecuted(),
                ReservationCommand::StartOver { reply, .. }
                | ReservationCommand::Settle { reply, .. }
                | ReservationCommand::Refuse { reply, .. } => reply.unexecuted(),
                ReservationCommand::Release { reply, .. } => reply.unexecuted(),
            },
            Self::Stock(command) => match command {
                StockCommand::Seed { reply, .. } => reply.unexecuted(),
                StockCommand::Set { reply, .. } => reply.unexecuted(),
                StockCommand::Add { reply, .. } => reply.unexecuted(),
                StockCommand::Remove { reply, .. } => reply.unexecuted(),
            },
            Self::Plugin(command) => match *command {
                PluginCommand::Publish { reply, .. } | PluginCommand::PromoteRollout { reply, .. } => {
                    reply.unexecuted()
                }
                PluginCommand::BeginRollout { reply, .. } => reply.unexecuted(),
                PluginCommand::AskApproval { reply, .. } => reply.unexecuted(),
                PluginCommand::Uninstall { reply, .. }
                | PluginCommand::Reorder { reply, .. }
                | PluginCommand::RejectApproval { reply, .. }
                | PluginCommand::NoteRefusal { reply, .. }
                | PluginCommand::NoteFolderHas { reply, .. }
                | PluginCommand::ChangeRollout { reply, .. } => reply.unexecuted(),
            },
            Self::Catalogue(command) => command.reply.unexecuted(),
            Self::Upkeep(command) => match command {
                UpkeepCommand::PruneAnswers { reply, .. } => reply.unexecuted(),
                UpkeepCommand::CheckReadiness { reply }
                | UpkeepCommand::NoteHost { reply, .. }
                | UpkeepCommand::Wake { reply } => reply.unexecuted(),
            },
            #[cfg(test)]
            Self::Test(command) => command.reply.unexecuted(),
        }
    }
}

impl From<OrderCommand> for Command {
    fn from(command: OrderCommand) -> Self {
        Self::Order(command)
    }
}

impl From<ReservationCommand> for Command {
    fn from(command: ReservationCommand) -> Self {
        Self::Reservation(command)
    }
}

impl From<StockCommand> for Command {
    fn from(command: StockCommand) -> Self {
        Self::Stock(command)
    }
}

impl From<PluginCommand> for Command {
    fn from(command: PluginCommand) -> Self {
        Self::Plugin(Box::new(command))
    }
}

impl From<CatalogueCommand> for Command {
    fn from(command: CatalogueCommand) -> Self {
        Self::Catalogue(command)
    }
}

impl From<UpkeepCommand> for Command {
    fn from(command: UpkeepCommand) -> Self {
        Self::Upkeep(command)
    }
}

#[cfg(test)]
impl From<TestCommand> for Command {
    fn from(command: TestCommand) -> Self {
        Self::Test(command)
    }
}
