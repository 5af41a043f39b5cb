//! What the store keeps and tells: orders, stock levels, and the figures about itself.

use std::sync::Arc;

use bytes::Bytes;

use crate::order::{Cart, Currency, Fingerprint, Item, Keyed, Receipt, Reference, Status};

/// An order's number: 1 to 2^53 − 1, ascending in the order of creation, never used twice while the host runs.
/// Numbers of orders that were lost with a failed batch leave gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OrderId(i64);

impl OrderId {
    const LIMIT: i64 = 1 << 53;

    /// Returns the id of that number, `None` for 0 and from 2^53.
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        i64::try_from(number).ok().and_then(Self::of_row)
    }

    #[must_use]
    pub const fn number(self) -> u64 {
        self.0.unsigned_abs()
    }

    pub(super) fn of_row(id: i64) -> Option<Self> {
        (1..Self::LIMIT).contains(&id).then_some(Self(id))
    }

    pub(super) const fn row(self) -> i64 {
        self.0
    }
}

/// Whose stock an order takes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inventory {
    /// This store's.
    Local,
    /// That of the till at this address, across the network.
    Remote(Arc<str>),
}

impl Inventory {
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Remote(_) => "remote",
        }
    }

    /// Returns the other till's address, `None` for this store's.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Local => None,
            Self::Remote(url) => Some(url),
        }
    }

    /// Returns the inventory of that name and address, `None` if there is none.
    pub(super) fn parse(text: &str, url: Option<String>) -> Option<Self> {
        match (text, url) {
            ("local", None) => Some(Self::Local),
            ("remote", Some(url)) => Some(Self::Remote(url.into())),
            _ => None,
        }
    }
}

/// What is known of an order when it is placed.
#[derive(Debug, Clone)]
pub struct NewOrder {
    pub reference: Reference,
    pub inventory: Inventory,
    pub currency: Currency,
    pub cart: Cart,
    pub trace_id: String,
    /// The plugins that decide, as the `till-plugins` header names them.
    pub plugins: String,
    /// Unix time in ms, the same that the checkout plugin is told.
    pub placed_at_ms: u64,
    /// The client's key, which is taken from now on. Nobody else may be about to take it.
    pub keyed: Option<Keyed>,
}

/// When a step of an order is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Once executed: a crash or a failed batch may lose it, and then every later command of the order says so.
    Queued,
    /// Once it survives a power cut: before anything of it leaves this host.
    Committed,
}

/// Under whose name stock is taken.
#[derive(Debug, Clone)]
pub enum Taker {
    /// A pending local order of this store, under its reference.
    Order(OrderId),
    /// Another till's deduct, under the reference it sent.
    Deduct(Reference),
}

/// What a client was told, so that it is told the same again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    pub body: Bytes,
}

/// What came of a request of the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    pub fingerprint: Fingerprint,
    /// `None` while its order has no end.
    pub answer: Option<Answered>,
}

/// An order as it stands in the last commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub id: OrderId,
    pub reference: Reference,
    pub status: Status,
    pub inventory: Inventory,
    /// How many deducts a remote inventory may know of it, each under [a reference of its own](Reference::of_deduct).
    pub deducts: u32,
    pub currency: Currency,
    pub cart: Cart,
    /// There exactly when the order is completed.
    pub receipt: Option<Receipt>,
    /// Why it failed, or why a release is pending.
    pub reason: Option<String>,
    pub trace_id: String,
    pub plugins: String,
    /// Unix time in ms.
    pub placed_at_ms: u64,
    /// Unix time in ms; there exactly when the order is completed or failed.
    pub ended_at_ms: Option<u64>,
}

/// Which orders to list.
#[derive(Debug, Clone, Copy, Default)]
pub struct OrdersFilter {
    pub status: Option<Status>,
    /// Only those that neither completed nor failed.
    pub unresolved: bool,
    /// Only those after this one: the last of the page before.
    pub after: Option<OrderId>,
    /// At most so many; [`OrdersFilter::LIMIT_MAX`] is the ceiling.
    pub limit: u32,
}

impl OrdersFilter {
    /// A page is built in memory, and ends where it is large ([`LIST_BYTES_MAX`](super::LIST_BYTES_MAX)).
    pub const LIMIT_MAX: u32 = 1_000;
}

/// A part of a list, with at least one of the rest if there is a rest.
#[derive(Debug)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Whether there may be more behind the last one.
    pub goes_on: bool,
}

/// How much of an item is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockLevel {
    pub item: Item,
    /// Pieces. Reads as [`u32::MAX`] where returned goods lifted it higher.
    pub on_hand: u32,
}

/// What a change of stock by hand came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockChanged {
    pub level: StockLevel,
    /// Whether the shop hadn't got the item before.
    pub is_new: bool,
}

/// What a release found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// Its stock was given back.
    Returned,
    /// It was released before; nothing was changed.
    Before,
    /// Nobody had taken under it. From now on nobody can.
    Tombstone,
}

/// An item whose stock isn't what its ledger says. There is none unless something else wrote to the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerMismatch {
    pub item: String,
    pub on_hand: i64,
    /// Opening stock plus all movements.
    pub ledger: i64,
}

/// What opening the store found and settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opened {
    /// Local orders that a crash left pending: FAILED with reason `interrupted`, their stock given back.
    pub interrupted_orders: u64,
    /// Remote orders that nobody knows the stock of: PENDING_RELEASE, these and those from before.
    pub awaiting_release_orders: u64,
    /// Reservations that were held, never confirmed to anybody, and given back: of those orders and of deducts.
    pub returned_reservations: u64,
}

/// The store's figures for metrics. Counters start at 0 when it is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gauges {
    pub queued_commands: usize,
    pub queued_commands_max: usize,
    pub commits: u64,
    pub committed_commands: u64,
    /// Batches that were rolled back, none of their commands acknowledged.
    pub failed_batches: u64,
    /// Orders that are neither completed nor failed, as of the last commit.
    pub unresolved_orders: u64,
    /// Those of them that wait for a remote inventory to confirm their release.
    pub awaiting_release_orders: u64,
    pub known_items: usize,
    /// Bytes of the write-ahead log. It only grows past some 16 MiB if a reader stays for long.
    pub wal_bytes: u64,
}
