//! What a call's recording says: the parts of the case that repeats the call, in the form that a case has.
//!
//! A recording of track 0.1 has the parts of an author's case and those that only a recording needs: the order's number and time, the
//! levels of stock that the call was told, the stock that the order sells. `hooks/case.rs` reads those of track 0.2.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::value::{RawValue, to_raw_value};

use super::{Hook, info};
use crate::{
    failure::Failure,
    imports::{CallState, inventory::Deducted, stock::Seen, v0_2::http},
    order::{Attribute, AttributeValue, Currency, Item, Line, MinorUnits, Receipt, StockLine, sum_by_item},
    outbound::{HttpError, Response},
    recordings::{Body, Outcome},
    store::StockLevel,
};

/// Writes what depends on the answer, and returns how the call ended.
pub(super) fn ended<H: Hook>(
    asked: &H::Asked,
    result: &Result<H::Decided, Failure>,
    stock: &[StockLine],
    imports: &CallState,
    body: &mut Body,
) -> Outcome {
    let outcome = outcome::<H>(imports.at(), result);
    H::record_after(asked, result, imports, body);
    if outcome.is_decided {
        body.member("expect", &expected::<H>(asked, result, &outcome.code, stock));
    }
    outcome
}

fn outcome<H: Hook>(at: super::Installation, result: &Result<H::Decided, Failure>) -> Outcome {
    match result {
        Ok(decided) => Outcome { code: "ok".into(), is_error: false, is_decided: true, total: H::total(decided) },
        Err(failure) => {
            let is_decided = !failure.is_of_host() || failure.at_fault() == Some(at);
            Outcome { code: failure.code().into(), is_error: failure.is_error(), is_decided, total: None }
        }
    }
}

/// Returns what the case expects.
fn expected<'a, H: Hook>(
    asked: &H::Asked,
    result: &'a Result<H::Decided, Failure>,
    outcome: &'a str,
    stock: &[StockLine],
) -> Expected<'a> {
    let decision = result.as_ref().ok().and_then(|decided| H::recorded_decision(asked, decided));
    // Only a rejection's text is the plugin's alone; others name the place of the plugin, too.
    let (rejection, detail) = match result {
        Err(Failure::Rejected { code, message }) => (Some(code.as_str()), Some(message.as_str())),
        _ => (None, None),
    };
    // The hooks of track 0.2 reach no stock.
    let stock = H::KIND.is_required().then(|| Pieces(sum_by_item(stock)));
    Expected { outcome, detail, rejection, decision: (info(H::KIND).decision, decision), stock }
}

/// What a case expects.
struct Expected<'a> {
    outcome: &'a str,
    detail: Option<&'a str>,
    rejection: Option<&'a str>,
    decision: (&'static str, Option<Box<RawValue>>),
    stock: Option<Pieces>,
}

impl Serialize for Expected<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("outcome", self.outcome)?;
        if let Some(detail) = self.detail {
            map.serialize_entry("detail", detail)?;
        }
        if let Some(rejection) = self.rejection {
            map.serialize_entry("rejection", rejection)?;
        }
        if let (name, Some(decision)) = &self.decision {
            map.serialize_entry(name, decision)?;
        }
        if let Some(stock) = &self.stock {
            map.serialize_entry("asked", stock)?;
        }
        map.end()
    }
}

/// Pieces by item.
struct Pieces(BTreeMap<Item, u64>);

impl Serialize for Pieces {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(item, pieces)| (item.as_str(), pieces)))
    }
}

/// Attributes as an object of plain values.
pub(super) struct Attributes<'a>(pub(super) &'a [Attribute]);

impl Serialize for Attributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for Attribute { key, value } in self.0 {
            match value {
                AttributeValue::Text(text) => map.serialize_entry(key, text)?,
                AttributeValue::Integer(number) => map.serialize_entry(key, number)?,
                AttributeValue::Decimal(number) => map.serialize_entry(key, number)?,
                AttributeValue::Flag(flag) => map.serialize_entry(key, flag)?,
            }
        }
        map.end()
    }
}

fn is_empty(attributes: &Attributes<'_>) -> bool {
    attributes.0.is_empty()
}

/// The order that a recorded call was about.
#[derive(Serialize)]
pub(super) struct RecordedOrder {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<u64>,
    pub(super) placed_at_ms: u64,
}

/// A line of an order, with its price as a decimal.
#[derive(Serialize)]
pub(super) struct RecordedLine<'a> {
    item: &'a str,
    quantity: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Box<RawValue>>,
    #[serde(skip_serializing_if = "is_empty")]
    attributes: Attributes<'a>,
}

impl<'a> RecordedLine<'a> {
    pub(super) fn of(Line { item, quantity, unit_price, attributes }: &'a Line, currency: Currency) -> Self {
        Self {
            item: item.as_str(),
            quantity: quantity.pieces(),
            price: Some(decimal(currency, *unit_price)),
            attributes: Attributes(attributes),
        }
    }

