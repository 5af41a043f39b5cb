//! A good one: the ways of delivery that its setting `options` names, `standard=4.99,pickup=0`, whatever the cart. The handle
//! `pickup` is a pickup, any other one is shipped. With the setting `abroad`, shipping costs that much more outside of the country
//! of the setting `home`.

use till_sdk::hooks::{
    Attribute, AttributeValue, DeliveryKind, DeliveryOption, DeliveryOptions, HookError, Setting, Span,
    delivery_options::Question, facts, only_settings, setting,
};

struct Flat;

till_sdk::delivery_options_plugin!(Flat);

impl DeliveryOptions for Flat {
    fn offer(_call: &Span, question: Question) -> Result<Vec<DeliveryOption>, HookError> {
        only_settings(&["options", "home", "abroad"])?;
        let currency = &question.cart.currency;
        let abroad = setting("abroad").if_set(|it| it.amount(currency))?.unwrap_or(0);
        let home = setting("home").or("CA");
        let home = home.text()?;
        let is_abroad = facts::ship_to().is_some_and(|address| address.country_code != home);
        let option = |text: &String| {
            let (handle, cost) = text.split_once('=').ok_or_else(|| HookError::other(format!("{text} has no cost")))?;
            let cost = Setting::new("options", Some(cost)).amount(currency)?;
            let (kind, cost) = match handle {
                "pickup" => (DeliveryKind::Pickup, cost),
                _ => (DeliveryKind::Shipping, if is_abroad { cost + abroad } else { cost }),
            };
            let carried = Attribute { key: "carrier".into(), value: AttributeValue::Text(handle.into()) };
            Ok(DeliveryOption { attributes: vec![carried], ..DeliveryOption::new(handle, handle, kind, cost) })
        };
        setting("options").list().iter().map(option).collect()
    }
}
