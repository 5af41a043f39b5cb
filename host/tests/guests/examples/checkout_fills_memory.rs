//! Deducts, then fills 58 MiB of memory again and again, each time with one instruction that nothing interrupts, and says
//! so each time: 504 `deadline` after a few of them.

use std::hint::black_box;

use till_sdk::{Checkout, CheckoutError, Level, Order, Receipt, Span, deduct};
use till_test_guests::Live;

const BYTES: usize = 58 * 1024 * 1024;

struct FillsMemory;

type Plugin = Live<FillsMemory>;

till_sdk::checkout_plugin!(Plugin);

impl Checkout for FillsMemory {
    fn checkout(call: &Span, order: Order) -> Result<Receipt, CheckoutError> {
        deduct(call, &order.stock_lines())?;
        let mut memory = vec![0_u8; BYTES];
        for number in 1_u8..=200 {
            black_box(&mut memory).fill(number);
            call.log(Level::Info, "filled", &[]);
        }
        Ok(Receipt::plain(&order))
    }
}
