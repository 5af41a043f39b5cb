//! Takes, then loops for ever: 504 `deadline`, the order FAILED and the stock back.

use till_sdk::{Inventory, InventoryError, Span, StockLevel, StockLine, take};

struct Loop;

till_sdk::inventory_plugin!(Loop);

impl Inventory for Loop {
    fn deduct(call: &Span, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        take(call, &lines)?;
        loop {
            std::hint::spin_loop();
        }
    }
}
