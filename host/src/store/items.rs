//! The items that the store has a level for, in memory: read on every request, changed by hand now and then.

use std::{collections::HashSet, sync::Arc};

use arc_swap::ArcSwap;

use crate::order::Item;

/// A set that is read without a lock. Only the writer changes it, after a commit. Only the shop itself adds items, so
/// the set is as large as the shop's assortment.
#[derive(Debug)]
pub(super) struct Items(ArcSwap<HashSet<Item>>);

impl Items {
    pub(super) fn new(items: HashSet<Item>) -> Self {
        Self(ArcSwap::from_pointee(items))
    }

    pub(super) fn contains(&self, item: &Item) -> bool {
        self.0.load().contains(item)
    }

    pub(super) fn count(&self) -> usize {
        self.0.load().len()
    }

    pub(super) fn remove(&self, items: &[Item]) {
        if items.is_empty() {
            return;
        }
        let mut all = HashSet::clone(&self.0.load());
        all.retain(|item| !items.contains(item));
        self.0.store(Arc::new(all));
    }

    pub(super) fn add(&self, items: Vec<Item>) {
        if items.iter().all(|item| self.contains(item)) {
            return;
        }
        let mut all = HashSet::clone(&self.0.load());
        all.extend(items);
        self.0.store(Arc::new(all));
    }
}
