//! Rows for every rule of discounts on delivery, and a comparison with a plain model.

use std::slice::from_ref;

use proptest::{
    collection::vec,
    prop_assert, prop_assert_eq, prop_oneof, proptest,
    sample::select,
    strategy::{Just, Strategy},
};

use super::{Candidate, Offer, OptionOffers, OptionTarget, Target, Value, apply};
use crate::pricing::{
    delivery::{DeliveryChoices, DeliveryGroup, DeliveryKind, DeliveryOption, GroupId, OfferedOption, put_together},
    offers::{Choice, Class, Classes, CodeUse, Reason, Taken},
    samples::{LARGEST, by, minor, rounded_part},
};

const ANY: Classes = Classes { product: true, order: true, delivery: true };
const NONE: Classes = Classes { product: false, order: false, delivery: false };

fn choices(groups: &[&[(&str, u64)]]) -> Vec<DeliveryChoices> {
    let option = |(handle, cost): &(&str, u64)| DeliveryOption {
        handle: (*handle).into(),
        title: (*handle).into(),
        description: None,
        kind: DeliveryKind::Shipping,
        cost: minor(*cost),
        days: None,
        location: None,
        attributes: Vec::new(),
    };
    let group = |(id, options): (u32, &&[(&str, u64)])| {
        let options = options.iter().map(option).collect();
        let offered = OfferedOption::checked(&by("p"), options, minor(LARGEST)).expect("fine options");
        put_together(DeliveryGroup { id: GroupId(id), lines: Vec::new() }, [offered])
    };
    (1..).zip(groups).map(group).collect()
}

fn candidate(title: &str, value: Value, targets: Vec<Target>) -> Candidate {
    Candidate { title: title.into(), value, targets, code: None }
}

fn group(id: u32) -> Target {
    Target::Group(GroupId(id))
}

fn option(id: u32, handle: &str) -> Target {
    Target::DeliveryOption(OptionTarget { group: GroupId(id), handle: handle.into() })
}

fn percent(percent: u32) -> Value {
    Value::Percentage(percent * 10_000)
}

fn off(amount: u64) -> Value {
    Value::Amount(minor(amount))
}

fn one(title: &str, combines_with: Classes, value: Value, target: Target) -> Offer {
    Offer { candidates: vec![candidate(title, value, vec![target])], choose: Choice::First, combines_with }
}

fn checked(choices: &[DeliveryChoices], answers: &[&[Offer]]) -> Vec<OptionOffers> {
    let check = |(name, offers): (&str, &&[Offer])| {
        OptionOffers::checked(by(name), offers.to_vec(), choices, &["A".into(), "B".into()]).expect("a fine answer")
    };
    ["a", "b", "c"].into_iter().zip(answers).map(check).collect()
}

fn left(choices: &[DeliveryChoices]) -> Vec<u64> {
    choices.iter().flat_map(|group| &group.options).map(|option| option.left().amount()).collect()
}

