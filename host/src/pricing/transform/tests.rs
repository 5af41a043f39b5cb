//! Rows for every rule of a transform.

use super::{Component, Expansion, Merger, OPERATIONS_MAX, Operation, Part, TransformBounds, Update};
use crate::{
    order::{Attribute, AttributeValue},
    pricing::{
        Basket, LineId,
        samples::{LARGEST, Shop, basket, lines_of, minor, stock_of},
    },
};

pub(super) fn component(item: &str, quantity: u32, price: Option<u64>) -> Component {
    Component { item: item.into(), quantity, unit_price: price.map(minor), title: None, attributes: Vec::new() }
}

fn expand(line: u32, decrease: Option<u32>, components: &[(&str, u32, Option<u64>)]) -> Operation {
    let components = components.iter().map(|(item, quantity, price)| component(item, *quantity, *price)).collect();
    Operation::Expand(Expansion { line: LineId(line), components, decrease })
}

pub(super) fn merge(item: &str, quantity: u32, decrease: Option<u32>, parts: &[(u32, u32)]) -> Operation {
    let parts = parts.iter().map(|(line, quantity)| Part { line: LineId(*line), quantity: *quantity }).collect();
    Operation::Merge(Merger { parts, quantity, item: item.into(), title: None, decrease, attributes: Vec::new() })
}

pub(super) fn update(line: u32, price: Option<u64>) -> Operation {
    Operation::Update(Update { line: LineId(line), title: None, unit_price: price.map(minor) })
}

pub(super) fn add(item: &str, quantity: u32, price: Option<u64>) -> Operation {
    Operation::Add(component(item, quantity, price))
}

/// Two cases at 10.00, three cables at 3.00, and a lamp that the catalogue doesn't have.
fn cart() -> Basket {
    basket(&[("case", 2, 1_000), ("cable", 3, 300), ("lamp", 1, 5_000)])
}

#[test]
fn operations_make_lines() {
    let check = |operations: &[Operation], expected: &[(u32, &str, u32, u64)]| {
        let left = cart().apply(operations, &Shop).expect("fine operations");
        assert_eq!(lines_of(&left), expected, "{operations:?}");
    };
    check(&[], &[(1, "case", 2, 1_000), (2, "cable", 3, 300), (3, "lamp", 1, 5_000)]);
    // Prices of components are the bundle's price.
    let own = [("gift", 1, Some(900)), ("free", 2, Some(50))];
    let rest = [(2, "cable", 3, 300), (3, "lamp", 1, 5_000)];
    check(&[expand(1, None, &own)], &[&[(4, "gift", 2, 900), (5, "free", 4, 50)], &rest[..]].concat());
    // 10 % of 10.00, shared 9 to 1, and 0.10 over two pieces.
    check(&[expand(1, Some(100_000), &own)], &[&[(4, "gift", 2, 810), (5, "free", 4, 45)], &rest[..]].concat());
    // Without prices: 10.00 in proportion to 5.00 and 3.00.
    let listed = [("gift", 1, None), ("cable", 1, None)];
    check(&[expand(1, None, &listed)], &[&[(4, "gift", 2, 625), (5, "cable", 2, 375)], &rest[..]].concat());
    // A share of 10.00 over three pieces: a minor unit apart, the dearer first, for two bundles.
    let thrice = [("gift", 3, None)];
    check(&[expand(1, None, &thrice)], &[&[(4, "gift", 2, 334), (5, "gift", 4, 333)], &rest[..]].concat());
    // The catalogue gives both away: by pieces.
    let free = [("free", 3, None), ("free", 1, None)];
    check(&[expand(1, None, &free)], &[&[(4, "free", 6, 250), (5, "free", 2, 250)], &rest[..]].concat());
    // Two bundles of a case and a cable; a cable is left.
    let set = merge("set", 2, None, &[(1, 1), (2, 1)]);
    check(&[set], &[(4, "set", 2, 1_300), (2, "cable", 1, 300), (3, "lamp", 1, 5_000)]);
    // The bundle stands at its first part, before what is left of that. 16.00 less 12.5 %.
    let set = merge("set", 1, Some(125_000), &[(2, 2), (1, 1)]);
    check(&[set], &[(1, "case", 1, 1_000), (4, "set", 1, 1_400), (2, "cable", 1, 300), (3, "lamp", 1, 5_000)]);
    // Rounded half up once: 3.00 less 0.5 ‰ is 0.15.
    check(
        &[merge("one", 3, Some(500), &[(2, 1)])],
        &[(1, "case", 2, 1_000), (4, "one", 3, 300), (3, "lamp", 1, 5_000)],
    );
    check(
        &[merge("one", 3, Some(1_667), &[(2, 1)])],
        &[(1, "case", 2, 1_000), (4, "one", 3, 299), (3, "lamp", 1, 5_000)],
    );
    check(&[update(2, Some(0)), update(2, None)], &[(1, "case", 2, 1_000), (2, "cable", 3, 0), (3, "lamp", 1, 5_000)]);
    let added = [(1, "case", 2, 1_000), (2, "cable", 3, 300), (3, "lamp", 1, 5_000)];
    check(&[add("gift", 2, None)], &[&added[..], &[(4, "gift", 2, 500)]].concat());
    check(&[add("gift", 2, Some(7))], &[&added[..], &[(4, "gift", 2, 7)]].concat());
}

