//! The shop's checkout as a Rust function: the same decision on the same store, without plugins and telemetry.

use std::time::{SystemTime, UNIX_EPOCH};

use till::{
    order::{Caps, Cart, Currency, Receipt, Reference},
    store::{Durability, Inventory, NewOrder, OrderId, Store, Taker},
};

/// Places, takes, prices and completes. Durable when it returns.
///
/// # Errors
/// The store's, as text: nobody who measures decides by it.
pub(crate) async fn checkout(
    store: &Store,
    cart: &Cart,
    currency: Currency,
) -> anyhow::Result<(OrderId, Reference, Receipt)> {
    let reference = Reference::random();
    let order = NewOrder {
        reference: reference.clone(),
        inventory: Inventory::Local,
        currency,
        cart: cart.clone(),
        trace_id: String::new(),
        plugins: String::new(),
        placed_at_ms: u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())?,
        keyed: None,
    };
    let id = store.create_order(order, Durability::Queued).await?;
    store.take(Taker::Order(id), &cart.stock_lines()).await?;
    let receipt = price(cart)?;
    store.complete_order(id, &receipt, None).await?;
    Ok((id, reference, receipt))
}

/// Returns the receipt of an order that costs what its lines say.
///
/// # Errors
/// When the sums don't hold, which they do.
pub(crate) fn price(cart: &Cart) -> anyhow::Result<Receipt> {
    Ok(Receipt::checked(cart, Vec::new(), cart.subtotal().amount(), Vec::new(), Caps::NONE)?)
}
