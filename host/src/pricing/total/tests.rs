//! What is shown, the receipt and the total of a request, with rows and from the cart to the end at random.

use std::collections::BTreeMap;

use proptest::{
    collection::vec,
    prop_assert, prop_assert_eq, prop_oneof, proptest,
    sample::select,
    strategy::{Just, Strategy},
};

use super::{Priced, Sums, taxables};
use crate::{
    order::{Adjustment, Attribute, AttributeValue, BadReceipt, Caps, Effect},
    pricing::{
        Basket, LineId,
        delivery::{
            Chosen, DeliveryChoices, DeliveryKind, DeliveryOption, GroupId, OfferedOption, choose, groups, put_together,
        },
        delivery_discounts::{self, OptionOffers},
        discounts::{Decision, Discounts, LineOffers},
        samples::{LARGEST, basket, by, minor},
        tax::{Subject, TaxLine, Taxes},
    },
};

fn option(handle: &str, cost: u64) -> DeliveryOption {
    DeliveryOption {
        handle: handle.into(),
        title: "Slow".into(),
        description: None,
        kind: DeliveryKind::Shipping,
        cost: minor(cost),
        days: None,
        location: None,
        attributes: vec![attribute("place", "shop")],
    }
}

fn attribute(key: &str, text: &str) -> Attribute {
    Attribute { key: key.into(), value: AttributeValue::Text(text.into()) }
}

fn discounts(basket: &Basket, json: &str) -> Discounts {
    let decision: Decision = serde_json::from_str(json).expect("a fine decision");
    let offers = LineOffers::checked(by("spring"), decision, basket, &[]).expect("fine offers");
    Discounts::combine(basket, &[offers], 90)
}

fn delivered(basket: &Basket, cost: u64, json: &str, discounts: &Discounts) -> Vec<Chosen> {
    let offered =
        OfferedOption::checked(&by("post"), vec![option("slow", cost)], minor(LARGEST)).expect("a fine option");
    let choices: Vec<DeliveryChoices> =
        groups(basket, |_| true).into_iter().map(|group| put_together(group, [offered.clone()])).collect();
    let offers = serde_json::from_str(json).expect("fine offers");
    let offers = OptionOffers::checked(by("free"), offers, &choices, &[]).expect("fine offers");
    let discounted = delivery_discounts::apply(choices, &[offers], &discounts.taken);
    choose(&discounted.choices, &BTreeMap::new()).expect("the first")
}

fn tax(subject: Subject, amount: u64, included: bool) -> TaxLine {
    TaxLine { subject, title: "VAT".into(), rate: None, amount: minor(amount), included }
}

const DISCOUNTS: &str = r#"{"offers": [
    {"candidates": [{"title": "10 %", "value": {"percentage": 100000}, "target": {"lines": [{"line": 1}]}}],
     "choose": "first", "combines_with": {"order": true, "delivery": true}},
    {"candidates": [{"title": "1.00", "value": {"amount": 100}, "target": {"order": []}}],
     "choose": "first", "combines_with": {"product": true, "delivery": true}}]}"#;
const DELIVERY: &str = r#"[{"candidates": [{"title": "Half", "value": {"percentage": 500000}, "targets": [{"group": 1}]}],
    "choose": "first", "combines_with": {"product": true, "order": true}}]"#;

fn priced() -> Priced {
    let basket = basket(&[("case", 2, 1_000), ("cable", 1, 200)]);
    let discounts = discounts(&basket, DISCOUNTS);
    let chosen = delivered(&basket, 499, DELIVERY, &discounts);
    let taxables = taxables(&basket, &discounts, &chosen, |item| Some(item.as_str().to_owned()));
    let shown: Vec<_> =
        taxables.iter().map(|one| (one.subject, one.amount.amount(), one.category.as_deref())).collect();
    let delivery = Subject::Delivery(GroupId(1));
    let line = |id: u32| Subject::Line(LineId(id));
    // 20.00 less 2.00, then 1.00 shared over 18.00 and 2.00; 4.99 less 2.50.
    assert_eq!(shown, [(line(1), 1_710, Some("case")), (line(2), 190, Some("cable")), (delivery, 249, None)]);
    let taxes = vec![tax(line(1), 150, true), tax(line(2), 36, false), tax(delivery, 47, false)];
    let taxes = Taxes::checked(taxes, &taxables, 50).expect("fine taxes");
    Priced::new(basket, discounts, chosen, taxes).expect("a fine total")
}

