//! Takes the percentage of the setting `percent` off the order, 10 without it.

use till_sdk::hooks::discounts::{Decision, Offer};
use till_sdk::hooks::{Cart, Discounts, HookError, Span, percent_text, setting};

struct Plugin;

till_sdk::discounts_plugin!(Plugin);

impl Discounts for Plugin {
    fn decide(_call: &Span, _cart: Cart) -> Result<Decision, HookError> {
        let percent = setting("percent").or("10").percent()?;
        let title = format!("{} % off", percent_text(percent));
        Ok(Offer::percent_off_order(&title, percent).into())
    }
}
