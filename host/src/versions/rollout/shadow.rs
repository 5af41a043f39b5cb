//! A shadow: each call of the live version is repeated with the candidate, off the request's path, and the two
//! decisions are compared.
//!
//! ```text
//! the live version's call, answered as ever
//! └─ plugin_shadow                    afterwards, in a task of its own
//! ```
//!
//! Nothing that the candidate does has an effect, and its answer is discarded. The host tells the candidate what it
//! told the live version: the same levels of stock, the same answer to `deduct`, the same time, the same random
//! numbers. A sleep returns at once. So a version that shadows itself decides the same, unless it reads the monotonic
//! clock, or an instance that answers several calls keeps what it drew in an earlier one. A call that failed because of
//! the host isn't repeated.

use std::{
    borrow::Borrow,
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use arc_swap::ArcSwap;
use opentelemetry::{
    KeyValue,
    trace::{SpanContext, SpanKind},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Difference, Differences, Part};
use crate::{
    clock::now_ms,
    failure::Failure,
    hooks::{self, Compared, Hook, Installation},
    imports::Moment,
    order::{Adjustment, Item, StockLine, sum_by_item},
    runtime::Call,
    telemetry::{
        names::{event, span},
        traces::Span,
    },
    versions::{Plugin, Plugins},
};

/// Repeats calls with the candidate, and collects where its decisions differ.
#[derive(Debug)]
pub(in crate::versions) struct Shadow {
    candidate: ArcSwap<Plugin>,
    differences: Arc<Differences>,
    /// One permit for each call that may be repeated at the same time.
    places: Arc<Semaphore>,
    skipped: AtomicU64,
}

/// What is kept of a live call, so that the candidate's call meets the same and can be compared.
pub(in crate::versions) struct Followed<Met> {
    pub(in crate::versions) moment: Moment,
    pub(in crate::versions) met: Met,
    /// The lines that the call asked the stock for.
    pub(in crate::versions) asked_stock: Vec<StockLine>,
}

/// What a call decided.
#[derive(Debug, PartialEq)]
struct Decided {
    /// The outcome's code; for a rejection, with the plugin's own code.
    outcome: String,
    parts: Compared,
    /// Pieces that the call asked for, by item.
    stock: BTreeMap<Item, u64>,
}

impl Shadow {
    pub(in crate::versions) fn new(candidate: Plugin, differences: Arc<Differences>, calls_max: usize) -> Self {
        let candidate = ArcSwap::from_pointee(candidate);
        Self { candidate, differences, places: Arc::new(Semaphore::new(calls_max)), skipped: AtomicU64::new(0) }
    }

    /// Repeats calls with this one from now on: the same candidate, loaded into another pool.
    pub(in crate::versions) fn move_to(&self, candidate: Plugin) {
        self.candidate.store(Arc::new(candidate));
    }

    /// Returns how many calls were skipped, because too many were being repeated.
    pub(in crate::versions) fn skipped(&self) -> u64 {
        self.skipped.load(Ordering::Relaxed)
    }

    /// Repeats a call with the candidate, in a task of its own. Skips the call if too many are being repeated.
    pub(in crate::versions) fn follow<H: Hook>(
        self: &Arc<Self>,
        plugins: &Arc<Plugins>,
        parent: SpanContext,
        asked: &H::Asked,
        Followed { moment, met, asked_stock }: Followed<H::Met>,
        result: &Result<H::Decided, Failure>,
    ) {
        let Some(live) = Decided::by::<H>(self.candidate.load().identity().at, result, &asked_stock) else { return };
        let Some(place) = self.place() else { return };
        let (shadow, plugins, asked) = (Arc::clone(self), Arc::clone(plugins), asked.to_owned());
        tokio::spawn(async move {
            let _place = place;
            let span = plugins.tracer().start(span::SHADOW, SpanKind::Internal, Some(&parent), Vec::new());
            let candidate = shadow.candidate.load_full();
            let mut call = Call::repeating(plugins.runtime(), candidate.loaded(), span, moment);
            let door = H::repeating(met, plugins.store());
            let answered = hooks::decide::<H>(call.guest(), asked.borrow(), door, plugins.rules(), true, None).await;
            let span = candidate.count(call.end(None, &answered.result), &answered.result);
            let decided = Decided::by::<H>(candidate.identity().at, &answered.result, &answered.asked);
            shadow.compare(&plugins, &parent, span, &live, decided);
        });
    }

    fn place(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        self.skipped.fetch_add(u64::from(place.is_none()), Ordering::Relaxed);
        place
    }

    /// Ends the span of a repeated call, with the parts of the decision that differ.
    fn compare(
        &self,
        plugins: &Plugins,
        parent: &SpanContext,
        mut span: Span,
        live: &Decided,
        candidate: Option<Decided>,
    ) {
        let parts = candidate.map(|candidate| live.parts_unlike(&candidate)).unwrap_or_default();
        if parts.is_empty() {
            return;
        }
        let kind = self.candidate.load().identity().at.kind.as_str();
        let mut attributes = Vec::with_capacity(2 * parts.len());
        for Part { what, live, candidate } in &parts {
            plugins.runtime().metrics.shadow_difference(kind, what);
            attributes.push(KeyValue::new(format!("{what}.live"), live.clone()));
            attributes.push(KeyValue::new(format!("{what}.candidate"), candidate.clone()));
        }
        span.event(event::SHADOW_DIFFERENCE, attributes);
        self.differences.add(Difference { trace_id: parent.trace_id().to_string(), at_ms: now_ms(), parts });
    }
}

impl Decided {
    /// Returns what a call decided; `None` if the call failed because of the host or of another plugin.
    fn by<H: Hook>(at: Installation, result: &Result<H::Decided, Failure>, asked: &[StockLine]) -> Option<Self> {
        let (outcome, parts) = match result {
            Ok(decided) => ("ok".to_owned(), H::compared(decided)),
            Err(Failure::Rejected { code, .. }) => (format!("rejected: {code}"), Compared::default()),
            Err(failure) if failure.is_of_host() && failure.at_fault() != Some(at) => return None,
            Err(failure) => (failure.code().to_owned(), Compared::default()),
        };
        Some(Self { outcome, parts, stock: sum_by_item(asked) })
    }

    fn parts_unlike(&self, other: &Self) -> Vec<Part> {
        let part =
            |what, live: String, candidate: String| (live != candidate).then_some(Part { what, live, candidate });
        let total = |decided: &Self| decided.parts.total.map_or_else(|| "none".to_owned(), |total| total.to_string());
        let decision = |decided: &Self| decided.parts.decision.clone().unwrap_or_default();
        let parts = [
            part("outcome", self.outcome.clone(), other.outcome.clone()),
            part("total", total(self), total(other)),
            part("adjustments", adjustments_text(&self.parts.adjustments), adjustments_text(&other.parts.adjustments)),
            part("decision", decision(self), decision(other)),
            part("stock", stock_text(&self.stock), stock_text(&other.stock)),
        ];
        parts.into_iter().flatten().collect()
    }
}

fn adjustments_text(adjustments: &[Adjustment]) -> String {
    let text = |adjustment: &Adjustment| {
        let Adjustment { effect, category, label, amount, line } = adjustment;
        let line = line.map(|line| format!(", line {line}")).unwrap_or_default();
        format!("{} {} ({category}: {label}{line})", effect.as_str(), amount.amount())
    };
    adjustments.iter().map(text).collect::<Vec<_>>().join("; ")
}

fn stock_text(stock: &BTreeMap<Item, u64>) -> String {
    stock.iter().map(|(item, pieces)| format!("{pieces} of {item}")).collect::<Vec<_>>().join(", ")
}
