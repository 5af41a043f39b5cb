//! What a quote shows of the hooks of track 0.2: delivery, payment, codes, sums, and what doesn't count.

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::{answer::money, problem::ViolationJson};
#[cfg(test)]
use crate::schema;
use crate::{
    order::Currency,
    pricing::{
        HooksDecided, LeftOut,
        codes::CodeAnswer,
        delivery::{DayRange, DeliveryChoices, OfferedOption},
        menu::PaymentMethod,
        offers::Dropped,
        total::{Priced, Sums},
    },
};

/// What the plugins at the hooks decided about the cart.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "HooksDecided"))]
pub(super) struct DecidedJson {
    /// The sums that make the total. Absent where a checkout plugin prices the cart.
    #[serde(skip_serializing_if = "Option::is_none")]
    sums: Option<SumsJson>,
    /// The ways of delivery, by group of lines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    delivery: Vec<DeliveryJson>,
    /// The ways to pay.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    payment_methods: Vec<MethodJson>,
    /// The entered codes, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    codes: Vec<CodeJson>,
    /// What keeps the cart from being sold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ViolationJson>,
    /// Discounts that don't count.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    dropped: Vec<DroppedJson>,
    /// Plugins that failed, and without which the cart was priced.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<LeftOutJson>,
}

/// The total is `subtotal` - `discount` + `delivery` - `delivery_discount` + `tax`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Sums"))]
struct SumsJson {
    /// The lines before discounts.
    #[cfg_attr(test, schemars(with = "schema::Amount"))]
    subtotal: Box<RawValue>,
    #[cfg_attr(test, schemars(with = "schema::Amount"))]
    discount: Box<RawValue>,
    #[cfg_attr(test, schemars(with = "schema::Amount"))]
    delivery: Box<RawValue>,
    #[cfg_attr(test, schemars(with = "schema::Amount"))]
    delivery_discount: Box<RawValue>,
    /// Tax that is added.
    #[cfg_attr(test, schemars(with = "schema::Amount"))]
    tax: Box<RawValue>,
    /// Tax that the amounts hold already.
    #[cfg_attr(test, schemars(with = "schema::Amount"))]
    tax_included: Box<RawValue>,
}

/// A group of lines and how it can be delivered.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "DeliveryGroup"))]
struct DeliveryJson {
    /// The group's number, for `delivery` of a request.
    group: u32,
    /// Indices of the quote's lines, from 0.
    lines: Vec<usize>,
    options: Vec<OptionJson>,
    /// The handle of the chosen one; absent if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    chosen: Option<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "DeliveryOption"))]
struct OptionJson {
    /// What a request names it by.
    handle: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[cfg_attr(test, schemars(with = "schema::DeliveryKind"))]
    kind: &'static str,
    /// Before discounts.
    #[cfg_attr(test, schemars(with = "schema::Amount"))]
    cost: Box<RawValue>,
    /// What comes off.
    #[cfg_attr(test, schemars(with = "schema::Amount"))]
    discount: Box<RawValue>,
    /// Earliest and latest day, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    days: Option<[u16; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "PaymentMethod"))]
struct MethodJson {
    /// What a request names it by.
    id: String,
    name: String,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Code"))]
struct CodeJson {
    /// As the customer typed it.
    code: String,
    #[cfg_attr(test, schemars(with = "schema::CodeVerdict"))]
    verdict: &'static str,
    /// Why it counts for nothing: a plugin's sentence for the customer, or the host's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "DroppedOffer"))]
struct DroppedJson {
    /// The installation's name.
    by: String,
    title: String,
    #[cfg_attr(test, schemars(with = "schema::DropReason"))]
    reason: &'static str,
}

#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "LeftOut"))]
struct LeftOutJson {
    /// The hook and the installation's name.
    plugin: String,
    /// The failure's word, as problems have it.
    reason: &'static str,
}

impl DecidedJson {
    pub(super) fn of(decided: &HooksDecided, currency: Currency) -> Self {
        let HooksDecided { priced, choices, methods, codes, violations, dropped, left_out } = decided;
        Self {
            sums: priced.as_ref().map(|priced| SumsJson::of(priced.sums(), currency)),
            delivery: choices.iter().map(|choices| DeliveryJson::of(choices, priced.as_ref(), currency)).collect(),
            payment_methods: methods.iter().map(MethodJson::from).collect(),
            codes: codes.iter().map(CodeJson::from).collect(),
            errors: violations.iter().map(Into::into).collect(),
            dropped: dropped.iter().map(DroppedJson::from).collect(),
            left_out: left_out.iter().map(LeftOutJson::from).collect(),
        }
    }
}

impl SumsJson {
    fn of(sums: Sums, currency: Currency) -> Self {
        let Sums { subtotal, discount, delivery, delivery_discount, tax, tax_included, .. } = sums;
        Self {
            subtotal: money(currency, subtotal),
            discount: money(currency, discount),
            delivery: money(currency, delivery),
            delivery_discount: money(currency, delivery_discount),
            tax: money(currency, tax),
            tax_included: money(currency, tax_included),
        }
    }
}

impl DeliveryJson {
    fn of(DeliveryChoices { group, options }: &DeliveryChoices, priced: Option<&Priced>, currency: Currency) -> Self {
        let chosen = priced.and_then(|priced| priced.chosen().iter().find(|chosen| chosen.group == group.id));
        let index = |line| priced.and_then(|priced| priced.basket().index_of(line));
        Self {
            group: group.id.0,
            lines: group.lines.iter().filter_map(|line| index(*line)).collect(),
            options: options.iter().map(|offered| OptionJson::of(offered, currency)).collect(),
            chosen: chosen.map(|chosen| chosen.option.option.handle.clone()),
        }
    }
}

impl OptionJson {
    fn of(offered: &OfferedOption, currency: Currency) -> Self {
        let option = &offered.option;
        let discount = option.cost.checked_sub(offered.left()).unwrap_or(crate::order::MinorUnits::ZERO);
        Self {
            handle: option.handle.clone(),
            title: option.title.clone(),
            description: option.description.clone(),
            kind: option.kind.as_str(),
            cost: money(currency, option.cost),
            discount: money(currency, discount),
            days: option.days.map(|DayRange { earliest, latest }| [earliest, latest]),
            location: option.location.clone(),
        }
    }
}

impl From<&PaymentMethod> for MethodJson {
    fn from(PaymentMethod { id, name }: &PaymentMethod) -> Self {
        Self { id: id.clone(), name: name.clone() }
    }
}

impl From<&(String, CodeAnswer)> for CodeJson {
    fn from((code, answer): &(String, CodeAnswer)) -> Self {
        let (verdict, reason) = match answer {
            CodeAnswer::Accepted => ("accepted", None),
            CodeAnswer::NotApplied(reason) => ("not_applied", Some(reason.as_str().to_owned())),
            CodeAnswer::Refused(reason) => ("refused", Some(reason.clone())),
            CodeAnswer::Unknown => ("unknown", None),
        };
        Self { code: code.clone(), verdict, reason }
    }
}

impl From<&Dropped> for DroppedJson {
    fn from(Dropped { by, title, reason }: &Dropped) -> Self {
        Self { by: by.to_string(), title: title.clone(), reason: reason.as_str() }
    }
}

impl From<&LeftOut> for LeftOutJson {
    fn from(LeftOut { at, reason }: &LeftOut) -> Self {
        Self { plugin: at.clone(), reason }
    }
}