#[test]
fn discounts_come_off_each_option_by_itself() {
    let check = |answers: &[&[Offer]], expected: [u64; 3], dropped: &[(&str, Reason)]| {
        let choices = choices(&[&[("slow", 499), ("fast", 1_999)], &[("slow", 1_000)]]);
        let offers = checked(&choices, answers);
        let discounted = apply(choices, &offers, &[]);
        let reasons: Vec<_> = discounted.dropped.iter().map(|one| (one.title.as_str(), one.reason)).collect();
        assert_eq!((left(&discounted.choices), reasons.as_slice()), (expected.to_vec(), dropped), "{answers:?}");
    };
    use Reason::{DoesNotCombine, WorthNothing};
    check(&[], [499, 1_999, 1_000], &[]);
    check(&[&[one("10", ANY, percent(10), group(1))]], [449, 1_799, 1_000], &[]);
    check(&[&[one("5.00", ANY, off(500), group(1))]], [0, 1_499, 1_000], &[]);
    check(&[&[one("5.00", ANY, off(500), option(2, "p/slow"))]], [499, 1_999, 500], &[]);
    check(&[&[one("none", ANY, off(0), group(1))]], [499, 1_999, 1_000], &[("none", WorthNothing)]);
    // For each option by itself: 5.00 is worth more than 50 % of 4.99 and less than that of 19.99.
    let (half, five) = (one("50", NONE, percent(50), group(1)), one("5.00", NONE, off(500), group(1)));
    check(&[&[half], &[five]], [0, 999, 1_000], &[]);
    let (more, less) = (one("50", NONE, percent(50), group(1)), one("40", ANY, percent(40), group(1)));
    check(&[from_ref(&less), from_ref(&more)], [249, 999, 1_000], &[("40", DoesNotCombine)]);
    // Both have to agree; then the larger comes first, the other off what is left.
    let both = [one("50", ANY, percent(50), group(2)), one("3.00", ANY, off(300), group(2))];
    check(&[&both], [499, 1_999, 200], &[]);
    let both = [one("50", ANY, percent(50), group(2)), one("60", ANY, percent(60), group(2))];
    check(&[&both], [499, 1_999, 200], &[]);
    // Of equal ones the first.
    let equal = |title: &str| one(title, NONE, percent(50), group(1));
    check(&[&[equal("first"), equal("second")]], [249, 999, 1_000], &[("second", DoesNotCombine)]);
}

#[test]
fn offers_combine_with_those_on_lines_and_order() {
    let check = |combines_with: Classes, taken: &[(Class, Classes)], is_taken: bool| {
        let choices = choices(&[&[("slow", 1_000)]]);
        let offers = checked(&choices, &[&[one("d", combines_with, percent(10), group(1))]]);
        let of = |(class, combines_with): &(Class, Classes)| Taken {
            by: by("t"),
            title: "t".into(),
            class: *class,
            combines_with: *combines_with,
        };
        let taken: Vec<_> = taken.iter().map(of).collect();
        let discounted = apply(choices, &offers, &taken);
        let reason = discounted.dropped.first().map(|dropped| dropped.reason);
        assert_eq!(reason, (!is_taken).then_some(Reason::DoesNotCombine), "{taken:?}");
        assert_eq!(left(&discounted.choices), [if is_taken { 900 } else { 1_000 }]);
    };
    let (product, order) = (Classes { product: true, ..NONE }, Classes { order: true, ..NONE });
    let delivery = Classes { delivery: true, ..NONE };
    check(NONE, &[], true);
    check(product, &[(Class::Product, delivery)], true);
    check(product, &[(Class::Product, NONE)], false);
    check(order, &[(Class::Product, delivery)], false);
    check(order, &[(Class::Order, delivery)], true);
    check(product, &[(Class::Product, delivery), (Class::Order, delivery)], false);
    check(ANY, &[(Class::Product, ANY), (Class::Order, ANY)], true);
    check(ANY, &[(Class::Product, ANY), (Class::Order, product)], false);
}

#[test]
fn what_became_of_a_code_is_said() {
    let coded = |code: &str, value: Value, target: Target| Candidate {
        code: Some(code.into()),
        ..candidate(code, value, vec![target])
    };
    let check = |choose: Choice, candidates: Vec<Candidate>, expected: &[(&str, Option<Reason>)]| {
        let choices = choices(&[&[("slow", 499), ("fast", 1_999)]]);
        let other = one("other", NONE, percent(90), option(1, "p/fast"));
        let offers = checked(&choices, &[&[Offer { candidates, choose, combines_with: ANY }, other]]);
        let uses = apply(choices, &offers, &[]).code_uses;
        let uses: Vec<_> = uses.iter().map(|CodeUse { code, dropped }| (code.as_str(), *dropped)).collect();
        assert_eq!(uses, expected);
    };
    use Reason::{DoesNotCombine, WorthNothing};
    check(Choice::First, vec![coded("A", percent(10), group(1))], &[("A", None)]);
    check(Choice::First, vec![coded("A", percent(10), option(1, "p/fast"))], &[("A", Some(DoesNotCombine))]);
    check(Choice::First, vec![coded("A", percent(0), group(1))], &[("A", Some(WorthNothing))]);
    let two = || vec![coded("A", percent(10), group(1)), coded("B", percent(20), option(1, "p/slow"))];
    check(Choice::First, two(), &[("A", None), ("B", Some(DoesNotCombine))]);
    check(Choice::Largest, two(), &[("A", Some(DoesNotCombine)), ("B", None)]);
    check(Choice::All, two(), &[("A", None), ("B", None)]);
}

