//! The payment-menu hook: a plugin hides, renames and moves ways to pay.

use std::sync::Arc;

use super::{
    CaseQuestion, Decision, HookInfo, Kind, Question, Rules,
    answered::{Reader, each},
    delivery_menu::change,
    track,
};
use crate::{
    imports::bindings::v0_2::{exports::till::plugin::payment_menu as wit, till::plugin::menus},
    order::MinorUnits,
    pricing::{
        BadOutput,
        menu::{Change, PaymentMethod, customize},
    },
    recordings::Body,
    telemetry::names::span,
};

pub(super) static INFO: HookInfo = HookInfo {
    function: "customize",
    span: span::PAYMENT_MENU,
    parameter: "question",
    decision: "changes",
    owns_money: true,
    ..HookInfo::of_track(&track::V0_2)
};

/// The hook of what customers see of the ways to pay.
#[derive(Debug)]
pub struct PaymentMenu;

/// What is due, and the ways to pay that are left.
#[derive(Debug, Clone)]
pub struct PaymentChoices {
    pub due: MinorUnits,
    pub methods: Arc<[PaymentMethod]>,
}

impl Decision for PaymentMenu {
    const KIND: Kind = Kind::PaymentMenu;

    type Rest = PaymentChoices;
    type Offered = wit::Question;
    type Returned = Vec<menus::Change>;
    type Answer = Vec<Change>;
    type Outcome = Vec<PaymentMethod>;

    fn of_trial(question: &Question<()>) -> PaymentChoices {
        let method = |id: &str| PaymentMethod { id: id.to_owned(), name: id.to_owned() };
        PaymentChoices { due: question.basket.sum(), methods: ["card", "invoice"].map(method).into() }
    }

    const PARTS: &'static [&'static str] = &["due", "methods"];

    fn of_case(case: &CaseQuestion) -> Result<PaymentChoices, String> {
        let methods: Vec<PaymentMethod> = case.part("methods")?;
        Ok(PaymentChoices { due: case.part("due")?, methods: methods.into() })
    }

    fn record(PaymentChoices { due, methods }: &PaymentChoices, body: &mut Body) {
        body.member("due", due);
        body.member("methods", &**methods);
    }

    fn offered(asked: &Question<PaymentChoices>) -> wit::Question {
        let PaymentChoices { due, methods } = &asked.rest;
        let method = |PaymentMethod { id, name }: &PaymentMethod| wit::Method { id: id.clone(), name: name.clone() };
        wit::Question { cart: asked.cart(), due: due.amount(), methods: methods.iter().map(method).collect() }
    }

    fn read(returned: Self::Returned, reader: &Reader<'_>) -> Result<Vec<Change>, String> {
        each(returned, |of| change(of, reader))
    }

    fn outcome(
        _: Arc<str>,
        of: &Question<PaymentChoices>,
        answer: &Vec<Change>,
        _: Rules,
    ) -> Result<Vec<PaymentMethod>, BadOutput> {
        customize(of.rest.methods.to_vec(), answer)
    }
}
