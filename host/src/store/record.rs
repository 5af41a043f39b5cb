//! The store's records: orders, stock levels, and the store's own figures.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;

use crate::{
    clock,
    order::{Cart, Currency, Fingerprint, Item, Keyed, Receipt, Reference, Status},
    units::i64_of,
};

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

/// The inventory whose stock an order takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inventory {
    /// This store's stock.
    Local,
    /// The stock of the till at this address, across the network.
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

/// A new order.
#[derive(Debug, Clone)]
pub struct NewOrder {
    pub reference: Reference,
    pub inventory: Inventory,
    pub currency: Currency,
    pub cart: Cart,
    pub trace_id: String,
    /// The plugins that decide, as the `till-plugins` header names them.
    pub plugins: String,
    /// Unix time in ms; the checkout plugin gets the same value.
    pub placed_at_ms: u64,
    /// The client's key, which the order claims. No other order may be claiming it at the same time.
    pub keyed: Option<Keyed>,
}

/// When a step of an order is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Once executed. A crash or a failed batch may lose the step; every later command of the order then says so.
    Queued,
    /// Once the step survives a power cut. Needed before anything about it leaves this host.
    Committed,
}

/// The order or deduct for which stock is taken.
#[derive(Debug, Clone)]
pub enum Taker {
    /// A pending local order of this store, under its reference.
    Order(OrderId),
    /// Another till's deduct, under the reference it sent.
    Deduct(Reference),
}

/// The answer that a client got, to be repeated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The HTTP status.
    pub status: u16,
    pub body: Bytes,
}

/// The result of an earlier request with the same key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    pub fingerprint: Fingerprint,
    /// `None` while the order has no end.
    pub answer: Option<Answered>,
}

/// An order as it stands in the last commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    pub id: OrderId,
    pub reference: Reference,
    pub status: Status,
    pub inventory: Inventory,
    /// How many deducts of this order a remote inventory may know, each under [a reference of its
    /// own](Reference::of_deduct).
    pub deducts: u32,
    pub currency: Currency,
    pub cart: Cart,
    /// Present exactly when the order is completed.
    pub receipt: Option<Receipt>,
    /// Why the order failed, or why a release is pending.
    pub reason: Option<String>,
    pub trace_id: String,
    pub plugins: String,
    /// Unix time in ms.
    pub placed_at_ms: u64,
    /// Unix time in ms; present exactly when the order is completed or failed.
    pub ended_at_ms: Option<u64>,
}

/// Which orders to list.
#[derive(Debug, Clone, Default)]
pub struct OrdersFilter {
    pub status: Option<Status>,
    /// Only orders that neither completed nor failed.
    pub unresolved: bool,
    /// Only orders with a line of the item.
    pub item: Option<Item>,
    /// Only orders placed at that time or later: Unix time, ms.
    pub placed_from_ms: Option<u64>,
    /// Only orders placed before that time.
    pub placed_before_ms: Option<u64>,
    /// From the one placed last to the first; otherwise ascending by number.
    pub newest_first: bool,
    /// Only orders that come after this one, the last of the previous page.
    pub after: Option<OrderId>,
    /// The most orders of a page, up to [`OrdersFilter::LIMIT_MAX`].
    pub limit: u32,
}

impl OrdersFilter {
    /// A page is built in memory, and ends early if it is large ([`LIST_BYTES_MAX`](super::LIST_BYTES_MAX)).
    pub const LIMIT_MAX: u32 = 1_000;
}

/// A page of a list, with at least one entry if any is left.
#[derive(Debug)]
pub struct Page<T> {
    pub rows: Vec<T>,
    /// Whether there may be more entries after the last one.
    pub goes_on: bool,
}

/// How much of an item is on hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockLevel {
    pub item: Item,
    /// Pieces; [`u32::MAX`] if returned goods raised the stock above that.
    pub on_hand: u32,
}

/// The result of a change of stock by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockChanged {
    pub level: StockLevel,
    /// Whether the shop didn't have the item before.
    pub is_new: bool,
}

/// What a release found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Released {
    /// The reference's stock was given back.
    Returned,
    /// The reference was released before; nothing was changed.
    Before,
    /// Nothing was taken under the reference, and from now on nothing can be.
    Tombstone,
}

/// Returns the time by the host's clock, as columns have it: Unix time in ms.
pub(super) fn now_ms() -> i64 {
    i64_of(clock::now_ms())
}

/// Returns the pieces as a `u32`; values outside its range become its nearest bound.
pub(super) fn saturated(pieces: i64) -> u32 {
    u32::try_from(pieces.max(0)).unwrap_or(u32::MAX)
}

/// An item whose stock isn't what its ledger says. That happens only if something else wrote to the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerMismatch {
    pub item: String,
    pub on_hand: i64,
    /// Opening stock plus all movements.
    pub ledger: i64,
}

/// A host that shares a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRow {
    pub id: u64,
    pub name: String,
    /// The till's version.
    pub version: String,
    /// Whether its lease lasts.
    pub serves: bool,
    /// Unix time in ms.
    pub started_at_ms: u64,
    /// Unix time in ms.
    pub lease_until_ms: u64,
    /// Orders that it has begun and that have no end.
    pub open_orders: u64,
}

/// What opening the store found and settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opened {
    /// Local orders that a crash left pending: FAILED with reason `interrupted`, their stock given back.
    pub interrupted_orders: u64,
    /// Remote orders in PENDING_RELEASE, whose stock is unknown: new ones and those from before.
    pub awaiting_release_orders: u64,
    /// Reservations, of the interrupted orders and of deducts, that were held but never confirmed to anybody, and are
    /// given back.
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
    /// Unresolved orders that wait for a remote inventory to confirm their release.
    pub awaiting_release_orders: u64,
    pub known_items: usize,
    /// Bytes of SQLite's write-ahead log. It only grows past some 16 MiB if a reader stays for long.
    pub wal_bytes: u64,
    /// Hosts that serve the store, this one included.
    pub hosts: u64,
    /// For how long a shared database hasn't answered this host; zero for a store of its own.
    pub lease_age: Duration,
    /// Whether a shared database has no standby that confirms commits: the loss of its machine loses acknowledged orders.
    pub without_standby: bool,
}
