//! What the hooks of track 0.2 have in common: a question about a cart, an answer of operations on what it shows, and no effect.
//!
//! A hook of the track implements [`Decision`]; this makes it a [`Hook`].

use std::sync::Arc;

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::{RawValue, to_raw_value};
use wasmtime::component::{ComponentType, Lift, Lower};

use super::{
    CaseQuestion, Compared, ExpectedDecision, Hook, Kind, Placed, Question, RealStock, Rules, Shown, answered::Reader,
    info, question, recorded::RecordedHttp,
};
use crate::{
    facts::Facts,
    failure::{Cause, Failure, Fault, Undecided},
    imports::{CallState, bindings::v0_2::till::plugin::types::HookError, v0_2::http},
    order::{Cart, Currency, Form, Item, StockLine},
    pricing::BadOutput,
    recordings::Body,
    runtime::Likeness,
    store::Store,
};

/// A hook that decides about a cart and has no effect.
pub trait Decision: Sized + Send + Sync + 'static {
    const KIND: Kind;

    /// What the hook is asked about beside the cart.
    type Rest: Clone + Send + Sync + 'static;
    /// The question in the interface's types.
    type Offered: ComponentType + Lower + Send + Sync + 'static;
    /// The answer in the interface's types.
    type Returned: ComponentType + Lift + Send + Sync + 'static;
    /// The answer in the host's types, as a case writes it.
    type Answer: Serialize + DeserializeOwned + Clone + Send + Sync + 'static;
    /// What the host makes of the answer.
    type Outcome: Send + Sync + 'static;

    /// Returns what a trial asks about beside the cart.
    fn of_trial(question: &Question<()>) -> Self::Rest;

    /// The names of what a case says beside the cart.
    const PARTS: &'static [&'static str];

    /// Returns what a case asks about beside the cart.
    ///
    /// # Errors
    /// What can't be read in it.
    fn of_case(case: &CaseQuestion) -> Result<Self::Rest, String>;

    /// Writes the parts of a case that the hook asks about beside the cart.
    fn record(rest: &Self::Rest, body: &mut Body);

    /// Returns the items that the host itself looks up for the answer.
    fn looked_up(_: &Question<Self::Rest>, _: Option<&Self::Answer>) -> Vec<String> {
        Vec::new()
    }

    fn offered(question: &Question<Self::Rest>) -> Self::Offered;

    /// Returns the answer in the host's types.
    ///
    /// # Errors
    /// What can't be in it: an amount, a text.
    fn read(returned: Self::Returned, reader: &Reader<'_>) -> Result<Self::Answer, String>;

    /// Returns the sum of the amounts that the answer names, minor units; `None` of a hook whose answers name none.
    fn sum(_: &Self::Answer) -> Option<u64> {
        None
    }

    /// Returns what the answer of the installation comes to.
    ///
    /// # Errors
    /// Names the part of the answer that breaks a rule of the interface or of the shop.
    fn outcome(
        by: Arc<str>,
        question: &Question<Self::Rest>,
        answer: &Self::Answer,
        rules: Rules,
    ) -> Result<Self::Outcome, BadOutput>;
}

/// What a plugin decided, and what the host makes of it.
#[derive(Debug)]
pub struct Decided<Answer, Outcome> {
    pub answer: Answer,
    pub outcome: Outcome,
}

/// What a call of the track may ask, and what it can reach.
#[derive(Debug)]
pub struct Access {
    pub facts: Facts,
    pub http: http::Door,
}

impl Access {
    /// Returns the access of a call that sends nothing.
    #[must_use]
    pub fn to(facts: Facts) -> Self {
        Self { facts, http: http::Door::repeating(Vec::new()) }
    }
}

/// What a call was told, for telling it to another one.
#[derive(Debug)]
pub struct Told {
    facts: Facts,
    http: Vec<http::Answer>,
}

impl Default for Told {
    fn default() -> Self {
        Self { facts: Facts::all_known(), http: Vec::new() }
    }
}

impl<D: Decision> Hook for D {
    const KIND: Kind = D::KIND;

    type Asked = Question<D::Rest>;
    type Offered = D::Offered;
    type Returned = Result<D::Returned, HookError>;
    type Decided = Decided<D::Answer, D::Outcome>;
    type Door = Access;
    type Met = Told;

    fn asked(placed: &Placed) -> Question<D::Rest> {
        let of_case = |case: &CaseQuestion| Some(case.question.with(D::of_case(case).ok()?));
        // A case was checked when it was read.
        if let Some(question) = placed.case.as_deref().and_then(of_case) {
            return question;
        }
        let question = Question::of_trial(placed);
        let rest = D::of_trial(&question);
        question.with(rest)
    }

    fn offered(question: &Question<D::Rest>) -> D::Offered {
        D::offered(question)
    }

    fn total(decided: &Self::Decided) -> Option<u64> {
        D::sum(&decided.answer)
    }

    fn likeness(question: &Question<D::Rest>) -> Likeness {
        question.likeness()
    }

    fn likeness_in(cart: &Cart) -> Likeness {
        <super::Checkout as Hook>::likeness_in(cart)
    }

    fn open(imports: &mut CallState, Access { facts, http }: Access) {
        (imports.facts, imports.http) = (Some(facts), Some(http));
    }

