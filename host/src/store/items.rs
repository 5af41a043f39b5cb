//! The items that the store has a level for, in memory: read on every request, changed by hand now and then.

use std::{collections::HashSet, sync::Arc};

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use crate::order::Item;

/// A set that is read without a lock. It is changed after a commit. Only the shop itself adds items, so
/// the set is as large as the shop's assortment.
#[derive(Debug)]
pub(super) struct Items {
    all: ArcSwap<HashSet<Item>>,
    /// How often this host has changed them.
    changes: Mutex<u64>,
}

impl Items {
    pub(super) fn new(items: HashSet<Item>) -> Self {
        Self { all: ArcSwap::from_pointee(items), changes: Mutex::default() }
    }

    pub(super) fn contains(&self, item: &Item) -> bool {
        self.all.load().contains(item)
    }

    pub(super) fn count(&self) -> usize {
        self.all.load().len()
    }

    pub(super) fn changes(&self) -> u64 {
        *self.changes.lock()
    }

    /// Takes over the items that a shared database has, unless this host has changed some since it had made `changes`. Returns
    /// whether it did.
    pub(super) fn replace(&self, items: HashSet<Item>, changes: u64) -> bool {
        let now = self.changes.lock();
        let is_current = *now == changes;
        if is_current {
            self.all.store(Arc::new(items));
        }
        is_current
    }

    pub(super) fn remove(&self, items: &[Item]) {
        if items.is_empty() {
            return;
        }
        let mut changes = self.changes.lock();
        *changes += 1;
        let mut all = HashSet::clone(&self.all.load());
        all.retain(|item| !items.contains(item));
        self.all.store(Arc::new(all));
    }

    pub(super) fn add(&self, items: Vec<Item>) {
        if items.iter().all(|item| self.contains(item)) {
            return;
        }
        let mut changes = self.changes.lock();
        *changes += 1;
        let mut all = HashSet::clone(&self.all.load());
        all.extend(items);
        self.all.store(Arc::new(all));
    }
}
