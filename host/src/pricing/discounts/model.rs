//! Discounts worked out plainly, for comparison: for every offer in the order of its worth, all that was taken is
//! applied from the start to lines of single pieces, and minor units are handed out one by one.

use super::{Candidate, Offer, Target, Value};
use crate::pricing::{
    Basket,
    offers::{Choice, Reason},
    samples::{rounded_part, shared_unit_by_unit},
};

/// An offer of the installation of that place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Offered<'a> {
    pub(super) installation: usize,
    pub(super) offer: &'a Offer,
}

/// What the plain rules come to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// Places in the list of offers.
    pub(super) taken: Vec<usize>,
    pub(super) dropped: Vec<(usize, Reason)>,
    pub(super) left: Vec<u64>,
}

pub(super) fn combine(basket: &Basket, offers: &[Offered<'_>], max_percent: u64) -> Outcome {
    let full: Vec<u64> = basket.lines().iter().map(|line| line.sum().amount()).collect();
    let subtotal: u64 = full.iter().sum();
    let chosen: Vec<_> = offers.iter().map(|offered| choose(basket, offered.offer, &full)).collect();
    let worth = |place: usize| subtotal - apply(basket, &chosen[place], &full).iter().sum::<u64>();
    let mut left_to_try: Vec<usize> = (0..offers.len()).collect();
    let mut outcome = Outcome { left: full.clone(), ..Outcome::default() };
    while !left_to_try.is_empty() {
        let mut best = 0;
        for at in 0..left_to_try.len() {
            if worth(left_to_try[at]) > worth(left_to_try[best]) {
                best = at;
            }
        }
        let place = left_to_try.remove(best);
        let mut with: Vec<_> = outcome.taken.clone();
        with.push(place);
        let left = apply_all(basket, &with, &chosen, offers, &full);
        let off = subtotal - left.iter().sum::<u64>();
        if worth(place) == 0 {
            outcome.dropped.push((place, Reason::WorthNothing));
        } else if outcome.taken.iter().any(|taken| !stand(offers[*taken].offer, offers[place].offer)) {
            outcome.dropped.push((place, Reason::DoesNotCombine));
        } else if off * 100 > subtotal * max_percent {
            outcome.dropped.push((place, Reason::Cap));
        } else {
            (outcome.taken, outcome.left) = (with, left);
        }
    }
    outcome
}

fn is_on_lines(offer: &Offer) -> bool {
    matches!(offer.candidates[0].target, Target::Lines(_))
}

fn stand(one: &Offer, other: &Offer) -> bool {
    let says = |speaker: &Offer, of: &Offer| {
        if is_on_lines(of) { speaker.combines_with.product } else { speaker.combines_with.order }
    };
    says(one, other) && says(other, one)
}

/// Returns the candidates that count.
fn choose<'a>(basket: &Basket, offer: &'a Offer, full: &[u64]) -> Vec<&'a Candidate> {
    let total = full.iter().sum::<u64>();
    let worth = |candidate: &'a Candidate| total - apply(basket, &[candidate], full).iter().sum::<u64>();
    let mut chosen: Option<&Candidate> = None;
    for candidate in &offer.candidates {
        let is_better = chosen.map_or(worth(candidate) > 0, |chosen| worth(candidate) > worth(chosen));
        if is_better && (offer.choose == Choice::Largest || chosen.is_none()) {
            chosen = Some(candidate);
        }
    }
    if offer.choose == Choice::All { offer.candidates.iter().collect() } else { chosen.into_iter().collect() }
}

fn apply_all(
    basket: &Basket,
    taken: &[usize],
    chosen: &[Vec<&Candidate>],
    offers: &[Offered<'_>],
    full: &[u64],
) -> Vec<u64> {
    let mut left = full.to_vec();
    for on_lines in [true, false] {
        for place in taken.iter().filter(|place| is_on_lines(offers[**place].offer) == on_lines) {
            left = apply(basket, &chosen[*place], &left);
        }
    }
    left
}

fn apply(basket: &Basket, candidates: &[&Candidate], left: &[u64]) -> Vec<u64> {
    let mut left = left.to_vec();
    for candidate in candidates {
        let off = deducted(basket, candidate, &left);
        left.iter_mut().zip(off).for_each(|(left, off)| *left -= off);
    }
    left
}

fn deducted(basket: &Basket, candidate: &Candidate, left: &[u64]) -> Vec<u64> {
    // What is left of each piece of each line that is meant.
    let mut pieces: Vec<Vec<u64>> = Vec::new();
    for (line, left) in basket.lines().iter().zip(left) {
        let count = line.quantity.pieces() as usize;
        let mut each = vec![0; count];
        (0..*left).zip((0..count).cycle()).for_each(|(_, place)| each[place] += 1);
        let meant = match &candidate.target {
            Target::Order(without) => {
                if without.contains(&line.id) {
                    0
                } else {
                    count
                }
            }
            Target::Lines(targets) => {
                let target = targets.iter().find(|target| target.line == line.id);
                target.map_or(0, |target| target.quantity.map_or(count, |quantity| quantity as usize))
            }
        };
        each.truncate(meant);
        pieces.push(each);
    }
    let weights: Vec<u64> = pieces.iter().map(|each| each.iter().sum()).collect();
    let all = weights.iter().sum::<u64>();
    match (candidate.value, &candidate.target) {
        (Value::Percentage(ppm), Target::Lines(_)) => {
            weights.into_iter().map(|weight| rounded_part(weight, ppm.into())).collect()
        }
        (Value::AmountOfEach(amount), Target::Lines(_)) => {
            pieces.iter().map(|each| each.iter().map(|piece| amount.amount().min(*piece)).sum()).collect()
        }
        (Value::Percentage(ppm), Target::Order(_)) => shared_unit_by_unit(rounded_part(all, ppm.into()), &weights),
        (Value::Amount(amount) | Value::AmountOfEach(amount), _) => {
            shared_unit_by_unit(amount.amount().min(all), &weights)
        }
    }
}
