//! Another server in a process of its own, which says where it is on one of its streams.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Sender, channel},
};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

pub(crate) struct Peer {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Peer {
    /// Starts it and waits for the first line with an address in it: `… http://127.0.0.1:8080/`.
    ///
    /// # Errors
    /// When it ends without one.
    pub(crate) fn start(program: &Path, arguments: &[&OsStr]) -> anyhow::Result<Self> {
        let mut peer = Command::new(program);
        peer.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = peer.spawn().with_context(|| format!("start {}", program.display()))?;
        let (told, addresses) = channel();
        let (stdout, stderr) = (process.stdout.take().context("piped")?, process.stderr.take().context("piped")?);
        tell_addresses(stdout, told.clone());
        tell_addresses(stderr, told);
        let address = addresses.recv().context("it ended without saying where it is")?;
        Ok(Self { process, address })
    }

    pub(crate) fn process_id(&self) -> String {
        self.process.id().to_string()
    }

    /// # Errors
    /// When it can't be told to end.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        self.process.wait()?;
        Ok(())
    }
}

/// Reads the stream to its end, or the peer would meet a closed pipe.
fn tell_addresses(stream: impl Read + Send + 'static, told: Sender<SocketAddr>) {
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let address = line.split_once("http://").and_then(|(_, rest)| rest.split(['/', ' ']).next()?.parse().ok());
            if let Some(address) = address {
                _ = told.send(address);
            }
        }
    });
}
