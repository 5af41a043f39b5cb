//! Orders of which it isn't known whether a remote inventory holds stock for them: their release is asked for until
//! the remote confirms, then they have failed. This goes on after a restart, for the store remembers them.

use std::{sync::Arc, time::Duration};

use super::super::Shop;
use crate::{
    imports::inventory::remote::Remote,
    order::Status,
    plugin::Failure,
    store::{Order, OrdersFilter},
    telemetry::propagation::Carried,
};

const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Orders read at once.
const PAGE_ORDERS: u32 = 100;

/// What came of asking for each.
struct Round {
    /// Whether any was released.
    released: bool,
    /// Whether any still waits.
    waiting: bool,
}

impl Shop {
    /// Asks the remote inventory for releases until the host stops. Does nothing without one.
    pub async fn resolve_releases(self: Arc<Self>) {
        let Some(remote) = &self.remote else { return };
        let mut pause = PAUSE_MIN;
        loop {
            // Not all the tills of a shop at the same moment after their inventory comes back.
            let jittered = pause.mul_f64(rand::random_range(0.5..1.0));
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(jittered) => {}
            }
            // As long as some get through, many that wait mustn't wait for each that doesn't.
            let Round { released, waiting } = self.release_round(remote).await;
            pause = if released || !waiting { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
        }
    }

    /// Asks once for each order that waits.
    async fn release_round(&self, remote: &Remote) -> Round {
        let mut filter =
            OrdersFilter { status: Some(Status::PendingRelease), limit: PAGE_ORDERS, ..OrdersFilter::default() };
        let mut round = Round { released: false, waiting: false };
        loop {
            let Ok(orders) = self.store.orders(filter).await else { return Round { waiting: true, ..round } };
            let Some(last) = orders.last() else { return round };
            filter.after = Some(last.id);
            for order in orders {
                let Err(failure) = self.release(remote, &order).await else {
                    round.released = true;
                    continue;
                };
                round.waiting = true;
                tracing::warn!(
                    reference = %order.reference,
                    "order {} waits for its release ({} in all): {failure}",
                    order.reference,
                    self.store.gauges().awaiting_release_orders,
                );
                // Only what the inventory refused is this order's; the others would meet the same.
                if !matches!(failure, Failure::Unavailable(_)) || self.stopping.is_cancelled() {
                    return round;
                }
            }
        }
    }

    async fn release(&self, remote: &Remote, order: &Order) -> Result<(), Failure> {
        // A trace of its own: the order's ended long ago, maybe before a restart.
        let parent = self.tracer.unrecorded(None);
        remote.release(&self.tracer, &parent, &Carried::default(), &order.reference).await?;
        let reason = order.reason.as_deref().unwrap_or("inventory_unreachable");
        Ok(self.store.fail_order(order.id, reason, None).await?)
    }
}
