//! The greedy combination of offers on lines and order.

use std::{cmp::Reverse, iter::zip, sync::Arc};

use super::{Candidate, Discounts, LineDiscounts, LineOffers, Offer, OrderDiscount};
use crate::{
    order::MinorUnits,
    pricing::{
        Basket, BasketLine,
        offers::{Applied, Class, CodeUse, Dropped, Reason, Taken, combine},
        share::sum,
    },
};

impl Discounts {
    /// Combines the offers of all installations, given in the operator's order, so that at most so many percent of the
    /// lines' sum come off. The offers have to be about this basket.
    ///
    /// The time grows with the square of the number of offers: for each offer on lines that is tried, the discounts on
    /// the order are worked out anew.
    #[must_use]
    pub fn combine(basket: &Basket, answers: &[LineOffers], max_percent: u8) -> Self {
        let mut combining = Combining::new(basket, max_percent);
        let mut dropped = Vec::new();
        for offer in by_worth(basket, answers) {
            match combining.take(&offer) {
                Ok(()) => combining.taken.push(offer),
                Err(reason) => dropped.push((offer, reason)),
            }
        }
        let mut noted = Noted::new(basket);
        for class in [Class::Product, Class::Order] {
            combining.taken.iter().filter(|taken| taken.class == class).for_each(|offer| noted.apply(offer));
        }
        for (offer, reason) in &dropped {
            noted.note_unused_codes(offer, Some(*reason), &[]);
        }
        let taken = combining.taken.iter().map(Valued::taken).collect();
        let dropped = dropped.iter().map(|(offer, reason)| offer.dropped(*reason)).collect();
        let verdicts = answers.iter().flat_map(|answer| answer.codes.clone()).collect();
        let Noted { lines, order, code_uses, .. } = noted;
        Self { lines, order, taken, dropped, verdicts, code_uses }
    }
}

/// An offer with what it is worth alone on the cart.
struct Valued<'a> {
    by: &'a Arc<str>,
    offer: &'a Offer,
    class: Class,
    /// How many pieces of each line each candidate is about.
    pieces: Vec<Vec<u32>>,
    /// What each candidate is worth alone.
    worths: Vec<MinorUnits>,
    /// The candidates that count.
    counting: Vec<usize>,
    worth: MinorUnits,
}

/// A candidate with what it takes off each line.
type Deduction<'a> = (usize, &'a Candidate, Vec<MinorUnits>);

/// Returns all offers by their worth, the largest first; equal ones in the operator's order, then the plugin's.
fn by_worth<'a>(basket: &Basket, answers: &'a [LineOffers]) -> Vec<Valued<'a>> {
    let full = full(basket);
    let each = answers.iter().flat_map(|LineOffers { by, offers, .. }| offers.iter().map(move |offer| (by, offer)));
    let mut valued: Vec<_> = each.map(|(by, offer)| Valued::new(by, offer, basket, &full)).collect();
    valued.sort_by_key(|offer| Reverse(offer.worth));
    valued
}

/// Returns what the lines cost before any discount.
fn full(basket: &Basket) -> Vec<MinorUnits> {
    basket.lines.iter().map(BasketLine::sum).collect()
}

impl<'a> Valued<'a> {
    fn new(by: &'a Arc<str>, offer: &'a Offer, basket: &Basket, full: &[MinorUnits]) -> Self {
        let pieces: Vec<_> = offer.candidates.iter().map(|candidate| candidate.pieces(basket)).collect();
        let worth_of = |(candidate, pieces): (&Candidate, &Vec<u32>)| sum(&candidate.deductions(pieces, basket, full));
        let worths: Vec<_> = zip(&offer.candidates, &pieces).map(worth_of).collect();
        let counting = offer.choose.counting(&worths);
        let valued = Self { by, offer, class: offer.class(), pieces, worths, counting, worth: MinorUnits::ZERO };
        let mut left = full.to_vec();
        valued.apply(basket, &mut left);
        Self { worth: sum(full).saturating_sub(sum(&left)), ..valued }
    }

    /// Takes the candidates that count off what is left, one after the other.
    fn apply(&self, basket: &Basket, left: &mut [MinorUnits]) -> Vec<Deduction<'a>> {
        let candidate = |index: &usize| Some((*index, self.offer.candidates.get(*index)?, self.pieces.get(*index)?));
        let candidates = self.counting.iter().filter_map(candidate);
        let deduct = |(index, candidate, pieces): (usize, &'a Candidate, &Vec<u32>)| {
            let deductions = candidate.deductions(pieces, basket, left);
            zip(&mut *left, &deductions).for_each(|(left, off)| *left = left.saturating_sub(*off));
            (index, candidate, deductions)
        };
        candidates.map(deduct).collect()
    }

    /// Returns the title of the candidate that counts; of several or none the first.
    fn title(&self) -> String {
        let index = self.counting.first().copied().unwrap_or(0);
        self.offer.candidates.get(index).map(|candidate| candidate.title.clone()).unwrap_or_default()
    }

    /// Returns why nothing came off for a candidate. `dropped` says why the offer isn't taken.
    fn reason_of(&self, index: usize, dropped: Option<Reason>) -> Reason {
        let is_worthless = self.worths.get(index).is_none_or(|worth| *worth == MinorUnits::ZERO);
        match dropped {
            Some(reason) if !is_worthless => reason,
            // Another candidate of the offer counts instead.
            None if !is_worthless && !self.counting.contains(&index) => Reason::DoesNotCombine,
            // Alone, or after what was taken before.
            _ => Reason::WorthNothing,
        }
    }

    fn taken(&self) -> Taken {
        let combines_with = self.offer.combines_with;
        Taken { by: self.by.clone(), title: self.title(), class: self.class, combines_with }
    }

    fn dropped(&self, reason: Reason) -> Dropped {
        Dropped { by: self.by.clone(), title: self.title(), reason }
    }
}

