//! The routes for machines that watch the host. They need no permit and never take longer than `limits.ready_ms`, so
//! that they answer when nothing else does.

use std::time::Duration;

use hyper::{
    HeaderMap,
    header::{ACCEPT, VARY},
};
use tokio_util::sync::CancellationToken;

use super::{
    answer::{Answer, Reply},
    problem::{Code, Problem},
};
use crate::{
    store::Store,
    telemetry::{Metrics, metrics::Format},
};

/// How long a commit proves readiness. Anybody may request `/readyz` as often as they like, and each row written to
/// find out would cost an fsync.
const READY_FOR: Duration = Duration::from_millis(100);

/// The state of the watch routes. Both listeners have one.
#[derive(Debug, Clone)]
pub struct Watch {
    store: Store,
    metrics: Metrics,
    stopping: CancellationToken,
    ready_within: Duration,
}

impl Watch {
    #[must_use]
    pub const fn new(store: Store, metrics: Metrics, stopping: CancellationToken, ready_within: Duration) -> Self {
        Self { store, metrics, stopping, ready_within }
    }

    /// Answers `/livez`: the answer itself shows that the host runs.
    ///
    /// # Errors
    /// None of its own.
    pub fn live(&self) -> Answer {
        Reply::json(&serde_json::json!({ "status": "live" }))
    }

    /// Answers `/readyz`.
    ///
    /// # Errors
    /// 503 if the host is stopping, or the store can't take an order now.
    pub async fn ready(&self) -> Answer {
        if self.stopping.is_cancelled() {
            return Err(Problem::unavailable(Code::Stopping, "the host is shutting down"));
        }
        if self.store.committed_within(READY_FOR) {
            return ready();
        }
        let late = |_| Problem::unavailable(Code::StoreUnavailable, "the store didn't commit a row in time");
        tokio::time::timeout(self.ready_within, self.store.ready()).await.map_err(late)??;
        ready()
    }

    /// Answers `/metrics`, in the format that the client prefers.
    ///
    /// # Errors
    /// 500 if the metrics can't be written.
    pub fn metrics(&self, headers: &HeaderMap) -> Answer {
        let accept: Vec<_> = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
        let format = Format::of_accept(&accept.join(","));
        let text = self.metrics.render(format).map_err(|error| Problem::internal(&error))?;
        Ok(Reply::text(format.content_type(), text).with_header(VARY, "accept"))
    }
}

fn ready() -> Answer {
    Reply::json(&serde_json::json!({ "status": "ready" }))
}
