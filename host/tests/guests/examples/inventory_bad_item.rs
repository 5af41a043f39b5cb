//! Takes an item with a line break in its name: 502 `bad_output`, the order FAILED, the stock untouched.

use till_sdk::{Inventory, InventoryError, Span, StockLevel, StockLine, take};
use till_test_guests::Live;

struct BadItem;

type Plugin = Live<BadItem>;

till_sdk::inventory_plugin!(Plugin);

impl Inventory for BadItem {
    fn deduct(call: &Span, _: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        let forged = StockLine { item: "headphones\nlevel=error a forged log line".to_owned(), quantity: 1 };
        Ok(take(call, &[forged])?)
    }
}
