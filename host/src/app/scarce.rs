//! Shows the stock that is soon sold out among the metrics, for an alert that comes in time.
//!
//! Not of a host whose stock is another till's: its own levels are never taken from. Every item that the store knows would
//! be as many series as a shop has goods, so it is the scarcest ones only.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{store::Store, telemetry::Metrics};

/// The items that are shown, those with the fewest pieces.
const ITEMS_MAX: u32 = 50;
/// As often as Prometheus commonly looks. A million items are read through in some hundred ms, by a reader.
const EVERY: Duration = Duration::from_secs(15);

/// Keeps the figures up to date until the host stops.
pub(super) async fn watch(metrics: Metrics, store: Store, stopping: CancellationToken) {
    loop {
        // While the store can't be read the last figures stay, and other metrics say what is wrong.
        if let Ok(levels) = store.scarcest(ITEMS_MAX).await {
            metrics.set_stock(levels.into_iter().map(|level| (level.item.to_string(), level.on_hand)).collect());
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
