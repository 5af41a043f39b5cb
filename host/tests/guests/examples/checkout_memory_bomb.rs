//! Deducts, then grows its memory for ever: 502 `memory`, the order FAILED and the stock back.

use std::hint::black_box;

use till_sdk::{Checkout, CheckoutError, Order, Receipt, Span, deduct};
use till_test_guests::Live;

const MIB: usize = 1024 * 1024;

struct MemoryBomb;

type Plugin = Live<MemoryBomb>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for MemoryBomb {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        loop {
            // Never written to: filling it could reach the CPU limit before the memory limit.
            std::mem::forget(black_box(Vec::<u8>::with_capacity(MIB)));
        }
    }
}
