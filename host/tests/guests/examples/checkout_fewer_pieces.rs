//! Deducts one piece of the first line, whatever is sold: 502 `bad_output`, the order FAILED and the piece back.
//!
//! For an order of a single piece that is all there is to deduct, and a good sale.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, StockLine, deduct};
use till_test_guests::Live;

struct FewerPieces;

type Plugin = Live<FewerPieces>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for FewerPieces {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        let first = order.stock_lines().into_iter().take(1);
        let piece: Vec<_> = first.map(|line| StockLine { quantity: 1, ..line }).collect();
        deduct(call, &piece)?;
        Ok(Receipt::plain(&order))
    }
}
