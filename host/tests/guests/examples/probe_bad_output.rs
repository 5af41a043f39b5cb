//! Answers ok without having taken anything, in every call, the probe's too: refused, 422.

use till_sdk::{Inventory, InventoryError, Span, StockLevel, StockLine};

struct ProbeBadOutput;

till_sdk::inventory_plugin!(ProbeBadOutput);

impl Inventory for ProbeBadOutput {
    fn deduct(_: &Span, _: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        Ok(Vec::new())
    }
}
