//! Takes its lines twice: the second one ends the call, 502 `bad_output`, the order FAILED and the stock back.

use till_sdk::{Inventory, InventoryError, Span, StockLevel, StockLine, take};

struct TakesTwice;

till_sdk::inventory_plugin!(TakesTwice);

impl Inventory for TakesTwice {
    fn deduct(call: &Span, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        take(call, &lines)?;
        Ok(take(call, &lines)?)
    }
}