    fn real(RealStock { facts, http, .. }: RealStock) -> Access {
        Access { facts, http: http::Door::repeating(http) }
    }

    fn repeating(Told { facts, http }: Told, _: &Store) -> Access {
        Access { facts, http: http::Door::repeating(http) }
    }

    fn standing_in(case: Option<&CaseQuestion>) -> Access {
        let Some(case) = case else { return Access::to(Facts::all_known()) };
        Access { facts: case.facts.of_call(), http: http::Door::repeating(case.http.clone()) }
    }

    fn met(imports: &CallState) -> (Told, Vec<StockLine>) {
        let facts = imports.facts.as_ref().map_or_else(Facts::all_known, Facts::of_call);
        let http = imports.http.as_ref().map(|door| door.answers().to_vec()).unwrap_or_default();
        (Told { facts, http }, Vec::new())
    }

    fn record(question: &Question<D::Rest>, _: &CallState, body: &mut Body) {
        question::record(question, body);
        D::record(&question.rest, body);
    }

    fn record_after(
        question: &Question<D::Rest>,
        result: &Result<Self::Decided, Failure>,
        imports: &CallState,
        body: &mut Body,
    ) {
        let looked_up = D::looked_up(question, result.as_ref().ok().map(|decided| &decided.answer));
        let known = |item: &String| Item::parse(item).is_some_and(|item| question.request.catalogue.known(&item));
        let looked_up: Vec<_> = looked_up.into_iter().filter(known).collect();
        if let Some(asked) = imports.facts.as_ref().and_then(|facts| facts.asked(&looked_up)) {
            body.member("facts", &asked);
        }
        if let Some(door) = imports.http.as_ref().filter(|door| !door.answers().is_empty()) {
            body.member("http", &door.answers().iter().map(RecordedHttp::of).collect::<Vec<_>>());
        }
    }

    fn recorded_decision(_: &Question<D::Rest>, Decided { answer, .. }: &Self::Decided) -> Option<Box<RawValue>> {
        to_raw_value(answer).ok()
    }

    fn believed(
        question: &Question<D::Rest>,
        returned: Result<Self::Returned, Failure>,
        imports: &mut CallState,
        rules: Rules,
    ) -> Result<Self::Decided, Failure> {
        let at = imports.at();
        let returned = returned?.map_err(|error| refusal(error, imports))?;
        // A reason quotes names from the answer, which may be as long as the whole answer. It stands in the log, on the order and in
        // what the client gets.
        let bad =
            |reason: String| Failure::from(Fault { at, cause: Cause::BadOutput { reason: imports.fitted(&reason) } });
        let answer = D::read(returned, &Reader(imports)).map_err(bad)?;
        let by = at.name.as_ref().map_or_else(|| at.kind.as_str(), |name| name.as_str());
        let outcome = D::outcome(by.into(), question, &answer, rules).map_err(|error| bad(error.to_string()))?;
        Ok(Decided { answer, outcome })
    }

    fn compared(Decided { answer, .. }: &Self::Decided) -> Compared {
        Compared { decision: serde_json::to_string(answer).ok(), ..Compared::default() }
    }

    fn shown(Decided { answer, .. }: &Self::Decided, _: Currency) -> Shown {
        let json = serde_json::to_value(answer).unwrap_or_default();
        let name = info(D::KIND).decision;
        Shown { name, title: name, lines: lines(&json), attributes: Vec::new(), json }
    }

    fn check_case(case: &CaseQuestion) -> Result<(), String> {
        case.has_only(D::PARTS)?;
        D::of_case(case).map(drop)
    }

    fn expected(written: &RawValue, _: Currency) -> Result<ExpectedDecision, String> {
        let answer: D::Answer = serde_json::from_str(written.get()).map_err(|error| error.to_string())?;
        let json = serde_json::to_value(answer).unwrap_or_default();
        Ok(ExpectedDecision { lines: lines(&json), attributes: None })
    }
}

/// Returns a decision as lines to read and to compare, one for each entry of its lists.
fn lines(json: &serde_json::Value) -> Vec<String> {
    match json {
        serde_json::Value::Array(entries) => entries.iter().map(ToString::to_string).collect(),
        serde_json::Value::Object(parts) => {
            let of = |(name, part): (&String, &serde_json::Value)| {
                lines(part).into_iter().map(|line| format!("{name}: {line}")).collect::<Vec<_>>()
            };
            parts.iter().flat_map(of).collect()
        }
        one => vec![one.to_string()],
    }
}

/// Returns the failure that a plugin's error means; bad output if its text is past the limits.
fn refusal(error: HookError, imports: &CallState) -> Failure {
    let at = imports.at();
    let (HookError::Unavailable(text) | HookError::Other(text)) = &error;
    if let Err(misuse) = imports.check_text("the text of its error", text, Form::Lines) {
        return Fault { at, cause: Cause::BadOutput { reason: misuse.to_string() } }.into();
    }
    let undecided = |message| Undecided { by: Some(at), message };
    match error {
        HookError::Unavailable(message) => Failure::Unavailable(undecided(message)),
        HookError::Other(message) => Failure::Other(undecided(message)),
    }
}
