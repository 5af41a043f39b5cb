//! Whatever is on hand may be taken, but for the item that the setting `blocked` names.

use till_sdk::{Inventory, InventoryError, Rejection, Span, StockLevel, StockLine, setting, take};

struct Stock;

till_sdk::inventory_plugin!(Stock);

impl Inventory for Stock {
    fn deduct(call: &Span, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        check(call, &lines)?;
        Ok(take(call, &lines)?)
    }
}

fn check(call: &Span, lines: &[StockLine]) -> Result<(), InventoryError> {
    let _checking = call.child("check_lines");
    let Some(item) = setting("blocked").filter(|blocked| lines.iter().any(|line| line.item == *blocked)) else {
        return Ok(());
    };
    let message = format!("{item} isn't sold at the moment");
    Err(InventoryError::Rejected(Rejection { code: "blocked".to_owned(), message }))
}
