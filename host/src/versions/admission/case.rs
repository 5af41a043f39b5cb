//! A case: the inputs of one call of a plugin, and the expected result. One JSON object per file.
//!
//! ```text
//! { "shop": {"currency": "EUR",             the shop's currency and caps, instead of the host's
//!            "discount_max_percent": 30, "added_max_percent": 100, "added_max_floor": 20},
//!   "set": {"faults": "on"},                the plugin's settings
//!   "random": [0.25],                       what host.random answers, in turn; the last one repeats
//!   "stock": {"headphones": 10},            what is on hand
//!   "lines": [{"item": "headphones", "quantity": 3, "price": 99.99}],
//!   "attributes": {"coupon": "X"},          of the order
//!   "inventory": {"unavailable": "down"},   the answer to a checkout's deduct, instead of the stock's
//!   "expect": {"outcome": "ok", "receipt": {"total": 269.98}} }
//! ```
//!
//! A rejection has `"expect": {"outcome": "rejected", "rejection": "expired"}`, and a receipt may be expected with its
//! `"attributes": {"points": 12}`. Prices are decimals of the shop's currency, as `POST /checkout` has them. Nothing is guessed: a field that isn't known
//! is refused, and so is one that means nothing for the plugin's kind.
//!
//! A recording (`till plugin replay --save`) says besides what the call met: `"order"` and `"seed"` (the order's number and time, and what
//! random numbers follow from), `"levels"` (what `stock.level` answered, in turn), `"sells"` (the stock of bundles), and as `"inventory"`
//! the `"levels"` that were left or what was `"out-of-stock"`.

use std::{collections::BTreeMap, sync::Arc};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess},
};
use serde_json::value::RawValue;

use crate::{
    config::{Settings, row},
    failure::{Failure, Undecided},
    hooks::{self, CaseQuestion, ExpectedDecision, Hook, Kind, Parts, Visitor},
    imports::{Chance, Seed, stock::Seen},
    order::{
        Cart, Currency, Item, LINES_MAX, Line, MinorUnits, StockLine, composed,
        written::{Object, WrittenAttributes, WrittenItem, WrittenPrice, WrittenQuantity},
    },
    store::StockLevel,
};

/// The outcomes of a call: `ok`, or the code that the problem document has.
pub const OUTCOMES: [&str; 11] = [
    "ok",
    "insufficient_stock",
    "rejected",
    "inventory_conflict",
    "unavailable",
    "other",
    "trap",
    "deadline",
    "memory",
    "host_calls",
    "bad_output",
];

/// The inputs of one call of a plugin, and the expected result.
#[derive(Debug)]
pub struct Case {
    pub shop: ShopOfCase,
    /// The currency of its amounts.
    pub currency: Currency,
    pub set: BTreeMap<String, String>,
    pub chance: Chance,
    pub stock: BTreeMap<Item, u32>,
    /// What the plugin is asked about.
    pub cart: Arc<Cart>,
    /// The answer to its deduct; if `None`, the stock's.
    pub inventory: Option<InventoryAnswer>,
    pub expected: Option<Expected>,
    /// What a hook of track 0.2 is asked.
    pub question: Option<Arc<CaseQuestion>>,
    /// What the case says of the live call that it was recorded of.
    pub recorded: Option<Recorded>,
}

/// What a case repeats of a recorded call besides its question.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The order's number; `None` if the plugin wasn't told one.
    pub order_id: Option<u64>,
    /// When the order was placed: Unix time, milliseconds.
    pub placed_at_ms: u64,
    /// The seed of the random numbers that the call could draw.
    pub seed: Seed,
    /// What an inventory plugin saw of the stock.
    pub seen: Option<Seen>,
}

/// What a case says of its shop. For the rest the host's settings hold.
#[derive(Debug, Clone, Copy, Default)]
pub struct ShopOfCase {
    currency: Option<Currency>,
    discount_max_percent: Option<u8>,
    added_max_percent: Option<u32>,
    added_max_floor: Option<u32>,
    delivery_cost_max: Option<u32>,
    tax_max_percent: Option<u32>,
}