#[test]
fn an_answer_that_breaks_a_rule_is_refused() {
    let check = |broken: Candidate, expected: &str| {
        let fine = candidate("fine", percent(1), vec![group(1)]);
        let offers = vec![Offer { candidates: vec![fine, broken], choose: Choice::All, combines_with: ANY }];
        let choices = choices(&[&[("slow", 499)], &[("fast", 1)]]);
        let refused = OptionOffers::checked(by("a"), offers, &choices, &["A".into()]).expect_err(expected).to_string();
        assert_eq!(refused, format!("candidate 2 of offer 1 {expected}"));
    };
    let at = |targets: Vec<Target>| candidate("x", percent(1), targets);
    check(at(vec![group(3)]), "names group 3, which wasn't asked about");
    check(at(vec![group(1), group(1)]), "names group 1 twice");
    check(at(vec![option(3, "p/slow")]), "names group 3, which wasn't asked about");
    check(at(vec![option(2, "p/slow")]), "names \"p/slow\", which isn't there");
    check(at(vec![option(1, "slow")]), "names \"slow\", which isn't there");
    check(at(vec![option(1, "p/slow"), group(1), option(1, "p/slow")]), "names \"p/slow\" twice");
    check(at(vec![]), "has 0 targets; 1 to 100 are allowed");
    check(at(vec![group(1); 101]), "has 101 targets; 1 to 100 are allowed");
    let share = candidate("x", Value::Percentage(u32::MAX), vec![group(1)]);
    check(share, "has 4294967295 parts per million as percentage; 1000000 at most are allowed");
    let code = Candidate { code: Some("B".into()), ..at(vec![group(1)]) };
    check(code, "names the code \"B\", which wasn't entered");
    let checked = |offers: Vec<Offer>| OptionOffers::checked(by("a"), offers, &[], &[]).expect_err("bad").to_string();
    let empty = Offer { candidates: Vec::new(), choose: Choice::All, combines_with: ANY };
    assert_eq!(checked(vec![empty.clone()]), "offer 1 has 0 candidates; 1 to 100 are allowed");
    assert_eq!(checked(vec![empty; 33]), "the answer has 33 offers; 0 to 32 are allowed");
}

#[test]
fn offers_are_written_as_the_interface_has_them() {
    let json = r#"[{"candidates": [{"title": "a", "value": {"percentage": 1000000}, "targets":
        [{"group": 1}, {"delivery-option": {"group": 1, "handle": "p/slow"}}]}], "choose": "first", "combines_with": {"product": true}}]"#;
    let read: Vec<Offer> = serde_json::from_str(json).expect("fine offers");
    let candidates = vec![candidate("a", percent(100), vec![group(1), option(1, "p/slow")])];
    let expected = Offer { candidates, choose: Choice::First, combines_with: Classes { product: true, ..NONE } };
    assert_eq!(read, [expected]);
    let written = serde_json::to_string(&read).expect("JSON");
    assert_eq!(serde_json::from_str::<Vec<Offer>>(&written).expect("fine offers"), read);
}

