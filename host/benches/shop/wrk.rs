//! Debian's `wrk`, which sends the checkout that README shows as fast as it is answered.

use std::{
    net::SocketAddr,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::Context;
use serde::Deserialize;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/checkout.lua");

/// What wrk says at its end.
#[derive(Debug, Deserialize)]
pub(crate) struct Load {
    pub(crate) answered: u64,
    took_us: f64,
    pub(crate) refused: u64,
    pub(crate) broken: u64,
    p50_us: f64,
    p99_us: f64,
}

impl Load {
    /// # Errors
    /// When a request failed.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(self.refused == 0, "{} requests were answered with an error", self.refused);
        anyhow::ensure!(self.broken == 0, "{} requests met a socket error or a timeout", self.broken);
        Ok(())
    }

    /// Returns checkouts per second, and the p50 and p99 of how long they took in ms.
    ///
    /// # Errors
    /// When they are too many for a number.
    pub(crate) fn figures(&self) -> anyhow::Result<(f64, f64, f64)> {
        let rate = f64::from(u32::try_from(self.answered)?) / self.took_us * 1e6;
        Ok((rate, self.p50_us / 1e3, self.p99_us / 1e3))
    }
}

/// Returns for how long to load each, as `TILL_BENCH_SECONDS` says, 10 s if it doesn't.
///
/// # Errors
/// When it says no number.
pub(crate) fn duration() -> anyhow::Result<Duration> {
    let seconds = std::env::var("TILL_BENCH_SECONDS").map_or(Ok(10), |text| text.parse());
    Ok(Duration::from_secs(seconds.context("read TILL_BENCH_SECONDS")?))
}

/// The checkout that README shows.
pub(crate) const CHECKOUT: &str = r#"{"item":"headphones","quantity":1,"price":99.99}"#;

/// Loads a server with that checkout.
///
/// # Errors
/// As [`load_with`].
#[allow(dead_code, clippy::allow_attributes, reason = "not every bench sends that")]
pub(crate) async fn load(address: SocketAddr, connections: u32, duration: Duration) -> anyhow::Result<Load> {
    load_with(address, connections, duration, CHECKOUT).await
}

/// Loads a server with checkouts that have this body.
///
/// # Errors
/// When wrk isn't there, or says something else.
pub(crate) async fn load_with(
    address: SocketAddr,
    connections: u32,
    duration: Duration,
    body: &str,
) -> anyhow::Result<Load> {
    let mut wrk = Command::new("wrk");
    wrk.env("BODY", body);
    wrk.args(["--threads", "1", "--connections", &connections.to_string()]);
    wrk.args(["--duration", &duration.as_secs().max(1).to_string(), "--timeout", "10s", "--script", SCRIPT]);
    wrk.arg(format!("http://{address}/checkout")).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || wrk.output()).await?;
    let output = output.context("run wrk (Debian's package `wrk`: apt-get install wrk)")?;
    let text = String::from_utf8_lossy(&output.stdout);
    anyhow::ensure!(output.status.success(), "wrk: {text}{}", String::from_utf8_lossy(&output.stderr));
    let last = text.lines().rfind(|line| line.starts_with('{')).with_context(|| format!("wrk: {text}"))?;
    serde_json::from_str(last).with_context(|| format!("wrk: {last}"))
}
