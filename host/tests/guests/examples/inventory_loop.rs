//! Takes, then loops for ever: 504 `deadline`, the order FAILED and the stock back.

use till_sdk::{Inventory, InventoryError, Span, StockLevel, StockLine, take};
use till_test_guests::Live;

struct Loop;

type Plugin = Live<Loop>;

till_sdk::inventory_plugin!(Plugin);

impl Inventory for Loop {
    fn deduct(call: &Span, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        take(call, &lines)?;
        loop {
            std::hint::spin_loop();
        }
    }
}
