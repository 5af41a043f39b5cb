//! Answers levels that it made up, and takes nothing: 502 `bad_output`, the order FAILED, the stock untouched.

use till_sdk::{Inventory, InventoryError, Span, StockLevel, StockLine};
use till_test_guests::Live;

struct WithoutTake;

type Plugin = Live<WithoutTake>;

till_sdk::inventory_plugin!(Plugin);

impl Inventory for WithoutTake {
    fn deduct(_: &Span, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        Ok(lines.into_iter().map(|line| StockLevel { item: line.item, remaining: 1_000 }).collect())
    }
}
