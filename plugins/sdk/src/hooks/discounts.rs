//! Discounts on lines and on their sum.
//!
//! An offer of these constructors has one candidate and stands beside no other offer; say otherwise with
//! [`Offer::beside`].

pub use super::bindings::discounts::exports::till::plugin::discounts::{
    Candidate, CodeVerdict, Decision, LineTarget, Offer, Target, Value, Verdict,
};
use super::{Choice, Classes, Line, LineId, PartsPerMillion};

impl Candidate {
    /// Returns a discount on all pieces of the lines; none without a line, for a candidate has at least one.
    #[must_use]
    pub fn off_lines<'a>(title: &str, value: Value, lines: impl IntoIterator<Item = &'a Line>) -> Option<Self> {
        let all = |line: &Line| LineTarget { line: line.id, quantity: None };
        Self::off_targets(title, value, lines.into_iter().map(all).collect())
    }

    /// Returns a discount on some pieces of each line, as [`first_pieces`](super::first_pieces) has them; none without any.
    #[must_use]
    pub fn off_pieces(title: &str, value: Value, pieces: impl IntoIterator<Item = (LineId, u32)>) -> Option<Self> {
        let some = |(line, quantity)| LineTarget { line, quantity: Some(quantity) };
        Self::off_targets(title, value, pieces.into_iter().map(some).collect())
    }

    /// Returns a discount on the sum of all lines.
    #[must_use]
    pub fn off_order(title: &str, value: Value) -> Self {
        Self { title: title.to_owned(), value, target: Target::Order(Vec::new()), code: None }
    }

    /// Returns the same discount, due to an entered code, as typed.
    #[must_use]
    pub fn with_code(self, code: &str) -> Self {
        Self { code: Some(code.to_owned()), ..self }
    }

    fn off_targets(title: &str, value: Value, targets: Vec<LineTarget>) -> Option<Self> {
        let target = (!targets.is_empty()).then_some(Target::Lines(targets))?;
        Some(Self { title: title.to_owned(), value, target, code: None })
    }
}

impl Offer {
    /// Returns the offer of the candidates of which those count that `choose` says; none without a candidate.
    #[must_use]
    pub fn of(choose: Choice, candidates: impl IntoIterator<Item = Candidate>) -> Option<Self> {
        let candidates: Vec<Candidate> = candidates.into_iter().collect();
        (!candidates.is_empty()).then_some(Self { candidates, choose, combines_with: Classes::NONE })
    }

    /// Returns the offer of a percentage off these lines; none without a line.
    #[must_use]
    pub fn percent_off_lines<'a>(
        title: &str,
        percent: PartsPerMillion,
        lines: impl IntoIterator<Item = &'a Line>,
    ) -> Option<Self> {
        Candidate::off_lines(title, Value::Percentage(percent), lines).map(Self::from)
    }

    /// Returns the offer of a percentage off the sum of all lines.
    #[must_use]
    pub fn percent_off_order(title: &str, percent: PartsPerMillion) -> Self {
        Candidate::off_order(title, Value::Percentage(percent)).into()
    }

    /// Returns the same offer, which may stand beside others of these classes, if they say so, too.
    #[must_use]
    pub fn beside(self, combines_with: Classes) -> Self {
        Self { combines_with, ..self }
    }
}

impl From<Candidate> for Offer {
    fn from(candidate: Candidate) -> Self {
        Self { candidates: vec![candidate], choose: Choice::First, combines_with: Classes::NONE }
    }
}

impl CodeVerdict {
    /// Returns what is said of a code, as typed, for which there is an offer.
    #[must_use]
    pub fn accepted(code: &str) -> Self {
        Self { code: code.to_owned(), verdict: Verdict::Accepted }
    }

    /// Returns what is said of a code, as typed, that counts for nothing here: a sentence for the customer.
    #[must_use]
    pub fn refused(code: &str, reason: impl Into<String>) -> Self {
        Self { code: code.to_owned(), verdict: Verdict::Refused(reason.into()) }
    }
}

impl Decision {
    /// Returns the decision that gives nothing and says nothing of codes.
    #[must_use]
    pub fn nothing() -> Self {
        Self { offers: Vec::new(), codes: Vec::new() }
    }

    /// Returns the same decision with what is said of one more code.
    #[must_use]
    pub fn saying(mut self, verdict: CodeVerdict) -> Self {
        self.codes.push(verdict);
        self
    }
}

impl FromIterator<Offer> for Decision {
    fn from_iter<T: IntoIterator<Item = Offer>>(offers: T) -> Self {
        Self { offers: offers.into_iter().collect(), ..Self::nothing() }
    }
}

impl From<Offer> for Decision {
    fn from(offer: Offer) -> Self {
        Some(offer).into()
    }
}

impl From<Option<Offer>> for Decision {
    fn from(offer: Option<Offer>) -> Self {
        offer.into_iter().collect()
    }
}