#[test]
fn stock_follows_the_operations() {
    let check = |chain: &[&[Operation]], expected: &[(&str, u64)]| {
        let apply = |left: Basket, operations: &&[Operation]| left.apply(operations, &Shop).expect("fine operations");
        let stock = stock_of(&chain.iter().fold(cart(), apply));
        let stock: Vec<_> = stock.iter().map(|(item, pieces)| (item.as_str(), *pieces)).collect();
        assert_eq!(stock, expected, "{chain:?}");
    };
    let set = merge("set", 2, None, &[(1, 1), (2, 1)]);
    check(&[], &[("cable", 3), ("case", 2), ("lamp", 1)]);
    check(&[std::slice::from_ref(&set)], &[("cable", 3), ("case", 2), ("lamp", 1)]);
    check(&[&[expand(3, None, &[("case", 2, None), ("gift", 1, None)])]], &[("cable", 3), ("case", 4), ("gift", 1)]);
    check(&[&[add("case", 3, None), update(2, Some(1))]], &[("cable", 3), ("case", 5), ("lamp", 1)]);
    // A bundle of bundles takes what its parts took; an expanded one its components and no more what it was made of.
    let chest = merge("chest", 1, None, &[(4, 2), (3, 1)]);
    check(&[std::slice::from_ref(&set), &[chest]], &[("cable", 3), ("case", 2), ("lamp", 1)]);
    check(&[&[set], &[expand(4, None, &[("gift", 1, None)])]], &[("cable", 1), ("gift", 2), ("lamp", 1)]);
}

#[test]
fn stock_of_more_than_10_000_pieces_has_several_lines() {
    let lines = basket(&[("case", 10_000, 1), ("cable", 1, 1), ("case", 5, 1)]).stock_lines();
    let lines: Vec<_> = lines.iter().map(|line| (line.item.as_str(), line.quantity.pieces())).collect();
    assert_eq!(lines, [("case", 10_000), ("case", 5), ("cable", 1)]);
}

#[test]
fn a_line_knows_where_it_came_from() {
    let first = [merge("set", 1, None, &[(2, 1), (1, 1)]), expand(3, None, &[("gift", 1, None)]), add("case", 1, None)];
    let left = cart().apply(&first, &Shop).expect("fine operations");
    let of = |basket: &Basket| -> Vec<_> {
        basket.lines().iter().map(|line| (line.id.0, line.bundle.map(|id| id.0), line.origins.clone())).collect()
    };
    let (set, gift, added) = ((4, None, vec![1, 0]), (5, Some(3), vec![2]), (6, None, vec![]));
    assert_eq!(of(&left), [(1, None, vec![0]), set, (2, None, vec![1]), gift, added]);
    let left = left.apply(&[merge("all", 1, None, &[(6, 1), (1, 1), (4, 1)])], &Shop).expect("fine operations");
    assert_eq!(of(&left), [(2, None, vec![1]), (5, Some(3), vec![2]), (7, None, vec![0, 1])]);
}

#[test]
fn a_title_is_the_plugins_the_catalogues_or_the_item() {
    let titled = Component { title: Some("Yours".into()), ..component("gift", 1, None) };
    let renamed = Operation::Update(Update { line: LineId(3), title: Some("Light".into()), unit_price: None });
    let operations =
        [Operation::Add(titled), add("gift", 1, None), add("free", 1, None), merge("set", 1, None, &[(1, 1)]), renamed];
    let left = cart().apply(&operations, &Shop).expect("fine operations");
    let titles: Vec<_> = left.lines().iter().map(|line| line.title.as_str()).collect();
    assert_eq!(titles, ["set", "CASE", "CABLE", "Light", "Yours", "The gift", "free"]);
}

