//! `POST /checkout`: parses the request and writes the answer. The checkout itself is in `shop/checkout.rs`.

mod reply;

use std::sync::Arc;

use super::{
    Edge,
    answer::{Answer, Reply},
    body,
    cart::{self, Expected, Wanted},
    idempotency,
    problem::{Code, Problem},
    received::Received,
};
use crate::{
    order::{Agreed, Fingerprint, Keyed, Reference},
    shop::{self, Asked, KeyedRequest, Refused, Shop},
    store::StoreError,
};

/// Parses the request and runs the checkout, or repeats its first answer.
///
/// # Errors
/// A problem. After the request's deadline the order may still complete; its reference shows.
pub(super) async fn checkout(edge: &Arc<Edge>, received: Received) -> Answer {
    let key = idempotency::key(&received.headers)?;
    let bytes = body::read_json(&received.headers, received.body, &edge.limits).await?;
    let wanted = cart::read(&bytes);
    let keyed = key.map(|key| {
        let body = Fingerprint::of_body(&bytes);
        let fingerprint = wanted.as_ref().map_or(body, Wanted::fingerprint);
        KeyedRequest { keyed: Keyed { key, fingerprint }, body }
    });
    let form = wanted.as_ref().map(Wanted::form).unwrap_or_default();
    let reference = Reference::random();
    let asked = Asked {
        keyed,
        cart: wanted.and_then(|wanted| {
            let agreed = agreed(&edge.shop, &wanted)?;
            let fingerprint = wanted.cart_fingerprint();
            let (cart, wishes) = wanted.priced(&edge.priced_by())?;
            Ok(shop::Wanted { cart, wishes, fingerprint, agreed })
        }),
        reference: reference.clone(),
        pinned: received.pinned,
        parent: received.parent,
        carried: received.carried,
    };
    let told = edge.shop.checkout(asked, move |sold| {
        let reply = serde_json::to_vec(&reply::of(form, sold)).map_err(StoreError::Unwritable)?;
        Ok(Reply::of_json(reply).answered())
    });
    let late = || format!("not done yet; ask for its end at /orders/{reference}");
    told.await.map(Reply::from).map_err(|refused| problem(refused, late))
}

/// Returns what the client agreed to pay, if it said so.
///
/// # Errors
/// 422 for an amount that is none in this shop, and for the token of a quote that isn't taken.
fn agreed(shop: &Shop, wanted: &Wanted) -> Result<Option<Agreed>, Problem> {
    let fingerprint = wanted.cart_fingerprint();
    let total = match wanted.expected() {
        None => return Ok(None),
        Some(Expected::Total(total)) => cart::expected_total(total, shop.currency)?,
        Some(Expected::Quote(token)) => {
            let total = shop.quoted_total(token, &fingerprint);
            total.map_err(|bad| Problem::new(Code::QuoteUnusable, bad.to_string()))?
        }
    };
    Ok(Some(Agreed { total, cart: fingerprint }))
}

/// Returns the problem for a refused request; `late` makes the text for one that isn't done yet.
pub(super) fn problem(refused: Refused<Problem>, late: impl FnOnce() -> String) -> Problem {
    match refused {
        Refused::Unsound(problem) => problem,
        Refused::Key(refused) => refused.into(),
        Refused::Full(full) => full.into(),
        Refused::Failed(failure) => failure.into(),
        Refused::Late => Problem::deadline(late()),
        Refused::Broken(broken) => Problem::internal(&broken),
    }
}
