//! Rows for every rule of discounts.

use super::{Candidate, Decision, Discounts, LineOffers, LineTarget, Offer, Target, Value};
use crate::pricing::{
    Basket, LineId,
    codes::{CodeVerdict, Verdict},
    offers::{Choice, Class, Classes, CodeUse, Reason},
    samples::{basket, by, ids, minor},
};

const ANY: Classes = Classes { product: true, order: true, delivery: true };
const NONE: Classes = Classes { product: false, order: false, delivery: false };

fn percent(percent: u32) -> Value {
    Value::Percentage(percent * 10_000)
}

fn off(amount: u64) -> Value {
    Value::Amount(minor(amount))
}

fn of_each(amount: u64) -> Value {
    Value::AmountOfEach(minor(amount))
}

pub(super) fn lines(targets: &[(u32, Option<u32>)]) -> Target {
    let of = |(line, quantity): &(u32, Option<u32>)| LineTarget { line: LineId(*line), quantity: *quantity };
    Target::Lines(targets.iter().map(of).collect())
}

pub(super) fn order(without: &[u32]) -> Target {
    Target::Order(ids(without))
}

pub(super) fn candidate(value: Value, target: Target) -> Candidate {
    Candidate { title: "T".into(), value, target, code: None }
}

fn titled(title: &str, value: Value, target: Target) -> Candidate {
    Candidate { title: title.into(), ..candidate(value, target) }
}

pub(super) fn offer(choose: Choice, combines_with: Classes, candidates: Vec<Candidate>) -> Offer {
    Offer { candidates, choose, combines_with }
}

fn one(title: &str, combines_with: Classes, value: Value, target: Target) -> Offer {
    offer(Choice::First, combines_with, vec![titled(title, value, target)])
}

fn checked(name: &str, basket: &Basket, offers: Vec<Offer>) -> LineOffers {
    let decision = Decision { offers, codes: Vec::new() };
    LineOffers::checked(by(name), decision, basket, &["A".into(), "B".into()]).expect("a fine answer")
}

pub(super) fn combined(basket: &Basket, answers: &[(&str, &[Offer])], max_percent: u8) -> Discounts {
    let answers: Vec<_> = answers.iter().map(|(name, offers)| checked(name, basket, offers.to_vec())).collect();
    Discounts::combine(basket, &answers, max_percent)
}

pub(super) fn left(discounts: &Discounts) -> Vec<u64> {
    discounts.lines.iter().map(|line| line.left.amount()).collect()
}

/// Two at 10.00, three at 3.33, one at 50.00.
fn cart() -> Basket {
    basket(&[("case", 2, 1_000), ("cable", 3, 333), ("lamp", 1, 5_000)])
}

#[test]
fn a_discount_comes_off_its_target() {
    let check = |value: Value, target: Target, expected: [u64; 3]| {
        let alone = offer(Choice::First, NONE, vec![candidate(value, target)]);
        let discounts = combined(&cart(), &[("a", std::slice::from_ref(&alone))], 100);
        let off: Vec<_> = [2_000, 999, 5_000].iter().zip(left(&discounts)).map(|(full, left)| full - left).collect();
        assert_eq!(off, expected, "{alone:?}");
    };
    let all = || lines(&[(1, None), (2, None), (3, None)]);
    // Rounded half up once for a line, not for a piece: 0.5 % of 9.99 is 0.04995.
    check(Value::Percentage(5_000), all(), [10, 5, 25]);
    check(percent(10), lines(&[(2, None)]), [0, 100, 0]);
    check(percent(100), all(), [2_000, 999, 5_000]);
    check(percent(50), lines(&[(1, Some(1)), (2, Some(2))]), [500, 333, 0]);
    check(percent(50), lines(&[(1, Some(9))]), [1_000, 0, 0]);
    // Shared in proportion, by largest remainder: 250.03, 124.89 and 625.08.
    check(off(1_000), all(), [250, 125, 625]);
    check(off(9_000), all(), [2_000, 999, 5_000]);
    check(off(3), lines(&[(1, Some(1)), (2, Some(3))]), [2, 1, 0]);
    check(of_each(400), all(), [800, 999, 400]);
    check(of_each(400), lines(&[(1, Some(1)), (2, Some(2))]), [400, 666, 0]);
    // On the order it is one amount.
    check(of_each(400), order(&[]), [100, 50, 250]);
    check(percent(10), order(&[]), [200, 100, 500]);
    check(percent(10), order(&[3]), [200, 100, 0]);
    check(off(10_000), order(&[1]), [0, 999, 5_000]);
    check(percent(10), order(&[1, 2, 3]), [0, 0, 0]);
    // Once for the sum: 0.006 % of 79.99 is 0.48, of which no line has half a unit.
    check(Value::Percentage(60), order(&[]), [0, 0, 0]);
    check(Value::Percentage(63), order(&[]), [0, 0, 1]);
}