#[test]
fn an_operation_that_breaks_a_rule_is_refused() {
    let check = |operations: &[Operation], expected: &str| {
        let refused = cart().apply(operations, &Shop).expect_err(expected).to_string();
        assert_eq!(refused, expected, "{operations:?}");
    };
    let gift = [("gift", 1, None)];
    let fine = add("gift", 1, None);
    check(&[fine.clone(), fine.clone(), update(9, None)], "operation 3 names line 9, which isn't in the cart");
    // What an operation of the same answer made was never shown.
    check(&[fine.clone(), update(4, None)], "operation 2 names line 4, which isn't in the cart");
    let used = "operation 2 names line 1, which an earlier operation has used up";
    check(&[expand(1, None, &gift), update(1, None)], used);
    check(&[merge("set", 2, None, &[(1, 1)]), expand(1, None, &gift)], used);
    check(&[merge("set", 1, None, &[(1, 2)]), merge("set", 1, None, &[(2, 1), (1, 1)])], used);
    check(&[merge("set", 1, None, &[(1, 1), (2, 1), (1, 1)])], "operation 1 names line 1 twice");
    check(&[merge("set", 2, None, &[(2, 2)])], "operation 1 takes 4 pieces of line 2, which has 3");
    check(
        &[merge("set", 1, None, &[(2, 2)]), merge("set", 1, None, &[(2, 2)])],
        "operation 2 takes 2 pieces of line 2, which has 1",
    );
    check(&[merge("set", 1, None, &[(2, 0)])], "operation 1 takes no piece of line 2");
    let most = u32::MAX;
    check(
        &[merge("set", 10_000, None, &[(2, most)])],
        "operation 1 takes 42949672950000 pieces of line 2, which has 3",
    );
    check(&[merge("set", 0, None, &[(2, 1)])], "operation 1 has 0 pieces of set; 1 to 10000 are allowed");
    check(&[merge("set", most, None, &[(2, 1)])], "operation 1 has 4294967295 pieces of set; 1 to 10000 are allowed");
    check(&[merge("set", 1, None, &[])], "operation 1 has 0 parts; 1 to 32 are allowed");
    check(&[merge("set", 1, None, &[(1, 1); 33])], "operation 1 has 33 parts; 1 to 32 are allowed");
    check(&[merge(" set", 1, None, &[(1, 1)])], "operation 1 names the item \" set\", which is no item's name");
    let parts = "operation 1 has 1000001 parts per million as decrease; 1000000 at most are allowed";
    check(&[merge("set", 1, Some(1_000_001), &[(1, 1)])], parts);
    check(&[expand(1, Some(1_000_001), &gift)], parts);
    check(&[expand(1, None, &[])], "operation 1 has 0 components; 1 to 32 are allowed");
    check(&[expand(1, None, &[("gift", 1, None); 33])], "operation 1 has 33 components; 1 to 32 are allowed");
    let some = [("gift", 1, None), ("case", 1, Some(5))];
    check(&[expand(1, None, &some)], "operation 1 has prices for some components and not for all");
    // Whatever price the plugin names: nobody could say how cheap it is.
    let no_price =
        "operation 1 brings \"loose\", for which the catalogue has no price; import one with till catalogue import";
    for price in [None, Some(9_000)] {
        check(&[expand(1, None, &[("loose", 1, price)])], no_price);
        check(&[add("loose", 1, price)], no_price);
    }
    let unknown = "operation 1 names the item \"lamp\", which neither the catalogue nor the stock knows";
    check(&[add("lamp", 1, Some(1))], unknown);
    check(&[expand(1, None, &[("lamp", 1, Some(1))])], unknown);
    check(&[add("", 1, Some(1))], "operation 1 names the item \"\", which is no item's name");
    check(&[add("gift", 0, None)], "operation 1 has 0 pieces of gift; 1 to 10000 are allowed");
    check(&[add("gift", 10_001, None)], "operation 1 has 10001 pieces of gift; 1 to 10000 are allowed");
    check(&[expand(2, None, &[("gift", 0, None)])], "operation 1 has 0 pieces of gift; 1 to 10000 are allowed");
    // No component is larger than allowed, and all bundles' together are.
    let many = "operation 1 has 15000 pieces of gift; 1 to 10000 are allowed";
    check(&[expand(2, None, &[("gift", 5_000, Some(0))])], many);
    check(&vec![update(1, None); OPERATIONS_MAX + 1], "the answer has 201 operations; 0 to 200 are allowed");
}

