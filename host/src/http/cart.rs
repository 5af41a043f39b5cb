//! The two forms of a request's cart: the seed's single item, and lines; with prices for a checkout, without for a
//! deduct.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Value, json};

use super::{
    body::{parse_json, present},
    facts::{AskedFacts, Text, Texts, WrittenAddress, WrittenFacts, address},
    problem::Problem,
};
#[cfg(test)]
use crate::schema;
use crate::{
    facts::{Catalogue, Customers, DigestKey, Facts},
    order::{
        Cart, Currency, Fingerprint, Item, LINES_MAX, Line, MinorUnits, QUOTE_TOKEN_BYTES_MAX, StockLine,
        written::{Object, WrittenAttributes, WrittenItem, WrittenPrice, WrittenQuantity},
    },
    pricing::delivery::GroupId,
    shop::Wishes,
};

/// The form of the request, which the answer has as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Form {
    Single,
    #[default]
    Lines,
}

/// A body in either form.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Written {
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::Item"))]
    item: Option<WrittenItem>,
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::Quantity"))]
    quantity: Option<WrittenQuantity>,
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::Price"))]
    price: Option<WrittenPrice>,
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "Vec<WrittenLine>", length(min = 1, max = LINES_MAX)))]
    lines: Option<Vec<Object<WrittenLine>>>,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "schema::Attributes"))]
    attributes: WrittenAttributes,
    /// What the client agrees to pay in all. If the order costs something else it isn't sold: 409 `quote_changed`.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::Price"))]
    expected_total: Option<WrittenPrice>,
    /// The codes that the customer entered, for the plugins at the hooks.
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "Vec<schema::EnteredCode>", length(max = crate::pricing::codes::CODES_MAX)))]
    codes: Texts,
    /// Who buys: a token of the shop's login, a JWT, whose keys are `customers.keys_file`.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "String"))]
    customer_token: Option<Text>,
    /// Where the goods go.
    #[serde(default, deserialize_with = "address")]
    #[cfg_attr(test, schemars(with = "WrittenAddress"))]
    shipping_address: Option<WrittenAddress>,
    /// Where the invoice goes.
    #[serde(default, deserialize_with = "address")]
    #[cfg_attr(test, schemars(with = "WrittenAddress"))]
    billing_address: Option<WrittenAddress>,
    /// The customer's language, BCP 47.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::Locale"))]
    locale: Option<Text>,
    /// The chosen delivery by group, as a quote's `hooks.delivery` has them; without, the first of each group.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::ChosenDelivery"))]
    delivery: Option<Object<BTreeMap<WrittenGroup, String>>>,
    /// The chosen way to pay.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "WrittenPayment"))]
    payment: Option<Object<WrittenPayment>>,
    /// The same, by the token of a quote of this cart.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::QuoteToken"))]
    quote: Option<WrittenToken>,
}

/// The token of a quote, as far as one can tell without its key.
#[derive(Debug)]
struct WrittenToken(String);

impl<'de> Deserialize<'de> for WrittenToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let fits =
            (1..=QUOTE_TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        let rule = "a quote is the token that POST /quote answered";
        fits.then_some(Self(text)).ok_or_else(|| D::Error::custom(rule))
    }
}

/// The number of a delivery group, which JSON has as a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct WrittenGroup(u32);

impl<'de> Deserialize<'de> for WrittenGroup {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(|_| D::Error::custom("a delivery group is a number, such as \"1\""))
    }
}

/// How the customer wants to pay.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Payment"))]
struct WrittenPayment {
    /// The id of one of a quote's `hooks.payment_methods`.
    method: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "CheckoutLine"))]
struct WrittenLine {
    #[cfg_attr(test, schemars(with = "schema::Item"))]
    item: WrittenItem,
    #[cfg_attr(test, schemars(with = "schema::Quantity"))]
    quantity: WrittenQuantity,
    /// The price of one piece; the catalogue's without.
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::Price"))]
    price: Option<WrittenPrice>,
    #[serde(default)]
    #[cfg_attr(test, schemars(with = "schema::Attributes"))]
    attributes: WrittenAttributes,
}

/// The body of `/inventory/deduct`: the same without prices.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct WrittenDeduct {
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::Item"))]
    item: Option<WrittenItem>,
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "schema::Quantity"))]
    quantity: Option<WrittenQuantity>,
    #[serde(default, deserialize_with = "present")]
    #[cfg_attr(test, schemars(with = "Vec<WrittenDeductLine>", length(min = 1, max = LINES_MAX)))]
    lines: Option<Vec<Object<WrittenDeductLine>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "DeductLine"))]
