//! What a plugin of track 0.2 is asked about: the cart as the hooks before it left it, and what its own hook adds.

use std::{fmt, sync::Arc};

use serde::Serialize;

use super::{Placed, recorded::Attributes};
use crate::{
    facts::Facts,
    imports::bindings::v0_2::till::plugin::{menus, types},
    order::{Attribute, AttributeValue, Cart, Currency, Item, MinorUnits},
    pricing::{
        Basket, BasketLine, ClientLine, LineId,
        delivery::{DayRange, DeliveryChoices, DeliveryGroup, DeliveryKind, DeliveryOption, OfferedOption},
        transform::Catalogue,
    },
    recordings::Body,
    runtime::Likeness,
};

/// Whether an order can come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Quote,
    Checkout,
}

/// What is the same at all hooks of a request.
pub struct Request {
    pub purpose: Purpose,
    /// Unix time, milliseconds.
    pub at_ms: u64,
    pub currency: Currency,
    /// What the client sent besides the lines.
    pub attributes: Vec<Attribute>,
    /// The entered codes, as typed.
    pub codes: Vec<String>,
    /// What the shop knows of items.
    pub catalogue: Arc<dyn Catalogue + Send + Sync>,
}

impl fmt::Debug for Request {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Request").field("purpose", &self.purpose).finish_non_exhaustive()
    }
}

/// A question to one plugin. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Question<Rest> {
    pub request: Arc<Request>,
    pub basket: Arc<Basket>,
    /// What only this hook is asked about.
    pub rest: Rest,
}

impl Question<()> {
    /// Returns the question that a trial asks about an order: every item is known, and nothing is entered.
    pub(super) fn of_trial(placed: &Placed) -> Self {
        let Placed { placed_at_ms, currency, cart, .. } = placed;
        let request = Request {
            purpose: Purpose::Checkout,
            at_ms: *placed_at_ms,
            currency: *currency,
            attributes: cart.attributes().to_vec(),
            codes: Vec::new(),
            catalogue: Arc::new(Facts::all_known()),
        };
        let basket = basket_of(cart, &Facts::all_known());
        Self { request: Arc::new(request), basket: Arc::new(basket), rest: () }
    }
}

/// Returns the basket of a client's lines, with the catalogue's titles.
///
/// # Panics
/// Never: a cart has lines, and a sum that a basket can have.
#[expect(clippy::expect_used, reason = "a cart has the same limits as a basket")]
#[must_use]
pub fn basket_of(cart: &Cart, catalogue: &(impl Catalogue + ?Sized)) -> Basket {
    let line = |line: &crate::order::Line| ClientLine {
        title: catalogue.title(&line.item).unwrap_or_else(|| line.item.to_string()),
        item: line.item.clone(),
        quantity: line.quantity,
        unit_price: line.unit_price,
        attributes: line.attributes.clone(),
    };
    Basket::new(cart.lines().iter().map(line).collect()).expect("a basket")
}

/// A shop's catalogue, and whether the stock knows an item that the catalogue doesn't.
impl Catalogue for Facts {
    fn known(&self, item: &Item) -> bool {
        self.product(item).is_some()
    }

    fn price(&self, item: &Item) -> Option<MinorUnits> {
        self.product(item)?.price
    }

    fn title(&self, item: &Item) -> Option<String> {
        Some(self.product(item)?.title.clone())
    }
}

impl<Rest> Question<Rest> {
    /// Returns the question with something else of its own.
    pub fn with<Other>(&self, rest: Other) -> Question<Other> {
        Question { request: Arc::clone(&self.request), basket: Arc::clone(&self.basket), rest }
    }

    /// Returns the likeness of calls with such a cart: by its items and the keys of its attributes.
    pub(super) fn likeness(&self) -> Likeness {
        let of_line = self.basket.lines().iter().flat_map(|line| {
            std::iter::once(line.item.as_str()).chain(line.attributes.iter().map(|attribute| attribute.key.as_str()))
        });
        Likeness::of(of_line.chain(self.request.attributes.iter().map(|attribute| attribute.key.as_str())))
    }

    pub(super) fn cart(&self) -> types::Cart {
        let Request { purpose, at_ms, currency, attributes, codes, .. } = &*self.request;
        types::Cart {
            purpose: match purpose {
                Purpose::Quote => types::Purpose::Quote,
                Purpose::Checkout => types::Purpose::Checkout,
            },
            at_ms: *at_ms,
            currency: types::Currency { code: currency.code().to_owned(), decimals: currency.decimals() },
            lines: self.basket.lines().iter().map(line).collect(),
            attributes: attributes.iter().map(attribute).collect(),
            codes: codes.clone(),
        }
    }
}

