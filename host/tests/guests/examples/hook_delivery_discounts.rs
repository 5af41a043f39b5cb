//! Makes the mistake that the setting `do` names, at the hook `delivery-discounts`; else gives nothing.

use till_sdk::hooks::delivery_discounts::{Candidate, Offer, Question, Target, Value};
use till_sdk::hooks::{Choice, Classes, DeliveryDiscounts, HookError, Span};
use till_test_guests::hooks::{TOO_MUCH, hostile_text, long_text, mistake, wordy_text};

struct Hostile;

till_sdk::delivery_discounts_plugin!(Hostile);

fn all(candidates: Vec<Candidate>) -> Vec<Offer> {
    vec![Offer { candidates, choose: Choice::All, combines_with: Classes::ALL }]
}

impl DeliveryDiscounts for Hostile {
    fn decide(_: &Span, question: Question) -> Result<Vec<Offer>, HookError> {
        let does = mistake(&question.cart)?;
        let group = question.choices.first().map_or(1, |choices| choices.group.id);
        let off = |value, targets: Vec<Target>| Candidate { title: "Off".to_owned(), value, targets, code: None };
        let of_group = |value| off(value, vec![Target::Group(group)]);
        let titled = |title: String| all(vec![Candidate { title, ..of_group(Value::Amount(1)) }]);
        Ok(match &*does {
            "wrong_group" => all(vec![off(Value::Amount(1), vec![Target::Group(99)])]),
            "wrong_option" => all(vec![off(Value::Amount(1), vec![Target::option(group, "nowhere/standard")])]),
            "wordy_option" => all(vec![off(Value::Amount(1), vec![Target::option(group, &wordy_text())])]),
            "without_name" => all(vec![off(Value::Amount(1), vec![Target::option(group, "standard")])]),
            "group_twice" => all(vec![off(Value::Amount(1), vec![Target::Group(group), Target::Group(group)])]),
            "no_targets" => all(vec![off(Value::Amount(1), Vec::new())]),
            "ppm" => all(vec![of_group(Value::Percentage(1_000_001))]),
            "largest_ppm" => all(vec![of_group(Value::Percentage(u32::MAX))]),
            "amount" => all(vec![of_group(Value::Amount(TOO_MUCH))]),
            "largest" => all(vec![of_group(Value::Amount(u64::MAX))]),
            "more_than_cost" => all(vec![of_group(Value::Amount(TOO_MUCH - 1))]),
            "more_than_all" => all(vec![of_group(Value::Percentage(800_000)), of_group(Value::Amount(400))]),
            "many_free" => (0..32).flat_map(|_| all(vec![of_group(Value::Percentage(1_000_000))])).collect(),
            "no_candidates" => all(Vec::new()),
            "candidates" => all(vec![of_group(Value::Amount(1)); 101]),
            "offers" => (0..33).flat_map(|_| all(vec![of_group(Value::Amount(1))])).collect(),
            "many_offers" => (0..10_000).flat_map(|_| all(Vec::new())).collect(),
            "code_not_entered" => all(vec![of_group(Value::Amount(1)).with_code("SECRET")]),
            "hostile_title" => titled(hostile_text()),
            "long_title" => titled(long_text()),
            _ => Vec::new(),
        })
    }
}
