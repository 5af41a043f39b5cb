//! What operators ask of the past: what happened to the hosts, which changes of stock were made by hand, what was sold lately.

use super::{Engine, Page, Store, StoreError, command::UpkeepCommand, sqlite};
use crate::order::Item;

/// The most movements that [`Store::sales`] looks at.
pub(super) const MOVEMENTS_MAX: u32 = 200_000;

/// What happened to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostChange {
    Started,
    Stopped,
    /// It started with other settings than before. The detail has all settings that aren't defaults.
    Settings,
    BreakerOpened,
    BreakerClosed,
    /// Somebody imported a catalogue. The event has that one's name instead of a host's.
    CatalogueImported,
}

/// A line of the hosts' past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEvent {
    pub id: u64,
    /// Unix time, ms.
    pub at_ms: u64,
    pub host: String,
    pub what: HostChange,
    /// For people.
    pub detail: String,
}

/// A change of an item's stock by hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StockMovement {
    pub id: u64,
    /// Unix time, ms.
    pub at_ms: u64,
    pub item: Item,
    pub delta: i64,
    /// `set` or `added`.
    pub kind: String,
    /// Empty if nobody said why.
    pub why: String,
}

/// What was sold of each item, in the pieces that orders took and didn't give back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sales {
    /// By name; more than 0 of each.
    pub pieces: Vec<(Item, u64)>,
    /// Since when: Unix time, ms. Later than was asked for if more than 200,000 movements were made since.
    pub since_ms: u64,
}

/// An item's share of the movements that were looked at.
pub(super) struct Moved {
    pub(super) item: Item,
    /// The pieces that orders took and didn't give back in the time that was asked for.
    pub(super) sold: i64,
    pub(super) movements: i64,
    /// When the oldest of them was made: Unix time, ms.
    pub(super) first_ms: i64,
}

impl HostChange {
    const ALL: [Self; 6] = [
        Self::Started,
        Self::Stopped,
        Self::Settings,
        Self::BreakerOpened,
        Self::BreakerClosed,
        Self::CatalogueImported,
    ];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "host-start",
            Self::Stopped => "host-stop",
            Self::Settings => "settings",
            Self::BreakerOpened => "breaker-open",
            Self::BreakerClosed => "breaker-close",
            Self::CatalogueImported => "catalogue-import",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.as_str() == word)
    }
}

impl Store {
    /// Records what happened to a host. Durable when it returns.
    ///
    /// # Errors
    /// Only the store's own.
    pub async fn note_host(&self, host: &str, what: HostChange, detail: String) -> Result<(), StoreError> {
        let host = host.to_owned();
        self.submit(|reply| UpkeepCommand::NoteHost { host, what, detail, reply }).await
    }

    /// Returns a page of what happened to the hosts before `before_ms`, newest first; the lists of settings aren't in it.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn host_events(&self, before_ms: u64, limit: u32) -> Result<Page<HostEvent>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| sqlite::activity::host_events(connection, before_ms, limit)).await
            }
            Engine::Postgres(postgres) => postgres.host_events(before_ms, limit).await,
        }
    }

    /// Returns what the host was last started with, as [`HostChange::Settings`] has it.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn last_settings(&self, host: &str) -> Result<Option<String>, StoreError> {
        let host = host.to_owned();
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| sqlite::activity::last_settings(connection, &host)).await
            }
            Engine::Postgres(postgres) => postgres.last_settings(&host).await,
        }
    }

    /// Returns a page of the changes of stock by hand, newest first: those of one item, or of all.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn stock_movements(
        &self,
        item: Option<Item>,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Page<StockMovement>, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite
                    .read(move |connection| sqlite::activity::movements(connection, item.as_ref(), after, limit))
                    .await
            }
            Engine::Postgres(postgres) => postgres.stock_movements(item.as_ref(), after, limit).await,
        }
    }

    /// Returns what was sold since then.
    ///
    /// # Errors
    /// As [`Store::order_by_reference`].
    pub async fn sales(&self, since_ms: u64) -> Result<Sales, StoreError> {
        match &*self.0 {
            Engine::Sqlite(sqlite) => {
                sqlite.read(move |connection| sqlite::activity::sales(connection, since_ms)).await
            }
            Engine::Postgres(postgres) => postgres.sales(since_ms).await,
        }
    }
}

impl Sales {
    /// Returns the sales since then, of the items that were moved.
    pub(super) fn of(moved: Vec<Moved>, asked_ms: u64) -> Self {
        let is_cut = moved.iter().map(|item| item.movements).sum::<i64>() >= i64::from(MOVEMENTS_MAX);
        let first_ms = moved.iter().map(|item| item.first_ms.unsigned_abs()).min().unwrap_or_default();
        let since_ms = if is_cut { asked_ms.max(first_ms) } else { asked_ms };
        let pieces = moved.into_iter().filter_map(|Moved { item, sold, .. }| Some((item, u64::try_from(sold).ok()?)));
        Self { pieces: pieces.filter(|(_, sold)| *sold > 0).collect(), since_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sales_are_since_the_oldest_movement_if_not_all_were_looked_at() {
        let item = || Item::parse("tea").expect("a fine name");
        let sales = |sold, movements| Sales::of(vec![Moved { item: item(), sold, movements, first_ms: 500 }], 100);
        assert_eq!(sales(7, 12), Sales { pieces: vec![(item(), 7)], since_ms: 100 });
        assert_eq!(sales(7, MOVEMENTS_MAX.into()).since_ms, 500);
        assert_eq!(sales(0, 2).pieces, [], "what was given back wasn't sold");
    }
}