struct WrittenDeductLine {
    #[cfg_attr(test, schemars(with = "schema::Item"))]
    item: WrittenItem,
    #[cfg_attr(test, schemars(with = "schema::Quantity"))]
    quantity: WrittenQuantity,
}

/// A cart as a client wrote it, before its prices are parsed in the shop's currency.
pub(super) struct Wanted {
    lines: Vec<WrittenLine>,
    attributes: WrittenAttributes,
    form: Form,
    expected: Option<Expected>,
    facts: AskedFacts,
    delivery: BTreeMap<GroupId, String>,
    payment: Option<String>,
}

/// What the client agrees to pay, as it wrote it.
pub(super) enum Expected {
    Total(WrittenPrice),
    /// The token of a quote.
    Quote(String),
}

/// Parses the cart of a body.
///
/// # Errors
/// 400 for malformed JSON, 422 for a cart that no shop could sell.
pub(super) fn read(bytes: &[u8]) -> Result<Wanted, Problem> {
    let written: Written = parse_json(bytes)?;
    let Written { item, quantity, price, lines, attributes, expected_total, quote, delivery, payment, .. } = written;
    let Written { customer_token, shipping_address, billing_address, locale, codes, .. } = written;
    let facts = WrittenFacts { customer_token, shipping_address, billing_address, locale, codes }.checked()?;
    let expected = match (expected_total, quote) {
        (None, None) => None,
        (Some(total), None) => Some(Expected::Total(total)),
        (None, Some(WrittenToken(token))) => Some(Expected::Quote(token)),
        (Some(_), Some(_)) => return Err(Problem::unacceptable("send either expected_total or quote")),
    };
    let (lines, form) = match (item, quantity, price, lines) {
        (Some(item), Some(quantity), price, None) => {
            (vec![WrittenLine { item, quantity, price, attributes: WrittenAttributes::default() }], Form::Single)
        }
        (None, None, None, Some(lines)) => (lines.into_iter().map(|Object(line)| line).collect(), Form::Lines),
        _ => return Err(Problem::unacceptable("send either item, quantity and price, or lines")),
    };
    check_count(lines.len())?;
    let delivery = delivery.map(|Object(delivery)| delivery).unwrap_or_default();
    let delivery = delivery.into_iter().map(|(WrittenGroup(group), handle)| (GroupId(group), handle)).collect();
    let payment = payment.map(|Object(WrittenPayment { method })| method);
    Ok(Wanted { lines, attributes, form, expected, facts, delivery, payment })
}

impl Wanted {
    pub(super) const fn form(&self) -> Form {
        self.form
    }

    pub(super) const fn expected(&self) -> Option<&Expected> {
        self.expected.as_ref()
    }

    /// Returns the request's fingerprint: the cart's, what the client chooses, and what it agrees to pay if it says so.
    pub(super) fn fingerprint(&self) -> Fingerprint {
        let cart = self.cart_fingerprint();
        let expected = self.expected.as_ref().map(|expected| match expected {
            Expected::Total(total) => total.canonical(),
            Expected::Quote(token) => token.clone(),
        });
        let chosen = !self.delivery.is_empty() || self.payment.is_some();
        let chosen = chosen.then(|| {
            let delivery: BTreeMap<u32, &String> =
                self.delivery.iter().map(|(group, handle)| (group.0, handle)).collect();
            json!([delivery, self.payment]).to_string()
        });
        match (expected, chosen) {
            (None, None) => cart,
            (expected, chosen) => {
                let [expected, chosen] = [expected, chosen].map(Option::unwrap_or_default);
                let parts = [b"expected", &cart.as_bytes()[..], expected.as_bytes(), chosen.as_bytes()];
                Fingerprint::of_body(&parts.concat())
            }
        }
    }

