//! Till's default checkout: an order costs what its lines say, if the inventory has them.

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, Wiping, deduct};

/// The host calls the built-in plugins again, and nothing of an order is to rest in their memory.
#[global_allocator]
static ALLOCATOR: Wiping = Wiping;

struct DefaultCheckout;

till_sdk::checkout_plugin!(DefaultCheckout);

impl Checkout for DefaultCheckout {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        Ok(Receipt::plain(&order))
    }
}
