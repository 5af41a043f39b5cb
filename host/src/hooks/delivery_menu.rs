//! The delivery-menu hook: a plugin hides, renames and moves ways of delivery.

use std::sync::Arc;

use super::{
    CaseQuestion, Decision, HookInfo, Kind, Question, Rules,
    answered::{Reader, each},
    question, track,
};
use crate::{
    imports::bindings::v0_2::{exports::till::plugin::delivery_menu as wit, till::plugin::menus},
    order::MinorUnits,
    pricing::{
        BadOutput,
        delivery::{
            DeliveryChoices, DeliveryGroup, DeliveryKind, DeliveryOption, GroupId, OfferedOption, groups, put_together,
        },
        menu::{Change, GroupChanges, Move, Renaming, customize_delivery},
    },
    recordings::Body,
    telemetry::names::span,
};

pub(super) static INFO: HookInfo = HookInfo {
    function: "customize",
    span: span::DELIVERY_MENU,
    parameter: "question",
    decision: "changes",
    ..HookInfo::of_track(&track::V0_2)
};

/// The hook of what customers see of the ways of delivery.
#[derive(Debug)]
pub struct DeliveryMenu;

impl Decision for DeliveryMenu {
    const KIND: Kind = Kind::DeliveryMenu;

    type Rest = Arc<[DeliveryChoices]>;
    type Offered = wit::Question;
    type Returned = Vec<wit::GroupChanges>;
    type Answer = Vec<GroupChanges>;
    type Outcome = Vec<DeliveryChoices>;

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

    fn read(returned: Self::Returned, reader: &Reader<'_>) -> Result<Vec<GroupChanges>, String> {
        each(returned, |wit::GroupChanges { group, changes }| {
            Ok(GroupChanges { group: GroupId(group), changes: each(changes, |of| change(of, reader))? })
        })
    }

    fn outcome(
        _: Arc<str>,
        of: &Question<Self::Rest>,
        answer: &Vec<GroupChanges>,
        _: Rules,
    ) -> Result<Vec<DeliveryChoices>, BadOutput> {
        customize_delivery(of.rest.to_vec(), answer)
    }
}

pub(super) fn change(of: menus::Change, reader: &Reader<'_>) -> Result<Change, String> {
    Ok(match of {
        menus::Change::Hide(id) => Change::Hide(id),
        menus::Change::Rename(menus::Renaming { id, title }) => {
            Change::Rename(Renaming { id, title: reader.line("the title of a renamed entry", title)? })
        }
        menus::Change::Move(menus::Move { id, to }) => Change::Move(Move { id, to }),
    })
}

/// Returns two ways of delivery for the whole cart.
pub(super) fn choices_of_trial(question: &Question<()>) -> Arc<[DeliveryChoices]> {
    let option = |handle: &str, kind, cost| DeliveryOption {
        handle: handle.to_owned(),
        title: handle.to_owned(),
        description: None,
        kind,
        cost,
        days: None,
        location: None,
        attributes: Vec::new(),
    };
    let fee = MinorUnits::new(500).unwrap_or(MinorUnits::ZERO);
    let options =
        vec![option("standard", DeliveryKind::Shipping, fee), option("shop", DeliveryKind::Pickup, MinorUnits::ZERO)];
    let offered = OfferedOption::checked(&"probe".into(), options, fee).unwrap_or_default();
    groups(&question.basket, |_| true).into_iter().map(|group| put_together(group, [offered.clone()])).collect()
}

/// Returns the groups of a case, whose handles begin with an installation's name.
pub(super) fn choices_of_case(case: &CaseQuestion) -> Result<Arc<[DeliveryChoices]>, String> {
    #[derive(serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Written {
        group: DeliveryGroup,
        options: Vec<DeliveryOption>,
    }

    let written: Vec<Written> = case.part("choices")?;
    let offered = |option: DeliveryOption| {
        let by = option.handle.split('/').next().unwrap_or_default().into();
        OfferedOption { by, option, discounts: Vec::new() }
    };
    let choices =
        |Written { group, options }| DeliveryChoices { group, options: options.into_iter().map(offered).collect() };
    Ok(written.into_iter().map(choices).collect())
}