#[test]
fn the_first_the_largest_or_all_candidates_count() {
    let nothing = || titled("nothing", percent(0), lines(&[(1, None)]));
    let small = || titled("small", percent(10), lines(&[(1, None)]));
    let same = || titled("same", off(200), lines(&[(1, None)]));
    let large = || titled("large", percent(50), lines(&[(1, None)]));
    let check = |choose: Choice, candidates: Vec<Candidate>, expected: &[(&str, u64)]| {
        let offer = offer(choose, NONE, candidates);
        let discounts = combined(&cart(), &[("a", std::slice::from_ref(&offer))], 100);
        let applied: Vec<_> =
            discounts.lines[0].applied.iter().map(|one| (one.title.as_str(), one.amount.amount())).collect();
        assert_eq!(applied, expected, "{offer:?}");
    };
    check(Choice::First, vec![nothing(), small(), large()], &[("small", 200)]);
    check(Choice::Largest, vec![nothing(), small(), large()], &[("large", 1_000)]);
    check(Choice::Largest, vec![same(), small()], &[("same", 200)]);
    check(Choice::Largest, vec![small(), same()], &[("small", 200)]);
    // Each on what those before it leave.
    check(Choice::All, vec![large(), nothing(), small(), same()], &[("large", 1_000), ("small", 100), ("same", 200)]);
}

#[test]
fn offers_are_taken_by_worth_and_only_beside_each_other() {
    let check = |answers: &[(&str, &[Offer])], taken: &[&str], dropped: &[(&str, Reason)]| {
        let discounts = combined(&cart(), answers, 100);
        let titles: Vec<_> = discounts.taken.iter().map(|offer| offer.title.as_str()).collect();
        let reasons: Vec<_> = discounts.dropped.iter().map(|offer| (offer.title.as_str(), offer.reason)).collect();
        assert_eq!((titles.as_slice(), reasons.as_slice()), (taken, dropped), "{answers:?}");
    };
    use Reason::{DoesNotCombine, WorthNothing};
    let product = |title: &str, combines_with: Classes, percent: u32| {
        one(title, combines_with, Value::Percentage(percent * 10_000), lines(&[(1, None)]))
    };
    let of_order =
        |title: &str, combines_with: Classes, amount: u64| one(title, combines_with, off(amount), order(&[]));
    let (only_product, only_order) = (Classes { product: true, ..NONE }, Classes { order: true, ..NONE });
    check(&[("a", &[product("10", ANY, 10)]), ("b", &[product("20", ANY, 20)])], &["20", "10"], &[]);
    // Both have to agree, whichever is worth more.
    check(&[("a", &[product("10", NONE, 10), product("20", ANY, 20)])], &["20"], &[("10", DoesNotCombine)]);
    check(&[("a", &[product("10", ANY, 10), product("20", NONE, 20)])], &["20"], &[("10", DoesNotCombine)]);
    // With each other's class: an offer on lines with one on the order.
    check(&[("a", &[product("p", only_order, 20), of_order("o", only_product, 10)])], &["p", "o"], &[]);
    check(
        &[("a", &[product("p", only_product, 20), of_order("o", only_product, 10)])],
        &["p"],
        &[("o", DoesNotCombine)],
    );
    check(&[("a", &[product("p", only_order, 20), of_order("o", only_order, 10)])], &["p"], &[("o", DoesNotCombine)]);
    // Of equal ones the operator's order, then the plugin's.
    let equal = |title: &str| product(title, NONE, 10);
    check(&[("b", &[equal("b1")]), ("a", &[equal("a1")])], &["b1"], &[("a1", DoesNotCombine)]);
    check(&[("a", &[equal("a2"), equal("a1")])], &["a2"], &[("a1", DoesNotCombine)]);
    // What was left out keeps nothing out.
    let chain = [product("30", only_order, 30), product("20", ANY, 20), of_order("o", ANY, 100)];
    check(&[("a", &chain)], &["30", "o"], &[("20", DoesNotCombine)]);
    let nothing = [product("none", NONE, 0), product("10", ANY, 10)];
    check(&[("a", &nothing)], &["10"], &[("none", WorthNothing)]);
    check(&[], &[], &[]);
}

