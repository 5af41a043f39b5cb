//! `POST /quote`: what a cart would cost. The quote itself is in `shop/quote.rs`.

mod decided;

use std::sync::Arc;

use hyper::header::CACHE_CONTROL;
use serde::Serialize;
use serde_json::value::RawValue;

use super::{
    Edge,
    answer::{Answer, Reply, money},
    body,
    cart::{self, Expected},
    checkout,
    orders::{AdjustmentJson, Attributes, LineJson, adjustments, attributes, lines},
    received::Received,
};
#[cfg(test)]
use crate::schema;
use crate::{
    pricing::{Quote, total::Priced},
    shop::AskedQuote,
};
use decided::DecidedJson;

/// What a cart costs now. Nothing is kept or reserved.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Quote"))]
pub(super) struct QuoteJson {
    /// The token that a checkout of the same cart takes as `quote`. Absent if several hosts serve the shop without
    /// `quote.key_file`: send `expected_total` then.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "Option<schema::QuoteToken>"))]
    quote: Option<String>,
    /// Until when the token is taken, in milliseconds since 1970, UTC. The price may change before.
    valid_until_ms: u64,
    #[cfg_attr(test, schemars(length(min = 1, max = crate::order::LINES_MAX)))]
    lines: Vec<LineJson>,
    adjustments: Vec<AdjustmentJson>,
    /// What the checkout plugin says besides; absent if it says nothing.
    #[serde(skip_serializing_if = "Attributes::is_empty")]
    #[cfg_attr(test, schemars(with = "std::collections::BTreeMap<String, schema::AttributeValue>"))]
    receipt_attributes: Attributes,
    /// ISO 4217.
    #[cfg_attr(test, schemars(regex(pattern = "^[A-Z]{3}$")))]
    currency: &'static str,
    #[cfg_attr(test, schemars(with = "schema::Amount"))]
    total_price: Box<RawValue>,
    /// What the plugins at the hooks decided. Absent if none is installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    hooks: Option<DecidedJson>,
}

impl From<&Quote> for QuoteJson {
    fn from(quote: &Quote) -> Self {
        let Quote { cart, receipt, currency, token, valid_until_ms, decided } = quote;
        let basket = decided.as_ref().and_then(|decided| decided.priced.as_ref()).map(Priced::basket);
        let titles = basket.into_iter().flat_map(|basket| basket.lines()).map(|line| Some(line.title.clone()));
        Self {
            quote: token.clone(),
            valid_until_ms: *valid_until_ms,
            lines: titled(lines(cart.lines(), *currency), titles),
            adjustments: adjustments(receipt.adjustments(), *currency),
            receipt_attributes: attributes(receipt.attributes()),
            currency: currency.code(),
            total_price: money(*currency, receipt.total()),
            hooks: decided.as_ref().map(|decided| DecidedJson::of(decided, *currency)),
        }
    }
}

/// Returns the lines with their names for people.
fn titled(lines: Vec<LineJson>, titles: impl Iterator<Item = Option<String>>) -> Vec<LineJson> {
    let titles = titles.chain(std::iter::repeat(None));
    lines.into_iter().zip(titles).map(|(line, title)| line.titled(title)).collect()
}

/// Says what the cart costs. What its client agrees to only has to be an amount.
///
/// # Errors
/// A problem, as a checkout of the cart would have it.
pub(super) async fn quote(edge: &Arc<Edge>, received: Received) -> Answer {
    let bytes = body::read_json(&received.headers, received.body, &edge.limits).await?;
    let wanted = cart::read(&bytes)?;
    if let Some(Expected::Total(total)) = wanted.expected() {
        cart::expected_total(total, edge.shop.currency)?;
    }
    let fingerprint = wanted.cart_fingerprint();
    let (cart, wishes) = wanted.priced(&edge.priced_by())?;
    let asked = AskedQuote { cart, wishes, fingerprint, pinned: received.pinned, parent: received.parent };
    let quoted = edge.shop.quote(asked).await;
    let quote = quoted.map_err(|refused| checkout::problem(refused, || "not done in time".to_owned()))?;
    Ok(Reply::json(&QuoteJson::from(&quote))?.with_header(CACHE_CONTROL, "no-store"))
}
