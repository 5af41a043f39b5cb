//! Takes its lines twice: the second one ends the call, 502 `bad_output`, the order FAILED and the stock back.

use till_sdk::{Inventory, InventoryError, Span, StockLevel, StockLine, take};
use till_test_guests::Live;

struct TakesTwice;

type Plugin = Live<TakesTwice>;

till_sdk::inventory_plugin!(Plugin);

impl Inventory for TakesTwice {
    fn deduct(call: &Span, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        take(call, &lines)?;
        Ok(take(call, &lines)?)
    }
}