#[test]
fn discounts_on_lines_come_before_those_on_the_order() {
    let offers = [
        one("order", ANY, percent(50), order(&[])),
        one("lamp", ANY, percent(20), lines(&[(3, None)])),
        one("each", ANY, of_each(100), lines(&[(1, None)])),
    ];
    let discounts = combined(&cart(), &[("a", &offers)], 100);
    // 18.00 + 9.99 + 40.00 = 67.99 are left; half of it is 34.00 (33.995), shared 9.00, 5.00 (4.9957) and 20.00.
    assert_eq!(discounts.order[0].shares, [minor(900), minor(500), minor(2_000)]);
    assert_eq!(discounts.order[0].applied.amount, minor(3_400));
    assert_eq!(left(&discounts), [900, 499, 2_000]);
    assert_eq!(discounts.left(), minor(3_399));
    let classes: Vec<_> = discounts.taken.iter().map(|taken| taken.class).collect();
    assert_eq!(classes, [Class::Order, Class::Product, Class::Product]);
    let amounts: Vec<Vec<_>> =
        discounts.lines.iter().map(|line| line.applied.iter().map(|one| one.amount.amount()).collect()).collect();
    assert_eq!(amounts, [vec![200], vec![], vec![1_000]]);
    // What is left of a line is spread over its pieces: 10.00 over two.
    let twice = [
        one("first", ANY, percent(100), lines(&[(1, Some(1))])),
        one("again", ANY, percent(99), lines(&[(1, Some(1))])),
    ];
    assert_eq!(left(&combined(&cart(), &[("a", &twice)], 100)), [505, 999, 5_000]);
}

#[test]
fn an_offer_above_the_cap_is_left_out_as_a_whole() {
    let cart = basket(&[("case", 1, 10_000)]);
    let of =
        |title: &str, combines_with: Classes, amount: u64| one(title, combines_with, off(amount), lines(&[(1, None)]));
    let check = |offers: &[Offer], expected: u64, dropped: &[(&str, Reason)]| {
        let discounts = combined(&cart, &[("a", offers)], 50);
        let reasons: Vec<_> = discounts.dropped.iter().map(|offer| (offer.title.as_str(), offer.reason)).collect();
        assert_eq!((10_000 - discounts.left().amount(), reasons.as_slice()), (expected, dropped), "{offers:?}");
    };
    check(&[of("half", ANY, 5_000)], 5_000, &[]);
    check(&[of("more", ANY, 5_001)], 0, &[("more", Reason::Cap)]);
    check(&[of("30", ANY, 3_000), of("20", ANY, 2_000), of("1", ANY, 1)], 5_000, &[("1", Reason::Cap)]);
    check(&[of("30", ANY, 3_000), of("25", ANY, 2_500), of("20", ANY, 2_000)], 5_000, &[("25", Reason::Cap)]);
    // What the cap leaves out keeps nothing else out.
    check(&[of("more", NONE, 5_001), of("30", NONE, 3_000)], 3_000, &[("more", Reason::Cap)]);
    // A discount on a line makes one on the order smaller, which counts: 40 % of 100.00, and of 75.00 with 25.00 off, is
    // 55.00; with 16.00 off it is 49.60.
    let order = || one("order", ANY, percent(40), order(&[]));
    check(&[order(), of("25", ANY, 2_500)], 4_000, &[("25", Reason::Cap)]);
    check(&[order(), of("16", ANY, 1_600)], 4_960, &[]);
}