    /// Returns the cart's fingerprint: it covers the lines in their order and with their prices, the codes, the addresses and the
    /// language, but not the order of the fields, the white space, the form, or the shop's current prices. What a client chooses after
    /// a quote, the delivery and the way to pay, isn't part of it: a choice that costs something else isn't sold for the quote.
    pub(super) fn cart_fingerprint(&self) -> Fingerprint {
        let line = |line: &WrittenLine| {
            let WrittenLine { item: WrittenItem(item), quantity: WrittenQuantity(quantity), price, attributes } = line;
            let price = price.as_ref().map(WrittenPrice::canonical);
            json!([item.as_str(), quantity.pieces(), price, attributes.canonical()])
        };
        let lines: Vec<_> = self.lines.iter().map(line).collect();
        // An array with a word at its head, which no body is: older versions stored the body's digest.
        let mut cart = vec![json!("cart"), json!(lines), json!(self.attributes.canonical())];
        // A cart without such facts has the fingerprint that it has always had.
        cart.extend(self.facts.canonical());
        Fingerprint::of_body(Value::from(cart).to_string().as_bytes())
    }

    /// Returns the cart in this shop's currency, and what its client asks for beside it.
    ///
    /// # Errors
    /// 422 for a price or a sum that isn't acceptable here, and for a customer's token that isn't taken.
    pub(super) fn priced(self, of_shop: &PricedBy<'_>) -> Result<(Cart, Wishes), Problem> {
        let Self { lines, attributes, facts, delivery, payment, expected, form } = self;
        let lines = lines.into_iter().enumerate().map(|(index, line)| line.into_line(index, of_shop));
        let cart = Cart::new(lines.collect::<Result<_, _>>()?, attributes.0);
        let cart = cart.ok_or_else(|| Problem::unacceptable("the lines' sum is 2^53 minor units or more"))?;
        let codes = facts.codes().to_vec();
        let said = facts.said(of_shop.customers)?;
        let facts = Facts::new(Arc::clone(&of_shop.catalogue), said, of_shop.digest_key.clone());
        let (is_agreed, is_line) = (expected.is_some(), form == Form::Single);
        Ok((cart, Wishes { codes, delivery, payment, facts, is_agreed, is_line }))
    }
}

/// What a shop prices carts by.
pub(super) struct PricedBy<'a> {
    pub(super) currency: Currency,
    /// Items with a fixed price, whatever price a client sends.
    pub(super) prices: &'a BTreeMap<Item, MinorUnits>,
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) customers: &'a Customers,
    pub(super) digest_key: &'a DigestKey,
}

/// Returns the total that a client agrees to, in the shop's currency.
///
/// # Errors
/// 422 for what is no amount of it.
pub(super) fn expected_total(written: &WrittenPrice, currency: Currency) -> Result<MinorUnits, Problem> {
    written.amount(currency).map_err(|error| Problem::unacceptable(format!("expected_total: {error}")))
}

/// Returns the fingerprint of a deduct, like [`Wanted::fingerprint`].
pub(super) fn deduct_fingerprint(lines: &[StockLine]) -> Fingerprint {
    let lines: Vec<_> = lines.iter().map(|line| (line.item.as_str(), line.quantity.pieces())).collect();
    Fingerprint::of_body(json!(["deduct", lines]).to_string().as_bytes())
}