/// What is left of one option, by the plain rules: offers of (combines with delivery, choice, candidates about this
/// option).
fn plainly_left(cost: u64, offers: &[Offer], place: usize) -> u64 {
    let off = |candidate: &Candidate, left: u64| match candidate.value {
        Value::Percentage(ppm) => rounded_part(left, ppm.into()),
        Value::Amount(amount) => amount.amount().min(left),
    };
    let about = |candidate: &&Candidate| {
        candidate.targets.iter().any(|target| *target == group(1) || *target == option(1, ["p/x", "p/y"][place]))
    };
    let chosen = |offer: &Offer| -> Vec<Candidate> {
        let worthy: Vec<_> = offer.candidates.iter().filter(about).filter(|one| off(one, cost) > 0).cloned().collect();
        let most = worthy.iter().map(|one| off(one, cost)).max();
        match offer.choose {
            Choice::All => worthy,
            Choice::First => worthy.into_iter().take(1).collect(),
            Choice::Largest => worthy.into_iter().filter(|one| Some(off(one, cost)) == most).take(1).collect(),
        }
    };
    let take = |left: u64, offer: &Offer| chosen(offer).iter().fold(left, |left, one| left - off(one, left));
    let mut open: Vec<_> = offers.iter().filter(|offer| take(cost, offer) < cost).collect();
    let (mut left, mut is_first) = (cost, true);
    while !open.is_empty() {
        let least = open.iter().map(|offer| take(cost, offer)).min();
        let next = open.iter().position(|offer| Some(take(cost, offer)) == least).expect("one of them");
        let offer = open.remove(next);
        if is_first || offer.combines_with.delivery {
            left = take(left, offer);
            if !offer.combines_with.delivery {
                break;
            }
            is_first = false;
        }
    }
    left
}

proptest! {
    #[test]
    fn offers_combine_as_the_plain_rules_say(
        costs in [0..500_u64, 0..500_u64], answers in vec(vec(offers(400), 0..4), 0..4),
    ) {
        let choices = choices(&[&[("x", costs[0]), ("y", costs[1])]]);
        let all: Vec<_> = answers.iter().map(Vec::as_slice).collect();
        let discounted = apply(choices.clone(), &checked(&choices, &all), &[]);
        let offers = all.into_iter().take(3).flatten().cloned().collect::<Vec<_>>();
        let expected = [plainly_left(costs[0], &offers, 0), plainly_left(costs[1], &offers, 1)];
        prop_assert_eq!(left(&discounted.choices), expected);
    }

    #[test]
    fn no_discount_overflows(cost in 0..=LARGEST, answers in vec(vec(offers(LARGEST), 0..4), 0..3)) {
        let choices = choices(&[&[("x", cost), ("y", LARGEST)]]);
        let answers: Vec<_> = answers.iter().map(Vec::as_slice).collect();
        let discounted = apply(choices.clone(), &checked(&choices, &answers), &[]);
        for option in &discounted.choices[0].options {
            let off: u64 = option.discounts.iter().map(|applied| applied.amount.amount()).sum();
            prop_assert_eq!(option.option.cost.amount() - off, option.left().amount());
            prop_assert!(option.discounts.iter().all(|applied| applied.amount.amount() > 0));
        }
    }
}

fn offers(most: u64) -> impl Strategy<Value = Offer> {
    let value = prop_oneof![
        (0..=1_000_000_u32).prop_map(Value::Percentage),
        (0..=most).prop_map(|amount| Value::Amount(minor(amount)))
    ];
    let target = select(vec![
        vec![group(1)],
        vec![option(1, "p/x")],
        vec![option(1, "p/y")],
        vec![option(1, "p/x"), option(1, "p/y")],
    ]);
    let candidate = (value, target).prop_map(|(value, targets)| candidate("t", value, targets));
    let choose = select(&[Choice::First, Choice::Largest, Choice::All][..]);
    (vec(candidate, 1..4), choose, prop_oneof![3 => Just(ANY), 1 => Just(NONE)])
        .prop_map(|(candidates, choose, combines_with)| Offer { candidates, choose, combines_with })
}