impl ShopOfCase {
    /// Returns the host's settings with what the case says instead.
    #[must_use]
    pub fn over(self, settings: &Settings) -> Settings {
        let mut settings = settings.clone();
        let Self { currency, discount_max_percent, added_max_percent, added_max_floor, .. } = self;
        settings.delivery.cost_max = self.delivery_cost_max.unwrap_or(settings.delivery.cost_max);
        settings.tax.max_percent = self.tax_max_percent.unwrap_or(settings.tax.max_percent);
        let (shop, caps) = (&mut settings.shop, &mut settings.checkout);
        shop.currency = currency.unwrap_or(shop.currency);
        caps.discount_max_percent = discount_max_percent.unwrap_or(caps.discount_max_percent);
        caps.added_max_percent = added_max_percent.unwrap_or(caps.added_max_percent);
        caps.added_max_floor = added_max_floor.unwrap_or(caps.added_max_floor);
        settings
    }
}

/// An answer to a checkout's deduct, with the names of the interface.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum InventoryAnswer {
    Unavailable(String),
    Conflict(String),
    Other(String),
    Rejected {
        code: String,
        message: String,
    },
    /// As recorded: pieces of an item are asked for that aren't there.
    OutOfStock {
        item: String,
        requested: u32,
        available: u32,
    },
    /// As recorded: everything was taken, and this is left, by item; nothing of an item that isn't among them.
    Levels(BTreeMap<String, u32>),
}

impl InventoryAnswer {
    /// Returns what the deduct comes to.
    ///
    /// # Errors
    /// The failure, if the answer is one.
    pub fn result(&self) -> Result<Vec<StockLevel>, Failure> {
        let item = |name: &str| Item::parse(name).ok_or_else(|| Failure::Other(Undecided::of_nobody(Item::RULE)));
        Err(match self {
            Self::Unavailable(text) => Failure::Unavailable(Undecided::of_nobody(text.clone())),
            Self::Conflict(text) => Failure::Conflict(Undecided::of_nobody(text.clone())),
            Self::Other(text) => Failure::Other(Undecided::of_nobody(text.clone())),
            Self::Rejected { code, message } => Failure::Rejected { code: code.clone(), message: message.clone() },
            Self::OutOfStock { item: name, requested, available } => {
                Failure::OutOfStock { item: item(name)?, requested: *requested, available: *available }
            }
            Self::Levels(levels) => {
                let level = |(name, on_hand): (&String, &u32)| Ok(StockLevel { item: item(name)?, on_hand: *on_hand });
                return levels.iter().map(level).collect();
            }
        })
    }
}

/// The expected result of a call. What is `None` isn't compared.
#[derive(Debug)]
pub struct Expected {
    pub outcome: String,
    /// The failure's text, which an operator reads.
    pub detail: Option<String>,
    /// The code of a rejection, which programs read.
    pub rejection: Option<String>,
    pub decision: Option<ExpectedDecision>,
    /// Pieces that the plugin asked the stock for, by item.
    pub asked: Option<BTreeMap<String, u64>>,
    /// The span tree's names, each line indented by two spaces a level.
    pub spans: Option<Vec<String>>,
}

impl Case {
    /// Returns the cart for a trial's call, which only has to end in a decision; `None` if the case expects none or
    /// sets the inventory's answer.
    pub(super) fn tried(self) -> Option<Arc<Cart>> {
        let decides = |outcome: &str| matches!(outcome, "ok" | "insufficient_stock" | "rejected");
        let comes_to_none = self.expected.is_some_and(|expected| !decides(&expected.outcome));
        (!comes_to_none && self.inventory.is_none()).then_some(self.cart)
    }
}

/// A file that is no case.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadCase(String);

impl Case {
    /// Reads a case for a plugin of that kind, in a host's currency if the case names none.
    ///
    /// # Errors
    /// Says what is wrong, where, and what is allowed there.
    pub fn parse(text: &str, kind: Kind, currency: Currency) -> Result<Self, BadCase> {
        // The hooks of track 0.1 are those that a shop has to have.
        if !kind.is_required() {
            return Self::of_hook(text, kind, currency).map_err(BadCase);
        }
        let Object::<Written>(written) = serde_json::from_str(text).map_err(|error| BadCase(error.to_string()))?;
        written.into_case(kind, currency).map_err(BadCase)
    }
}