/// Parses the stock lines of a deduct's body.
///
/// # Errors
/// As [`read`].
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
    fn into_line(self, index: usize, of_shop: &PricedBy<'_>) -> Result<Line, Problem> {
        let Self { item: WrittenItem(item), quantity: WrittenQuantity(quantity), price, attributes } = self;
        let currency = of_shop.currency;
        let fixed = of_shop.prices.get(&item).copied();
        let unit_price = match price {
            Some(WrittenPrice(price)) => currency
                .parse(&price)
                .map_err(|error| Problem::unacceptable(format!("the price {price:.40} of {item} {error}")))?,
            None => fixed.or_else(|| of_shop.catalogue.product(&item)?.price).ok_or_else(|| {
                Problem::unacceptable(format!("line {index} lacks its price, and the catalogue has none of {item}"))
            })?,
        };
        if let Some(fixed) = fixed.filter(|fixed| *fixed != unit_price) {
            let price = currency.format(fixed);
            return Err(Problem::unacceptable(format!("{item} costs {price} {currency} in this shop")));
        }
        Ok(Line { item, quantity, unit_price, attributes: attributes.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn status(body: &str) -> u16 {
        let dollars = Currency::of_code("USD").expect("a known code");
        let catalogue = [("book", 1_999)].map(|(item, price)| {
            (Item::parse(item).expect("a fine name"), MinorUnits::new(price).expect("a fine price"))
        });
        let nobody = config::Customers { keys_file: None, audience: None, issuer: None, lifetime_max_s: 60 };
        let of_shop = PricedBy {
            currency: dollars,
            prices: &catalogue.into(),
            catalogue: Arc::default(),
            customers: &Customers::new(&nobody).expect("no keys"),
            digest_key: &DigestKey::of_trials(),
        };
        let cart = read(body.as_bytes()).and_then(|wanted| wanted.priced(&of_shop));
        cart.map_or_else(|problem| problem.status().as_u16(), |_| 200)
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
        check(r#"{"item":"a","quantity":1,"price":1,"attributes":{"n":9007199254740992,"d":0.1,"e":1.0}}"#, 200);
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
        for quantity in ["0", "-1", "1.5", "9223372036854775808", "10001", "\"1\"", "null", "true", "1e-1", "1e400"] {
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
        for number in ["9007199254740993", "12345678901234567890", "0.1000000000000000055", "1e400"] {
            check(&format!(r#"{{"item":"a","quantity":1,"price":1,"attributes":{{"x":{number}}}}}"#), 422);
            let line = format!(r#"{{"item":"a","quantity":1,"price":1,"attributes":{{"x":{number}}}}}"#);
            check(&format!(r#"{{"lines":[{line}]}}"#), 422);
        }
        for malformed in ["\"\\ud800\"", &"[".repeat(10_000), "01", "+1", "1.", "NaN"] {
            check(&format!(r#"{{"item":"a","quantity":1,"price":1,"attributes":{{"x":{malformed}}}}}"#), 400);
        }
        check(r#"{"item":"a","quantity":10000,"price":90071992547409.91}"#, 422);
    }

    #[test]
    fn a_cart_is_the_same_however_it_is_written() {
        let of =
            |body: &str| read(body.as_bytes()).unwrap_or_else(|problem| panic!("{body}: {problem:?}")).fingerprint();
        let first = r#"{"lines":[{"item":"caf\u00e9","quantity":2,"price":9.9,"attributes":{"a":1,"b":"x"}}],"attributes":{"n":0.5,"m":true}}"#;
        for same in [
            r#"{"attributes":{"m":true,"n":0.5},"lines":[{"price":9.9,"attributes":{"b":"x","a":1},"quantity":2,"item":"caf\u00e9"}]}"#,
            r#" { "lines" : [ {"item":"café","quantity":2.0,"price":9.90,"attributes":{"a":1.0,"b":"\u0078"}} ],
                 "attributes": {"n":5e-1,"m":true} } "#,
        ] {
            assert!(of(same) == of(first), "{same}");
        }
        for other in [
            r#"{"lines":[{"item":"cafe","quantity":2,"price":9.9,"attributes":{"a":1,"b":"x"}}],"attributes":{"n":0.5,"m":true}}"#,
            r#"{"lines":[{"item":"café","quantity":3,"price":9.9,"attributes":{"a":1,"b":"x"}}],"attributes":{"n":0.5,"m":true}}"#,
            r#"{"lines":[{"item":"café","quantity":2,"price":9.91,"attributes":{"a":1,"b":"x"}}],"attributes":{"n":0.5,"m":true}}"#,
            r#"{"lines":[{"item":"café","quantity":2,"price":9.9,"attributes":{"a":"1","b":"x"}}],"attributes":{"n":0.5,"m":true}}"#,
            r#"{"lines":[{"item":"café","quantity":2,"price":9.9,"attributes":{"a":1}}],"attributes":{"n":0.5,"m":true}}"#,
            r#"{"lines":[{"item":"café","quantity":2,"price":9.9,"attributes":{"a":1,"b":"x"}}],"attributes":{"n":0.5}}"#,
        ] {
            assert!(of(other) != of(first), "{other}");
        }
        let lines = |lines: &str| of(&format!(r#"{{"lines":[{lines}]}}"#));
        let (a, b) = (r#"{"item":"a","quantity":1,"price":1}"#, r#"{"item":"b","quantity":1,"price":1}"#);
        assert!(lines(&format!("{a},{b}")) != lines(&format!("{b},{a}")), "lines have an order");
        assert!(lines(a) == of(a), "one item and its one line are the same cart");
        let deduct = |body: &str| deduct_fingerprint(&parse_deduct(body.as_bytes()).expect("a deduct").0);
        assert!(deduct(r#"{"item":"a","quantity":1}"#) == deduct(r#"{"quantity":1.0,"item":"a"}"#));
        assert!(deduct(r#"{"item":"a","quantity":1}"#) != deduct(r#"{"item":"a","quantity":2}"#));
    }
}
