//! The checkout hook: a plugin decides about an order's adjustments and total, and has its stock deducted.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value, json, value::RawValue};

use super::{
    CaseQuestion, Compared, ExpectedDecision, Hook, HookInfo, Installation, Kind, RealStock, Rules, Shown,
    answer::{Asked, bad, refusal},
    recorded::{self, Attributes, RecordedAnswer, RecordedLine, RecordedOrder},
};
use crate::{
    failure::{Failure, Undecided},
    imports::{
        CallState, Misuse, attribute_to_guest, attributes_from_guest,
        bindings::{
            checkout_world::{self, CheckoutError},
            types,
        },
        currency_to_guest,
        inventory::{self, Deducted, Repeat},
        line_to_guest,
    },
    order::{
        Adjustment, Attribute, AttributeValue, Cart, Currency, Effect, Form, MinorUnits, Receipt, StockLine,
        sum_by_item,
        written::{Object, WrittenAttributes, WrittenPrice},
    },
    recordings::Body,
    runtime::{CallLimits, Likeness},
    store::{OrderId, Store},
    telemetry::names::span,
};

pub(super) static INFO: HookInfo = HookInfo {
    function: "checkout",
    doors: &[super::DEDUCT],
    span: span::CHECKOUT,
    parameter: "order",
    decision: "receipt",
    is_priced: true,
    installed_max: 1,
    may_be_skipped: false,
    owns_money: false,
    call_limits: |limits| CallLimits::of_call(limits, limits.checkout_call_ms, "checkout_call_ms"),
    built_in: Some(include_bytes!(env!("BUILT_CHECKOUT_PLUGIN"))),
    track: &super::track::V0_1,
};

const AT: Installation = Installation::of(Kind::Checkout);

/// The hook of a whole order.
#[derive(Debug)]
pub struct Checkout;

/// An order that is placed: what a checkout plugin decides about.
#[derive(Debug, Clone)]
pub struct Placed {
    pub id: OrderId,
    /// Unix time, milliseconds.
    pub placed_at_ms: u64,
    pub currency: Currency,
    pub cart: Arc<Cart>,
    /// What a case asks a hook of track 0.2; `None` in a checkout and a trial.
    pub case: Option<Arc<CaseQuestion>>,
}

impl Hook for Checkout {
    const KIND: Kind = Kind::Checkout;

    type Asked = Placed;
    type Offered = checkout_world::Order;
    type Returned = Result<checkout_world::Receipt, CheckoutError>;
    type Decided = Receipt;
    type Door = inventory::Door;
    type Met = Option<Deducted>;

    fn asked(placed: &Placed) -> Placed {
        placed.clone()
    }

    fn offered(placed: &Placed) -> checkout_world::Order {
        checkout_world::Order {
            id: placed.id.number(),
            placed_at_ms: placed.placed_at_ms,
            currency: currency_to_guest(placed.currency),
            lines: placed.cart.lines().iter().map(line_to_guest).collect(),
            attributes: placed.cart.attributes().iter().map(attribute_to_guest).collect(),
        }
    }

    fn likeness(placed: &Placed) -> Likeness {
        Self::likeness_in(&placed.cart)
    }

    fn likeness_in(cart: &Cart) -> Likeness {
        let of_line = cart.lines().iter().flat_map(|line| {
            std::iter::once(line.item.as_str()).chain(line.attributes.iter().map(|attribute| attribute.key.as_str()))
        });
        Likeness::of(of_line.chain(cart.attributes().iter().map(|attribute| attribute.key.as_str())))
    }

    fn open(imports: &mut CallState, door: inventory::Door) {
        imports.inventory = Some(door);
    }

    fn real(stock: RealStock) -> inventory::Door {
        inventory::Door::new(stock.deduct)
    }

    fn repeating(met: Option<Deducted>, _: &Store) -> inventory::Door {
        inventory::Door::new(Box::new(Repeat(met)))
    }

    fn standing_in(_: Option<&CaseQuestion>) -> inventory::Door {
        inventory::Door::new(Box::new(Repeat(None)))
    }

    fn met(imports: &CallState) -> (Option<Deducted>, Vec<StockLine>) {
        let Some(deducted) = imports.inventory.as_ref().and_then(inventory::Door::deducted) else {
            return Default::default();
        };
        (deducted.repeated(), deducted.lines.clone())
    }

    fn asked_of_stock(imports: &CallState) -> Vec<StockLine> {
        let deducted = imports.inventory.as_ref().and_then(inventory::Door::deducted);
        deducted.map(|deducted| deducted.lines.clone()).unwrap_or_default()
    }

