//! The tax hook: a plugin assesses the tax of lines and deliveries.

use std::sync::Arc;

use super::{
    CaseQuestion, Decision, HookInfo, Kind, Question, Rules,
    answered::{Reader, each},
    track,
};
use crate::{
    imports::bindings::v0_2::exports::till::plugin::tax as wit,
    pricing::{
        BadOutput, LineId,
        delivery::GroupId,
        tax::{Subject, TaxLine, Taxable, Taxes},
    },
    recordings::Body,
    runtime::CallLimits,
    telemetry::names::span,
};

pub(super) static INFO: HookInfo = HookInfo {
    function: "assess",
    doors: &[super::HTTP],
    span: span::TAX,
    parameter: "question",
    decision: "taxes",
    installed_max: 1,
    owns_money: true,
    call_limits: CallLimits::of_http_hook,
    ..HookInfo::of_track(&track::V0_2)
};

/// The hook of tax.
#[derive(Debug)]
pub struct Tax;

impl Decision for Tax {
    const KIND: Kind = Kind::Tax;

    type Rest = Arc<[Taxable]>;
    type Offered = wit::Question;
    type Returned = Vec<wit::TaxLine>;
    type Answer = Vec<TaxLine>;
    type Outcome = Taxes;

    fn of_trial(question: &Question<()>) -> Arc<[Taxable]> {
        let of = |line: &crate::pricing::BasketLine| Taxable {
            subject: Subject::Line(line.id),
            amount: line.sum(),
            category: None,
        };
        question.basket.lines().iter().map(of).collect()
    }

    const PARTS: &'static [&'static str] = &["taxables"];

    fn of_case(case: &CaseQuestion) -> Result<Arc<[Taxable]>, String> {
        case.part::<Vec<Taxable>>("taxables").map(Arc::from)
    }

    fn record(taxables: &Arc<[Taxable]>, body: &mut Body) {
        body.member("taxables", &**taxables);
    }

    fn offered(asked: &Question<Self::Rest>) -> wit::Question {
        let taxable = |of: &Taxable| wit::Taxable {
            subject: match of.subject {
                Subject::Line(line) => wit::Subject::Line(line.0),
                Subject::Delivery(group) => wit::Subject::Delivery(group.0),
            },
            amount: of.amount.amount(),
            category: of.category.clone(),
        };
        wit::Question { cart: asked.cart(), taxables: asked.rest.iter().map(taxable).collect() }
    }

    fn read(returned: Self::Returned, reader: &Reader<'_>) -> Result<Vec<TaxLine>, String> {
        each(returned, |wit::TaxLine { subject, title, rate, amount, included }| {
            Ok(TaxLine {
                subject: match subject {
                    wit::Subject::Line(line) => Subject::Line(LineId(line)),
                    wit::Subject::Delivery(group) => Subject::Delivery(GroupId(group)),
                },
                title: reader.line("the title of a tax", title)?,
                rate,
                amount: reader.amount(amount)?,
                included,
            })
        })
    }

    fn sum(lines: &Vec<TaxLine>) -> Option<u64> {
        Some(lines.iter().map(|line| line.amount.amount()).sum())
    }

    fn outcome(
        _: Arc<str>,
        of: &Question<Self::Rest>,
        answer: &Vec<TaxLine>,
        rules: Rules,
    ) -> Result<Taxes, BadOutput> {
        Taxes::checked(answer.clone(), &of.rest, rules.tax_max_percent)
    }
}
