//! Takes the percentage of the setting `percent` off every way of delivery, 50 without it.

use till_sdk::hooks::delivery_discounts::{Candidate, Offer, Question, Target, Value};
use till_sdk::hooks::{DeliveryDiscounts, HookError, Span, setting};

struct Plugin;

till_sdk::delivery_discounts_plugin!(Plugin);

impl DeliveryDiscounts for Plugin {
    fn decide(_call: &Span, question: Question) -> Result<Vec<Offer>, HookError> {
        let percent = setting("percent").or("50").percent()?;
        let groups = question.choices.iter().map(|choices| Target::Group(choices.group.id));
        let candidate = Candidate::off("Cheaper delivery", Value::Percentage(percent), groups);
        Ok(candidate.map(Offer::from).into_iter().collect())
    }
}
