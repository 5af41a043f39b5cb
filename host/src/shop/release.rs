//! Orders for which a remote inventory may hold stock: their release is asked for until the remote confirms, then they
//! have failed. This goes on after a restart, since the store has them.

use std::{sync::Arc, time::Duration};

use super::{Shop, remote::Remote};
use crate::{
    failure::Failure,
    order::Status,
    store::{Order, OrderId, OrdersFilter},
};

const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Orders read at once.
const PAGE_ORDERS: u32 = 100;

/// The result of asking once for each order.
struct Round {
    /// Whether any order was released.
    released: bool,
    /// Whether any order still waits.
    waiting: bool,
    /// The order at which the round was given up.
    until: Option<OrderId>,
}

impl Shop {
    /// Asks the remote inventory for releases until the host stops. Without a remote inventory it only logs that orders
    /// wait.
    pub async fn resolve_releases(self: Arc<Self>) {
        let Some(remote) = &self.remote else {
            self.warn_of_releases();
            return self.stopping.cancelled().await;
        };
        let mut pause = PAUSE_MIN;
        let mut from = None;
        loop {
            // With jitter, so that the tills of a shop don't ask at the same moment when their inventory comes back.
            let jittered = pause.mul_f64(rand::random_range(0.5..1.0));
            tokio::select! {
                () = self.stopping.cancelled() => return,
                () = tokio::time::sleep(jittered) => {}
            }
            if !self.store.leads() {
                (pause, from) = (PAUSE_MIN, None);
                continue;
            }
            let Round { released, waiting, until } = self.release_round(remote, from).await;
            // An order that is never released must not block the orders after it.
            from = until;
            // While some are released, the pause stays short: orders that fail must not slow down the others.
            pause = if released || !waiting { PAUSE_MIN } else { (pause * 2).min(PAUSE_MAX) };
        }
    }

    /// Asks once for each order that waits, after the one at which the round before was given up.
    async fn release_round(&self, remote: &Remote, from: Option<OrderId>) -> Round {
        let mut filter = OrdersFilter {
            status: Some(Status::PendingRelease),
            after: from,
            limit: PAGE_ORDERS,
            ..OrdersFilter::default()
        };
        let mut round = Round { released: false, waiting: from.is_some(), until: None };
        loop {
            let orders = match self.store.orders(filter.clone()).await {
                Ok(page) => page.rows,
                Err(error) => {
                    tracing::warn!("the orders that wait for their release can't be read: {error}");
                    return Round { waiting: true, ..round };
                }
            };
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
                // Only a refusal concerns this order alone; the next orders would fail for any other reason, too.
                if !matches!(failure, Failure::Unavailable(_)) || self.stopping.is_cancelled() {
                    return Round { until: Some(order.id), ..round };
                }
            }
        }
    }

    fn warn_of_releases(&self) {
        let waiting = self.store.gauges().awaiting_release_orders;
        if waiting > 0 {
            tracing::warn!(
                waiting,
                "{waiting} orders wait for their release at the till that INVENTORY_URL named before; set it again until \
                 `till orders list --unresolved` is empty"
            );
        }
    }

    async fn release(&self, remote: &Remote, order: &Order) -> Result<(), Failure> {
        // A trace of its own: the order's trace ended long ago, maybe before a restart.
        let parent = self.tracer.unrecorded(None);
        // An order with its inventory here took nothing elsewhere.
        if let Some(url) = order.inventory.url() {
            for nth in 1..=order.deducts {
                remote.release(&self.tracer, &parent, url, &order.reference.of_deduct(nth)).await?;
            }
        }
        let reason = order.reason.as_deref().unwrap_or("inventory_unreachable");
        Ok(self.store.fail_order(order.id, reason, None).await?)
    }
}