#[test]
fn a_receipt_shows_everything_that_the_total_is_made_of() {
    let priced = priced();
    let sums = Sums {
        subtotal: minor(2_200),
        discount: minor(300),
        delivery: minor(499),
        delivery_discount: minor(250),
        tax: minor(83),
        tax_included: minor(150),
        total: minor(2_232),
    };
    assert_eq!(priced.sums(), sums);
    let cart = priced.basket().to_cart(Vec::new()).expect("a fine cart");
    let given = vec![attribute("place", "hidden"), attribute("till", "3")];
    let receipt = priced.receipt(&cart, given, Caps::NONE).expect("a fine receipt");
    let shown: Vec<_> = receipt
        .adjustments()
        .iter()
        .map(|one: &Adjustment| (one.effect, one.category.as_str(), one.label.as_str(), one.amount.amount(), one.line))
        .collect();
    use Effect::{Add, Included, Subtract};
    let expected = [
        (Subtract, "discount", "10 %", 200, Some(0)),
        (Subtract, "discount", "1.00", 90, Some(0)),
        (Subtract, "discount", "1.00", 10, Some(1)),
        (Add, "shipping", "Slow", 499, None),
        (Subtract, "shipping", "Half", 250, None),
        (Included, "tax", "VAT", 150, Some(0)),
        (Add, "tax", "VAT", 36, Some(1)),
        (Add, "tax", "VAT", 47, None),
    ];
    assert_eq!(shown, expected);
    assert_eq!(receipt.total(), minor(2_232));
    assert_eq!(receipt.attributes(), [attribute("place", "shop"), attribute("till", "3")]);
}

#[test]
fn the_shops_caps_hold_for_the_receipt() {
    let priced = priced();
    let cart = priced.basket().to_cart(Vec::new()).expect("a fine cart");
    let check = |caps: Caps, expected: Option<BadReceipt>| {
        assert_eq!(priced.receipt(&cart, Vec::new(), caps).err(), expected);
    };
    // 3.00 of 22.00 is 13.6 %. Half of the delivery is set off against the delivery.
    check(Caps { discount_max_percent: 14, ..Caps::NONE }, None);
    let too_much = BadReceipt::DiscountTooLarge { taken_off: 300, subtotal: 2_200, percent_max: 13 };
    check(Caps { discount_max_percent: 13, ..Caps::NONE }, Some(too_much));
    let added = |percent: u32| Caps { added_max_percent: percent, added_max_floor: minor(0), ..Caps::NONE };
    check(added(16), None);
    let too_much = BadReceipt::AddedTooMuch { added: 332, subtotal: 2_200, percent_max: 15, floor: 0 };
    check(added(15), Some(too_much));
}

#[test]
fn a_total_that_is_too_large_is_none() {
    let of = |price: u64, delivery: u64, tax_amount: u64| {
        let basket = basket(&[("case", 1, price)]);
        let discounts = discounts(&basket, "{}");
        let chosen = delivered(&basket, delivery, "[]", &discounts);
        let taxables = taxables(&basket, &discounts, &chosen, |_| None);
        let taxes = vec![tax(Subject::Line(LineId(1)), tax_amount, false), tax(Subject::Delivery(GroupId(1)), 0, true)];
        let taxes = Taxes::checked(taxes, &taxables, u32::MAX).expect("fine taxes");
        Priced::new(basket, discounts, chosen, taxes).map(|priced| priced.sums().total.amount())
    };
    assert_eq!(of(LARGEST - 3, 2, 1), Some(LARGEST));
    assert_eq!(of(LARGEST - 3, 2, 2), None);
    assert_eq!(of(LARGEST, LARGEST, LARGEST), None);
}

