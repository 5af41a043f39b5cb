//! `till traffic`.

mod progress;
mod report;

use std::{sync::Arc, time::Duration};

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{WrongUsage, print, print_json};
use crate::traffic::{self, Plan, arrivals::Arrivals, client::Shop, summary::Summary, tally::Tally};

/// The most requests a second: far more than a shop on one machine sells or one process can send on time.
const RATE_MAX: f64 = 100_000.0;
/// The longest --duration; a run without --duration has no limit.
const DURATION_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Simulates customers of a running shop, and reports the results.
///
/// The customers buy the demo's laptops, smartphones and headphones, with some malformed requests among them, at a rate
/// that doesn't depend on the answers. The command ends after --duration or with Ctrl-C, and reports how fast the
/// requests were answered, with which outcomes, and whether the shop kept its promises.
#[derive(Debug, Args)]
#[command(after_help = "\
Latencies count from the moment at which a request was due, retries included. When the demo's stock is sold, refusals are \
all there is: till stock set headphones 1000000.
It ends with 1 if the shop can't be reached or never answered, or broke a promise: a repeated checkout has the same answer, \
a malformed one is refused with 4xx.")]
pub(super) struct Traffic {
    /// The shop, http only.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    url: String,
    /// Requests a second, on average.
    #[arg(long, value_name = "N", default_value = "5", value_parser = rate)]
    rate: f64,
    /// The distribution of the times between requests.
    #[arg(long, value_enum, default_value_t = Arrivals::Poisson)]
    arrivals: Arrivals,
    /// How long to send requests, such as 90s, 500ms, 5m or 1h [default: until Ctrl-C].
    #[arg(long, value_name = "TIME", value_parser = duration)]
    duration: Option<Duration>,
    /// The seed: the same number sends the same requests in the same order at the same moments [default: random].
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// The most requests under way, including waiting retries; a request due past this limit isn't sent but counted.
    /// Each may have a connection of its own.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = in_flight_max)]
    in_flight_max: usize,
    /// The share of malformed requests, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value = "0.02", value_parser = share)]
    malformed: f64,
    /// The share of answered checkouts that are sent again with their Idempotency-Key, 0 to 1.
    #[arg(long, value_name = "SHARE", default_value = "0.01", value_parser = share)]
    repeat: f64,
    /// How often a request is sent again with its key after no answer, or after 502, 503 or 504.
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u32).range(..=1000))]
    retries: u32,
    /// Prints the summary as JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Traffic {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let plan = self.plan();
        let shop = Shop::new(&plan.url, 1).map_err(|error| WrongUsage(format!("{error:#}")))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let summary = runtime.block_on(async {
            shop.reach().await.map_err(|error| {
                let url = &plan.url;
                anyhow::anyhow!("{url} can't be reached ({error}); is till serving there? --url URL says where")
            })?;
            run(&plan).await
        });
        // The remaining requests were given up, and counted as such.
        runtime.shutdown_background();
        let summary = summary?;
        if self.json {
            print_json(&summary)?;
        } else {
            print(report::text(&summary).trim_end())?;
        }
        check(&summary)
    }

    fn plan(&self) -> Plan {
        Plan {
            url: self.url.trim_end_matches('/').to_owned(),
            arrivals: self.arrivals,
            rate_per_s: self.rate,
            duration: self.duration,
            // Only 32 bits, because a person may want to type the seed.
            seed: self.seed.unwrap_or_else(|| rand::random::<u32>().into()),
            in_flight_max: self.in_flight_max,
            malformed: self.malformed,
            repeated: self.repeat,
            retries: self.retries,
        }
    }
}

/// Runs the traffic. The first signal stops new requests, the second one gives up those under way; both end with a
/// summary.
async fn run(plan: &Plan) -> anyhow::Result<Summary> {
    let mut terminated = signal(SignalKind::terminate())?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let (ending, abandoning) = (CancellationToken::new(), CancellationToken::new());
    let tally = Arc::new(Tally::default());
    let signals = async {
        for token in [&ending, &abandoning] {
            tokio::select! { _ = terminated.recv() => {}, _ = interrupted.recv() => {} }
            token.cancel();
        }
        std::future::pending().await
    };
    tokio::select! {
        summary = traffic::run(plan, &tally, &ending, &abandoning) => summary,
        never = progress::show(&tally, plan.duration) => never,
        never = signals => never,
    }
}

/// # Errors
/// If nobody answered, or a promise was broken.
fn check(summary: &Summary) -> anyhow::Result<()> {
    let Summary { url, sent, answered, broken_promises, .. } = summary;
    anyhow::ensure!(sent.count == 0 || answered.count > 0, "{url} answered none of {} requests", sent.count);
    anyhow::ensure!(*broken_promises == 0, "{url} broke its promises {broken_promises} times; the summary says which");
    Ok(())
}

/// Parses requests a second.
pub(super) fn rate(text: &str) -> Result<f64, String> {
    let rate = text.parse().ok().filter(|rate: &f64| *rate >= 0.001 && *rate <= RATE_MAX);
    rate.ok_or_else(|| format!("requests a second, from 0.001 to {RATE_MAX}"))
}

fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "a share from 0 to 1".to_owned())
}

/// Ten thousand is the ceiling: beyond that the system's limit of open files would have to be raised, and a shop
/// accepts only a few thousand connections.
fn in_flight_max(text: &str) -> Result<usize, String> {
    let requests = text.parse().ok().filter(|requests| (1..=10_000).contains(requests));
    requests.ok_or_else(|| "requests, from 1 to 10000".to_owned())
}

/// Parses a duration with its unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let number = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit_s = match text.get(number.len()..) {
        Some("ms") => 0.001,
        Some("s") => 1.0,
        Some("m") => 60.0,
        Some("h") => 3600.0,
        _ => 0.0,
    };
    let duration = number.parse().ok().and_then(|number: f64| Duration::try_from_secs_f64(number * unit_s).ok());
    let duration = duration.filter(|duration| !duration.is_zero() && *duration <= DURATION_MAX);
    duration.ok_or_else(|| "a time such as 90s, 500ms, 5m or 1h, of 30 days at most".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, milliseconds) in [
            ("90s", Some(90_000)),
            ("500ms", Some(500)),
            ("1.5m", Some(90_000)),
            ("720h", Some(2_592_000_000)),
            ("721h", None),
            ("60", None),
            ("0s", None),
            ("-1s", None),
            ("s", None),
            ("1d", None),
            ("NaNs", None),
            ("1 é", None),
        ] {
            assert_eq!(duration(text).ok().map(|duration| duration.as_millis()), milliseconds, "{text}");
        }
        assert!(rate("0").is_err() && rate("NaN").is_err() && share("1.1").is_err() && in_flight_max("0").is_err());
    }
}
