//! Takes one piece of each line only in one call of five, by chance, and all of them in the others: 502 `bad_output`, and
//! the piece is back. For canaries.

use till_sdk::{Inventory, InventoryError, Span, StockLevel, StockLine, random, take};
use till_test_guests::Live;

struct Unlucky;

type Plugin = Live<Unlucky>;

till_sdk::inventory_plugin!(Plugin);

impl Inventory for Unlucky {
    fn deduct(call: &Span, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        let unlucky = random() < 0.2;
        let fewer = |line: StockLine| StockLine { quantity: if unlucky { 1 } else { line.quantity }, ..line };
        Ok(take(call, &lines.into_iter().map(fewer).collect::<Vec<_>>())?)
    }
}
