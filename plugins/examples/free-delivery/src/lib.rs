//! Free delivery from an amount of the lines' sum on.
//!
//! | setting | what it is | without it |
//! |---|---|---|
//! | `over` | what the lines have to cost, in whole units of the currency | an error |
//! | `kinds` | the kinds of delivery that become free, with commas between | `shipping` |

use till_sdk::hooks::delivery_discounts::{Candidate, Offer, Question, Target, Value};
use till_sdk::hooks::{Choice, Classes, DeliveryDiscounts, HookError, Span, only_settings, setting};

/// How many targets a candidate may have.
const TARGETS_MAX: usize = 100;

struct FreeDelivery;

till_sdk::delivery_discounts_plugin!(FreeDelivery);

impl DeliveryDiscounts for FreeDelivery {
    fn decide(_call: &Span, question: Question) -> Result<Vec<Offer>, HookError> {
        only_settings(&["over", "kinds"])?;
        let over = setting("over").amount(&question.cart.currency)?;
        if question.cart.subtotal() < over {
            return Ok(Vec::new());
        }
        Ok(offer(&question, &setting("kinds").or("shipping").list()).into_iter().collect())
    }
}

/// Returns the offer of all options of these kinds that cost anything; none without one.
fn offer(question: &Question, kinds: &[String]) -> Option<Offer> {
    let targets = question.choices.iter().flat_map(|choices| {
        let costs = choices.options.iter().filter(|option| option.cost > 0);
        let of_kinds = costs.filter(|option| kinds.iter().any(|kind| kind == option.kind.name()));
        of_kinds.map(|option| Target::option(choices.group.id, &option.handle))
    });
    let targets: Vec<Target> = targets.collect();
    let free =
        |targets: &[Target]| Candidate::off("Free delivery", Value::Percentage(1_000_000), targets.iter().cloned());
    let candidates: Vec<Candidate> = targets.chunks(TARGETS_MAX).filter_map(free).collect();
    (!candidates.is_empty()).then_some(Offer { candidates, choose: Choice::All, combines_with: Classes::ALL })
}
