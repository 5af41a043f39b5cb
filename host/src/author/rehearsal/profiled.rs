//! A recorded call, repeated again and again, to see in which functions its time goes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{Case, Repeating};
use crate::runtime::Sampled;

/// How much of the guest's processor time is looked at.
const LOOKED_AT: Duration = Duration::from_secs(1);
/// How long that is waited for: a call of some microseconds has to be made many times.
const WAITED_FOR: Duration = Duration::from_secs(8);
/// How often the guest is looked at.
const EVERY: Duration = Duration::from_micros(200);

/// Where a call's time goes.
#[derive(Debug)]
pub struct Profile {
    pub calls: u64,
    /// The guest's own processor time of all calls.
    pub cpu: Duration,
    pub all: Sampled,
    /// Whether the file names its functions.
    pub has_names: bool,
}

impl Repeating {
    /// Repeats a recorded call for about a second of the guest's time. Other calls of this plugin would be counted as well.
    ///
    /// # Errors
    /// As [`Repeating::repeat`].
    pub async fn profile(&self, case: &Case) -> anyhow::Result<Profile> {
        let engine = &self.stage().engine;
        // What is compiled and cached at the first call isn't looked at.
        self.repeat(case).await?;
        let samples = engine.sample();
        let _looking = Looking::start(engine.wasmtime())?;
        let began = Instant::now();
        let (mut calls, mut cpu) = (0, Duration::ZERO);
        while cpu < LOOKED_AT && began.elapsed() < WAITED_FOR {
            cpu += self.repeat(case).await?.cost.cpu;
            calls += 1;
        }
        let (all, has_names) = samples.all();
        Ok(Profile { calls, cpu, all, has_names })
    }
}

/// A thread that has the guests looked at, until it is dropped.
struct Looking {
    ended: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Looking {
    fn start(engine: wasmtime::Engine) -> std::io::Result<Self> {
        let ended = Arc::<AtomicBool>::default();
        let is_over = Arc::clone(&ended);
        let look = move || {
            while !is_over.load(Relaxed) {
                thread::sleep(EVERY);
                engine.increment_epoch();
            }
        };
        let thread = thread::Builder::new().name("profile".to_owned()).spawn(look)?;
        Ok(Self { ended, thread: Some(thread) })
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.ended.store(true, Relaxed);
        self.thread.take().into_iter().for_each(|thread| _ = thread.join());
    }
}
