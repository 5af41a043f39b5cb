//! Makes the mistake that the setting `do` names, at the hook `cart-transform`; else changes nothing.

use till_sdk::hooks::cart_transform::{Component, Expansion, Merger, Operation, Part, Update};
use till_sdk::hooks::{Attribute, Cart, CartTransform, HookError, Span};
use till_test_guests::hooks::{TOO_MUCH, hostile_text, long_text, mistake, wordy_text};

struct Hostile;

till_sdk::cart_transform_plugin!(Hostile);

impl CartTransform for Hostile {
    fn transform(_: &Span, cart: Cart) -> Result<Vec<Operation>, HookError> {
        let does = mistake(&cart)?;
        let line = cart.lines.first().map_or(1, |line| line.id);
        let of = |item: &str, quantity: u32, price: u64| Component {
            unit_price: Some(price),
            ..Component::new(item, quantity)
        };
        let price = |unit_price: u64| Operation::Update(Update { line, title: None, unit_price: Some(unit_price) });
        let titled = |title: String| Operation::Update(Update { line, title: Some(title), unit_price: None });
        let expand = |decrease, components| Operation::Expand(Expansion { line, components, decrease });
        let merge = |decrease, quantity, parts: &[(u32, u32)]| {
            let parts = parts.iter().map(|(line, quantity)| Part { line: *line, quantity: *quantity }).collect();
            let (item, title, attributes) = ("set".to_owned(), None, Vec::new());
            Operation::Merge(Merger { parts, quantity, item, title, decrease, attributes })
        };
        Ok(match &*does {
            "wrong_line" => vec![Operation::Update(Update { line: line + 7, title: None, unit_price: None })],
            "used_line" => vec![expand(None, vec![of("cable", 1, 1)]), price(1)],
            "expand_twice" => vec![expand(None, vec![of("cable", 1, 1)]), expand(None, vec![of("cable", 1, 1)])],
            "line_twice" => vec![merge(None, 1, &[(line, 1), (line, 1)])],
            "own_line" => vec![
                Operation::Add(Component::new("cable", 1)),
                Operation::Update(Update { line: line + 1, title: None, unit_price: Some(0) }),
            ],
            "more_pieces" => vec![merge(None, 1, &[(line, 3)])],
            "more_pieces_by_overflow" => vec![merge(None, 10_000, &[(line, u32::MAX)])],
            "pieces_wrap" => vec![merge(None, 1 << 16, &[(line, 1 << 16)])],
            "no_pieces" => vec![merge(None, 1, &[(line, 0)])],
            "no_bundles" => vec![merge(None, 0, &[(line, 1)])],
            "no_parts" => vec![merge(None, 1, &[])],
            "no_components" => vec![expand(None, Vec::new())],
            "many_components" => vec![expand(None, vec![of("cable", 1, 0); 33])],
            "component_pieces" => vec![expand(None, vec![of("cable", 10_000, 0)])],
            "amount" => vec![price(TOO_MUCH)],
            "largest" => vec![price(u64::MAX)],
            "sum" => vec![price(TOO_MUCH - 1)],
            "sum_wraps" => vec![Operation::Add(of("cable", 10_000, TOO_MUCH - 1))],
            "ppm" => vec![merge(Some(1_000_001), 1, &[(line, 1)])],
            "ppm_of_expand" => vec![expand(Some(u32::MAX), vec![of("cable", 1, 1)])],
            "unknown_item" => vec![Operation::Add(of("nowhere", 1, 1))],
            "no_item" => vec![Operation::Add(of("", 1, 1))],
            "hostile_item" => vec![Operation::Add(of(&hostile_text(), 1, 1))],
            "wordy_item" => vec![Operation::Add(of(&wordy_text(), 1, 1))],
            "some_prices" => vec![expand(None, vec![of("cable", 1, 1), Component::new("cable", 1)])],
            "no_price" => vec![Operation::Add(Component::new("bag", 1))],
            "hostile_title" => vec![titled(hostile_text())],
            "long_title" => vec![titled(long_text())],
            "hostile_attribute" => {
                let attributes = vec![Attribute::new(&hostile_text(), true)];
                vec![Operation::Add(Component { attributes, ..of("cable", 1, 1_000) })]
            }
            "many_attributes" => {
                let attribute = |number: u32| Attribute::new(&number.to_string(), true);
                let attributes = (0..33).map(attribute).collect();
                vec![Operation::Add(Component { attributes, ..of("cable", 1, 1_000) })]
            }
            "operations" => vec![titled("again".to_owned()); 201],
            "many_operations" => vec![price(1); 10_000],
            "many_lines" => vec![Operation::Add(of("cable", 1, 1_000)); 100],
            "free" => vec![price(0)],
            "cheaper" => vec![price(4_999)],
            "a_third_off" => cart
                .lines
                .iter()
                .map(|of| {
                    let unit_price = Some(of.unit_price / 3 * 2);
                    Operation::Update(Update { line: of.id, title: None, unit_price })
                })
                .collect(),
            "free_bundle" => vec![merge(Some(1_000_000), 2, &[(line, 1)])],
            "free_components" => vec![expand(None, vec![of("headphones", 1, 0)])],
            "more_for_less" => vec![expand(None, vec![of("headphones", 20, 500)])],
            "gift" => vec![Operation::Add(of("headphones", 3, 0))],
            "small_gift" => vec![Operation::Add(of("cable", 1, 0))],
            "unpriced_gift" => vec![Operation::Add(of("bag", 50, 0))],
            "dearer" => vec![price(30_000)],
            _ => Vec::new(),
        })
    }
}
