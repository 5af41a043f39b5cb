//! Delivers everywhere for the amount of the setting `rate`, 4.90 without it.

use till_sdk::hooks::delivery_options::Question;
use till_sdk::hooks::{DeliveryKind, DeliveryOption, DeliveryOptions, HookError, Span, setting};

struct Plugin;

till_sdk::delivery_options_plugin!(Plugin);

impl DeliveryOptions for Plugin {
    fn offer(_call: &Span, question: Question) -> Result<Vec<DeliveryOption>, HookError> {
        let rate = setting("rate").or("4.90").amount(&question.cart.currency)?;
        Ok(vec![DeliveryOption::new("standard", "Standard", DeliveryKind::Shipping, rate)])
    }
}