#[test]
fn a_cart_that_grows_too_large_is_refused() {
    let check = |operations: &[Operation], expected: &str| {
        let left = cart().apply(operations, &Shop).map(|_| "fine".to_owned());
        assert_eq!(left.unwrap_or_else(|refused| refused.to_string()), expected);
    };
    let sum = "the answer brings the lines' sum to 2^53 minor units or more";
    check(&[add("gift", 1, Some(LARGEST - 7_900))], "fine");
    check(&[add("gift", 1, Some(LARGEST - 7_899))], sum);
    check(&[update(1, Some(LARGEST))], sum);
    // Only what the answer leaves counts.
    check(&[update(1, Some(LARGEST)), update(1, Some(0))], "fine");
    check(
        &[update(1, Some(LARGEST)), merge("set", 1, None, &[(1, 2)])],
        "operation 2 brings the price of a bundle's parts to 2^53 minor units or more",
    );
    let dear = [("dear", 2, None)];
    check(
        &[expand(1, None, &dear)],
        "operation 1 brings the price of a component's pieces to 2^53 minor units or more",
    );
    let dear = [("gift", 1, Some(LARGEST)), ("gift", 1, Some(1))];
    check(&[expand(1, None, &dear)], "operation 1 brings the price of a bundle to 2^53 minor units or more");
    check(&vec![add("gift", 1, None); 97], "fine");
    check(&vec![add("gift", 1, None); 98], "the answer leaves 101 lines in the cart; 100 at most are allowed");
    check(&[vec![add("gift", 1, None); 98], vec![merge("all", 1, None, &[(1, 2), (2, 3)])]].concat(), "fine");
}

#[test]
fn stock_is_at_most_what_an_inventory_is_asked_about() {
    let full = basket(&[("case", 10_000, 1); 32]);
    let merge = |basket: &Basket| {
        let parts: Vec<_> = basket.lines().iter().take(32).map(|line| (line.id.0, line.quantity.pieces())).collect();
        basket.apply(&[merge("set", 1, None, &parts), add("gift", 1, None)], &Shop).expect("fine operations")
    };
    let add_much = |basket: &Basket, lines: usize| basket.apply(&vec![add("gift", 10_000, Some(1)); lines], &Shop);
    let left = merge(&add_much(&merge(&full), 30).expect("fine operations"));
    assert_eq!((left.lines().len(), left.stock_lines().len()), (2, 63));
    assert!(add_much(&left, 37).is_ok());
    let refused = add_much(&left, 38).expect_err("too much stock").to_string();
    assert_eq!(refused, "the answer leaves 101 lines of stock in the cart; 100 at most are allowed");
}

#[test]
fn what_a_line_is_to_carry_is_checked() {
    let check = |attributes: &[(&str, AttributeValue)], expected: &str| {
        let of = |(key, value): &(&str, AttributeValue)| Attribute { key: (*key).into(), value: value.clone() };
        let attributes: Vec<_> = attributes.iter().map(of).collect();
        let added = Operation::Add(Component { attributes: attributes.clone(), ..component("gift", 1, None) });
        let Operation::Merge(merger) = merge("set", 1, None, &[(1, 1)]) else { panic!("a merger") };
        for operation in [added, Operation::Merge(Merger { attributes: attributes.clone(), ..merger })] {
            let refused = cart().apply(&[operation], &Shop).expect_err(expected).to_string();
            assert_eq!(refused, format!("operation 1 has {expected}"));
        }
    };
    let flag = AttributeValue::Flag(true);
    check(&vec![("k", flag.clone()); 33], "33 attributes; 0 to 32 are allowed");
    let key = "a key has 1 to 64 bytes, no control characters";
    check(&[("", flag.clone())], &format!("the attribute \"\"; {key}"));
    check(&[("a\n", flag.clone())], &format!("the attribute \"a\\n\"; {key}"));
    check(&[(&"k".repeat(65), flag.clone())], &format!("the attribute \"{}\"; {key}", "k".repeat(65)));
    check(&[("a", flag.clone()), ("a", flag)], "the attribute \"a\"; a key stands there once");
    let text = AttributeValue::Text("x".repeat(1_025));
    check(&[("a", text)], "the attribute \"a\"; a text has 1024 bytes at most");
    check(&[("a", AttributeValue::Decimal(f64::NAN))], "the attribute \"a\"; a number is finite");
}

