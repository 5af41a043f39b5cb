//! Makes of a bundle the parts that the catalogue names in the item's field `bundles.components`.
//!
//! The field is JSON: `[{"item": "cup", "quantity": 2}, {"item": "pot", "quantity": 1}]`. What an item without the field is
//! stays as it is. The parts cost what the bundle does, shared by their list prices.
//!
//! | setting | what it is | without it |
//! |---|---|---|
//! | `decrease` | what the parts cost less, such as `5` or `7.5` percent | nothing |

use till_sdk::hooks::cart_transform::{Component, Expansion, Operation};
use till_sdk::hooks::{
    AttributeValue, Cart, CartTransform, HookError, Json, Line, PartsPerMillion, Setting, Span, facts, only_settings,
    setting,
};

const FIELD: &str = "bundles.components";

struct BundleExpand;

till_sdk::cart_transform_plugin!(BundleExpand);

impl CartTransform for BundleExpand {
    fn transform(_call: &Span, cart: Cart) -> Result<Vec<Operation>, HookError> {
        only_settings(&["decrease"])?;
        let decrease = setting("decrease").if_set(Setting::percent)?;
        let fields = facts::fields_of(&cart.lines, FIELD);
        let bundles = cart.lines.iter().zip(fields).filter_map(|(line, field)| Some((line, field?)));
        bundles.map(|(line, field)| expansion(line, &field, decrease)).collect()
    }
}

/// # Errors
/// When the field isn't what it should be: a bundle that keeps its name would take nothing out of the stock.
fn expansion(line: &Line, field: &AttributeValue, decrease: Option<PartsPerMillion>) -> Result<Operation, HookError> {
    let error = || HookError::other(format!("the field {FIELD} of {} is no list of item and quantity", line.item));
    let components = field.json().as_ref().and_then(components).ok_or_else(error)?;
    Ok(Operation::Expand(Expansion { line: line.id, components, decrease }))
}

/// Returns the parts, at least one of each; none if one can't be read.
fn components(list: &Json) -> Option<Vec<Component>> {
    let component = |json: &Json| {
        let quantity = u32::try_from(json.at("quantity").number()?).ok().filter(|quantity| *quantity > 0)?;
        Some(Component::new(json.at("item").text()?, quantity))
    };
    let components: Vec<Component> = list.items().iter().map(component).collect::<Option<_>>()?;
    (!components.is_empty()).then_some(components)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_read_whole_or_not_at_all() {
        let check = |text: &str, expected: Option<usize>| {
            let found = Json::parse(text).as_ref().and_then(components).map(|components| components.len());
            assert_eq!(found, expected, "{text}");
        };
        check(r#"[{"item": "cup", "quantity": 2}, {"item": "pot", "quantity": 1}]"#, Some(2));
        check(r#"[{"item": "cup", "quantity": 2}, {"item": "pot"}]"#, None);
        check(r#"[{"item": "cup", "quantity": 0}]"#, None);
        check(r#"[{"item": "cup", "quantity": 1.5}]"#, None);
        check("[]", None);
        check("{}", None);
    }
}
