//! Changes of the ways of delivery that are offered.

pub use super::bindings::delivery_menu::exports::till::plugin::delivery_menu::{GroupChanges, Question};
