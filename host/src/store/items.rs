//! The items that the store has stock of, in memory: asked for on every request, changed by hand once in a while.

use std::{collections::HashSet, sync::Arc};

use arc_swap::ArcSwap;

use crate::order::Item;

/// A set that is read without a lock. Only the writer adds to it, after a commit; only the shop's own hand makes
/// items known, so it is as large as its assortment.
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