impl Case {
    /// Reads a case for a hook of track 0.2.
    fn of_hook(text: &str, kind: Kind, currency: Currency) -> Result<Self, String> {
        let WrittenExpected(mut parts) = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let of = |name: &str, parts: &mut Parts| parts.remove(name);
        let set = of("set", &mut parts).map(|set| serde_json::from_str(set.get()));
        let set = set.transpose().map_err(|error| format!("set: {error}"))?.unwrap_or_default();
        let shop = of("shop", &mut parts).map(|shop| serde_json::from_str::<Object<WrittenShop>>(shop.get()));
        let shop = shop.transpose().map_err(|error| format!("shop: {error}"))?;
        let shop = shop.map_or_else(|| Ok(ShopOfCase::default()), |Object(shop)| shop.into_shop())?;
        let currency = shop.currency.unwrap_or(currency);
        let seed = of("seed", &mut parts).map(|seed| serde_json::from_str::<WrittenSeed>(seed.get()));
        let seed = seed.transpose().map_err(|error| format!("seed: {error}"))?;
        let expect = of("expect", &mut parts).map(|expect| serde_json::from_str(expect.get()));
        let expect = expect.transpose().map_err(|error| format!("expect: {error}"))?;
        let (question, cart) = CaseQuestion::read(parts, currency)?;
        hooks::visit(kind, CheckedQuestion(&question))?;
        Ok(Self {
            shop,
            currency,
            set,
            chance: Chance::Free,
            stock: BTreeMap::new(),
            cart: Arc::new(cart),
            inventory: None,
            expected: expect.map(|WrittenExpected(parts)| expected(parts, kind, currency)).transpose()?,
            recorded: seed.map(|WrittenSeed(seed)| Recorded {
                order_id: None,
                placed_at_ms: question.at_ms(),
                seed,
                seen: None,
            }),
            question: Some(Arc::new(question)),
        })
    }
}

/// The question of a case, as its hook checks it.
struct CheckedQuestion<'a>(&'a CaseQuestion);

impl Visitor for CheckedQuestion<'_> {
    type Output = Result<(), String>;

    fn visit<H: Hook>(self) -> Self::Output {
        H::check_case(self.0)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    shop: Option<Object<WrittenShop>>,
    #[serde(default)]
    set: BTreeMap<String, String>,
    #[serde(default)]
    random: Vec<f64>,
    #[serde(default)]
    stock: BTreeMap<WrittenItem, u32>,
    lines: Vec<Object<WrittenLine>>,
    #[serde(default)]
    attributes: WrittenAttributes,
    inventory: Option<InventoryAnswer>,
    expect: Option<WrittenExpected>,
    order: Option<Object<WrittenOrder>>,
    seed: Option<WrittenSeed>,
    levels: Option<Vec<Object<WrittenLevel>>>,
    sells: Option<Vec<Object<WrittenStockLine>>>,
}

/// The order of a recorded call.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenOrder {
    id: Option<u64>,
    placed_at_ms: u64,
}

/// A level that a recorded call was told; null of an item that the stock doesn't have.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLevel {
    item: WrittenItem,
    on_hand: Option<u32>,
}

/// The stock that an order sells where its lines name other items: of bundles.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenStockLine {
    item: WrittenItem,
    quantity: WrittenQuantity,
}

/// A seed, 64 hexadecimal digits.
struct WrittenSeed(Seed);

impl<'de> Deserialize<'de> for WrittenSeed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let is_hex = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let byte = |index: usize| u8::from_str_radix(text.get(2 * index..2 * index + 2).unwrap_or_default(), 16);
        let seed = is_hex.then(|| std::array::from_fn(|index| byte(index).unwrap_or_default()));
        seed.map(Self).ok_or_else(|| D::Error::custom("a seed is 64 hexadecimal digits"))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenShop {
    currency: Option<String>,
    discount_max_percent: Option<u32>,
    added_max_percent: Option<u32>,
    added_max_floor: Option<u32>,
    delivery_cost_max: Option<u32>,
    tax_max_percent: Option<u32>,
}

