//! What signals do to a host that serves.
//!
//! | signal | does |
//! |---|---|
//! | TERM, INT | stops it in order; a second one ends it at once |
//! | HUP | the same, for that is what a terminal that closes means; nothing where it was ignored at the start (`nohup`) |
//! | USR1, USR2 | nothing, but a line in the log: settings are read at a start, plugins are changed by command |

use tokio::{
    select,
    signal::unix::{Signal, SignalKind, signal},
};
use tokio_util::sync::CancellationToken;

use crate::telemetry::flush_log;

/// The exit code of a host that got two signals to stop; shells use the same one for SIGINT.
const STOPPED_TWICE: i32 = 130;

/// The signals that a host listens to, from its start on.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// `None` if HUP was ignored at the start, and so stays ignored.
    hang_up: Option<Signal>,
    user: [Signal; 2],
}

impl Signals {
    /// Listens from now on, so that no signal is lost or ends the process by itself.
    ///
    /// # Errors
    /// If the system can't register a handler.
    pub(super) fn listen() -> std::io::Result<Self> {
        let hang_up = (!is_ignored(SignalKind::hangup())).then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up,
            user: [signal(SignalKind::user_defined1())?, signal(SignalKind::user_defined2())?],
        })
    }

    /// Waits for a signal that stops the host.
    pub(super) async fn stop(&mut self) {
        loop {
            let [user1, user2] = &mut self.user;
            let hang_up = async {
                match &mut self.hang_up {
                    Some(hang_up) => hang_up.recv().await,
                    None => std::future::pending().await,
                }
            };
            select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = hang_up => return,
                _ = user1.recv() => passed_over("SIGUSR1"),
                _ = user2.recv() => passed_over("SIGUSR2"),
            }
        }
    }

    /// Cancels `stopping` at the first signal that stops the host, and ends the process at the second.
    pub(super) async fn watch(mut self, stopping: CancellationToken) {
        self.stop().await;
        stopping.cancel();
        self.stop().await;
        flush_log(std::time::Duration::from_millis(100));
        std::process::exit(STOPPED_TWICE);
    }
}

fn passed_over(name: &'static str) {
    tracing::info!("{name} does nothing: settings are read at a start, plugins are changed with `till plugin`");
}

/// Returns whether the process was started with the signal ignored, as `nohup` does with HUP.
fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (kind.as_raw_value() - 1)) != 0
}
