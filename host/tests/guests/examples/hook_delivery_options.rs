//! Makes the mistake that the setting `do` names, at the hook `delivery-options`; else offers one way of delivery for 5.00.

use till_sdk::hooks::delivery_options::Question;
use till_sdk::hooks::http::{HttpError, Request};
use till_sdk::hooks::{
    Attribute, DayRange, DeliveryKind, DeliveryOption, DeliveryOptions, HookError, Level, Span, setting,
};
use till_test_guests::hooks::{TOO_MUCH, hostile_text, long_text, mistake};

struct Hostile;

till_sdk::delivery_options_plugin!(Hostile);

fn option(handle: &str, cost: u64) -> DeliveryOption {
    DeliveryOption::new(handle, "Standard", DeliveryKind::Shipping, cost)
}

impl DeliveryOptions for Hostile {
    fn offer(call: &Span, question: Question) -> Result<Vec<DeliveryOption>, HookError> {
        let does = mistake(&question.cart)?;
        let handle = |handle: &str| vec![option(handle, 500)];
        let fine = || option("standard", 500);
        Ok(match &*does {
            "cost" => vec![option("standard", 100_001)],
            "amount" => vec![option("standard", TOO_MUCH)],
            "largest" => vec![option("standard", u64::MAX)],
            "handle_twice" => vec![fine(), fine()],
            "no_handle" => handle(""),
            "long_handle" => handle(&"x".repeat(65)),
            "hostile_handle" => handle(&hostile_text()),
            "other_name" => handle("other/standard"),
            "hostile_title" => vec![DeliveryOption { title: hostile_text(), ..fine() }],
            "long_title" => vec![DeliveryOption { title: long_text(), ..fine() }],
            "hostile_description" => vec![DeliveryOption { description: Some("\u{0}".to_owned()), ..fine() }],
            "hostile_location" => vec![DeliveryOption { location: Some(hostile_text()), ..fine() }],
            "days" => vec![DeliveryOption { days: Some(DayRange { earliest: 2, latest: 1 }), ..fine() }],
            "attributes" => {
                let attribute = |number: u32| Attribute::new(&number.to_string(), true);
                vec![DeliveryOption { attributes: (0..17).map(attribute).collect(), ..fine() }]
            }
            "attribute_twice" => {
                let attributes = vec![Attribute::new("a", true), Attribute::new("a", false)];
                vec![DeliveryOption { attributes, ..fine() }]
            }
            "options" => (0..33).map(|number| option(&number.to_string(), 500)).collect(),
            "many_options" => (0..10_000).map(|number| option(&number.to_string(), 500)).collect(),
            "nothing_offered" => Vec::new(),
            "three" => vec![option("express", 900), fine(), option("pickup", 0)],
            "send" => return sent(call),
            "send_often" => {
                for _ in 1..10 {
                    drop(sent(call));
                }
                return sent(call);
            }
            _ => vec![fine()],
        })
    }
}

/// Offers what came of a request as the title.
fn sent(call: &Span) -> Result<Vec<DeliveryOption>, HookError> {
    let answer = Request::get(setting("url").text()?).timeout_ms(60_000).send(call);
    let title = match answer {
        Ok(answer) => format!("answered {}", answer.status),
        Err(HttpError::NotGranted(why)) => told(call, "not granted", &why),
        Err(HttpError::NotSent(why)) => told(call, "not sent", &why),
        Err(HttpError::Unknown(why)) => told(call, "unknown", &why),
        Err(HttpError::TooLarge) => "too large".to_owned(),
    };
    Ok(vec![DeliveryOption { title, ..option("standard", 500) }])
}

fn told(call: &Span, what: &str, why: &str) -> String {
    call.log(Level::Info, &format!("{what}: {why}"), &[]);
    what.to_owned()
}
