//! The shop that is measured: one item, plenty of it, no faults, in a temporary folder on the disk of the build.

use std::{path::Path, time::Duration};

use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanExporter, SpanProcessor},
};
use tempfile::TempDir;
use till::{
    config::{Settings, Sources},
    telemetry::{self, LogFormat, Telemetry, recent::Limits},
};

/// As in `main.rs`. The native twins have it too.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// More than any run sells.
pub(crate) const OPENING_STOCK: u32 = 4_000_000_000;
pub(crate) const ITEM: &str = "headphones";
const SPANS_WAITING_MAX: usize = 65_536;

/// What becomes of a host's spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spans {
    /// Recorded and gathered in batches, which nobody is sent: what tracing costs the host itself.
    Recorded,
    /// `OTEL_SDK_DISABLED`: ids are made, nothing is recorded.
    Off,
}

/// Returns a folder that goes away with its value.
///
/// # Errors
/// When it can't be made.
pub(crate) fn folder() -> anyhow::Result<TempDir> {
    // Not the system's: that one is often in memory, where an fsync costs nothing.
    Ok(tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?)
}

/// Returns the settings of a host that is measured; everything that isn't said here is the default.
///
/// # Errors
/// When the defaults can't be used on this machine.
pub(crate) fn settings(folder: &Path) -> anyhow::Result<Settings> {
    let mut sources = Sources::defaults();
    let (data, stock) = (format!("server.data={}", folder.display()), format!("stock.{ITEM}={OPENING_STOCK}"));
    sources.add_flags(["server.listen=127.0.0.1:0", "server.admin=127.0.0.1:0", &data, &stock].into_iter())?;
    // A machine that is busy with something else is no reason to shed, which would count as a failure.
    sources.add_flags(["limits.queue_ms=10000", "limits.queued_requests=1000"].into_iter())?;
    Ok(Settings::load(&sources)?)
}

/// What a host that keeps none of its traces says of that.
pub(crate) const NOTHING_KEPT: Limits = Limits { bytes_max: 0, line_bytes_max: 0, slow: Duration::from_secs(1) };

/// Starts the telemetry of a host that is measured, with so much of its recent traces kept. Metrics are always counted.
///
/// # Errors
/// When the SDK can't be started.
pub(crate) fn telemetry(spans: Spans, kept: Limits) -> anyhow::Result<Telemetry> {
    let variable = |name: &str| (spans == Spans::Off && name == "OTEL_SDK_DISABLED").then(|| "true".to_owned());
    let settings = telemetry::Settings::from_environment(variable, LogFormat::Json, "warn", "USD")?.keeping(kept);
    let processors: Vec<Box<dyn SpanProcessor>> = match spans {
        Spans::Recorded => {
            // Dropping spans would be cheaper than keeping them.
            let queue = BatchConfigBuilder::default().with_max_queue_size(SPANS_WAITING_MAX).build();
            vec![Box::new(BatchSpanProcessor::builder(Nobody).with_batch_config(queue).build())]
        }
        Spans::Off => Vec::new(),
    };
    Telemetry::start_with(&settings, processors)
}

#[derive(Debug)]
struct Nobody;

impl SpanExporter for Nobody {
    async fn export(&self, _batch: Vec<SpanData>) -> OTelSdkResult {
        Ok(())
    }
}
