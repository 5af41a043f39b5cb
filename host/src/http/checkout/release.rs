//! Orders of which it isn't known whether a remote inventory holds stock for them: their release is asked for until
//! the remote confirms, then they have failed. This goes on after a restart, for the store remembers them.

use std::{sync::Arc, time::Duration};

use super::super::Shop;
use crate::{
    order::Status,
    store::{Order, OrdersFilter},
    telemetry::propagation::Baggage,
};

const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Orders asked for in one round.
const ROUND_ORDERS: u32 = 100;

impl Shop {
    /// Asks the remote inventory for releases until the host stops. Does nothing without one.
    pub async fn resolve_releases(self: Arc<Self>) {
        let mut pause = PAUSE_MIN;
        while self.remote.is_some() {
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
            pause = if self.release_round().await { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
        }
    }

    /// Returns whether every order that waits was released.
    async fn release_round(&self) -> bool {
        let filter =
            OrdersFilter { status: Some(Status::PendingRelease), limit: ROUND_ORDERS, ..OrdersFilter::default() };
        let Ok(orders) = self.store.orders(filter).await else { return false };
        for order in orders {
            if let Err(error) = self.release(&order).await {
                tracing::warn!(reference = %order.reference, "the release of order {} waits: {error:#}", order.reference);
                return false;
            }
        }
        true
    }

    async fn release(&self, order: &Order) -> anyhow::Result<()> {
        let Some(remote) = &self.remote else { return Ok(()) };
        // A trace of its own: the order's ended long ago, maybe before a restart.
        let parent = self.tracer.unrecorded(None);
        remote.release(&self.tracer, &parent, &Baggage::default(), &order.reference).await?;
        self.store.fail_order(order.id, order.reason.as_deref().unwrap_or("inventory_unreachable")).await?;
        Ok(())
    }
}
