//! Discounts at random: compared with the plain model, in another order of the installations, and with extreme values.

use proptest::{
    collection::vec,
    option,
    prelude::any,
    prop_assert, prop_assert_eq, prop_oneof, proptest,
    sample::{Index, select, subsequence},
    strategy::{Just, Strategy},
};

use super::{
    Discounts, Offer, Value,
    model::{self, Offered},
    tests::{candidate, combined, left, lines, offer, order},
};
use crate::pricing::{
    Basket,
    offers::{Choice, Classes},
    samples::{LARGEST, basket, minor},
};

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn named(answers: &[Vec<Offer>]) -> Vec<(&'static str, &[Offer])> {
    NAMES.into_iter().zip(answers).map(|(name, offers)| (name, offers.as_slice())).collect()
}

fn carts() -> impl Strategy<Value = Basket> {
    vec((select(&["case", "cable"][..]), 1..5_u32, 0..60_u64), 1..5).prop_map(|lines| basket(&lines))
}

fn classes() -> impl Strategy<Value = Classes> {
    let flag = || prop_oneof![3 => Just(true), 1 => Just(false)];
    (flag(), flag(), flag()).prop_map(|(product, order, delivery)| Classes { product, order, delivery })
}

/// An offer on the lines of a basket with `count` lines; amounts up to `most`.
fn offers(count: u32, most: u64) -> impl Strategy<Value = Offer> {
    let all: Vec<u32> = (1..=count).collect();
    let amount = move || prop_oneof![4 => 0..=most, 1 => Just(most)].prop_map(minor);
    let value = move || {
        prop_oneof![
            prop_oneof![3 => 0..=1_000_000_u32, 1 => Just(500_000), 1 => Just(100_000)].prop_map(Value::Percentage),
            amount().prop_map(Value::Amount),
            amount().prop_map(Value::AmountOfEach),
        ]
    };
    let quantity = || option::of(1..6_u32);
    let some = subsequence(all.clone(), 1..=all.len());
    let on_lines = (some, vec(quantity(), all.len()))
        .prop_map(|(some, quantities)| lines(&some.into_iter().zip(quantities).collect::<Vec<_>>()));
    let on_order = subsequence(all.clone(), 0..=all.len() / 2).prop_map(|without| order(&without));
    let candidates = prop_oneof![
        vec((value(), on_lines).prop_map(|(value, target)| candidate(value, target)), 1..4),
        vec((value(), on_order).prop_map(|(value, target)| candidate(value, target)), 1..4),
    ];
    let choose = select(&[Choice::First, Choice::Largest, Choice::All][..]);
    (choose, classes(), candidates)
        .prop_map(|(choose, combines_with, candidates)| offer(choose, combines_with, candidates))
}

fn requests() -> impl Strategy<Value = (Basket, Vec<Vec<Offer>>)> {
    carts().prop_flat_map(|cart| {
        let count = u32::try_from(cart.lines().len()).expect("few lines");
        (Just(cart), vec(vec(offers(count, 150), 0..4), 0..4))
    })
}

/// What was applied sums to what is missing of each line.
fn check_sums(basket: &Basket, discounts: &Discounts) {
    for (index, (line, shown)) in basket.lines().iter().zip(&discounts.lines).enumerate() {
        let own: u64 = shown.applied.iter().map(|applied| applied.amount.amount()).sum();
        let shares: u64 = discounts.order.iter().map(|order| order.shares[index].amount()).sum();
        assert_eq!(line.sum().amount(), shown.left.amount() + own + shares);
    }
    for order in &discounts.order {
        assert_eq!(order.applied.amount.amount(), order.shares.iter().map(|share| share.amount()).sum::<u64>());
    }
}

proptest! {
    #[test]
    fn offers_combine_as_the_plain_rules_say((cart, answers) in requests(), max_percent in 0..=100_u8) {
        let discounts = combined(&cart, &named(&answers), max_percent);
        check_sums(&cart, &discounts);
        let each = answers.iter().enumerate();
        let offered: Vec<_> =
            each.flat_map(|(installation, all)| all.iter().map(move |offer| Offered { installation, offer })).collect();
        let plain = model::combine(&cart, &offered, max_percent.into());
        prop_assert_eq!(left(&discounts), plain.left);
        let name = |place: &usize| NAMES[offered[*place].installation];
        let taken: Vec<_> = discounts.taken.iter().map(|taken| &*taken.by).collect();
        prop_assert_eq!(taken, plain.taken.iter().map(name).collect::<Vec<_>>());
        let dropped: Vec<_> = discounts.dropped.iter().map(|dropped| (&*dropped.by, dropped.reason)).collect();
        let expected: Vec<_> = plain.dropped.iter().map(|(place, reason)| (name(place), *reason)).collect();
        prop_assert_eq!(dropped, expected);
    }

    #[test]
    fn the_operators_order_decides_ties_only(
        (cart, answers) in requests(), swapped in any::<(Index, Index)>(), max_percent in 0..=100_u8,
    ) {
        // Worths that are all different: an offer that is worth as much as an earlier one is left away.
        let mut worths = Vec::new();
        let is_new = |offer: &Offer, worths: &mut Vec<u64>| {
            let worth = combined(&cart, &[("a", std::slice::from_ref(offer))], 100).left().amount();
            let is_new = worth < cart.sum().amount() && !worths.contains(&worth);
            worths.push(worth);
            is_new
        };
        let answers: Vec<Vec<Offer>> = answers.into_iter()
            .map(|offers| offers.into_iter().filter(|offer| is_new(offer, &mut worths)).collect()).collect();
        let mut named = named(&answers);
        let before = combined(&cart, &named, max_percent);
        if !named.is_empty() {
            let (one, other) = (swapped.0.index(named.len()), swapped.1.index(named.len()));
            named.swap(one, other);
        }
        prop_assert_eq!(before, combined(&cart, &named, max_percent));
    }

    #[test]
    fn no_discount_overflows(
        cart in vec((Just("case"), prop_oneof![Just(10_000_u32), 1..5_u32], 0..LARGEST / 50_000), 1..6),
        answers in vec(vec(offers(1, LARGEST), 0..4), 0..3),
        max_percent in 0..=100_u8,
    ) {
        let cart = basket(&cart);
        let discounts = combined(&cart, &named(&answers), max_percent);
        check_sums(&cart, &discounts);
        let off = u128::from(cart.sum().amount() - discounts.left().amount());
        prop_assert!(off * 100 <= u128::from(cart.sum().amount()) * u128::from(max_percent));
    }
}
