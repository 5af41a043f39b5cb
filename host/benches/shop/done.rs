//! What a load was, and what it took, added up over turns.

use std::{net::SocketAddr, time::Duration};

use crate::{cpu, wrk};

/// What a host was loaded with, and what it took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Done {
    checkouts: f64,
    seconds: f64,
    cpu_seconds: f64,
}

impl Done {
    /// Loads a host, whose process is that with the id, or `self`.
    ///
    /// # Errors
    /// When a request failed.
    pub(crate) async fn under_load(
        address: SocketAddr,
        connections: u32,
        process: &str,
        duration: Duration,
    ) -> anyhow::Result<Self> {
        let had = cpu::seconds(process)?;
        let load = wrk::load(address, connections, duration).await?;
        load.check()?;
        let cpu_seconds = cpu::seconds(process)? - had;
        let checkouts = f64::from(u32::try_from(load.answered)?);
        let (rate, ..) = load.figures()?;
        Ok(Self { checkouts, seconds: checkouts / rate, cpu_seconds })
    }

    pub(crate) fn add(&mut self, more: Self) {
        self.checkouts += more.checkouts;
        self.seconds += more.seconds;
        self.cpu_seconds += more.cpu_seconds;
    }

    pub(crate) fn rate(self) -> f64 {
        self.checkouts / self.seconds
    }

    pub(crate) fn cpu_us(self) -> f64 {
        self.cpu_seconds / self.checkouts * 1e6
    }
}