/// The offers that were taken, while others are tried.
struct Combining<'a> {
    basket: &'a Basket,
    max_percent: u8,
    subtotal: MinorUnits,
    taken: Vec<Valued<'a>>,
    /// What the discounts on lines leave of the lines.
    after_lines: Vec<MinorUnits>,
    /// What all discounts leave of them.
    left: Vec<MinorUnits>,
}

impl<'a> Combining<'a> {
    fn new(basket: &'a Basket, max_percent: u8) -> Self {
        let full = full(basket);
        let subtotal = sum(&full);
        Self { basket, max_percent, subtotal, taken: Vec::new(), after_lines: full.clone(), left: full }
    }

    /// Applies an offer, unless a rule leaves it out.
    fn take(&mut self, offer: &Valued<'_>) -> Result<(), Reason> {
        if offer.worth == MinorUnits::ZERO {
            return Err(Reason::WorthNothing);
        }
        let of = |offer: &Valued<'_>| (offer.class, offer.offer.combines_with);
        if !self.taken.iter().all(|taken| combine(of(taken), of(offer))) {
            return Err(Reason::DoesNotCombine);
        }
        let (mut after_lines, mut left) = (self.after_lines.clone(), self.left.clone());
        if offer.class == Class::Product {
            offer.apply(self.basket, &mut after_lines);
            left.clone_from(&after_lines);
            for earlier in self.taken.iter().filter(|taken| taken.class == Class::Order) {
                earlier.apply(self.basket, &mut left);
            }
        } else {
            offer.apply(self.basket, &mut left);
        }
        if self.exceeds_cap(&left) {
            return Err(Reason::Cap);
        }
        (self.after_lines, self.left) = (after_lines, left);
        Ok(())
    }

    fn exceeds_cap(&self, left: &[MinorUnits]) -> bool {
        let off = self.subtotal.saturating_sub(sum(left));
        u128::from(off.amount()) * 100 > u128::from(self.subtotal.amount()) * u128::from(self.max_percent)
    }
}

/// The discounts of what was taken, in the order of applying.
struct Noted<'a> {
    basket: &'a Basket,
    lines: Vec<LineDiscounts>,
    order: Vec<OrderDiscount>,
    code_uses: Vec<CodeUse>,
}

impl<'a> Noted<'a> {
    fn new(basket: &'a Basket) -> Self {
        let none = |line: &BasketLine| LineDiscounts { line: line.id, applied: Vec::new(), left: line.sum() };
        let lines = basket.lines.iter().map(none).collect();
        Self { basket, lines, order: Vec::new(), code_uses: Vec::new() }
    }

    fn apply(&mut self, offer: &Valued<'_>) {
        let mut left: Vec<_> = self.lines.iter().map(|line| line.left).collect();
        let deductions = offer.apply(self.basket, &mut left);
        zip(&mut self.lines, left).for_each(|(line, left)| line.left = left);
        let mut used = Vec::new();
        for (index, candidate, shares) in deductions {
            if sum(&shares) > MinorUnits::ZERO {
                used.push(index);
                self.note(offer, candidate, shares);
            }
        }
        self.note_unused_codes(offer, None, &used);
    }

    fn note(&mut self, offer: &Valued<'_>, candidate: &Candidate, shares: Vec<MinorUnits>) {
        let Candidate { title, code, .. } = candidate;
        let applied = |amount| Applied { by: offer.by.clone(), title: title.clone(), amount, code: code.clone() };
        self.code_uses.extend(code.iter().map(|code| CodeUse { code: code.clone(), dropped: None }));
        if offer.class == Class::Order {
            self.order.push(OrderDiscount { applied: applied(sum(&shares)), shares });
            return;
        }
        for (line, share) in zip(&mut self.lines, shares).filter(|(_, share)| *share > MinorUnits::ZERO) {
            line.applied.push(applied(share));
        }
    }

    /// Notes the codes of an offer's candidates from which nothing came off. `dropped` says why an offer isn't taken.
    fn note_unused_codes(&mut self, offer: &Valued<'_>, dropped: Option<Reason>, used: &[usize]) {
        for (index, candidate) in offer.offer.candidates.iter().enumerate().filter(|(index, _)| !used.contains(index)) {
            let Some(code) = candidate.code.clone() else { continue };
            self.code_uses.push(CodeUse { code, dropped: Some(offer.reason_of(index, dropped)) });
        }
    }
}