    pub(super) fn of_stock(StockLine { item, quantity }: &'a StockLine) -> Self {
        Self { item: item.as_str(), quantity: quantity.pieces(), price: None, attributes: Attributes(&[]) }
    }
}

/// Returns an amount as an exact JSON number.
fn decimal(currency: Currency, amount: MinorUnits) -> Box<RawValue> {
    RawValue::from_string(currency.format(amount)).unwrap_or_else(|_| RawValue::NULL.to_owned())
}

/// A receipt as a case expects it.
#[derive(Serialize)]
struct RecordedReceipt<'a> {
    total: Box<RawValue>,
    adjustments: Vec<RecordedAdjustment<'a>>,
    attributes: Attributes<'a>,
}

#[derive(Serialize)]
struct RecordedAdjustment<'a> {
    effect: &'static str,
    category: &'a str,
    label: &'a str,
    amount: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u32>,
}

pub(super) fn receipt(receipt: &Receipt, currency: Currency) -> Option<Box<RawValue>> {
    let adjustments = receipt.adjustments().iter().map(|of| RecordedAdjustment {
        effect: of.effect.as_str(),
        category: &of.category,
        label: &of.label,
        amount: decimal(currency, of.amount),
        line: of.line,
    });
    let receipt = RecordedReceipt {
        total: decimal(currency, receipt.total()),
        adjustments: adjustments.collect(),
        attributes: Attributes(receipt.attributes()),
    };
    to_raw_value(&receipt).ok()
}

/// What the inventory answered a checkout's deduct, in the form of a case.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum RecordedAnswer<'a> {
    Levels(BTreeMap<&'a str, u32>),
    OutOfStock { item: &'a str, requested: u32, available: u32 },
    Rejected { code: &'a str, message: &'a str },
    Conflict(&'a str),
    Other(&'a str),
    Unavailable(String),
}

impl<'a> RecordedAnswer<'a> {
    /// Returns the answer; without a deduct, the one that a deduct of another version gets.
    pub(super) fn of(deducted: Option<&'a Deducted>) -> Self {
        let Some(Deducted { result, .. }) = deducted else { return Self::Levels(BTreeMap::new()) };
        match result {
            Ok(levels) => {
                Self::Levels(levels.iter().map(|StockLevel { item, on_hand }| (item.as_str(), *on_hand)).collect())
            }
            Err(Failure::OutOfStock { item, requested, available }) => {
                Self::OutOfStock { item: item.as_str(), requested: *requested, available: *available }
            }
            Err(Failure::Rejected { code, message }) => Self::Rejected { code, message },
            Err(Failure::Conflict(undecided)) => Self::Conflict(&undecided.message),
            Err(Failure::Other(undecided)) => Self::Other(&undecided.message),
            Err(other) => Self::Unavailable(other.to_string()),
        }
    }
}

/// A level of stock that an inventory call was told; `None` of an item that the stock doesn't have.
#[derive(Serialize)]
struct RecordedLevel<'a> {
    item: &'a str,
    on_hand: Option<u32>,
}

/// Writes what an inventory call saw of the stock.
pub(super) fn seen(seen: &Seen, body: &mut Body) {
    let before = seen.levels_before().iter().map(|(item, on_hand)| (item.as_str(), *on_hand));
    body.member("stock", &before.collect::<BTreeMap<_, _>>());
    let told = seen.levels().iter().map(|(item, on_hand)| RecordedLevel { item: item.as_str(), on_hand: *on_hand });
    body.member("levels", &told.collect::<Vec<_>>());
}

/// What others answered a request, in the form of a case.
#[derive(Serialize)]
pub(super) struct RecordedHttp<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    headers: Vec<RecordedHeader<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'static str>,
}

#[derive(Serialize)]
struct RecordedHeader<'a> {
    name: &'a str,
    value: &'a str,
}

impl<'a> RecordedHttp<'a> {
    pub(super) fn of(answer: &'a http::Answer) -> Self {
        let nothing = Self { status: None, headers: Vec::new(), body: None, error: None };
        let error = match answer {
            Ok(Response { status, headers, body }) => {
                let headers = headers.iter().map(|(name, value)| RecordedHeader { name, value }).collect();
                // A case has texts only: of a body that is none, what can be read is kept.
                let body = Some(String::from_utf8_lossy(body));
                return Self { status: Some(*status), headers, body, error: None };
            }
            Err(HttpError::NotGranted(_)) => "not-granted",
            Err(HttpError::NotSent(_)) => "not-sent",
            Err(HttpError::Unknown(_)) => "unknown",
            Err(HttpError::TooLarge) => "too-large",
        };
        Self { error: Some(error), ..nothing }
    }
}
