//! Hostile and broken plugins for the host's tests, one file each in `examples/`, named after what it does.
//!
//! They are examples because cargo makes a component of each without a crate of its own; this library has only what
//! lets them behave for an order of the item `probe`. README.md says what the host has to answer to which, and how they are built.

pub mod hooks;

use till_sdk::{
    Adjustment, Checkout, CheckoutError, Inventory, InventoryError, Order, Receipt, Rounding, Span, StockLevel,
    StockLine, deduct, percent_of,
};

/// Behaves for an order of the item `probe`, and misbehaves as `T` does in every other call.
#[derive(Debug)]
pub struct Live<T>(std::marker::PhantomData<T>);

impl<T: Checkout> Checkout for Live<T> {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        if is_probe(&order.stock_lines()) {
            till_sdk::deduct(call, &order.stock_lines())?;
            return Ok(Receipt::plain(&order));
        }
        T::checkout(call, order)
    }
}

impl<T: Inventory> Inventory for Live<T> {
    fn deduct(call: &Span, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        if is_probe(&lines) { Ok(till_sdk::take(call, &lines)?) } else { T::deduct(call, lines) }
    }
}

/// Sells the order for a tenth less, rounded so.
///
/// # Errors
/// The inventory's, or that of a sum that is no amount.
pub fn tenth_off(call: &Span, order: &Order, rounding: Rounding) -> Result<Receipt, CheckoutError> {
    let tenth = percent_of(order.subtotal(), 10, rounding)?;
    let receipt = Receipt::of(order, vec![Adjustment::subtract("discount", "A tenth off", tenth)])?;
    deduct(call, &order.stock_lines())?;
    Ok(receipt)
}

fn is_probe(lines: &[StockLine]) -> bool {
    lines.iter().any(|line| line.item == "probe")
}
