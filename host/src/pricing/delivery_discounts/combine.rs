//! The greedy combination of offers on delivery, at one option after the other.

use std::{cmp::Reverse, sync::Arc};

use super::{Candidate, Offer, OptionOffers};
use crate::{
    order::MinorUnits,
    pricing::{
        delivery::{DeliveryChoices, GroupId, OfferedOption},
        offers::{Applied, Class, CodeUse, Dropped, Reason, Taken, combine},
    },
};

/// What becomes of the groups' options.
#[derive(Debug, Clone, PartialEq)]
pub struct Discounted {
    pub choices: Vec<DeliveryChoices>,
    /// The offers that no option has, in the operator's order.
    pub dropped: Vec<Dropped>,
    pub code_uses: Vec<CodeUse>,
}

/// Applies the offers of all installations, given in the operator's order, to each option. `taken` are the offers on
/// lines and order that count. The options have to be those without discounts that the offers were checked against.
#[must_use]
pub fn apply(mut choices: Vec<DeliveryChoices>, answers: &[OptionOffers], taken: &[Taken]) -> Discounted {
    let each = answers.iter().flat_map(|OptionOffers { by, offers }| offers.iter().map(move |offer| (by, offer)));
    let mut fates: Vec<_> = each.map(|(by, offer)| Fate::new(by, offer)).collect();
    for DeliveryChoices { group, options } in &mut choices {
        options.iter_mut().for_each(|option| discount(group.id, option, &mut fates, taken));
    }
    Discounted {
        choices,
        dropped: fates.iter().filter_map(Fate::dropped).collect(),
        code_uses: fates.iter().flat_map(Fate::code_uses).collect(),
    }
}

/// Takes the offers about one option off its cost.
fn discount(group: GroupId, option: &mut OfferedOption, fates: &mut [Fate<'_>], taken: &[Taken]) {
    let mut worths: Vec<_> = fates.iter_mut().map(|fate| fate.valued(group, option)).collect();
    worths.sort_by_key(|valued| Reverse(valued.worth));
    let mut taken_here = Vec::new();
    for Valued { fate, worths, counting, worth } in worths {
        if worth == MinorUnits::ZERO {
            continue;
        }
        let combines_with = fate.offer.combines_with;
        let this = (Class::Delivery, combines_with);
        let is_free = taken.iter().all(|taken| taken.combines(Class::Delivery, combines_with));
        if !is_free || !taken_here.iter().all(|other| combine(*other, this)) {
            fate.not_taken(&worths);
            continue;
        }
        taken_here.push(this);
        fate.take(&worths, &counting, option);
    }
}

/// What has become of an offer at all options so far.
struct Fate<'a> {
    by: &'a Arc<str>,
    offer: &'a Offer,
    is_taken: bool,
    /// Why it isn't taken where it came nearest to that.
    reason: Reason,
    /// For each candidate why nothing came off; `None` if something did.
    candidates: Vec<Option<Reason>>,
}

/// An offer with what it is worth at one option.
struct Valued<'a, 'b> {
    fate: &'a mut Fate<'b>,
    /// What each candidate is worth alone.
    worths: Vec<MinorUnits>,
    /// The candidates that count.
    counting: Vec<usize>,
    worth: MinorUnits,
}

impl<'b> Fate<'b> {
    fn new(by: &'b Arc<str>, offer: &'b Offer) -> Self {
        let candidates = vec![Some(Reason::WorthNothing); offer.candidates.len()];
        Self { by, offer, is_taken: false, reason: Reason::WorthNothing, candidates }
    }

    fn valued<'a>(&'a mut self, group: GroupId, option: &OfferedOption) -> Valued<'a, 'b> {
        let (cost, handle) = (option.option.cost, &option.option.handle);
        let worth_of = |candidate: &Candidate| {
            if candidate.is_about(group, handle) { candidate.off(cost) } else { MinorUnits::ZERO }
        };
        let worths: Vec<_> = self.offer.candidates.iter().map(worth_of).collect();
        // What is worth nothing on the whole cost is worth nothing on less.
        let mut counting = self.offer.choose.counting(&worths);
        counting.retain(|index| worths.get(*index).is_some_and(|worth| *worth > MinorUnits::ZERO));
        let off = |left: MinorUnits, (_, candidate): (_, &Candidate)| left.saturating_sub(candidate.off(left));
        let left = candidates_of(self.offer, &counting).fold(cost, off);
        Valued { fate: self, worths, counting, worth: cost.saturating_sub(left) }
    }

    /// Takes the candidates that count off what is left of an option's cost, one after the other.
    fn take(&mut self, worths: &[MinorUnits], counting: &[usize], option: &mut OfferedOption) {
        self.is_taken = true;
        for (index, candidate) in candidates_of(self.offer, counting) {
            let amount = candidate.off(option.left());
            if amount > MinorUnits::ZERO {
                let Candidate { title, code, .. } = candidate;
                let applied = Applied { by: self.by.clone(), title: title.clone(), amount, code: code.clone() };
                option.discounts.push(applied);
                self.note(index, None);
            }
        }
        for (index, _) in worths.iter().enumerate().filter(|(index, _)| !counting.contains(index)) {
            self.note_unused(index, worths);
        }
    }

    fn not_taken(&mut self, worths: &[MinorUnits]) {
        self.reason = self.reason.min(Reason::DoesNotCombine);
        (0..worths.len()).for_each(|index| self.note_unused(index, worths));
    }

    /// Notes that a candidate gave way to others, if it would have been worth anything.
    fn note_unused(&mut self, index: usize, worths: &[MinorUnits]) {
        if worths.get(index).is_some_and(|worth| *worth > MinorUnits::ZERO) {
            self.note(index, Some(Reason::DoesNotCombine));
        }
    }

    /// Notes what became of a candidate. What came nearest to a discount stands: `None`, a discount, is the least.
    fn note(&mut self, index: usize, dropped: Option<Reason>) {
        if let Some(known) = self.candidates.get_mut(index) {
            *known = (*known).min(dropped);
        }
    }

    fn dropped(&self) -> Option<Dropped> {
        let title = self.offer.candidates.first().map(|candidate| candidate.title.clone()).unwrap_or_default();
        (!self.is_taken).then(|| Dropped { by: self.by.clone(), title, reason: self.reason })
    }

    fn code_uses(&self) -> impl Iterator<Item = CodeUse> {
        let candidates = self.offer.candidates.iter().zip(&self.candidates);
        candidates.filter_map(|(candidate, dropped)| Some(CodeUse { code: candidate.code.clone()?, dropped: *dropped }))
    }
}

/// Returns an offer's candidates of those places.
fn candidates_of<'a>(offer: &'a Offer, places: &[usize]) -> impl Iterator<Item = (usize, &'a Candidate)> {
    places.iter().filter_map(|index| Some((*index, offer.candidates.get(*index)?)))
}