    fn record(placed: &Placed, imports: &CallState, body: &mut Body) {
        let Placed { id, placed_at_ms, currency, cart, .. } = placed;
        body.member("order", &RecordedOrder { id: Some(id.number()), placed_at_ms: *placed_at_ms });
        let lines = cart.lines().iter().map(|line| RecordedLine::of(line, *currency));
        body.member("lines", &lines.collect::<Vec<_>>());
        if !cart.attributes().is_empty() {
            body.member("attributes", &Attributes(cart.attributes()));
        }
        if let Some(stock) = cart.other_stock() {
            body.member("sells", &stock.iter().map(RecordedLine::of_stock).collect::<Vec<_>>());
        }
        let deducted = imports.inventory.as_ref().and_then(inventory::Door::deducted);
        body.member("inventory", &RecordedAnswer::of(deducted));
    }

    fn recorded_decision(placed: &Placed, decided: &Receipt) -> Option<Box<RawValue>> {
        recorded::receipt(decided, placed.currency)
    }

    /// Accepts the receipt if its sums are right and exactly what the cart sells was taken.
    fn believed(
        placed: &Placed,
        returned: Result<Self::Returned, Failure>,
        imports: &mut CallState,
        rules: Rules,
    ) -> Result<Receipt, Failure> {
        let deducted = imports.inventory.take().and_then(inventory::Door::into_deducted);
        // A fault below the plugin counts, whatever the plugin answered.
        let deducted = match deducted {
            Some(Deducted { result: Err(failure), .. }) if failure.is_of_host() => return Err(failure),
            other => other,
        };
        let cart = &*placed.cart;
        let receipt = match returned? {
            Ok(receipt) => receipt,
            Err(error) => return Err(refused(error, cart, deducted.as_ref(), imports)),
        };
        imports.count_bytes(receipt_bytes(&receipt)).map_err(|misuse| bad_receipt(&misuse))?;
        imports
            .check_receipt(receipt.adjustments.len(), receipt.attributes.len())
            .and_then(|()| check_texts(&receipt, imports))
            .map_err(|misuse| bad_receipt(&misuse))?;
        let sold = sum_by_item(&cart.stock_lines());
        match deducted {
            None => return Err(bad_receipt(&"it answered ok without asking inventory.deduct for the order's lines")),
            Some(Deducted { result: Err(failure), .. }) => {
                return Err(bad_receipt(&format_args!("it answered ok although the inventory refused: {failure}")));
            }
            Some(Deducted { lines, .. }) if sum_by_item(&lines) != sold => {
                return Err(bad_receipt(&"what it asked inventory.deduct for is not what the order's lines sell"));
            }
            Some(_) => {}
        }
        let adjustments = receipt.adjustments.into_iter().map(adjustment).collect::<Option<Vec<_>>>();
        let adjustments =
            adjustments.ok_or_else(|| bad_receipt(&"an adjustment's amount is 2^53 minor units or more"))?;
        let attributes = attributes_from_guest(receipt.attributes);
        Receipt::checked(cart, adjustments, receipt.total, attributes, rules.caps).map_err(|bad| bad_receipt(&bad))
    }

    fn total(receipt: &Receipt) -> Option<u64> {
        Some(receipt.total().amount())
    }

    fn compared(receipt: &Receipt) -> Compared {
        Compared { total: Self::total(receipt), adjustments: receipt.adjustments().to_vec(), decision: None }
    }

    fn shown(receipt: &Receipt, currency: Currency) -> Shown {
        Shown {
            name: INFO.decision,
            title: "receipt",
            lines: receipt_lines(receipt.total(), receipt.adjustments(), currency),
            attributes: attribute_lines(receipt.attributes()),
            json: receipt_json(receipt, currency),
        }
    }

    fn expected(written: &RawValue, currency: Currency) -> Result<ExpectedDecision, String> {
        let Object::<WrittenReceipt>(written) =
            serde_json::from_str(written.get()).map_err(|error| error.to_string())?;
        let adjustments = written.adjustments.into_iter().map(|adjustment| adjustment.into_adjustment(currency));
        let adjustments = adjustments.collect::<Result<Vec<_>, String>>()?;
        Ok(ExpectedDecision {
            lines: receipt_lines(written.total.amount(currency)?, &adjustments, currency),
            attributes: written.attributes.map(|WrittenAttributes(attributes)| attribute_lines(&attributes)),
        })
    }
}

/// Returns the failure that the plugin's "no" means. If the inventory decided nothing, the inventory is the
/// cause.
fn refused(error: CheckoutError, cart: &Cart, deducted: Option<&Deducted>, imports: &mut CallState) -> Failure {
    let told = deducted.and_then(|deducted| deducted.result.as_ref().err());
    let by = told.and_then(Failure::undecided).map_or(Some(AT), |Undecided { by, .. }| *by);
    refusal(error, Asked { at: AT, lines: &cart.stock_lines(), told }, by, imports)
}

