//! The demo's host: a process of its own, in a temporary folder, on free ports.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::{Duration, Instant},
};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::{client::Admin, own_program};

/// How long a start may take on a slow machine.
const START: Duration = Duration::from_secs(60);
/// How long a stop may take; the host itself waits for requests for limits.drain_ms.
const STOP: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(50);
/// How much of the log is shown of a host that didn't start.
const LOG_LINES: usize = 10;

/// What the shop sells: enough for hours of customers. Its faults are off until the story turns them on.
const SETTINGS: [&str; 4] =
    ["stock.laptop=1000000", "stock.smartphone=1000000", "stock.headphones=1000000", "inventory.faults=off"];

/// A host that is killed, and whose folder is deleted, when this is dropped.
pub(super) struct DemoHost {
    folder: TempDir,
    child: Child,
    pub(super) shop: String,
    pub(super) admin: Admin,
}

impl DemoHost {
    /// Starts it and waits until it serves.
    ///
    /// # Errors
    /// If it doesn't, with the end of its log, or if `stopping` is cancelled.
    pub(super) fn start(stopping: &CancellationToken) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("till-demo-").tempdir().context("make the demo's folder")?;
        let log = File::create(folder.path().join("till.log")).context("make the demo's log")?;
        let mut command = Command::new(own_program());
        command.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"]);
        command.arg(folder.path().join("data")).current_dir(folder.path());
        command.args(SETTINGS.iter().flat_map(|setting| ["--set", setting]));
        // The settings of a shop of the user's own, its database among them, are none of the demo's.
        for (variable, _) in std::env::vars_os() {
            let name = variable.to_string_lossy();
            if name.starts_with("TILL_") || name == "INVENTORY_URL" {
                command.env_remove(&variable);
            }
        }
        // A process group of its own: Ctrl-C is for this command, which stops the host once no customer is left.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).process_group(0);
        let mut child = command.spawn().context("start the demo's host")?;
        let addresses = child.stdout.take().map(addresses);
        let mut host = Self { folder, child, shop: String::new(), admin: Admin::at(String::new()) };
        let began = Instant::now();
        let wait_for = |wanted: &str| loop {
            let told = addresses.as_ref().map(|told| told.recv_timeout(LOOK));
            match told {
                Some(Ok((name, address))) if name == wanted => return Ok(address),
                Some(Err(mpsc::RecvTimeoutError::Timeout)) if stopping.is_cancelled() => {
                    return Err(anyhow::Error::from(super::Stopped));
                }
                Some(Ok(_)) => {}
                Some(Err(mpsc::RecvTimeoutError::Timeout)) if began.elapsed() < START => {}
                _ => anyhow::bail!("the demo's host didn't start; its log ends with\n{}", host.end_of_log()),
            }
        };
        let (shop, admin) = (wait_for("shop")?, wait_for("admin")?);
        (host.shop, host.admin) = (shop, Admin::at(admin));
        Ok(host)
    }

    /// Stops it in order, and waits for that.
    ///
    /// # Errors
    /// If it ended with an error, or didn't end.
    pub(super) fn stop(&mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).context("stop the demo's host")?;
        let began = Instant::now();
        while began.elapsed() < STOP {
            if let Some(status) = self.child.try_wait().context("wait for the demo's host")? {
                anyhow::ensure!(
                    status.success(),
                    "the demo's host ended with {status}; its log ends with\n{}",
                    self.end_of_log()
                );
                return Ok(());
            }
            std::thread::sleep(LOOK);
        }
        anyhow::bail!("the demo's host didn't stop within {} s and was killed", STOP.as_secs())
    }

    fn end_of_log(&self) -> String {
        let log = std::fs::read_to_string(self.folder.path().join("till.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines.get(lines.len().saturating_sub(LOG_LINES)..).unwrap_or_default().join("\n")
    }
}

impl Drop for DemoHost {
    fn drop(&mut self) {
        // Both fail for a host that has ended, which is then as it should be.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Returns the addresses that a host tells on its stdout, with their names. Reads on to the end, because a host must
/// not meet a closed pipe.
fn addresses(stdout: impl std::io::Read + Send + 'static) -> mpsc::Receiver<(String, String)> {
    let (told, addresses) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if let Some((name, url)) = line.trim().split_once(' ')
                && url.trim_start().starts_with("http://")
            {
                _ = told.send((name.to_owned(), url.trim().to_owned()));
            }
        }
    });
    addresses
}
