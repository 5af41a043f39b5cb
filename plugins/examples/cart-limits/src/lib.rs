//! Refuses more than so many pieces of an item, and items that want a confirmation without it.
//!
//! | setting | what it is | without it |
//! |---|---|---|
//! | `most` | pieces of an item, over all its lines | any number |
//! | `items` | the items that `most` is about, with commas between | all items |
//! | `tag` | the catalogue's tag of items that want a confirmation | `age-restricted` |
//! | `confirmation` | the cart's attribute that confirms, with `true`, `yes`, `on` or `1` | `age_confirmed` |

use till_sdk::hooks::validation::{Subject, Violation};
use till_sdk::hooks::{Cart, HookError, Line, Setting, Span, Validation, facts, only_settings, setting};

struct CartLimits;

till_sdk::validation_plugin!(CartLimits);

impl Validation for CartLimits {
    fn validate(_call: &Span, cart: Cart) -> Result<Vec<Violation>, HookError> {
        only_settings(&["most", "items", "tag", "confirmation"])?;
        let most = setting("most").if_set(Setting::number)?;
        let mut violations = most.map_or_else(Vec::new, |most| too_many(&cart, most, &setting("items").list()));
        let (tag, key) = (setting("tag").or("age-restricted"), setting("confirmation").or("age_confirmed"));
        violations.extend(unconfirmed(&cart, tag.text()?, key.text()?));
        Ok(violations)
    }
}

/// Returns a violation for each item of which there are too many, about its first line.
fn too_many(cart: &Cart, most: u32, items: &[String]) -> Vec<Violation> {
    let is_first = |index: usize, item: &str| cart.lines.iter().position(|line| line.item == item) == Some(index);
    let is_limited = |item: &str| items.is_empty() || items.iter().any(|limited| limited == item);
    let lines = cart.lines.iter().enumerate().filter(|(index, line)| is_first(*index, &line.item));
    let past = lines.filter(|(_, line)| is_limited(&line.item) && cart.pieces_of(&line.item) > most);
    let violation = |line: &Line| {
        let message = format!("At most {most} of {} can be ordered.", line.title);
        Violation::new(Subject::Line(line.id), "too-many", message)
    };
    past.map(|(_, line)| violation(line)).collect()
}

/// Returns the violation of a cart that holds an item with the tag and isn't confirmed. An item that the catalogue doesn't
/// know has no tags.
fn unconfirmed(cart: &Cart, tag: &str, key: &str) -> Option<Violation> {
    if cart.flag(key) {
        return None;
    }
    let products = facts::products_of(&cart.lines);
    let product = products.iter().flatten().find(|product| product.tags.iter().any(|found| found == tag))?;
    let message = format!("{} needs a confirmation.", product.title);
    Some(Violation::new(Subject::Attribute(key.to_owned()), "unconfirmed", message))
}
