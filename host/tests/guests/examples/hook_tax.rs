//! Makes the mistake that the setting `do` names, at the hook `tax`; else everything is free of tax.

use till_sdk::hooks::http::Request;
use till_sdk::hooks::tax::{Question, Subject, TaxLine};
use till_sdk::hooks::{HookError, Span, Tax, setting};
use till_test_guests::hooks::{TOO_MUCH, hostile_text, long_text, mistake};

struct Hostile;

till_sdk::tax_plugin!(Hostile);

impl Tax for Hostile {
    fn assess(call: &Span, question: Question) -> Result<Vec<TaxLine>, HookError> {
        let does = mistake(&question.cart)?;
        let free: Vec<TaxLine> = question.taxables.iter().map(|of| TaxLine::free(of, "Free")).collect();
        let amount = question.taxables.first().map_or(0, |of| of.amount);
        let each = |amount: u64, included: bool| -> Vec<TaxLine> {
            let line = |line: &TaxLine| TaxLine { amount, included, ..line.clone() };
            free.iter().map(line).collect()
        };
        let and = |subject: Subject| {
            let stray = free.first().map(|line| TaxLine { subject, ..line.clone() });
            free.iter().cloned().chain(stray).collect::<Vec<_>>()
        };
        let titled = |title: &str| -> Vec<TaxLine> {
            free.iter().map(|line| TaxLine { title: title.to_owned(), ..line.clone() }).collect()
        };
        Ok(match &*does {
            "no_lines" => Vec::new(),
            "without_delivery" => {
                free.iter().filter(|line| matches!(line.subject, Subject::Line(_))).cloned().collect()
            }
            "wrong_line" => and(Subject::Line(99)),
            "wrong_group" => and(Subject::Delivery(99)),
            "amount" => each(TOO_MUCH, false),
            "largest" => each(u64::MAX, true),
            "sum_wraps" => vec![each(TOO_MUCH - 1, false); 200].into_iter().flatten().collect(),
            "included_sum_wraps" => vec![each(TOO_MUCH - 1, true); 200].into_iter().flatten().collect(),
            "included" => each(amount + 1, true),
            "included_twice" => [each(amount / 2 + 1, true), each(amount / 2 + 1, true)].concat(),
            "added" => each(amount, false),
            "added_in_parts" => vec![each(amount / 90, false); 100].into_iter().flatten().collect(),
            "twice" => [each(100, false), each(100, false)].concat(),
            "rate" => free.iter().map(|line| TaxLine { rate: Some(u32::MAX), ..line.clone() }).collect(),
            "lines" => vec![free.clone(); 401].into_iter().flatten().collect(),
            "many_lines" => vec![free.clone(); 10_000].into_iter().flatten().collect(),
            "most_lines" => vec![titled(&"x".repeat(300)); 400].into_iter().flatten().take(400).collect(),
            "hostile_title" => titled(&hostile_text()),
            "long_title" => titled(&long_text()),
            "send" => {
                Request::get(setting("url").text()?).timeout_ms(60_000).send(call)?;
                free
            }
            _ => free,
        })
    }
}
