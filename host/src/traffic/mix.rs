//! The requests: random carts of the demo's goods, some of them malformed.
//!
//! The same seed gives the same requests in the same order, within one release of Till. The shares change only which
//! requests are malformed or repeated: each request uses the same number of random numbers.

use std::fmt;

use bytes::Bytes;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::malformed::Malformed;

pub(super) const JSON: &str = "application/json";

/// The demo's goods: the price of a piece, the percentage of carts with it, and the percentages of its quantities.
///
/// The demo's two faults occur with two or more laptops and with three or more smartphones. With these numbers that is
/// 10 and 8 of 100 carts: often enough to show within a minute, and seldom enough that one has to look for them. Prices
/// are text, so that none goes through a float.
const GOODS: [Good; 3] = [
    Good { item: "laptop", price: "1299.00", chosen: 25, quantities: &[60, 30, 10] },
    Good { item: "smartphone", price: "799.00", chosen: 30, quantities: &[45, 29, 18, 8] },
    Good { item: "headphones", price: "99.99", chosen: 45, quantities: &[55, 25, 12, 8] },
];

/// A cart of one line, written in the seed's form.
#[derive(Debug)]
pub(super) struct Cart {
    item: &'static str,
    pub(super) quantity: i64,
    price: &'static str,
    /// Further members, with a comma before each.
    pub(super) more: String,
}

impl fmt::Display for Cart {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { item, quantity, price, more } = self;
        write!(out, r#"{{"item":"{item}","quantity":{quantity},"price":{price}{more}}}"#)
    }
}

struct Good {
    item: &'static str,
    price: &'static str,
    chosen: u32,
    /// For 1 piece, for 2, and so on.
    quantities: &'static [u32],
}

/// One request for `POST /checkout`.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub body: Bytes,
    pub content_type: &'static str,
    /// How the request is malformed, if it is: then it has to be refused with 4xx.
    pub malformed: Option<Malformed>,
    /// Whether the request is sent again after its answer.
    pub repeated: bool,
}

/// An endless sequence of requests.
#[derive(Debug)]
pub struct Mix {
    dice: StdRng,
    malformed: f64,
    repeated: f64,
}

impl Mix {
    /// Returns the requests of the seed, with these shares (0 to 1) malformed and repeated.
    #[must_use]
    pub fn new(seed: u64, malformed: f64, repeated: f64) -> Self {
        Self { dice: StdRng::seed_from_u64(seed), malformed, repeated }
    }

    fn cart(&mut self) -> Option<Cart> {
        let chosen = pick(self.dice.random_range(0..100), GOODS.iter().map(|good| good.chosen));
        let pieces = self.dice.random_range(0..100);
        let Good { item, price, quantities, .. } = GOODS.get(chosen)?;
        let quantity = 1 + pick(pieces, quantities.iter().copied());
        Some(Cart { item, quantity: i64::try_from(quantity).ok()?, price, more: String::new() })
    }
}

impl Iterator for Mix {
    type Item = Request;

    fn next(&mut self) -> Option<Request> {
        let cart = self.cart()?;
        let is_malformed = self.dice.random::<f64>() < self.malformed;
        let way = *Malformed::ALL.get(self.dice.random_range(0..Malformed::ALL.len()))?;
        let repeated = self.dice.random::<f64>() < self.repeated;
        Some(if is_malformed {
            way.of(cart)
        } else {
            Request { body: cart.to_string().into(), content_type: JSON, malformed: None, repeated }
        })
    }
}

/// Returns the index of the share that `die`, counted from 0, falls into; the last index if it is past all.
fn pick(mut die: u32, shares: impl ExactSizeIterator<Item = u32>) -> usize {
    let last = shares.len().saturating_sub(1);
    for (number, share) in shares.enumerate() {
        if die < share {
            return number;
        }
        die -= share;
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_its_requests() {
        let first: Vec<String> = Mix::new(7, 0.3, 0.3)
            .take(12)
            .map(|request| {
                let body: String = String::from_utf8_lossy(&request.body).chars().take(80).collect();
                let kind = request.malformed.map(|way| format!("{way:?} ")).unwrap_or_default();
                format!("{kind}{}{body}", if request.repeated { "repeated " } else { "" })
            })
            .collect();
        let cart = |item, quantity, price| format!(r#"{{"item":"{item}","quantity":{quantity},"price":{price}}}"#);
        let golden = [
            cart("smartphone", 1, "799.00"),
            format!("repeated {}", cart("smartphone", 2, "799.00")),
            format!("NegativeQuantity {}", cart("headphones", -1, "99.99")),
            format!("BrokenJson {}", cart("headphones", 1, "99.99").trim_end_matches('}')),
            cart("smartphone", 2, "799.00"),
            format!("ContentType {}", cart("headphones", 3, "99.99")),
            format!("repeated {}", cart("laptop", 1, "1299.00")),
            cart("laptop", 2, "1299.00"),
            cart("smartphone", 1, "799.00"),
            format!("NegativeQuantity {}", cart("smartphone", -1, "799.00")),
            format!("repeated {}", cart("smartphone", 1, "799.00")),
            cart("smartphone", 2, "799.00"),
        ];
        assert_eq!(first, golden);
    }

    #[test]
    fn the_shares_change_no_other_request() {
        let plain: Vec<Request> = Mix::new(3, 0.0, 0.0).take(200).collect();
        assert!(plain.iter().all(|request| request.malformed.is_none() && !request.repeated));
        let mixed: Vec<Request> = Mix::new(3, 0.2, 0.2).take(200).collect();
        for (plain, mixed) in plain.iter().zip(&mixed) {
            assert!(mixed.malformed.is_some() || mixed.body == plain.body);
        }
        let malformed = mixed.iter().filter(|request| request.malformed.is_some()).count();
        assert!((20..60).contains(&malformed), "{malformed} of 200");
        assert_ne!(plain, Mix::new(4, 0.0, 0.0).take(200).collect::<Vec<_>>());
    }

    #[test]
    fn the_demos_faults_are_met() {
        for good in &GOODS {
            assert_eq!(good.quantities.iter().sum::<u32>(), 100, "{}", good.item);
        }
        assert_eq!(GOODS.iter().map(|good| good.chosen).sum::<u32>(), 100);
        let of = |item: &str, at_least: u64| {
            let carts = Mix::new(1, 0.0, 0.0)
                .take(1000)
                .map(|request| serde_json::from_slice::<serde_json::Value>(&request.body).unwrap());
            carts.filter(|cart| cart["item"] == item && cart["quantity"].as_u64() >= Some(at_least)).count()
        };
        assert!((60..140).contains(&of("laptop", 2)), "{}", of("laptop", 2));
        assert!((50..110).contains(&of("smartphone", 3)), "{}", of("smartphone", 3));
    }
}
