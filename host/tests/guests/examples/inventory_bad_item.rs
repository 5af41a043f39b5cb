//! Takes an item with a line break in its name: 502 `bad_output`, the order FAILED, the stock untouched.

use till_sdk::{Inventory, InventoryError, Span, StockLevel, StockLine, take};

struct BadItem;

till_sdk::inventory_plugin!(BadItem);

impl Inventory for BadItem {
    fn deduct(call: &Span, _: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        let forged = StockLine { item: "headphones\nlevel=error a forged log line".to_owned(), quantity: 1 };
        Ok(take(call, &[forged])?)
    }
}
