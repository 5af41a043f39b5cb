//! Takes, then answers a conflict: 500 `inventory_conflict`, the order FAILED and the stock back.

use till_sdk::{Inventory, InventoryError, Span, StockLevel, StockLine, take};

struct ConflictAfterTake;

till_sdk::inventory_plugin!(ConflictAfterTake);

impl Inventory for ConflictAfterTake {
    fn deduct(call: &Span, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        take(call, &lines)?;
        Err(InventoryError::Conflict("a deadlock, after the lines were taken".to_owned()))
    }
}
