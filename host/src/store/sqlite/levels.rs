//! What is on hand, beside the queue: for takes whose outcome is certain before the writer carries them out.
//!
//! A checkout's first take is answered at once if this copy has enough, and its command is queued. The writer carries it out
//! before the order's end, with its own check, and only an order that holds its stock is completed. So a copy that is wrong
//! costs a sale and never oversells. Where the copy doesn't know an item, or has too little, the writer answers.
//!
//! Invariant: what a level has on hand is the store's after the commands that were carried out; what is queued is what the
//! others will take. Whatever may change the stock in another way, or roll a change back, makes all levels unknown.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use parking_lot::Mutex;

use super::{OrderId, StockLevel, StoreError, TakeError, execution::Refusal, saturated};
use crate::{order::Item, units::i64_of};

#[derive(Debug, Default)]
pub(super) struct Levels(Mutex<State>);

/// An order whose first take may be answered ahead of the writer.
#[derive(Debug)]
pub(in crate::store) struct MayTakeAhead {
    id: OrderId,
    levels: Arc<Levels>,
}

impl Drop for MayTakeAhead {
    fn drop(&mut self) {
        self.levels.0.lock().untaken.remove(&self.id);
    }
}

#[derive(Debug, Default)]
struct State {
    items: HashMap<Item, Level>,
    /// Orders whose creation is queued, and no take.
    untaken: HashSet<OrderId>,
}

#[derive(Debug, Default)]
struct Level {
    /// `None` if it isn't known.
    on_hand: Option<i64>,
    /// What takes that were answered and aren't carried out yet will take.
    queued: i64,
}

impl Level {
    fn left(&self) -> Option<i64> {
        self.on_hand.map(|on_hand| on_hand - self.queued)
    }
}

impl Levels {
    /// Lets an order take ahead of the writer, once, until the value is dropped.
    pub(super) fn order_begun(self: &Arc<Self>, id: OrderId) -> MayTakeAhead {
        self.0.lock().untaken.insert(id);
        MayTakeAhead { id, levels: Arc::clone(self) }
    }

    /// Queues the order's first take with `send`, and returns what it will leave of each item. `None` if that isn't certain:
    /// nothing was queued then.
    ///
    /// # Errors
    /// Those of `send`; nothing was queued then.
    pub(super) fn take_ahead(
        &self,
        id: OrderId,
        pieces: &BTreeMap<Item, u64>,
        send: impl FnOnce() -> Result<(), StoreError>,
    ) -> Result<Option<Vec<StockLevel>>, StoreError> {
        // Under the lock, so that the takes of an item are carried out in the order in which they were answered.
        let mut state = self.0.lock();
        let State { items, untaken } = &mut *state;
        let has_enough = |(item, pieces): (&Item, &u64)| {
            let left = items.get(item).and_then(Level::left).unwrap_or_default();
            i64::try_from(*pieces).is_ok_and(|pieces| left >= pieces)
        };
        if !untaken.contains(&id) || !pieces.iter().all(has_enough) {
            return Ok(None);
        }
        send()?;
        untaken.remove(&id);
        let taken = pieces.iter().filter_map(|(item, pieces)| {
            let level = items.get_mut(item)?;
            level.queued += i64::try_from(*pieces).ok()?;
            Some(StockLevel { item: item.clone(), on_hand: saturated(level.left()?) })
        });
        Ok(Some(taken.collect()))
    }

    /// Notes a take that the writer has carried out or refused; `was_ahead` if it was answered before.
    pub(super) fn executed(
        &self,
        pieces: &BTreeMap<Item, u64>,
        outcome: &Result<Vec<StockLevel>, Refusal<TakeError>>,
        was_ahead: bool,
    ) {
        let State { items, .. } = &mut *self.0.lock();
        if was_ahead {
            for (item, pieces) in pieces {
                if let Some(level) = items.get_mut(item) {
                    level.queued -= i64_of(*pieces);
                }
            }
        }
        for StockLevel { item, on_hand } in outcome.iter().flatten() {
            // What the interface can't count is left to the writer.
            let on_hand = (*on_hand < u32::MAX).then_some(i64::from(*on_hand));
            match items.get_mut(item) {
                Some(level) => level.on_hand = on_hand,
                None => _ = items.insert(item.clone(), Level { on_hand, queued: 0 }),
            }
        }
    }

    /// Notes that a take was carried out that was answered ahead and left what it was answered.
    pub(super) fn executed_as_answered(&self, pieces: &BTreeMap<Item, u64>) {
        self.settle(pieces, |level, pieces| level.on_hand = level.on_hand.map(|on_hand| on_hand - pieces));
    }

    /// Notes that a take isn't carried out that was answered ahead.
    pub(super) fn withdrawn(&self, pieces: &BTreeMap<Item, u64>) {
        self.settle(pieces, |_level, _pieces| {});
    }

    fn settle(&self, pieces: &BTreeMap<Item, u64>, change: impl Fn(&mut Level, i64)) {
        let State { items, .. } = &mut *self.0.lock();
        for (item, pieces) in pieces {
            if let Some(level) = items.get_mut(item) {
                let pieces = i64_of(*pieces);
                level.queued -= pieces;
                change(level, pieces);
            }
        }
    }

    /// Makes all levels unknown, until the next take of each item.
    pub(super) fn forget(&self) {
        let State { items, .. } = &mut *self.0.lock();
        items.retain(|_, level| {
            level.on_hand = None;
            level.queued > 0
        });
    }
}
