//! The delivery-options hook: a plugin offers ways of delivery for a group of lines.

use std::sync::Arc;

use super::{
    CaseQuestion, Decision, HookInfo, Kind, Question, Rules,
    answered::{Reader, each},
    question, track,
};
use crate::{
    imports::bindings::v0_2::{exports::till::plugin::delivery_options as wit, till::plugin::menus},
    pricing::{
        BadOutput,
        delivery::{DayRange, DeliveryGroup, DeliveryKind, DeliveryOption, OfferedOption, groups},
    },
    recordings::Body,
    runtime::CallLimits,
    telemetry::names::span,
};

pub(super) static INFO: HookInfo = HookInfo {
    function: "offer",
    doors: &[super::HTTP],
    span: span::DELIVERY_OPTIONS,
    parameter: "question",
    decision: "options",
    call_limits: CallLimits::of_http_hook,
    ..HookInfo::of_track(&track::V0_2)
};

/// The hook of ways of delivery.
#[derive(Debug)]
pub struct DeliveryOptions;

impl Decision for DeliveryOptions {
    const KIND: Kind = Kind::DeliveryOptions;

    type Rest = DeliveryGroup;
    type Offered = wit::Question;
    type Returned = Vec<menus::DeliveryOption>;
    type Answer = Vec<DeliveryOption>;
    type Outcome = Vec<OfferedOption>;

    #[expect(clippy::expect_used, reason = "everything is shipped, and a basket has lines")]
    fn of_trial(question: &Question<()>) -> DeliveryGroup {
        groups(&question.basket, |_| true).pop().expect("a group")
    }

    const PARTS: &'static [&'static str] = &["group"];

    fn of_case(case: &CaseQuestion) -> Result<DeliveryGroup, String> {
        case.part("group")
    }

    fn record(group: &DeliveryGroup, body: &mut Body) {
        body.member("group", group);
    }

    fn offered(asked: &Question<DeliveryGroup>) -> wit::Question {
        wit::Question { cart: asked.cart(), group: question::group(&asked.rest) }
    }

    fn read(returned: Self::Returned, reader: &Reader<'_>) -> Result<Vec<DeliveryOption>, String> {
        each(returned, |of| {
            Ok(DeliveryOption {
                handle: reader.word("the handle of a way of delivery", of.handle)?,
                title: reader.line("the title of a way of delivery", of.title)?,
                description: of
                    .description
                    .map(|text| reader.lines("the description of a way of delivery", text))
                    .transpose()?,
                kind: match of.kind {
                    menus::DeliveryKind::Shipping => DeliveryKind::Shipping,
                    menus::DeliveryKind::LocalDelivery => DeliveryKind::LocalDelivery,
                    menus::DeliveryKind::Pickup => DeliveryKind::Pickup,
                    menus::DeliveryKind::PickupPoint => DeliveryKind::PickupPoint,
                    menus::DeliveryKind::Digital => DeliveryKind::Digital,
                },
                cost: reader.amount(of.cost)?,
                days: of.days.map(|menus::DayRange { earliest, latest }| DayRange { earliest, latest }),
                location: reader.optional("the location of a way of delivery", of.location)?,
                attributes: reader.attributes(of.attributes)?,
            })
        })
    }

    fn sum(options: &Vec<DeliveryOption>) -> Option<u64> {
        Some(options.iter().map(|option| option.cost.amount()).sum())
    }

    fn outcome(
        by: Arc<str>,
        _: &Question<DeliveryGroup>,
        answer: &Vec<DeliveryOption>,
        rules: Rules,
    ) -> Result<Vec<OfferedOption>, BadOutput> {
        OfferedOption::checked(&by, answer.clone(), rules.delivery_cost_max)
    }
}