#[test]
fn what_became_of_a_code_is_said() {
    let coded =
        |code: &str, value: Value| Candidate { code: Some(code.into()), ..candidate(value, lines(&[(1, None)])) };
    let check = |offers: &[Offer], expected: &[(&str, Option<Reason>)]| {
        let discounts = combined(&cart(), &[("a", offers)], 20);
        let uses: Vec<_> =
            discounts.code_uses.iter().map(|CodeUse { code, dropped }| (code.as_str(), *dropped)).collect();
        assert_eq!(uses, expected, "{offers:?}");
    };
    use Reason::{Cap, DoesNotCombine, WorthNothing};
    check(&[offer(Choice::First, ANY, vec![coded("A", percent(10))])], &[("A", None)]);
    check(&[offer(Choice::First, ANY, vec![coded("A", percent(0))])], &[("A", Some(WorthNothing))]);
    check(&[offer(Choice::First, ANY, vec![coded("A", percent(90))])], &[("A", Some(Cap))]);
    let beside = offer(Choice::First, ANY, vec![coded("B", percent(5))]);
    check(
        &[offer(Choice::First, NONE, vec![coded("A", percent(10))]), beside],
        &[("A", None), ("B", Some(DoesNotCombine))],
    );
    // Another candidate of the same offer counts, or nothing was left of the line.
    let two = |choose: Choice| offer(choose, ANY, vec![coded("A", percent(10)), coded("B", percent(5))]);
    check(&[two(Choice::Largest)], &[("A", None), ("B", Some(DoesNotCombine))]);
    check(&[two(Choice::All)], &[("A", None), ("B", None)]);
    let emptied = offer(Choice::All, ANY, vec![coded("A", of_each(10)), coded("B", percent(0))]);
    check(&[emptied], &[("A", None), ("B", Some(WorthNothing))]);
    let cheap = basket(&[("case", 1, 100), ("lamp", 1, 9_900)]);
    let all = [coded("A", percent(100)), coded("B", percent(5))];
    let all = combined(&cheap, &[("a", &[offer(Choice::All, ANY, all.to_vec())])], 20);
    assert_eq!(all.code_uses[1], CodeUse { code: "B".into(), dropped: Some(WorthNothing) });
}

