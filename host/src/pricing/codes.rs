//! What a customer is told of each entered code, after all discounts.
//!
//! A customer who enters a code expects a lower price, or a sentence that says why not. So a code is accepted if
//! something that is due to it came off, or if a plugin accepts it and no offer is due to it: what it brings is then no
//! discount, such as an added line. A code that a plugin accepts and whose offers all came to nothing is `NotApplied`,
//! with the reason of the one that came nearest. An offer for a code accepts it, too, unless a plugin refuses it and
//! nothing came off.

use serde::{Deserialize, Serialize};

use super::{
    Fault,
    offers::{CodeUse, Reason},
};

/// The most codes of a cart, and the most that an answer may say anything of.
pub const CODES_MAX: usize = 16;

/// What a plugin says of an entered code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    Accepted,
    /// A sentence for the customer.
    Refused(String),
}

/// A code, as typed, and what a plugin says of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeVerdict {
    pub code: String,
    pub verdict: Verdict,
}

/// What a customer is told of a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CodeAnswer {
    /// Something that is due to it came off; or a plugin accepts it, and no discount is due to it.
    Accepted,
    /// It is accepted, and nothing that is due to it came off.
    NotApplied(Reason),
    /// No plugin accepts it, and this is the reason of the first that refuses it.
    Refused(String),
    /// No plugin says anything of it.
    Unknown,
}

/// Returns what is to be said of each entered code, in their order. `verdicts` are those of all plugins in the
/// operator's order, `uses` those of the discounts on lines, order and delivery.
#[must_use]
pub fn answers<'a>(
    entered: &[String],
    verdicts: &[CodeVerdict],
    uses: impl Iterator<Item = &'a CodeUse> + Clone,
) -> Vec<CodeAnswer> {
    entered.iter().map(|code| answer(code, verdicts, uses.clone())).collect()
}

fn answer<'a>(code: &str, verdicts: &[CodeVerdict], uses: impl Iterator<Item = &'a CodeUse> + Clone) -> CodeAnswer {
    let uses = || uses.clone().filter(|used| used.code == code).map(|used| used.dropped);
    let said = || verdicts.iter().filter(|said| said.code == code).map(|said| &said.verdict);
    let refused = said().find_map(|verdict| match verdict {
        Verdict::Refused(reason) => Some(reason.clone()),
        Verdict::Accepted => None,
    });
    let not_applied = uses().flatten().min().map(CodeAnswer::NotApplied);
    if uses().any(|dropped| dropped.is_none()) {
        CodeAnswer::Accepted
    } else if said().any(|verdict| *verdict == Verdict::Accepted) {
        not_applied.unwrap_or(CodeAnswer::Accepted)
    } else {
        refused.map(CodeAnswer::Refused).or(not_applied).unwrap_or(CodeAnswer::Unknown)
    }
}

/// Checks that a code was entered.
pub(super) fn check_entered(code: &str, entered: &[String]) -> Result<(), Fault> {
    if entered.iter().any(|known| known == code) { Ok(()) } else { Err(Fault::NotEntered(code.to_owned())) }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    #[test]
    fn a_customer_is_told_what_becomes_of_a_code() {
        use Reason::{Cap, DoesNotCombine, WorthNothing};
        let check = |verdicts: &[Verdict], uses: &[Option<Reason>], expected: CodeAnswer| {
            let said = |verdict: &Verdict| CodeVerdict { code: "A".into(), verdict: verdict.clone() };
            let used = |dropped: &Option<Reason>| CodeUse { code: "A".into(), dropped: *dropped };
            let verdicts: Vec<_> = verdicts.iter().map(said).collect();
            let uses: Vec<_> = uses.iter().map(used).collect();
            let entered = ["B".to_owned(), "A".to_owned()];
            let answers = answers(&entered, &verdicts, uses.iter());
            assert_eq!(answers, [CodeAnswer::Unknown, expected], "{verdicts:?} {uses:?}");
        };
        let (accepted, refused) = (Verdict::Accepted, |reason: &str| Verdict::Refused(reason.into()));
        let first = || CodeAnswer::Refused("first".into());
        check(&[], &[], CodeAnswer::Unknown);
        // Accepted by any, else refused for the first reason.
        check(&[refused("first"), refused("second")], &[], first());
        check(&[refused("first"), accepted.clone()], &[], CodeAnswer::Accepted);
        check(from_ref(&accepted), &[], CodeAnswer::Accepted);
        check(from_ref(&accepted), &[Some(Cap), None], CodeAnswer::Accepted);
        // Accepted and all left out: what came nearest is said.
        check(from_ref(&accepted), &[Some(WorthNothing), Some(DoesNotCombine)], CodeAnswer::NotApplied(DoesNotCombine));
        check(from_ref(&accepted), &[Some(DoesNotCombine), Some(Cap)], CodeAnswer::NotApplied(Cap));
        check(&[refused("first"), accepted], &[Some(WorthNothing)], CodeAnswer::NotApplied(WorthNothing));
        // An offer says something of its code, too.
        check(&[], &[None], CodeAnswer::Accepted);
        check(&[], &[Some(Cap)], CodeAnswer::NotApplied(Cap));
        check(&[refused("first")], &[None], CodeAnswer::Accepted);
        check(&[refused("first")], &[Some(Cap)], first());
    }
}
