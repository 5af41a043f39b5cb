//! Discounts on delivery, once the options are known.

pub use super::bindings::delivery_discounts::exports::till::plugin::delivery_discounts::{
    Candidate, Offer, OptionTarget, Question, Target, Value,
};
use super::{Choice, Classes, GroupId};

impl Target {
    /// Returns the target of one option, by its handle as it stands in the question.
    #[must_use]
    pub fn option(group: GroupId, handle: &str) -> Self {
        Self::DeliveryOption(OptionTarget { group, handle: handle.to_owned() })
    }
}

impl Candidate {
    /// Returns a discount on these targets; none without a target, for a candidate has at least one.
    #[must_use]
    pub fn off(title: &str, value: Value, targets: impl IntoIterator<Item = Target>) -> Option<Self> {
        let targets: Vec<Target> = targets.into_iter().collect();
        (!targets.is_empty()).then(|| Self { title: title.to_owned(), value, targets, code: None })
    }

    /// Returns the same discount, due to an entered code, as typed.
    #[must_use]
    pub fn with_code(self, code: &str) -> Self {
        Self { code: Some(code.to_owned()), ..self }
    }
}

impl Offer {
    /// Returns the same offer, which may stand beside others of these classes, if they say so, too.
    #[must_use]
    pub fn beside(self, combines_with: Classes) -> Self {
        Self { combines_with, ..self }
    }
}

impl From<Candidate> for Offer {
    fn from(candidate: Candidate) -> Self {
        Self { candidates: vec![candidate], choose: Choice::First, combines_with: Classes::NONE }
    }
}