#[test]
fn a_chain_moves_the_sum_within_the_shops_bounds() {
    // The list sum is 79.00; a gift counts at the catalogue's 5.00.
    let check = |operations: &[Operation], (decrease, increase): (u32, u32), expected: Option<&str>| {
        let left = cart().apply(operations, &Shop).expect("fine operations");
        let bounds = TransformBounds { decrease_max_percent: decrease, increase_max_percent: increase };
        let refused = bounds.check(&left).err().map(|refused| refused.to_string());
        assert_eq!(refused.as_deref(), expected, "{operations:?}");
    };
    check(&[], (0, 0), None);
    check(&[update(3, Some(1_050))], (50, 0), None);
    let lower = "the answer brings the lines to 3949 minor units, lower than the 7900 at list prices by more than 50 % \
                 (cart_transform.decrease_max_percent)";
    check(&[update(3, Some(1_049))], (50, 0), Some(lower));
    check(&[update(3, Some(5_790))], (0, 10), None);
    let higher = "the answer brings the lines to 8691 minor units, higher than the 7900 at list prices by more than 10 % \
                  (cart_transform.increase_max_percent)";
    check(&[update(3, Some(5_791))], (0, 10), Some(higher));
    check(&[update(3, Some(0)), update(2, Some(0)), update(1, Some(0))], (100, 0), None);
    check(&[add("gift", 1, None)], (0, 0), None);
    check(&[add("gift", 1, Some(0))], (6, 0), None);
    let gift = "the answer brings the lines to 7900 minor units, lower than the 8400 at list prices by more than 5 % \
                (cart_transform.decrease_max_percent)";
    check(&[add("gift", 1, Some(0))], (5, 0), Some(gift));
    // Each of two bundles at 10.00 is of gifts for 15.00 at list prices.
    check(&[expand(1, None, &[("gift", 3, None)])], (12, 0), None);
    let expanded = "the answer brings the lines to 7900 minor units, lower than the 8900 at list prices by more than 11 % \
                    (cart_transform.decrease_max_percent)";
    check(&[expand(1, None, &[("gift", 3, None)])], (11, 0), Some(expanded));
    for fine in [("gift", 2, None), ("gift", 1, None)] {
        check(&[expand(1, None, &[fine])], (0, 0), None);
    }
    // The shop sells two cases at half their price: that isn't the plugin's doing, and its part is as large as before.
    let half =
        basket(&[("case", 2, 500)]).apply(&[expand(1, None, &[("gift", 3, None)])], &Shop).expect("fine operations");
    assert_eq!((half.sum().amount(), half.list_sum()), (1_000, 1_500));
    check(&[merge("set", 1, Some(1_000_000), &[(1, 1)])], (13, 0), None);
}

#[test]
fn a_refused_answer_changes_nothing() {
    let cart = cart();
    assert!(cart.apply(&[update(1, Some(1)), update(9, None)], &Shop).is_err());
    assert_eq!(cart, self::cart());
}

#[test]
fn operations_are_written_as_the_interface_has_them() {
    let json = r#"[{"expand": {"line": 1, "components": [{"item": "gift", "quantity": 1}], "decrease": 5}},
        {"merge": {"parts": [{"line": 1, "quantity": 2}], "quantity": 1, "item": "set",
                   "attributes": [{"key": "k", "value": {"text": "v"}}]}},
        {"update": {"line": 2, "unit_price": 250, "title": "T"}}, {"add": {"item": "gift", "quantity": 1}}]"#;
    let read: Vec<Operation> = serde_json::from_str(json).expect("fine operations");
    let Operation::Merge(merger) = merge("set", 1, None, &[(1, 2)]) else { panic!("a merger") };
    let attributes = vec![Attribute { key: "k".into(), value: AttributeValue::Text("v".into()) }];
    let titled = Update { line: LineId(2), title: Some("T".into()), unit_price: Some(minor(250)) };
    let merger = Operation::Merge(Merger { attributes, ..merger });
    let expected = [expand(1, Some(5), &[("gift", 1, None)]), merger, Operation::Update(titled), add("gift", 1, None)];
    assert_eq!(read, expected);
    let written = serde_json::to_string(&read).expect("JSON");
    assert_eq!(serde_json::from_str::<Vec<Operation>>(&written).expect("fine operations"), expected);
    for bad in [
        r#"{"update": {"line": 2, "unit_price": 2.5}}"#,
        r#"{"update": {"line": 2, "unit_price": 9007199254740992}}"#,
        r#"{"update": {"line": 2, "unit_price": -1}}"#,
        r#"{"update": {"line": 2, "price": 1}}"#,
        r#"{"Update": {"line": 2}}"#,
    ] {
        assert!(serde_json::from_str::<Operation>(bad).is_err(), "{bad}");
    }
}

#[test]
fn many_operations_are_refused_before_any_applies() {
    let refused = cart().apply(&vec![update(9, None); 10_000], &Shop).expect_err("too many").to_string();
    assert_eq!(refused, "the answer has 10000 operations; 0 to 200 are allowed");
}