/// Writes the cart as a case has it.
pub(super) fn record<Rest>(question: &Question<Rest>, body: &mut Body) {
    let Request { purpose, at_ms, currency, attributes, codes, .. } = &*question.request;
    let cart = RecordedCart {
        purpose: match purpose {
            Purpose::Quote => "quote",
            Purpose::Checkout => "checkout",
        },
        at_ms: *at_ms,
        currency: RecordedCurrency { code: currency.code(), decimals: currency.decimals() },
        lines: question.basket.lines().iter().map(recorded_line).collect(),
        attributes: Attributes(attributes),
        codes,
    };
    body.member("cart", &cart);
}

#[derive(Serialize)]
struct RecordedCart<'a> {
    purpose: &'static str,
    at_ms: u64,
    currency: RecordedCurrency<'a>,
    lines: Vec<RecordedLine<'a>>,
    attributes: Attributes<'a>,
    codes: &'a [String],
}

#[derive(Serialize)]
struct RecordedCurrency<'a> {
    code: &'a str,
    decimals: u8,
}

#[derive(Serialize)]
struct RecordedLine<'a> {
    id: LineId,
    item: &'a str,
    title: &'a str,
    quantity: u32,
    unit_price: MinorUnits,
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle: Option<LineId>,
    attributes: Attributes<'a>,
}

/// Writes the groups and their options, each at its cost after discounts, as the plugin sees it.
pub(super) fn record_choices(choices: &[DeliveryChoices], body: &mut Body) {
    #[derive(Serialize)]
    struct Recorded<'a> {
        group: &'a DeliveryGroup,
        options: Vec<DeliveryOption>,
    }

    let option = |of: &OfferedOption| DeliveryOption { cost: of.left(), ..of.option.clone() };
    let choices =
        choices.iter().map(|of| Recorded { group: &of.group, options: of.options.iter().map(option).collect() });
    body.member("choices", &choices.collect::<Vec<_>>());
}

fn recorded_line(of: &BasketLine) -> RecordedLine<'_> {
    RecordedLine {
        id: of.id,
        item: of.item.as_str(),
        title: &of.title,
        quantity: of.quantity.pieces(),
        unit_price: of.unit_price,
        bundle: of.bundle,
        attributes: Attributes(&of.attributes),
    }
}

fn line(of: &BasketLine) -> types::Line {
    types::Line {
        id: of.id.0,
        item: of.item.as_str().to_owned(),
        title: of.title.clone(),
        quantity: of.quantity.pieces(),
        unit_price: of.unit_price.amount(),
        bundle: of.bundle.map(|bundle| bundle.0),
        attributes: of.attributes.iter().map(attribute).collect(),
    }
}

fn attribute(Attribute { key, value }: &Attribute) -> types::Attribute {
    let value = match value {
        AttributeValue::Text(text) => types::AttributeValue::Text(text.clone()),
        AttributeValue::Integer(number) => types::AttributeValue::Integer(*number),
        AttributeValue::Decimal(number) => types::AttributeValue::Decimal(*number),
        AttributeValue::Flag(flag) => types::AttributeValue::Flag(*flag),
    };
    types::Attribute { key: key.clone(), value }
}

pub(super) fn group(of: &DeliveryGroup) -> menus::DeliveryGroup {
    menus::DeliveryGroup { id: of.id.0, lines: of.lines.iter().map(|line| line.0).collect() }
}

pub(super) fn choices(of: &DeliveryChoices) -> menus::DeliveryChoices {
    menus::DeliveryChoices { group: group(&of.group), options: of.options.iter().map(option).collect() }
}

fn option(of: &OfferedOption) -> menus::DeliveryOption {
    let option = of.option.clone();
    menus::DeliveryOption {
        handle: option.handle,
        title: option.title,
        description: option.description,
        kind: match option.kind {
            DeliveryKind::Shipping => menus::DeliveryKind::Shipping,
            DeliveryKind::LocalDelivery => menus::DeliveryKind::LocalDelivery,
            DeliveryKind::Pickup => menus::DeliveryKind::Pickup,
            DeliveryKind::PickupPoint => menus::DeliveryKind::PickupPoint,
            DeliveryKind::Digital => menus::DeliveryKind::Digital,
        },
        cost: of.left().amount(),
        days: option.days.map(|DayRange { earliest, latest }| menus::DayRange { earliest, latest }),
        location: option.location,
        attributes: of.option.attributes.iter().map(attribute).collect(),
    }
}
