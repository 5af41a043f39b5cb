//! What the host does with the answers of the hooks of track 0.2: prices, discounts, delivery, tax, and their total.
//!
//! The rules are those of `wit/v0.2`. Everything here is a function of its arguments: nothing waits, calls a plugin or
//! writes a span. A plugin names what it was shown and says what is to become of it; this module applies, rounds,
//! shares out and caps. Two invariants hold throughout: no minor unit is lost or made, and no line falls below 0.
//!
//! ```text
//! Basket::new → Basket::apply*, TransformBounds::check → validation::pointers → LineOffers::checked*, Discounts::combine
//!   → delivery::groups, OfferedOption::checked*, put_together → delivery_discounts::{OptionOffers::checked*, apply}
//!   → menu::customize_delivery* → delivery::choose → total::taxables, Taxes::checked → Priced::new, Priced::receipt
//! ```
//!
//! An answer is checked by itself, so that what becomes of a bad one is the caller's decision and the operator's. What
//! is checked can always be put together. Texts for people and the codes of violations are checked where an answer is
//! read, as those of track 0.1 are; only names of things are checked here.

mod bad_output;
mod basket;
pub mod codes;
pub mod delivery;
pub mod delivery_discounts;
pub mod discounts;
pub mod menu;
pub mod offers;
mod quote;
#[cfg(test)]
mod samples;
mod share;
pub mod tax;
pub mod total;
pub mod transform;
pub mod validation;

pub use bad_output::{BadOutput, Fault, Place};
pub use basket::{Basket, BasketLine, ClientLine, LineId};
pub use quote::{FoundViolation, HooksDecided, LeftOut, Quote};
