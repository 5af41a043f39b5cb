//! Transforms at random: compared with the plain model, and with extreme values.

use std::collections::BTreeMap;

use proptest::{
    collection::vec,
    option,
    prelude::any,
    prop_assert, prop_assert_eq, prop_oneof, proptest,
    sample::select,
    strategy::{Just, Strategy},
};

use super::{
    BasketLine, Expansion, Operation, Part, TransformBounds,
    model::{Piece, Plain, PlainLine},
    tests::{add, component, merge, update},
};
use crate::{
    order::Item,
    pricing::{
        Basket, LineId,
        samples::{LARGEST, Shop, basket, minor, stock_of},
    },
};

/// Operations whose lines are numbers of the shown ones below 100, counted around, and wrong from 100 on.
fn operations(pieces: u32) -> impl Strategy<Value = Operation> {
    let line = || prop_oneof![40 => 0..6_u32, 1 => 100..110_u32];
    let name =
        || prop_oneof![30 => select(&["case", "cable", "gift", "free"][..]), 1 => Just("unknown"), 1 => Just("loose")];
    let decrease = || option::of(prop_oneof![20 => 0..=1_000_000_u32, 1 => Just(1_000_001)]);
    let quantity = move || prop_oneof![30 => 1..=pieces, 1 => Just(0)];
    let part = (line(), quantity()).prop_map(|(line, quantity)| Part { line: LineId(line), quantity });
    let expanded = (line(), decrease(), option::weighted(0.5, 0..900_u64), vec((name(), quantity()), 1..4));
    let expanded = (expanded, 0..30_u32).prop_map(|((line, decrease, price, components), mixed)| {
        let price_of =
            |place: usize| if mixed == 0 && place == 0 { None } else { price.map(|price| price + place as u64) };
        let component = |(place, (name, quantity)): (usize, (&str, u32))| component(name, quantity, price_of(place));
        let components = components.into_iter().enumerate().map(component).collect();
        Operation::Expand(Expansion { line: LineId(line), components, decrease })
    });
    let merged = (vec(part, 1..4), prop_oneof![3 => Just(1), 1 => quantity()], decrease());
    prop_oneof![
        expanded,
        merged.prop_map(|(parts, quantity, decrease)| {
            let parts: Vec<_> = parts.iter().map(|part| (part.line.0, part.quantity)).collect();
            merge("set", quantity, decrease, &parts)
        }),
        (line(), option::of(0..2_000_u64)).prop_map(|(line, price)| update(line, price)),
        (name(), quantity(), option::of(0..2_000_u64)).prop_map(|(name, quantity, price)| add(name, quantity, price)),
    ]
}

/// Names lines of the basket instead of places.
fn named(operations: &[Operation], basket: &Basket) -> Vec<Operation> {
    let lines = basket.lines();
    let name = |line: &mut LineId| {
        if line.0 < 100 {
            *line = lines[line.0 as usize % lines.len()].id;
        }
    };
    let mut operations = operations.to_vec();
    for operation in &mut operations {
        match operation {
            Operation::Expand(expansion) => name(&mut expansion.line),
            Operation::Merge(merger) => merger.parts.iter_mut().for_each(|part| name(&mut part.line)),
            Operation::Update(update) => name(&mut update.line),
            Operation::Add(_) => {}
        }
    }
    operations
}

fn carts() -> impl Strategy<Value = Basket> {
    let line = (select(&["case", "cable", "lamp"][..]), 1..7_u32, 0..1_500_u64);
    vec(line, 1..5).prop_map(|lines| basket(&lines))
}

/// Returns a basket's lines piece by piece.
fn pieces_of(basket: &Basket) -> Vec<PlainLine> {
    let piece = |line: &BasketLine| {
        let of_item = |(item, pieces): &(Item, u64)| (0..*pieces).map(|_| item.to_string()).collect::<Vec<_>>();
        let mut stock: Vec<_> = line.stock.iter().flat_map(of_item).collect();
        stock.sort();
        Piece { price: line.unit_price.amount(), stock }
    };
    let of = |line: &BasketLine| PlainLine {
        id: line.id.0,
        item: line.item.to_string(),
        bundle: line.bundle.map(|id| id.0),
        pieces: (0..line.quantity.pieces()).map(|_| piece(line)).collect(),
        origins: line.origins.clone(),
    };
    basket.lines().iter().map(of).collect()
}

