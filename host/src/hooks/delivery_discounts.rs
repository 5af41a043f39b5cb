//! The delivery-discounts hook: a plugin offers discounts on ways of delivery.

use std::sync::Arc;

use super::{
    CaseQuestion, Decision, HookInfo, Kind, Question, Rules,
    answered::{Reader, each},
    delivery_menu::{choices_of_case, choices_of_trial},
    discounts::{choice, classes},
    question, track,
};
use crate::{
    imports::bindings::v0_2::exports::till::plugin::delivery_discounts as wit,
    pricing::{
        BadOutput,
        delivery::{DeliveryChoices, GroupId},
        delivery_discounts::{Candidate, Offer, OptionOffers, OptionTarget, Target, Value},
    },
    recordings::Body,
    telemetry::names::span,
};

pub(super) static INFO: HookInfo = HookInfo {
    function: "decide",
    span: span::DELIVERY_DISCOUNTS,
    parameter: "question",
    decision: "offers",
    may_be_skipped: true,
    owns_money: true,
    ..HookInfo::of_track(&track::V0_2)
};

/// The hook of discounts on delivery.
#[derive(Debug)]
pub struct DeliveryDiscounts;

impl Decision for DeliveryDiscounts {
    const KIND: Kind = Kind::DeliveryDiscounts;

    type Rest = Arc<[DeliveryChoices]>;
    type Offered = wit::Question;
    type Returned = Vec<wit::Offer>;
    type Answer = Vec<Offer>;
    type Outcome = OptionOffers;

    fn of_trial(question: &Question<()>) -> Arc<[DeliveryChoices]> {
        choices_of_trial(question)
    }

    const PARTS: &'static [&'static str] = &["choices"];

    fn of_case(case: &CaseQuestion) -> Result<Arc<[DeliveryChoices]>, String> {
        choices_of_case(case)
    }

    fn record(choices: &Self::Rest, body: &mut Body) {
        question::record_choices(choices, body);
    }

    fn offered(asked: &Question<Self::Rest>) -> wit::Question {
        wit::Question { cart: asked.cart(), choices: asked.rest.iter().map(question::choices).collect() }
    }

    fn read(returned: Self::Returned, reader: &Reader<'_>) -> Result<Vec<Offer>, String> {
        each(returned, |wit::Offer { candidates, choose, combines_with }| {
            let candidates = each(candidates, |of| candidate(of, reader))?;
            Ok(Offer { candidates, choose: choice(choose), combines_with: classes(combines_with) })
        })
    }

    fn outcome(
        by: Arc<str>,
        of: &Question<Self::Rest>,
        answer: &Vec<Offer>,
        _: Rules,
    ) -> Result<OptionOffers, BadOutput> {
        OptionOffers::checked(by, answer.clone(), &of.rest, &of.request.codes)
    }
}

fn candidate(of: wit::Candidate, reader: &Reader<'_>) -> Result<Candidate, String> {
    let wit::Candidate { title, value, targets, code } = of;
    let target = |target| match target {
        wit::Target::Group(group) => Target::Group(GroupId(group)),
        wit::Target::DeliveryOption(wit::OptionTarget { group, handle }) => {
            Target::DeliveryOption(OptionTarget { group: GroupId(group), handle })
        }
    };
    Ok(Candidate {
        title: reader.line("the title of a discount", title)?,
        value: match value {
            wit::Value::Percentage(share) => Value::Percentage(share),
            wit::Value::Amount(amount) => Value::Amount(reader.amount(amount)?),
        },
        targets: targets.into_iter().map(target).collect(),
        code,
    })
}
