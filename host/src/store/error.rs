//! The store's errors. Each variant is a cause that callers treat differently.

use std::{error::Error, fmt, path::PathBuf, sync::Arc};

use super::{Lost, OrderId};
use crate::order::{Item, Status};

/// Why the store couldn't be opened. Every message names the file or folder and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the data folder {} can't be used", .folder.display())]
    Folder { folder: PathBuf, source: std::io::Error },
    #[error("another till uses the data folder {}: stop it, or choose another folder with --data", .folder.display())]
    InUse { folder: PathBuf },
    #[error(
        "{} is not a readable order store: it is damaged or no SQLite file. `till doctor` says more, `till restore` puts \
         a backup in its place; or choose another folder with --data",
        .file.display()
    )]
    Damaged { file: PathBuf, source: DatabaseError },
    #[error(
        "{} is damaged: {what}. `till doctor` says more, `till restore` puts a backup in its place; or choose another folder \
         with --data",
        .file.display()
    )]
    Unsound { file: PathBuf, what: String },
    #[error(
        "a till served from {} before, but its order store till.db is gone or empty: put it back, or a backup with \
         `till restore`; to begin anew, choose an empty folder with --data",
        .folder.display()
    )]
    Lost { folder: PathBuf },
    #[error(
        "{} has a write-ahead log (till.db-wal) but not the till.db that it belongs to: put that back; don't delete the \
         log, the newest orders are in it",
        .folder.display()
    )]
    LogAlone { folder: PathBuf },
    #[error(
        "a restore or a copy into {} was interrupted: run `till restore` again, or `till store copy`; a store that was there is \
         kept in that folder",
        .folder.display()
    )]
    HalfRestored { folder: PathBuf },
    #[error("{} is another program's SQLite file: choose another folder with --data", .file.display())]
    Foreign { file: PathBuf },
    #[error(
        "{} was written by a newer till (schema {found}, this one knows up to {known}): run that till again",
        .file.display()
    )]
    NewerSchema { file: PathBuf, found: i64, known: i64 },
    #[error("{} holds items that make no sense; was it written by another program?", .file.display())]
    Unreadable { file: PathBuf, source: StoreError },
    #[error("SQLite {found} has the WAL-reset bug, 3.51.3 is the first without: build till with rusqlite's `bundled`")]
    OldSqlite { found: &'static str },
    #[error("{} doesn't support write-ahead logging (journal mode {mode}): use a local disk", .file.display())]
    NoWriteAheadLog { file: PathBuf, mode: String },
    #[error("{} can't be opened", .file.display())]
    Sqlite { file: PathBuf, source: DatabaseError },
    #[error(
        "{} can't be written: the disk is full or broken ({free_mib} MiB are free there). Make room, or see what the \
         system's log says of the disk, and start till again: no order is lost",
        .file.display()
    )]
    Disk { file: PathBuf, free_mib: u64, source: DatabaseError },
    #[error("store.url isn't an address of PostgreSQL (postgres://user@host/database)")]
    Url(#[source] DatabaseError),
    #[error("store.url names no host: postgres://user@host/database")]
    NoHost,
    #[error("{} can't be read", .file.display())]
    File { file: PathBuf, source: std::io::Error },
    #[error("{} has no certificate that can be read (store.ca_file takes PEM)", .file.display())]
    NoCertificate { file: PathBuf },
    #[error("TLS can't be used")]
    Tls(#[source] rustls::Error),
    #[error(
        "the database at {hosts} can't be reached, or takes no writes; is store.url right, and does the server trust this \
         user? (store.password_file or PGPASSWORD for a password, store.ca_file for a certificate of your own)"
    )]
    Unreachable { hosts: String, source: DatabaseError },
    #[error("the database has none of till's tables: run `till store migrate` once, then start till again")]
    NoSchema,
    #[error(
        "the database is as an older till left it (step {found} of {known}): run `till store migrate`, then start till again"
    )]
    OlderSchema { found: i64, known: i64 },
    #[error("the database was migrated by a newer till (step {found}, this one knows {known}): run that till")]
    NewerDatabase { found: i64, known: i64 },
    #[error(
        "store.require_synchronous is on, and the database has no synchronous standby: set synchronous_standby_names there, or \
         accept that the loss of its machine loses orders"
    )]
    NotSynchronous,
    #[error("the database failed")]
    Postgres(#[source] DatabaseError),
    #[error("the order store's writer thread can't be started")]
    Thread(#[source] std::io::Error),
}

/// Why a call was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was done. The queue drains in milliseconds once the load is off.
    #[error("the order store has {queued_max} calls at work or waiting and takes no more; retry shortly")]
    Overloaded { queued_max: usize },
    /// Nothing was changed.
    #[error("the order store can't be reached: {0}")]
    Unavailable(#[source] Outage),
    /// The change's commit failed, and may be written all the same. Only a look at the order, by its reference, tells; the same
    /// call may be repeated, because each says which state it changes.
    #[error("the order store failed while it wrote, so the order may stand: {0}")]
    OutcomeUnknown(#[source] DatabaseError),
    #[error("the order store is closed")]
    Closed,
    /// The order isn't pending, or was lost with a failed batch, or its stock isn't held. Nothing was changed.
    #[error("the order is no longer pending, or its stock no longer held")]
    ReservationGone,
    #[error("order {} is {} already", .id.number(), .status.as_str())]
    OrderEnded { id: OrderId, status: Status },
    #[error("the reservation belongs to an order of this till, which ends it itself")]
    OfLocalOrder,
    #[error("an order with this reference exists")]
    ReferenceTaken,
    #[error("another order has this key")]
    KeyTaken,
    /// Nothing was changed.
    #[error("another host has changed the plugin meanwhile: look at what is live now, and try again")]
    PluginsChanged,
    /// Nothing was changed.
    #[error("another import has replaced the catalogue meanwhile: import again")]
    CatalogueChanged,
    /// Nothing was changed.
    #[error("somebody has approved or rejected it before: till plugin approvals")]
    NotWaiting,
    #[error("a rollout is under way, and there is one at a time: promote or abort it first")]
    RolloutOpen,
    /// A host fault: the command breaks a rule of the schema. Nothing was changed.
    #[error("the order store's schema refused the command")]
    Refused(#[source] DatabaseError),
    /// A host fault: 2^53 orders were begun.
    #[error("the numbers of orders are used up")]
    NumbersUsedUp,
    /// A host fault: something else wrote to the file.
    #[error("the order store has a row that makes no sense ({column})")]
    Unreadable { column: &'static str },
    #[error("the order can't be written as JSON")]
    Unwritable(#[source] serde_json::Error),
}

impl StoreError {
    /// Returns whether the same call may be carried out a little later.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        matches!(self, Self::Overloaded { .. } | Self::Unavailable(_) | Self::OutcomeUnknown(_))
    }
}

/// What keeps the store from working. All callers with a command in the failed batch get the same one.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Outage {
    /// Disk full, file locked, I/O error: ends with its cause, without a restart.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("a read was cut short by a panic or by the end of the runtime")]
    ReaderGone,
    #[error("its writer has stopped; restart till")]
    WriterGone,
    #[error(transparent)]
    Lost(#[from] Lost),
    /// The lease of this host is over: other hosts take it for dead, if they reach the database.
    #[error("its database hasn't answered this host for some seconds")]
    LeaseOver,
    /// A shared database doesn't acknowledge commits, as without its synchronous standby.
    #[error("its database doesn't acknowledge commits")]
    CommitsWait,
    /// store.require_synchronous is on, and the database has lost its standby.
    #[error("its database has no synchronous standby, and store.require_synchronous is on")]
    NoStandby,
}

impl Outage {
    /// Returns whether the store itself has logged it when it began.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        matches!(self, Self::LeaseOver | Self::CommitsWait | Self::NoStandby)
    }
}

/// Why no stock was taken. In every case nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// The first item, by name, of which there is too little. An unknown item has 0.
    #[error("{requested} of {item} asked for, {available} there")]
    Shortage { item: Item, requested: u32, available: u32 },
    /// Stock was taken under this reference before.
    #[error("stock was taken under this reference already")]
    AlreadyTaken,
    /// The reference was released before.
    #[error("the reference was released already")]
    Released,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why an item's stock was not changed by hand.
#[derive(Debug, thiserror::Error)]
pub enum StockError {
    #[error("{item} has {on_hand}: it can't fall below 0 nor rise above {}", u32::MAX)]
    OutOfRange { item: Item, on_hand: u32 },
    #[error("the shop has no item {item:?}; `till stock list` shows those that it has", item = .item.as_str())]
    Unknown { item: Item },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What the database said. Callers know no database's types.
#[derive(Debug, Clone)]
pub struct DatabaseError {
    cause: Arc<dyn Error + Send + Sync>,
    /// Whether the file isn't what a till wrote.
    pub(super) is_damage: bool,
}

impl DatabaseError {
    pub(super) fn new(cause: impl Error + Send + Sync + 'static, is_damage: bool) -> Self {
        Self { cause: Arc::new(cause), is_damage }
    }
}

impl fmt::Display for DatabaseError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(formatter)
    }
}

impl Error for DatabaseError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}
