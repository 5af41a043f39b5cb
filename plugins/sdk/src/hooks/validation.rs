//! What keeps a cart from being sold.

pub use super::bindings::validation::exports::till::plugin::validation::{Subject, Violation};

impl Violation {
    /// Returns a violation: a code for programs, a sentence for the customer.
    #[must_use]
    pub fn new(subject: Subject, code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), subject }
    }
}
