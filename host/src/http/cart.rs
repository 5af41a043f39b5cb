//! The two forms in which a client says what it wants: the seed's single item, and lines; with prices for a checkout,
//! without for a deduct.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    body::{parse_json, present},
    problem::Problem,
};
use crate::{
    config::LINES_MAX,
    order::{
        Cart, Currency, Item, Line, MinorUnits, StockLine,
        written::{Object, WrittenAttributes, WrittenItem, WrittenPrice, WrittenQuantity},
    },
};

/// How the client asked, and so how it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Single,
    Lines,
}

/// A body before it is known which form it has.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default, deserialize_with = "present")]
    item: Option<WrittenItem>,
    #[serde(default, deserialize_with = "present")]
    quantity: Option<WrittenQuantity>,
    #[serde(default, deserialize_with = "present")]
    price: Option<WrittenPrice>,
    #[serde(default, deserialize_with = "present")]
    lines: Option<Vec<Object<WrittenLine>>>,
    #[serde(default)]
    attributes: WrittenAttributes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLine {
    item: WrittenItem,
    quantity: WrittenQuantity,
    price: WrittenPrice,
    #[serde(default)]
    attributes: WrittenAttributes,
}

/// What `/inventory/deduct` takes: the same without prices.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDeduct {
    #[serde(default, deserialize_with = "present")]
    item: Option<WrittenItem>,
    #[serde(default, deserialize_with = "present")]
    quantity: Option<WrittenQuantity>,
    #[serde(default, deserialize_with = "present")]
    lines: Option<Vec<Object<WrittenDeductLine>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDeductLine {
    item: WrittenItem,
    quantity: WrittenQuantity,
}

/// Returns the cart that the body describes.
///
/// # Errors
/// 400 for what is no JSON, 422 for what is no cart of this shop.
pub(super) fn parse(
    bytes: &[u8],
    currency: Currency,
    prices: &BTreeMap<Item, MinorUnits>,
) -> Result<(Cart, Form), Problem> {
    let written: Written = parse_json(bytes)?;
    let (lines, form) = match written {
        Written { item: Some(item), quantity: Some(quantity), price: Some(price), lines: None, .. } => {
            (vec![WrittenLine { item, quantity, price, attributes: WrittenAttributes::default() }], Form::Single)
        }
        Written { item: None, quantity: None, price: None, lines: Some(lines), .. } => {
            (lines.into_iter().map(|Object(line)| line).collect(), Form::Lines)
        }
        _ => return Err(Problem::unacceptable("send either item, quantity and price, or lines")),
    };
    check_count(lines.len())?;
    let line = |written: WrittenLine| written.into_line(currency, prices);
    let lines = lines.into_iter().map(line).collect::<Result<_, _>>()?;
    let cart = Cart::new(lines, written.attributes.0);
    let cart = cart.ok_or_else(|| Problem::unacceptable("the lines' sum is 2^53 minor units or more"))?;
    Ok((cart, form))
}

/// Returns what a deduct's body asks of the stock.
///
/// # Errors
/// As [`parse`].
pub(super) fn parse_deduct(bytes: &[u8]) -> Result<(Vec<StockLine>, Form), Problem> {
    let (lines, form) = match parse_json(bytes)? {
        WrittenDeduct { item: Some(item), quantity: Some(quantity), lines: None } => {
            (vec![WrittenDeductLine { item, quantity }], Form::Single)
        }
        WrittenDeduct { item: None, quantity: None, lines: Some(lines) } => {
            (lines.into_iter().map(|Object(line)| line).collect(), Form::Lines)
        }
        WrittenDeduct { .. } => return Err(Problem::unacceptable("send either item and quantity, or lines")),
    };
    check_count(lines.len())?;
    let of = |line: WrittenDeductLine| StockLine { item: line.item.0, quantity: line.quantity.0 };
    Ok((lines.into_iter().map(of).collect(), form))
}

fn check_count(lines: usize) -> Result<(), Problem> {
    if (1..=LINES_MAX).contains(&lines) {
        Ok(())
    } else {
        Err(Problem::unacceptable(format!("{lines} lines; 1 to {LINES_MAX} are allowed")))
    }
}