fn extreme_operations() -> impl Strategy<Value = Operation> {
    let amount = || option::of(prop_oneof![Just(LARGEST), Just(0), Just(LARGEST / 10_000), 0..=LARGEST]);
    let number = || prop_oneof![Just(1_u32), Just(10_000), Just(10_001), Just(u32::MAX), 0..6_u32, any::<u32>()];
    let name = || select(&["case", "gift", "free", "dear", "loose"][..]);
    let part = (0..6_u32, number()).prop_map(|(line, quantity)| Part { line: LineId(line), quantity });
    let component = || (name(), number(), amount()).prop_map(|(name, number, amount)| component(name, number, amount));
    prop_oneof![
        (0..6_u32, vec(component(), 0..34), option::of(number())).prop_map(|(line, components, decrease)| {
            Operation::Expand(Expansion { line: LineId(line), components, decrease })
        }),
        (vec(part, 0..34), number(), option::of(number())).prop_map(|(parts, quantity, decrease)| {
            let parts: Vec<_> = parts.iter().map(|part| (part.line.0, part.quantity)).collect();
            merge("set", quantity, decrease, &parts)
        }),
        (0..6_u32, amount()).prop_map(|(line, amount)| update(line, amount)),
        component().prop_map(Operation::Add),
    ]
}

proptest! {
    #[test]
    fn a_chain_does_what_single_pieces_would(cart in carts(), chain in vec(vec(operations(3), 0..4), 1..4)) {
        let (mut basket, mut plain) = (cart.clone(), Plain::of(&cart));
        for operations in chain {
            let operations = named(&operations, &basket);
            let (left, expected) = (basket.apply(&operations, &Shop), plain.apply(&operations));
            prop_assert_eq!(left.is_ok(), expected.is_some(), "{:?}", left);
            let (Ok(left), Some(expected)) = (left, expected) else { continue };
            (basket, plain) = (left, expected);
            prop_assert_eq!(&pieces_of(&basket), &plain.lines);
            prop_assert_eq!(basket.sum(), minor(plain.sum()));
            prop_assert_eq!(basket.list_sum(), u128::from(plain.list));
            let mut stock = BTreeMap::<String, u64>::new();
            for item in plain.lines.iter().flat_map(|line| &line.pieces).flat_map(|piece| &piece.stock) {
                *stock.entry(item.clone()).or_default() += 1;
            }
            prop_assert_eq!(stock_of(&basket), stock.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn merging_conserves_the_stock(cart in carts(), parts in vec((1..5_u32, 1..4_u32), 1..4), quantity in 1..4_u32) {
        if let Ok(left) = cart.apply(&[merge("set", quantity, None, &parts)], &Shop) {
            prop_assert_eq!(stock_of(&left), stock_of(&cart));
            prop_assert_eq!(left.sum(), cart.sum());
        }
    }

    #[test]
    fn no_chain_leaves_the_bounds(
        cart in carts(), operations in vec(operations(3), 0..5), decrease in 0..=100_u32, increase in 0..300_u32,
    ) {
        let Ok(left) = cart.apply(&named(&operations, &cart), &Shop) else { return Ok(()) };
        let (sum, list) = (i128::from(left.sum().amount()), i128::try_from(left.list_sum()).expect("a fine sum"));
        let bounds = TransformBounds { decrease_max_percent: decrease, increase_max_percent: increase };
        let (least, most) = (list * (100 - i128::from(decrease)), list * (100 + i128::from(increase)));
        prop_assert_eq!(bounds.check(&left).is_ok(), (least..=most).contains(&(sum * 100)));
    }

    #[test]
    fn no_operation_overflows(
        cart in vec((Just("case"), prop_oneof![Just(10_000_u32), 1..5_u32], 0..LARGEST / 100_000), 1..6),
        chain in vec(vec(extreme_operations(), 0..6), 1..4),
        many in vec(extreme_operations(), 200..201),
    ) {
        let mut basket = basket(&cart);
        for operations in chain.iter().chain([&many]) {
            let Ok(left) = basket.apply(operations, &Shop) else { continue };
            basket = left;
            let exact: u128 = basket.lines().iter()
                .map(|line| u128::from(line.unit_price.amount()) * u128::from(line.quantity.pieces())).sum();
            prop_assert_eq!(u128::from(basket.sum().amount()), exact);
            prop_assert!(basket.lines().len() <= 100 && basket.stock_lines().len() <= 100);
            let _ = TransformBounds { decrease_max_percent: u32::MAX, increase_max_percent: u32::MAX }.check(&basket);
        }
    }
}