impl WrittenShop {
    fn into_shop(self) -> Result<ShopOfCase, String> {
        let Self { currency, discount_max_percent, added_max_percent, added_max_floor, .. } = self;
        let (cost_max, tax_percent) = (self.delivery_cost_max, self.tax_max_percent);
        let currency = currency.map(|code| {
            Currency::in_use(&code).map_err(|wanted| format!("shop.currency is {code:?}; wanted is {wanted}"))
        });
        Ok(ShopOfCase {
            currency: currency.transpose()?,
            discount_max_percent: within(
                ("discount_max_percent", "checkout.discount_max_percent"),
                discount_max_percent,
            )?
            .and_then(|percent| u8::try_from(percent).ok()),
            added_max_percent: within(("added_max_percent", "checkout.added_max_percent"), added_max_percent)?,
            added_max_floor: within(("added_max_floor", "checkout.added_max_floor"), added_max_floor)?,
            delivery_cost_max: within(("delivery_cost_max", "delivery.cost_max"), cost_max)?,
            tax_max_percent: within(("tax_max_percent", "tax.max_percent"), tax_percent)?,
        })
    }
}

/// Returns the value, if the host's setting of that key may have it.
fn within((name, key): (&str, &str), value: Option<u32>) -> Result<Option<u32>, String> {
    let range = row(key).and_then(|row| row.range);
    match (value, range) {
        (Some(value), Some((least, most))) if !(least..=most).contains(&value) => {
            Err(format!("shop.{name} is {value}; {least} to {most} are allowed"))
        }
        _ => Ok(value),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenLine {
    item: WrittenItem,
    quantity: WrittenQuantity,
    price: Option<WrittenPrice>,
    #[serde(default)]
    attributes: WrittenAttributes,
}

/// The parts of `expect` by name, each of them once. One of the names is what the plugin's kind decides.
struct WrittenExpected(BTreeMap<String, Box<RawValue>>);

impl<'de> Deserialize<'de> for WrittenExpected {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Parts;

        impl<'de> serde::de::Visitor<'de> for Parts {
            type Value = BTreeMap<String, Box<RawValue>>;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut parts = BTreeMap::new();
                while let Some(name) = map.next_key::<String>()? {
                    if parts.contains_key(&name) {
                        return Err(A::Error::custom(format_args!("duplicate field `{name}`")));
                    }
                    parts.insert(name, map.next_value()?);
                }
                Ok(parts)
            }
        }

        deserializer.deserialize_map(Parts).map(Self)
    }
}

impl Written {
    fn into_case(self, kind: Kind, currency: Currency) -> Result<Case, String> {
        let Self { shop, set, random, stock, lines, attributes, inventory, expect, order, seed, levels, sells } = self;
        let shop = shop.map_or_else(|| Ok(ShopOfCase::default()), |Object(shop)| shop.into_shop())?;
        let currency = shop.currency.unwrap_or(currency);
        if !(1..=LINES_MAX).contains(&lines.len()) {
            return Err(format!("lines has {} entries; 1 to {LINES_MAX} are allowed", lines.len()));
        }
        if !random.iter().all(|number| (0.0..1.0).contains(number)) {
            return Err("random has a number that isn't at least 0 and below 1".to_owned());
        }
        let has_deduct = |kind: Kind| hooks::info(kind).doors.contains(&hooks::DEDUCT);
        if inventory.is_some() && !has_deduct(kind) {
            let kinds = Kind::ALL.into_iter().filter(|kind| has_deduct(*kind)).map(a).collect::<Vec<_>>();
            return Err(format!("inventory is for cases of {} plugin; this is {} plugin", kinds.join(" or "), a(kind)));
        }
        let lines = lines.into_iter().map(|Object(line)| line).collect();
        let mut cart = cart(lines, attributes, currency, hooks::info(kind).is_priced)?;
        if let Some(sells) = sells {
            let line =
                |Object(line): Object<WrittenStockLine>| StockLine { item: line.item.0, quantity: line.quantity.0 };
            cart = cart.with_stock(sells.into_iter().map(line).collect());
        }
        let stock: BTreeMap<_, _> = stock.into_iter().map(|(WrittenItem(item), pieces)| (item, pieces)).collect();
        let seen = levels.map(|levels| {
            let levels = levels.into_iter().map(|Object(level)| (level.item.0, level.on_hand));
            Seen::new(levels.collect(), stock.clone())
        });
        let recorded = match (order, seed) {
            (Some(Object(WrittenOrder { id, placed_at_ms })), Some(WrittenSeed(seed))) => {
                Some(Recorded { order_id: id, placed_at_ms, seed, seen })
            }
            (None, None) if seen.is_none() => None,
            _ => return Err("order, seed and levels are a recording's, and stand together".to_owned()),
        };
        Ok(Case {
            shop,
            currency,
            set,
            chance: if random.is_empty() { Chance::Free } else { Chance::Given(random.into()) },
            stock,
            cart: Arc::new(cart),
            inventory,
            expected: expect.map(|WrittenExpected(parts)| expected(parts, kind, currency)).transpose()?,
            question: None,
            recorded,
        })
    }
}

