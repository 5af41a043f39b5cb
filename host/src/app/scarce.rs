//! Adds the stock of the scarcest items to the metrics, for an alert before they sell out.
//!
//! A host whose stock is at another till doesn't run this, because its own levels are never used. Of hosts that share a store one
//! shows the figures. Only the scarcest
//! items are shown, because a series for every item would be unbounded.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{store::Store, telemetry::Metrics};

/// How many items are shown, those with the fewest pieces.
const ITEMS_MAX: u32 = 50;
/// Prometheus's usual interval. A reader reads a million items in some hundred ms.
const EVERY: Duration = Duration::from_secs(15);

/// Keeps the figures up to date until the host stops.
pub(super) async fn watch(metrics: Metrics, store: Store, stopping: CancellationToken) {
    loop {
        if !store.leads() {
            metrics.set_stock(Vec::new());
        } else if let Ok(levels) = store.scarcest(ITEMS_MAX).await {
            // While the store can't be read the last figures stay, and other metrics show the problem.
            metrics.set_stock(levels.into_iter().map(|level| (level.item.to_string(), level.on_hand)).collect());
        }
        tokio::select! {
            () = stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
