//! The validation hook: a plugin says what is wrong with a cart.

use std::sync::Arc;

use super::{
    CaseQuestion, Decision, HookInfo, Kind, Question, Rules,
    answered::{Reader, each},
    track,
};
use crate::{
    imports::bindings::v0_2::{exports::till::plugin::validation as wit, till::plugin::types},
    pricing::{
        BadOutput, LineId,
        validation::{Subject, Violation, pointers},
    },
    recordings::Body,
    telemetry::names::span,
};

pub(super) static INFO: HookInfo = HookInfo {
    function: "validate",
    span: span::VALIDATION,
    parameter: "cart",
    decision: "violations",
    may_be_skipped: true,
    ..HookInfo::of_track(&track::V0_2)
};

/// The hook of a cart's violations.
#[derive(Debug)]
pub struct Validation;

impl Decision for Validation {
    const KIND: Kind = Kind::Validation;

    type Rest = ();
    type Offered = types::Cart;
    type Returned = Vec<wit::Violation>;
    type Answer = Vec<Violation>;
    /// A JSON pointer into the client's request for each violation.
    type Outcome = Vec<String>;

    fn of_trial(_: &Question<()>) {}

    const PARTS: &'static [&'static str] = &[];

    fn of_case(_: &CaseQuestion) -> Result<(), String> {
        Ok(())
    }

    fn record(_: &(), _: &mut Body) {}

    fn offered(question: &Question<()>) -> types::Cart {
        question.cart()
    }

    fn read(returned: Self::Returned, reader: &Reader<'_>) -> Result<Vec<Violation>, String> {
        each(returned, |wit::Violation { code, message, subject }| {
            Ok(Violation {
                code: reader.word("the code of a violation", code)?,
                message: reader.lines("the message of a violation", message)?,
                subject: match subject {
                    wit::Subject::Cart => Subject::Cart,
                    wit::Subject::Line(line) => Subject::Line(LineId(line)),
                    wit::Subject::ShippingAddress(field) => {
                        Subject::ShippingAddress(reader.word("the field of a violation", field)?)
                    }
                    wit::Subject::BillingAddress(field) => {
                        Subject::BillingAddress(reader.word("the field of a violation", field)?)
                    }
                    wit::Subject::Code(code) => Subject::Code(code),
                    wit::Subject::Attribute(key) => {
                        Subject::Attribute(reader.word("the attribute of a violation", key)?)
                    }
                },
            })
        })
    }

    fn outcome(_: Arc<str>, of: &Question<()>, answer: &Vec<Violation>, _: Rules) -> Result<Vec<String>, BadOutput> {
        pointers(answer, &of.basket, &of.request.codes)
    }
}
