//! Makes the mistake that the setting `do` names, at the hook `validation`; else finds nothing wrong.

use till_sdk::hooks::validation::{Subject, Violation};
use till_sdk::hooks::{Cart, HookError, Span, Validation};
use till_test_guests::hooks::{hostile_text, long_text, mistake, wordy_text};

struct Hostile;

till_sdk::validation_plugin!(Hostile);

impl Validation for Hostile {
    fn validate(_: &Span, cart: Cart) -> Result<Vec<Violation>, HookError> {
        let does = mistake(&cart)?;
        let about = |subject| vec![Violation::new(subject, "wrong", "This is wrong.")];
        let said = |code: &str, message: String| vec![Violation::new(Subject::Cart, code, message)];
        Ok(match &*does {
            "refuse" => about(Subject::Cart),
            "wrong_line" => about(Subject::Line(99)),
            "wrong_code" => about(Subject::Code("OTHER".to_owned())),
            "wordy_code" => about(Subject::Code(wordy_text())),
            "no_code" => said("", "This is wrong.".to_owned()),
            "hostile_code" => said(&hostile_text(), "This is wrong.".to_owned()),
            "hostile_message" => said("wrong", "\u{1b}[31mforged\u{0}".to_owned()),
            "long_message" => said("wrong", long_text()),
            "hostile_field" => about(Subject::ShippingAddress(hostile_text())),
            "hostile_billing_field" => about(Subject::BillingAddress(hostile_text())),
            "wordy_field" => about(Subject::ShippingAddress("x".repeat(100_000))),
            "hostile_key" => about(Subject::Attribute(hostile_text())),
            "wordy_key" => about(Subject::Attribute("~".repeat(100_000))),
            "violations" => vec![Violation::new(Subject::Cart, "wrong", "This is wrong."); 33],
            "many_violations" => vec![Violation::new(Subject::Cart, "w", ""); 10_000],
            _ => Vec::new(),
        })
    }
}
