//! A percentage off the order for whoever enters a code.
//!
//! | setting | what it is | without it |
//! |---|---|---|
//! | `code` | the code, whatever its case | `WELCOME` |
//! | `percent` | what comes off, such as `10` or `7.5` | `10` |
//! | `over` | the lines have to cost this much, in whole units of the currency | any amount |

use till_sdk::hooks::discounts::{Candidate, CodeVerdict, Decision, Offer, Value};
use till_sdk::hooks::{Cart, Classes, Discounts, HookError, Span, only_settings, percent_text, setting};

struct PercentWithCode;

till_sdk::discounts_plugin!(PercentWithCode);

impl Discounts for PercentWithCode {
    fn decide(_call: &Span, cart: Cart) -> Result<Decision, HookError> {
        only_settings(&["code", "percent", "over"])?;
        let percent = setting("percent").or("10").percent()?;
        let over = setting("over").if_set(|it| it.amount(&cart.currency))?.unwrap_or(0);
        let Some(code) = cart.entered(setting("code").or("WELCOME").text()?) else {
            return Ok(Decision::nothing());
        };
        if cart.subtotal() < over {
            return Ok(Decision::nothing().saying(CodeVerdict::refused(code, "The order is too small for this code.")));
        }
        let title = format!("{} % off", percent_text(percent));
        let candidate = Candidate::off_order(&title, Value::Percentage(percent)).with_code(code);
        let offer = Offer::from(candidate).beside(Classes { delivery: true, ..Classes::NONE });
        Ok(Decision::from(offer).saying(CodeVerdict::accepted(code)))
    }
}
