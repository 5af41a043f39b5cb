//! `till demo`.

mod host;
mod story;

use std::{
    io::IsTerminal,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::Context;
use clap::Args;
use tokio::{
    runtime::Runtime,
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use super::{
    paint::{FAINT, painted},
    print_painted,
    traffic::{duration, rate},
};
use crate::traffic::{self, Plan, arrivals::Arrivals, summary::Summary, tally::Tally};
use host::DemoHost;

/// The requests of every demo are the same; what the plugins draw by chance isn't.
const SEED: u64 = 60;
/// The shortest story in which each part still has some customers.
const SHORTEST: Duration = Duration::from_secs(5);

/// Shows in a minute what a till does, in a shop of its own.
///
/// A shop opens in a temporary folder, on free ports, and customers come. A change is tried as a canary and withdrawn by its
/// gates; the same change goes live without a canary, and is rolled back. Each step is told with links to its traces.
#[derive(Debug, Args)]
#[command(after_help = "\
On a terminal the shop stays open after that until Ctrl-C, so that the links lead somewhere. Nothing is left behind: the \
folder is deleted, and no settings file or variable of the shop's own is read.")]
pub(super) struct Demo {
    /// How long the story takes, 5s at least.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = duration)]
    duration: Duration,
    /// Customers a second.
    #[arg(long, value_name = "N", default_value = "40", value_parser = rate)]
    rate: f64,
    /// Ends after the story, as it does where stdout is no terminal.
    #[arg(long)]
    once: bool,
}

/// A demo under way.
struct Demonstration {
    host: DemoHost,
    tally: Arc<Tally>,
    /// Cancelled by Ctrl-C.
    stopping: CancellationToken,
    began: Instant,
    runtime: Runtime,
    length: Duration,
    rate: f64,
}

/// Why the story ended early: somebody pressed Ctrl-C, which is no error.
#[derive(Debug, thiserror::Error)]
#[error("stopped")]
struct Stopped;

impl Demo {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let stopping = CancellationToken::new();
        // From here on Ctrl-C doesn't end the process by itself, which would leave the host and its folder behind.
        let signals = runtime.block_on(listen(stopping.clone()))?;
        let host = DemoHost::start(&stopping)?;
        let demonstration = Demonstration {
            host,
            tally: Arc::default(),
            stopping,
            began: Instant::now(),
            runtime,
            length: self.duration.max(SHORTEST),
            rate: self.rate,
        };
        let stays = !self.once && std::io::stdout().is_terminal();
        let told = demonstration.show(stays);
        signals.abort();
        match told {
            Err(error) if error.is::<Stopped>() => Ok(()),
            told => told,
        }
    }
}

/// Cancels `stopping` at the first signal that ends a command.
async fn listen(stopping: CancellationToken) -> anyhow::Result<JoinHandle<()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
        stopping.cancel();
    }))
}

impl Demonstration {
    /// Shows everything, and stops the host whatever happens.
    fn show(mut self, stays: bool) -> anyhow::Result<()> {
        let ending = CancellationToken::new();
        let customers = self.customers(&ending);
        let told = story::tell(&self).and_then(|()| {
            if stays {
                self.say("The shop stays open for a look around; Ctrl-C closes it.")?;
                self.runtime.block_on(self.stopping.cancelled());
            }
            Ok(())
        });
        ending.cancel();
        let summary = self.runtime.block_on(customers).context("wait for the customers")?;
        if let (Ok(()), Ok(summary)) = (&told, &summary) {
            story::sum_up(&self, summary)?;
        }
        let stopped = self.host.stop();
        told.and(summary.map(drop)).and(stopped)
    }

    /// Sends customers until `ending` is cancelled; those under way then are given up at Ctrl-C.
    fn customers(&self, ending: &CancellationToken) -> JoinHandle<anyhow::Result<Summary>> {
        let plan = Plan {
            url: self.host.shop.clone(),
            arrivals: Arrivals::Poisson,
            rate_per_s: self.rate,
            duration: None,
            seed: SEED,
            in_flight_max: 1_000,
            malformed: 0.0,
            repeated: 0.01,
            retries: 0,
        };
        let (tally, ending, abandoning) = (Arc::clone(&self.tally), ending.clone(), self.stopping.clone());
        self.runtime.spawn(async move { traffic::run(&plan, &tally, &ending, &abandoning).await })
    }

    /// Tells a step.
    fn say(&self, text: &str) -> anyhow::Result<()> {
        let at = format!("{:>5.1} s", self.began.elapsed().as_secs_f64());
        print_painted(&format!("{}  {text}", painted(FAINT, &at)))
    }

    /// Tells more of the last step.
    #[expect(clippy::unused_self, reason = "as `say`")]
    fn add(&self, text: &str) -> anyhow::Result<()> {
        print_painted(&format!("{:9}{text}", ""))
    }

    /// Waits until that share of the story has gone by.
    ///
    /// # Errors
    /// If it is stopped meanwhile.
    fn wait_until(&self, share: f64) -> anyhow::Result<()> {
        self.wait(self.length.mul_f64(share).saturating_sub(self.began.elapsed()))
    }

    /// # Errors
    /// As [`wait_until`](Self::wait_until).
    fn wait(&self, time: Duration) -> anyhow::Result<()> {
        let stopped = self.runtime.block_on(async {
            tokio::select! {
                () = self.stopping.cancelled() => true,
                () = tokio::time::sleep(time) => false,
            }
        });
        if stopped { Err(Stopped.into()) } else { Ok(()) }
    }

    /// Returns whether that share of the story has gone by.
    fn is_past(&self, share: f64) -> bool {
        self.began.elapsed() >= self.length.mul_f64(share)
    }
}