impl WrittenLine {
    fn into_line(self, currency: Currency, prices: &BTreeMap<Item, MinorUnits>) -> Result<Line, Problem> {
        let Self {
            item: WrittenItem(item),
            quantity: WrittenQuantity(quantity),
            price: WrittenPrice(price),
            attributes,
        } = self;
        let unit_price = currency.parse(&price).map_err(|error| {
            let decimals = currency.decimals();
            Problem::unacceptable(format!("the price {price:.40} {error} (of {currency}, {decimals} at most)"))
        })?;
        if let Some(catalogue) = prices.get(&item).filter(|catalogue| **catalogue != unit_price) {
            let price = currency.format(*catalogue);
            return Err(Problem::unacceptable(format!("{item} costs {price} {currency} in this shop")));
        }
        Ok(Line { item, quantity, unit_price, attributes: attributes.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(body: &str) -> u16 {
        let dollars = Currency::of_code("USD").expect("a known code");
        let catalogue = [("book", 1_999)].map(|(item, price)| {
            (Item::parse(item).expect("a fine name"), MinorUnits::new(price).expect("a fine price"))
        });
        parse(body.as_bytes(), dollars, &catalogue.into()).map_or_else(|problem| problem.status().as_u16(), |_| 200)
    }

    #[test]
    fn only_a_cart_is_taken_for_one() {
        let check = |body: &str, expected: u16| {
            assert_eq!(status(body), expected, "{}", body.chars().take(200).collect::<String>());
        };
        check(r#"{"item":"a","quantity":1,"price":9.99}"#, 200);
        check(r#"{"item":"a","quantity":1.0,"price":9.990}"#, 200);
        check(
            "{\"item\":\"\u{645}\u{6cc}\u{200c}\u{62e} \u{1f469}\u{200d}\u{1f373}\",\"quantity\":1,\"price\":1}",
            200,
        );
        check(r#"{"lines":[{"item":"a","quantity":1,"price":1},{"item":"a","quantity":2,"price":1}]}"#, 200);
        check(r#"{"item":"a","quantity":1,"price":1,"attributes":{"coupon":"X","n":1,"d":0.5,"f":true}}"#, 200);
        check(r#"{"item":"book","quantity":1,"price":19.99}"#, 200);

        for malformed in ["", "{", "nope", "{\"item\":\"a\",\"quantity\":NaN,\"price\":1}", "{} x", "\u{feff}{}"] {
            check(malformed, 400);
        }
        check(r#"{"item":"a","item":"b","quantity":1,"price":1}"#, 400);
        check(r#"{"item":"a","quantity":1,"price":1,"attributes":{"x":1,"x":2}}"#, 400);
        check(r#"{"item":"\ud800","quantity":1,"price":1}"#, 400);
        check(&format!(r#"{{"item":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000)), 400);

        check(r#"{"item":3} x"#, 400);
        for array in ["[]", r#"["a",1,1]"#, r#"{"lines":[["a",1,1]]}"#, r#"{"lines":[["a",1,1,{}]]}"#] {
            check(array, 422);
        }
        check("3", 422);
        check(r#"{"item":"a","quantity":1}"#, 422);
        check(r#"{"item":null,"quantity":1,"price":1}"#, 422);
        check(r#"{"item":"a","quantity":1,"price":1,"lines":[]}"#, 422);
        check(r#"{"item":"a","quantity":1,"price":1,"colour":"red"}"#, 422);
        for quantity in ["0", "-1", "1.5", "9223372036854775808", "10001", "\"1\"", "null", "true", "1e400"] {
            check(&format!(r#"{{"item":"a","quantity":{quantity},"price":1}}"#), 422);
        }
        for price in ["9.999", "-1", "1e400", "\"1\"", "null", "[]"] {
            check(&format!(r#"{{"item":"a","quantity":1,"price":{price}}}"#), 422);
        }
        let hidden =
            ["a\\u0000b", "a\\nb", "a\\u0085b", "a\u{2028}b", "a\u{202e}b", "a\u{2066}b", "a\u{200b}b", "\u{feff}a"];
        for item in ["", &"x".repeat(65), " a", "a ", "\u{a0}a"].into_iter().chain(hidden) {
            check(&format!(r#"{{"item":"{item}","quantity":1,"price":1}}"#), 422);
        }
        let lines = vec![r#"{"item":"a","quantity":1,"price":1}"#; 101].join(",");
        check(&format!(r#"{{"lines":[{lines}]}}"#), 422);
        check(r#"{"lines":[]}"#, 422);
        check(r#"{"item":"book","quantity":1,"price":19.98}"#, 422);
        check(r#"{"item":"a","quantity":1,"price":1,"attributes":{"x":[1]}}"#, 422);
        check(r#"{"item":"a","quantity":10000,"price":90071992547409.91}"#, 422);
    }
}
