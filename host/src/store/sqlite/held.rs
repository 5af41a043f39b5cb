//! Openings that the writer holds back: an order's creation, and its first take if that was answered ahead.
//!
//! Nobody waits for them. If the order's completion comes while its opening is held, the order is written once, as it ends.
//! Otherwise the opening is carried out after the linger time, or before the first command that may depend on it.
//!
//! Invariant: no order is committed while one with a smaller number is held, so that who reads page by page misses none.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    OrderId, Taker,
    command::{Command, Lane, OpenOrder, OrderCommand, ReservationCommand, Take},
};

#[derive(Default)]
pub(super) struct Held {
    /// By number, which is the order of arrival.
    openings: BTreeMap<OrderId, Opening>,
}

/// An order's opening: its creation, and its take if there was one.
pub(super) struct Opening {
    pub(super) open: Box<OpenOrder>,
    pub(super) take: Option<Take>,
    since: Instant,
}

impl Held {
    /// Holds the command if it belongs to an opening that may be held; else returns it.
    pub(super) fn hold(&mut self, command: Command) -> Option<Command> {
        match command {
            Command::Order(OrderCommand::Open(open)) if open.lane == Lane::Rest => {
                self.openings.insert(open.id, Opening { open, take: None, since: Instant::now() });
                None
            }
            Command::Reservation(ReservationCommand::Take(take)) if take.was_ahead => {
                let Taker::Order(id) = &take.taker else { return Some(ReservationCommand::Take(take).into()) };
                match self.openings.get_mut(id) {
                    Some(opening) => opening.take = Some(take),
                    None => return Some(ReservationCommand::Take(take).into()),
                }
                None
            }
            command => Some(command),
        }
    }

    /// Returns the order's opening, which is no longer held.
    pub(super) fn remove(&mut self, id: OrderId) -> Option<Opening> {
        self.openings.remove(&id)
    }

    /// Returns the oldest opening, of an order with a number below `before` if there is one; the opening is no longer held.
    pub(super) fn pop(&mut self, before: Option<OrderId>) -> Option<Opening> {
        let oldest = self.openings.first_entry()?;
        (before.is_none_or(|before| *oldest.key() < before)).then(|| oldest.remove())
    }

    pub(super) fn count(&self) -> usize {
        self.openings.len()
    }

    /// Returns for how long the oldest has been held, `None` if there is none.
    pub(super) fn age(&self) -> Option<Duration> {
        self.openings.first_key_value().map(|(_, oldest)| oldest.since.elapsed())
    }
}