/// Returns the cart; where it `is_priced`, each line has to have its price.
fn cart(
    lines: Vec<WrittenLine>,
    attributes: WrittenAttributes,
    currency: Currency,
    is_priced: bool,
) -> Result<Cart, String> {
    let line = |(index, line): (usize, WrittenLine)| {
        let unit_price = match line.price {
            Some(price) if is_priced => price.amount(currency)?,
            None if is_priced => return Err(format!("lines[{index}] lacks its price")),
            _ => MinorUnits::ZERO,
        };
        Ok(Line { item: line.item.0, quantity: line.quantity.0, unit_price, attributes: line.attributes.0 })
    };
    let lines = lines.into_iter().enumerate().map(line).collect::<Result<_, String>>()?;
    let cart = Cart::new(lines, attributes.0);
    cart.ok_or_else(|| "the lines' sum is 2^53 minor units or more".to_owned())
}

/// Returns the kind with its article.
fn a(kind: Kind) -> String {
    let article = if kind.as_str().starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {kind}")
}

/// Names the items as the host does, whichever way they were typed.
fn by_item<T>(pieces: BTreeMap<String, T>) -> BTreeMap<String, T> {
    pieces.into_iter().map(|(item, pieces)| (composed(&item).into_owned(), pieces)).collect()
}

/// Returns what is expected of a call of a plugin of that kind.
fn expected(mut parts: BTreeMap<String, Box<RawValue>>, kind: Kind, currency: Currency) -> Result<Expected, String> {
    let own = hooks::info(kind).decision;
    let outcome: String = part(&mut parts, "outcome")?.ok_or("missing field `outcome` in expect")?;
    if !OUTCOMES.contains(&&*outcome) {
        return Err(format!("expect.outcome is {outcome:?}; there are {}", OUTCOMES.join(", ")));
    }
    let decision = part::<Box<RawValue>>(&mut parts, own)?.map(|written| {
        let lines = hooks::visit(kind, WrittenDecision { written: &written, currency });
        lines.map_err(|error| format!("expect.{own}: {error}"))
    });
    let expected = Expected {
        outcome,
        detail: part(&mut parts, "detail")?,
        rejection: part(&mut parts, "rejection")?,
        decision: decision.transpose()?,
        asked: part(&mut parts, "asked")?.map(by_item),
        spans: part(&mut parts, "spans")?,
    };
    if expected.rejection.is_some() && expected.outcome != "rejected" {
        return Err(format!("expect.rejection goes with the outcome rejected, not with {}", expected.outcome));
    }
    for (name, written) in parts {
        match Kind::ALL.into_iter().find(|other| hooks::info(*other).decision == name) {
            Some(_) if written.get() == "null" => {}
            Some(other) => {
                let (other, this) = (a(other), a(kind));
                return Err(format!("expect.{name} is for {other} plugin; what {this} decides is expect.{own}"));
            }
            None => {
                return Err(format!(
                    "unknown field `{name}` in expect, expected one of `outcome`, `detail`, `rejection`, `{own}`, `asked`, `spans`"
                ));
            }
        }
    }
    Ok(expected)
}

/// Takes a part of what is expected, if it is there and not `null`.
fn part<T: DeserializeOwned>(parts: &mut BTreeMap<String, Box<RawValue>>, name: &str) -> Result<Option<T>, String> {
    let Some(written) = parts.remove(name) else { return Ok(None) };
    serde_json::from_str(written.get()).map_err(|error| format!("expect.{name}: {error}"))
}

/// What is expected of a decision, as its kind's hook reads it.
struct WrittenDecision<'a> {
    written: &'a RawValue,
    currency: Currency,
}

