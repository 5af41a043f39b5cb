//! The memory of a process, read from time to time.

use std::{
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

use crate::resident::resident_mib;

const EVERY: Duration = Duration::from_secs(5);

/// What is being read.
pub(crate) struct Memory {
    stop: Sender<()>,
    watching: JoinHandle<Vec<f64>>,
}

impl Memory {
    pub(crate) fn watch(process_id: &str) -> Self {
        let (stop, stopped) = channel();
        let process_id = process_id.to_owned();
        let watching = std::thread::spawn(move || {
            let mut resident = Vec::new();
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                resident.extend(resident_mib(&process_id));
            }
            resident
        });
        Self { stop, watching }
    }

    /// Says what it was.
    ///
    /// # Errors
    /// When it couldn't be watched.
    pub(crate) fn finish(self) -> anyhow::Result<String> {
        drop(self.stop);
        let resident = self.watching.join().map_err(|_| anyhow::anyhow!("the watch panicked"))?;
        let fifth = (resident.len() / 5).max(1);
        let mean = |part: &[f64]| part.iter().sum::<f64>() / f64::from(u32::try_from(part.len()).unwrap_or(1).max(1));
        let (first, last) = (resident.get(..fifth), resident.get(resident.len().saturating_sub(fifth)..));
        let (first, last) = (mean(first.unwrap_or_default()), mean(last.unwrap_or_default()));
        let most = resident.iter().fold(0.0_f64, |most, now| most.max(*now));
        Ok(format!(
            "memory    {first:>8.0} MiB in the first fifth, {last:.0} MiB in the last ({:.2}), {most:.0} MiB at most",
            last / first
        ))
    }
}
