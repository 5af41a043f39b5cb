//! Makes the mistake that the setting `do` names, at the hook `discounts`; else gives nothing.

use till_sdk::hooks::discounts::{Candidate, CodeVerdict, Decision, LineTarget, Offer, Target, Value};
use till_sdk::hooks::{Cart, Choice, Classes, Discounts, HookError, LineId, Span};
use till_test_guests::hooks::{TOO_MUCH, hostile_text, long_text, mistake, wordy_text};

struct Hostile;

till_sdk::discounts_plugin!(Hostile);

fn of_order(value: Value) -> Candidate {
    Candidate::off_order("Off", value)
}

fn of_lines(value: Value, lines: &[(LineId, Option<u32>)]) -> Candidate {
    let lines = lines.iter().map(|(line, quantity)| LineTarget { line: *line, quantity: *quantity }).collect();
    Candidate { title: "Off".to_owned(), value, target: Target::Lines(lines), code: None }
}

fn all(candidates: Vec<Candidate>) -> Decision {
    Offer { candidates, choose: Choice::All, combines_with: Classes::ALL }.into()
}

impl Discounts for Hostile {
    fn decide(_: &Span, cart: Cart) -> Result<Decision, HookError> {
        let does = mistake(&cart)?;
        let line = cart.lines.first().map_or(1, |line| line.id);
        let one = |candidate: Candidate| Decision::from(Offer::from(candidate));
        let titled = |title: String| one(Candidate { title, ..of_order(Value::Percentage(100_000)) });
        let nothing = Decision::nothing();
        Ok(match &*does {
            "wrong_line" => one(of_lines(Value::Percentage(1), &[(99, None)])),
            "wrong_excluded_line" => one(Candidate { target: Target::Order(vec![99]), ..of_order(Value::Amount(1)) }),
            "line_twice" => one(of_lines(Value::Percentage(600_000), &[(line, None), (line, None)])),
            "no_pieces" => one(of_lines(Value::Percentage(1), &[(line, Some(0))])),
            "no_lines" => one(of_lines(Value::Percentage(1), &[])),
            "more_pieces" => one(of_lines(Value::AmountOfEach(1_000), &[(line, Some(u32::MAX))])),
            "ppm" => one(of_order(Value::Percentage(1_000_001))),
            "largest_ppm" => one(of_lines(Value::Percentage(u32::MAX), &[(line, None)])),
            "amount" => one(of_order(Value::Amount(TOO_MUCH))),
            "largest" => one(of_order(Value::Amount(u64::MAX))),
            "largest_of_each" => one(of_lines(Value::AmountOfEach(u64::MAX), &[(line, None)])),
            "all_of_it" => one(of_order(Value::Percentage(1_000_000))),
            "more_than_all" => one(of_lines(Value::Amount(TOO_MUCH - 1), &[(line, None)])),
            "halves" => all(vec![of_order(Value::Percentage(500_000)); 4]),
            "many_halves" => (0..4).map(|_| Offer::percent_off_order("Half", 300_000).beside(Classes::ALL)).collect(),
            "each_more_than_its_price" => all(vec![of_lines(Value::AmountOfEach(TOO_MUCH - 1), &[(line, None)]); 100]),
            "half" => one(of_order(Value::Percentage(500_000))),
            "mixed" => all(vec![of_order(Value::Amount(1)), of_lines(Value::Amount(1), &[(line, None)])]),
            "no_candidates" => all(Vec::new()),
            "candidates" => all(vec![of_order(Value::Amount(1)); 101]),
            "offers" => (0..33).map(|_| Offer::percent_off_order("One", 1)).collect(),
            "many_offers" => (0..10_000).map(|_| Offer::percent_off_order("", 1)).collect(),
            "candidates_of_all" => {
                let offer = || Offer::of(Choice::All, vec![of_order(Value::Amount(1)); 4]);
                (0..32).filter_map(|_| offer()).collect()
            }
            "many_adjustments" => {
                let candidate = |number: u32| Candidate {
                    title: format!("{number} {}", "x".repeat(1_000)),
                    ..of_order(Value::Amount(100))
                };
                all((0..100).map(candidate).collect())
            }
            "code_not_entered" => one(of_order(Value::Percentage(100_000)).with_code("SECRET")),
            "accepts_other_code" => nothing.saying(CodeVerdict::accepted("SECRET")),
            "accepts_wordy_code" => nothing.saying(CodeVerdict::accepted(&wordy_text())),
            "accepts_upper_case" => nothing.saying(CodeVerdict::accepted("SPRING")),
            "code_twice" => nothing.saying(CodeVerdict::accepted("spring")).saying(CodeVerdict::refused("spring", "")),
            "codes" => (0..17).fold(nothing, |said, _| said.saying(CodeVerdict::accepted("spring"))),
            "hostile_reason" => nothing.saying(CodeVerdict::refused("spring", "\u{1b}[31m\u{0}")),
            "hostile_title" => titled(hostile_text()),
            "long_title" => titled(long_text()),
            "wordy_title" => titled("x".repeat(1_025)),
            "no_title" => titled(String::new()),
            _ => nothing,
        })
    }
}
