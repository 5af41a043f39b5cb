//! Gives the item of the setting `gift` to every cart; without the setting, nothing.

use till_sdk::hooks::cart_transform::{Component, Operation};
use till_sdk::hooks::{Cart, CartTransform, HookError, Span, setting};

struct Plugin;

till_sdk::cart_transform_plugin!(Plugin);

impl CartTransform for Plugin {
    fn transform(_call: &Span, _cart: Cart) -> Result<Vec<Operation>, HookError> {
        let add = |item: &str| Operation::Add(Component { unit_price: Some(0), ..Component::new(item, 1) });
        let gift = setting("gift").if_set(|it| it.text().map(add))?;
        Ok(gift.into_iter().collect())
    }
}
