//! The demo's faults, and when they strike.

use std::time::Duration;

use till_sdk::{InventoryError, Level, Span, StockLine, random, sleep};

/// Waits for a large smartphone order, and fails 60 % of the large laptop orders.
///
/// # Errors
/// [`InventoryError::Conflict`] for the laptops.
pub(crate) fn simulate(call: &Span, lines: &[StockLine]) -> Result<(), InventoryError> {
    let large = |item: &str, pieces: u32| lines.iter().any(|line| line.item == item && line.quantity >= pieces);
    if large("smartphone", 3) {
        add_latency(call);
    }
    if large("laptop", 2) && random() < 0.6 {
        return Err(InventoryError::Conflict("Database deadlock conflict during write".to_owned()));
    }
    Ok(())
}

/// Waits 1.0 to 2.5 s, and says so on the call's span.
fn add_latency(call: &Span) {
    let seconds = 1.0 + 1.5 * random();
    call.set("simulation.latency_added", seconds);
    call.log(Level::Info, "simulating a slow inventory", &[("simulation.latency_added", seconds.into())]);
    let _waiting = call.child("simulated_latency");
    sleep(Duration::from_secs_f64(seconds));
}