/// Checks the texts of a receipt, which are kept with the order.
fn check_texts(receipt: &checkout_world::Receipt, imports: &CallState) -> Result<(), Misuse> {
    for adjustment in &receipt.adjustments {
        imports.check_text("the category of an adjustment", &adjustment.category, Form::Line)?;
        imports.check_text("the label of an adjustment", &adjustment.label, Form::Line)?;
    }
    for attribute in &receipt.attributes {
        imports.check_text("the key of an attribute", &attribute.key, Form::Word)?;
        if let types::AttributeValue::Text(text) = &attribute.value {
            imports.check_text("the text of an attribute", text, Form::Lines)?;
        }
    }
    Ok(())
}

/// Returns the adjustment, `None` for an amount that no currency holds.
fn adjustment(adjustment: checkout_world::Adjustment) -> Option<Adjustment> {
    let effect = match adjustment.effect {
        checkout_world::Effect::Subtract => Effect::Subtract,
        checkout_world::Effect::Add => Effect::Add,
        checkout_world::Effect::Included => Effect::Included,
    };
    Some(Adjustment {
        effect,
        category: adjustment.category,
        label: adjustment.label,
        amount: MinorUnits::new(adjustment.amount)?,
        line: adjustment.line,
    })
}

fn bad_receipt(reason: &dyn std::fmt::Display) -> Failure {
    bad(AT, reason)
}

fn receipt_bytes(receipt: &checkout_world::Receipt) -> usize {
    let of = |adjustment: &checkout_world::Adjustment| {
        size_of::<checkout_world::Adjustment>() + adjustment.category.len() + adjustment.label.len()
    };
    receipt.adjustments.iter().map(of).sum::<usize>() + crate::imports::attribute_bytes(&receipt.attributes)
}

/// A receipt as a case expects it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenReceipt {
    total: WrittenPrice,
    #[serde(default)]
    adjustments: Vec<WrittenAdjustment>,
    attributes: Option<WrittenAttributes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAdjustment {
    effect: String,
    category: String,
    label: String,
    amount: WrittenPrice,
    line: Option<u32>,
}

impl WrittenAdjustment {
    fn into_adjustment(self, currency: Currency) -> Result<Adjustment, String> {
        let Self { effect, category, label, amount: written, line } = self;
        let effect = Effect::parse(&effect)
            .ok_or_else(|| format!("an effect is {effect:?}; there are subtract, add and included"))?;
        Ok(Adjustment { effect, category, label, amount: written.amount(currency)?, line })
    }
}

/// Returns a receipt as lines to read, the total last.
fn receipt_lines(total: MinorUnits, adjustments: &[Adjustment], currency: Currency) -> Vec<String> {
    let adjustment = |adjustment: &Adjustment| {
        let Adjustment { effect, category, label, amount, line } = adjustment;
        let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
        format!("{} {} {category}: {label}{line}", effect.as_str(), currency.format(*amount))
    };
    let total = format!("total {} {currency}", currency.format(total));
    adjustments.iter().map(adjustment).chain(std::iter::once(total)).collect()
}

/// Returns attributes as lines to read, by key: a receipt's order of them means nothing.
fn attribute_lines(attributes: &[Attribute]) -> Vec<String> {
    let mut lines: Vec<_> =
        attributes.iter().map(|attribute| format!("{} {}", attribute.key, attribute_json(&attribute.value))).collect();
    lines.sort_unstable();
    lines
}

fn attribute_json(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::Text(text) => json!(text),
        AttributeValue::Integer(number) => json!(number),
        AttributeValue::Decimal(number) => json!(number),
        AttributeValue::Flag(flag) => json!(flag),
    }
}

fn receipt_json(receipt: &Receipt, currency: Currency) -> Value {
    let adjustment = |adjustment: &Adjustment| {
        let Adjustment { effect, category, label, amount, line } = adjustment;
        let amount = currency.format(*amount);
        json!({ "effect": effect.as_str(), "category": category, "label": label, "amount": amount, "line": line })
    };
    let attributes = receipt.attributes().iter();
    let attributes = attributes.map(|attribute| (attribute.key.clone(), attribute_json(&attribute.value)));
    json!({
        "total": currency.format(receipt.total()),
        "currency": currency.code(),
        "adjustments": receipt.adjustments().iter().map(adjustment).collect::<Vec<_>>(),
        "attributes": attributes.collect::<Map<_, _>>(),
    })
}
