//! Takes one piece of the first line, whatever is asked for: 502 `bad_output`, the order FAILED and the piece back.
//!
//! For an order of a single piece that is all there is to take, and a good sale.

use till_sdk::{Inventory, InventoryError, Span, StockLevel, StockLine, take};
use till_test_guests::Live;

struct TakesFewer;

type Plugin = Live<TakesFewer>;

till_sdk::inventory_plugin!(Plugin);

impl Inventory for TakesFewer {
    fn deduct(call: &Span, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        let first = lines.into_iter().take(1);
        let piece: Vec<_> = first.map(|line| StockLine { quantity: 1, ..line }).collect();
        Ok(take(call, &piece)?)
    }
}
