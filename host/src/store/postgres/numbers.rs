//! The numbers of orders, which a host takes from the database in blocks.
//!
//! A list of orders is read from number to number and must miss none, so it stops before the lowest number under which any
//! host may still begin an order. A host that lies idle while others sell gives up the rest of its block for a higher one.

use std::{collections::BTreeSet, ops::Range};

use parking_lot::Mutex;
use tokio::sync::Notify;

use super::{OrderId, StoreError};

/// How many numbers are taken at least, and at most.
const BLOCK_MIN: i64 = 16;
const BLOCK_MAX: i64 = 8_192;

#[derive(Debug, Default)]
pub(super) struct Numbers {
    state: Mutex<State>,
    /// Told when there are new numbers, or will be none.
    arrived: Notify,
    /// Told when there are few numbers left, or something is to be said with the next beat.
    pub(super) wanted: Notify,
}

#[derive(Debug, Default)]
struct State {
    free: Range<i64>,
    /// The block after it, so that nobody waits.
    next: Option<Range<i64>>,
    /// Numbers of orders that may still be written for the first time.
    unwritten: BTreeSet<i64>,
    size: i64,
    used: i64,
}

impl Numbers {
    /// Returns the next number. Waits while there is none.
    pub(super) async fn next(&self) -> Result<OrderId, StoreError> {
        loop {
            let arrived = self.arrived.notified();
            {
                let mut state = self.state.lock();
                let State { free, next, unwritten, used, .. } = &mut *state;
                if free.is_empty()
                    && let Some(block) = next.take()
                {
                    *free = block;
                }
                if next.is_none() {
                    self.wanted.notify_one();
                }
                if let Some(number) = free.next() {
                    unwritten.insert(number);
                    *used += 1;
                    return OrderId::of_row(number).ok_or(StoreError::NumbersUsedUp);
                }
            }
            arrived.await;
        }
    }

    /// Notes that the order was written, or never will be.
    pub(super) fn settled(&self, ids: impl Iterator<Item = OrderId>) {
        let mut state = self.state.lock();
        for id in ids {
            state.unwritten.remove(&id.row());
        }
    }

    /// Returns the lowest number under which an order may still be begun, once `writing` are written; `None` while that isn't known.
    pub(super) fn lowest(&self, writing: &[i64]) -> Option<i64> {
        let state = self.state.lock();
        let mut unwritten = state.unwritten.iter().copied().filter(|number| !writing.contains(number));
        unwritten.next().or_else(|| state.first_free())
    }

    /// Returns how many numbers to take now; `None` if there are enough.
    pub(super) fn wants(&self) -> Option<i64> {
        let mut state = self.state.lock();
        if state.next.is_some() {
            return None;
        }
        state.size = (state.size * 2).clamp(BLOCK_MIN, BLOCK_MAX);
        Some(state.size)
    }

    /// Gives up the free numbers if they hold back the lists of the others, whose orders went on to `last_written`, while the host lies idle.
    /// Until [`add`](Self::add) or [`put_back`](Self::put_back), whoever begins an order waits.
    pub(super) fn give_up(&self, last_written: i64) -> Option<Free> {
        let mut state = self.state.lock();
        let is_idle = std::mem::take(&mut state.used) == 0 && state.unwritten.is_empty();
        if is_idle {
            state.size = BLOCK_MIN / 2;
        }
        // Without any numbers it is time for the first block.
        let holds_back = state.first_free().is_none_or(|first| first < last_written);
        (is_idle && holds_back).then(|| Free { free: std::mem::take(&mut state.free), next: state.next.take() })
    }

    /// Adds a block that was taken.
    pub(super) fn add(&self, block: Range<i64>) {
        self.state.lock().next = Some(block);
        self.arrived.notify_waiters();
    }

    /// Takes back what was given up.
    pub(super) fn put_back(&self, Free { free, next }: Free) {
        let mut state = self.state.lock();
        (state.free, state.next) = (free, next);
        drop(state);
        self.arrived.notify_waiters();
    }
}

/// Numbers that were given up.
#[derive(Debug)]
pub(super) struct Free {
    free: Range<i64>,
    next: Option<Range<i64>>,
}

impl State {
    fn first_free(&self) -> Option<i64> {
        let first = match &self.next {
            Some(next) if self.free.is_empty() => next.start,
            _ => self.free.start,
        };
        // Before the first block, and while one is given up for another.
        (first > 0).then_some(first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lists_stop_before_an_order_that_isnt_written_yet() {
        let numbers = Numbers::default();
        numbers.add(10..13);
        assert_eq!(numbers.lowest(&[]), Some(10));
        let (first, second) = (numbers.next().await.expect("is free"), numbers.next().await.expect("is free"));
        assert_eq!((first.row(), second.row()), (10, 11));
        assert_eq!(numbers.lowest(&[]), Some(10));
        assert_eq!(numbers.lowest(&[10]), Some(11));
        numbers.settled([second].into_iter());
        assert_eq!(numbers.lowest(&[]), Some(10), "the first one may still come");
        numbers.settled([first].into_iter());
        assert_eq!(numbers.lowest(&[]), Some(12));
        numbers.add(40..50);
        _ = numbers.next().await;
        assert_eq!(numbers.lowest(&[12]), Some(40));
    }

    #[tokio::test]
    async fn only_an_idle_host_gives_up_its_numbers() {
        let numbers = Numbers::default();
        numbers.add(10..20);
        let id = numbers.next().await.expect("is free");
        assert!(numbers.give_up(100).is_none(), "it has just begun an order");
        assert!(numbers.give_up(100).is_none(), "its order isn't written");
        numbers.settled([id].into_iter());
        assert!(numbers.give_up(10).is_none(), "nobody is past it");
        let free = numbers.give_up(17).expect("others are past some of it");
        numbers.put_back(free);
        let free = numbers.give_up(100).expect("is idle");
        numbers.put_back(free);
        assert_eq!(numbers.next().await.expect("is free").row(), 11);
        numbers.settled([OrderId::new(11).expect("is one")].into_iter());
        assert!(numbers.give_up(100).is_none(), "it has just begun an order");
        assert!(numbers.give_up(100).is_some());
        numbers.add(101..109);
        assert_eq!(numbers.next().await.expect("is free").row(), 101);
    }
}
