//! The discounts hook: a plugin offers discounts on lines and on their sum.

use std::sync::Arc;

use super::{
    CaseQuestion, Decision, HookInfo, Kind, Question, Rules,
    answered::{Reader, each},
    track,
};
use crate::{
    imports::bindings::v0_2::{
        exports::till::plugin::discounts as wit,
        till::plugin::{offers, types},
    },
    pricing::{
        BadOutput, LineId,
        codes::{CodeVerdict, Verdict},
        discounts::{Candidate, Decision as Answer, LineOffers, LineTarget, Offer, Target, Value},
        offers::{Choice, Classes},
    },
    recordings::Body,
    telemetry::names::span,
};

pub(super) static INFO: HookInfo = HookInfo {
    function: "decide",
    span: span::DISCOUNTS,
    parameter: "cart",
    decision: "decision",
    may_be_skipped: true,
    owns_money: true,
    ..HookInfo::of_track(&track::V0_2)
};

/// The hook of discounts on lines and order.
#[derive(Debug)]
pub struct Discounts;

impl Decision for Discounts {
    const KIND: Kind = Kind::Discounts;

    type Rest = ();
    type Offered = types::Cart;
    type Returned = wit::Decision;
    type Answer = Answer;
    type Outcome = LineOffers;

    fn of_trial(_: &Question<()>) {}

    const PARTS: &'static [&'static str] = &[];

    fn of_case(_: &CaseQuestion) -> Result<(), String> {
        Ok(())
    }

    fn record(_: &(), _: &mut Body) {}

    fn offered(question: &Question<()>) -> types::Cart {
        question.cart()
    }

    fn read(wit::Decision { offers, codes }: wit::Decision, reader: &Reader<'_>) -> Result<Answer, String> {
        let offer = |wit::Offer { candidates, choose, combines_with }| {
            let candidates = each(candidates, |of| candidate(of, reader))?;
            Ok(Offer { candidates, choose: choice(choose), combines_with: classes(combines_with) })
        };
        let code = |wit::CodeVerdict { code, verdict }| {
            let verdict = match verdict {
                wit::Verdict::Accepted => Verdict::Accepted,
                wit::Verdict::Refused(why) => Verdict::Refused(reader.lines("why a code is refused", why)?),
            };
            Ok(CodeVerdict { code, verdict })
        };
        Ok(Answer { offers: each(offers, offer)?, codes: each(codes, code)? })
    }

    fn outcome(by: Arc<str>, of: &Question<()>, answer: &Answer, _: Rules) -> Result<LineOffers, BadOutput> {
        LineOffers::checked(by, answer.clone(), &of.basket, &of.request.codes)
    }
}

fn candidate(of: wit::Candidate, reader: &Reader<'_>) -> Result<Candidate, String> {
    let wit::Candidate { title, value, target, code } = of;
    let line = |wit::LineTarget { line, quantity }| LineTarget { line: LineId(line), quantity };
    Ok(Candidate {
        title: reader.line("the title of a discount", title)?,
        value: match value {
            wit::Value::Percentage(share) => Value::Percentage(share),
            wit::Value::Amount(amount) => Value::Amount(reader.amount(amount)?),
            wit::Value::AmountOfEach(amount) => Value::AmountOfEach(reader.amount(amount)?),
        },
        target: match target {
            wit::Target::Lines(lines) => Target::Lines(lines.into_iter().map(line).collect()),
            wit::Target::Order(without) => Target::Order(without.into_iter().map(LineId).collect()),
        },
        code,
    })
}

pub(super) const fn choice(of: offers::Choice) -> Choice {
    match of {
        offers::Choice::First => Choice::First,
        offers::Choice::Largest => Choice::Largest,
        offers::Choice::All => Choice::All,
    }
}

pub(super) const fn classes(offers::Classes { product, order, delivery }: offers::Classes) -> Classes {
    Classes { product, order, delivery }
}