fn requests() -> impl Strategy<Value = (Basket, String, u64, String)> {
    let lines = vec((select(&["case", "cable"][..]), 1..5_u32, prop_oneof![0..2_000_u64, 0..LARGEST / 1_000]), 1..5);
    let value = || {
        prop_oneof![
            (0..=1_000_000_u32).prop_map(|ppm| format!(r#"{{"percentage": {ppm}}}"#)),
            (0..3_000_u64).prop_map(|amount| format!(r#"{{"amount": {amount}}}"#)),
        ]
    };
    let target = select(&[r#"{"lines": [{"line": 1}]}"#, r#"{"order": []}"#][..]);
    let all = r#""choose": "all", "combines_with": {"product": true, "order": true, "delivery": true}}"#;
    let offer = (value(), target).prop_map(move |(value, target)| {
        format!(r#"{{"candidates": [{{"title": "t", "value": {value}, "target": {target}}}], {all}"#)
    });
    let on_delivery = value().prop_map(move |value| {
        format!(r#"[{{"candidates": [{{"title": "t", "value": {value}, "targets": [{{"group": 1}}]}}], {all}]"#)
    });
    let offers = vec(offer, 0..5).prop_map(|offers| format!(r#"{{"offers": [{}]}}"#, offers.join(",")));
    (lines.prop_map(|lines| basket(&lines)), offers, prop_oneof![0..2_000_u64, Just(LARGEST / 2)], on_delivery)
}

proptest! {
    #[test]
    fn a_total_is_the_sum_of_what_is_shown(
        (basket, offers, cost, on_delivery) in requests(), added in vec((0..100_u64, 0..100_u64), 5),
    ) {
        let discounts = discounts(&basket, &offers);
        let chosen = delivered(&basket, cost, &on_delivery, &discounts);
        let taxables = taxables(&basket, &discounts, &chosen, |_| None);
        let taxes = taxables.iter().zip(added).flat_map(|(one, (added, included))| {
            [tax(one.subject, added, false), tax(one.subject, included.min(one.amount.amount()), true)]
        });
        let taxes = Taxes::checked(taxes.collect(), &taxables, u32::MAX);
        prop_assert!(taxes.is_ok() || taxables.iter().all(|one| one.amount.amount() == 0));
        let Ok(taxes) = taxes else { return Ok(()) };
        let priced = Priced::new(basket.clone(), discounts, chosen, taxes).expect("a fine total");
        let Sums { subtotal, discount, delivery, delivery_discount, tax, total, .. } = priced.sums();
        let lines = subtotal.amount() - discount.amount();
        let delivered = delivery.amount() - delivery_discount.amount();
        prop_assert_eq!(total.amount(), lines + delivered + tax.amount());
        let cart = basket.to_cart(Vec::new()).expect("a fine cart");
        let receipt = priced.receipt(&cart, Vec::new(), Caps { discount_max_percent: 90, ..Caps::NONE });
        let receipt = receipt.expect("a receipt within the cap of the discounts");
        prop_assert_eq!(receipt.total(), total);
        let mut left: Vec<_> = basket.lines().iter().map(|line| i128::from(line.sum().amount())).collect();
        for adjustment in receipt.adjustments().iter().filter(|one| one.category == "discount") {
            left[adjustment.line.expect("a line") as usize] -= i128::from(adjustment.amount.amount());
        }
        let shown: Vec<_> = priced.discounts().lines.iter().map(|line| i128::from(line.left.amount())).collect();
        prop_assert!(left.iter().all(|left| *left >= 0));
        prop_assert_eq!(left, shown);
    }
}