#[test]
fn an_answer_that_breaks_a_rule_is_refused() {
    let entered = ["A".to_owned(), "B".to_owned()];
    let check = |decision: Decision, expected: &str| {
        let refused = LineOffers::checked(by("a"), decision, &cart(), &entered).expect_err(expected).to_string();
        assert_eq!(refused, expected);
    };
    let offers = |offers: Vec<Offer>| Decision { offers, codes: Vec::new() };
    let fine = || candidate(percent(10), lines(&[(1, None)]));
    let with = |candidate: Candidate| {
        offers(vec![offer(Choice::All, ANY, vec![fine()]), offer(Choice::All, ANY, vec![fine(), candidate])])
    };
    let target = |target: Target| with(candidate(percent(10), target));
    check(target(lines(&[(1, None), (9, None)])), "candidate 2 of offer 2 names line 9, which isn't in the cart");
    check(target(lines(&[(1, None), (1, Some(1))])), "candidate 2 of offer 2 names line 1 twice");
    check(target(lines(&[(1, Some(0))])), "candidate 2 of offer 2 takes no piece of line 1");
    check(target(lines(&[])), "candidate 2 of offer 2 has 0 lines; 1 to 100 are allowed");
    check(target(lines(&[(1, None); 101])), "candidate 2 of offer 2 has 101 lines; 1 to 100 are allowed");
    let many = || offer(Choice::All, ANY, vec![fine(); 60]);
    check(offers(vec![many(), many()]), "the answer has 120 candidates; 0 to 100 are allowed");
    check(target(order(&[])), "offer 2 has candidates for lines and others for the order");
    let whole = |without: &[u32]| offers(vec![one("o", ANY, percent(1), order(without))]);
    check(whole(&[9]), "candidate 1 of offer 1 names line 9, which isn't in the cart");
    check(whole(&[2, 2]), "candidate 1 of offer 1 names line 2 twice");
    let parts = "candidate 2 of offer 2 has 1000001 parts per million as percentage; 1000000 at most are allowed";
    check(with(candidate(Value::Percentage(1_000_001), lines(&[(1, None)]))), parts);
    let code = Candidate { code: Some("C".into()), ..fine() };
    check(with(code), "candidate 2 of offer 2 names the code \"C\", which wasn't entered");
    check(offers(vec![offer(Choice::All, ANY, vec![])]), "offer 1 has 0 candidates; 1 to 100 are allowed");
    check(offers(vec![offer(Choice::All, ANY, vec![fine(); 101])]), "offer 1 has 101 candidates; 1 to 100 are allowed");
    let many = vec![offer(Choice::All, ANY, vec![fine()]); 33];
    check(offers(many), "the answer has 33 offers; 0 to 32 are allowed");
    let codes = |codes: &[&str]| {
        let said = |code: &&str| CodeVerdict { code: (*code).into(), verdict: Verdict::Accepted };
        Decision { offers: Vec::new(), codes: codes.iter().map(said).collect() }
    };
    check(codes(&["A", "a"]), "code 2 names the code \"a\", which wasn't entered");
    check(codes(&["A", "B", "A"]), "code 3 names the code \"A\" twice");
    check(codes(&["A"; 17]), "the answer has 17 codes; 0 to 16 are allowed");
}

#[test]
fn a_decision_is_written_as_the_interface_has_it() {
    let json = r#"{"offers": [{"candidates": [
            {"title": "T", "value": {"percentage": 100000}, "target": {"lines": [{"line": 1}, {"line": 2, "quantity": 3}]}},
            {"title": "T", "value": {"amount-of-each": 5}, "target": {"lines": []}}],
          "choose": "largest", "combines_with": {"order": true}},
         {"candidates": [{"title": "T", "value": {"amount": 7}, "target": {"order": [1]}, "code": "A"}], "choose": "all"}],
        "codes": [{"code": "A", "verdict": "accepted"}, {"code": "B", "verdict": {"refused": "too late"}}]}"#;
    let read: Decision = serde_json::from_str(json).expect("a fine decision");
    let candidates = vec![candidate(percent(10), lines(&[(1, None), (2, Some(3))])), candidate(of_each(5), lines(&[]))];
    let coded = Candidate { code: Some("A".into()), ..candidate(off(7), order(&[1])) };
    let said = |code: &str, verdict| CodeVerdict { code: code.into(), verdict };
    let expected = Decision {
        offers: vec![
            offer(Choice::Largest, Classes { order: true, ..NONE }, candidates),
            offer(Choice::All, NONE, vec![coded]),
        ],
        codes: vec![said("A", Verdict::Accepted), said("B", Verdict::Refused("too late".into()))],
    };
    assert_eq!(read, expected);
    let written = serde_json::to_string(&read).expect("JSON");
    assert_eq!(serde_json::from_str::<Decision>(&written).expect("a fine decision"), expected);
    assert_eq!(serde_json::from_str::<Decision>("{}").expect("a fine decision"), Decision::default());
    for bad in [r#"{"offer": []}"#, r#"{"offers": [{"candidates": []}]}"#] {
        assert!(serde_json::from_str::<Decision>(bad).is_err(), "{bad}");
    }
}