impl Visitor for WrittenDecision<'_> {
    type Output = Result<ExpectedDecision, String>;

    fn visit<H: Hook>(self) -> Self::Output {
        H::expected(self.written, self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, kind: Kind) -> Result<Case, String> {
        Case::parse(text, kind, Currency::of_code("USD").expect("a code")).map_err(|bad| bad.to_string())
    }

    #[test]
    fn what_is_no_case_is_refused_with_what_would_be() {
        let check = |kind: Kind, text: &str, expected: &str| {
            let refused = parse(text, kind).expect_err(text);
            assert!(refused.contains(expected), "{refused:?} lacks {expected:?}");
        };
        let line = r#"{"item":"a","quantity":1,"price":1}"#;
        let with = |more: &str| format!(r#"{{"lines":[{line}],{more}}}"#);
        check(Kind::Checkout, "{", "line 1 column 1");
        check(Kind::Checkout, "{}", "missing field `lines`");
        check(Kind::Checkout, r#"{"lines":[]}"#, "1 to 100");
        check(
            Kind::Checkout,
            &with(r#""expected":{}"#),
            "unknown field `expected`, expected one of `shop`, `set`, `random`",
        );
        check(Kind::Checkout, &with(r#""expect":{"outcome":"ok","outcome":"ok"}"#), "duplicate field `outcome`");
        check(Kind::Checkout, &with(r#""expect":{"detail":"no"}"#), "missing field `outcome`");
        check(Kind::Checkout, &with(r#""expect":{"outcome":"ok","sum":1}"#), "unknown field `sum`");
        check(Kind::Checkout, &with(r#""expect":["ok"]"#), "expected an object");
        check(Kind::Checkout, &with(r#""expect":{"outcome":"ok","rejection":"x"}"#), "goes with the outcome rejected");
        let attributes = r#""expect":{"outcome":"ok","receipt":{"total":1,"attributes":{"a":[]}}}"#;
        check(Kind::Checkout, &with(attributes), "an attribute is a text, a number or a boolean");
        check(Kind::Checkout, &with(r#""shop":{"currency":"HRK"}"#), "Say EUR instead");
        check(Kind::Checkout, &with(r#""shop":{"discount_max_percent":101}"#), "0 to 100 are allowed");
        check(Kind::Checkout, &with(r#""shop":{"floor":1}"#), "unknown field `floor`, expected one of `currency`");
        check(
            Kind::Checkout,
            &with(r#""shop":{"currency":"JPY"},"expect":{"outcome":"ok","receipt":{"total":1.5}}"#),
            "JPY",
        );
        check(Kind::Checkout, &with(r#""expect":{"outcome":"OK"}"#), "there are ok, insufficient_stock");
        check(Kind::Checkout, &with(r#""expect":{"outcome":"ok","levels":{}}"#), "is for an inventory plugin");
        check(Kind::Inventory, &with(r#""expect":{"outcome":"ok","receipt":{"total":1}}"#), "is for a checkout plugin");
        check(Kind::Inventory, &with(r#""inventory":{"other":"x"}"#), "is for cases of a checkout plugin");
        check(Kind::Checkout, &with(r#""inventory":{"broken":"x"}"#), "unknown variant `broken`");
        check(Kind::Checkout, &with(r#""random":[1.0]"#), "below 1");
        check(Kind::Checkout, &with(r#""stock":{" a":1}"#), "without white space");
        check(Kind::Checkout, &with(r#""expect":{"outcome":"ok","receipt":{"total":1.001}}"#), "more decimals");
    }

    #[test]
    fn what_is_null_is_not_expected() {
        let expect =
            r#""expect":{"outcome":"ok","detail":null,"receipt":null,"levels":null,"asked":null,"spans":null}"#;
        let text = format!(r#"{{"lines":[{{"item":"a","quantity":1,"price":1}}],{expect}}}"#);
        let expected = parse(&text, Kind::Checkout).expect("a case").expected.expect("an outcome");
        assert!(expected.detail.is_none() && expected.decision.is_none(), "{expected:?}");
        assert!(expected.asked.is_none() && expected.spans.is_none(), "{expected:?}");
    }

    #[test]
    fn only_a_checkout_needs_prices() {
        let text = r#"{"lines":[{"item":"a","quantity":2}]}"#;
        assert!(parse(text, Kind::Inventory).is_ok());
        assert_eq!(parse(text, Kind::Checkout).expect_err("no price"), "lines[0] lacks its price");
    }
}
