//! Takes, then panics: 502 `trap`, the order FAILED, the stock back, and the panic's message in the log.

#![expect(clippy::panic, reason = "to panic is what it is for")]

use till_sdk::{Inventory, InventoryError, Span, StockLevel, StockLine, take};
use till_test_guests::Live;

struct TrapAfterTake;

type Plugin = Live<TrapAfterTake>;

till_sdk::inventory_plugin!(Plugin);

impl Inventory for TrapAfterTake {
    fn deduct(call: &Span, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        let levels = take(call, &lines)?;
        panic!("no answer about {} levels", levels.len());
    }
}
