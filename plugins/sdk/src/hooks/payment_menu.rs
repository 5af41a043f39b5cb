//! Changes of the ways to pay that are offered.

pub use super::bindings::payment_menu::exports::till::plugin::payment_menu::{Method, Question};
