//! Till's default inventory: whatever is on hand may be taken.
//!
//! With the setting `faults` on it also has the demo's two faults, so that there is something to find in the
//! traces: large smartphone orders are slow, large laptop orders often meet a deadlock.

mod faults;

use till_sdk::{Inventory, InventoryError, Span, StockLevel, StockLine, Wiping, setting_is_on, take};

/// The host calls the built-in plugins again, and nothing of an order is to rest in their memory.
#[global_allocator]
static ALLOCATOR: Wiping = Wiping;

struct DefaultInventory;

till_sdk::inventory_plugin!(DefaultInventory);

impl Inventory for DefaultInventory {
    fn deduct(call: &Span, lines: Vec<StockLine>) -> Result<Vec<StockLevel>, InventoryError> {
        if setting_is_on("faults") {
            faults::simulate(call, &lines)?;
        }
        Ok(take(call, &lines)?)
    }
}
