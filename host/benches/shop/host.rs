//! A till in a process of its own, as somebody would start it: one item, plenty of it, no faults.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

pub(crate) const ITEM: &str = "headphones";
/// More than any run sells.
pub(crate) const OPENING_STOCK: u32 = 4_000_000_000;

pub(crate) struct Host {
    process: Child,
    pub(crate) shop: SocketAddr,
    #[allow(dead_code, clippy::allow_attributes, reason = "not every bench asks it")]
    pub(crate) admin: SocketAddr,
}

impl Host {
    /// Starts it with its data in the folder, and the settings on top: `section.key=value`.
    ///
    /// # Errors
    /// When it doesn't say where it is.
    #[allow(dead_code, clippy::allow_attributes, reason = "not every bench leaves the environment as it is")]
    pub(crate) fn start(folder: &Path, settings: &[&str]) -> anyhow::Result<Self> {
        Self::start_in(folder, settings, &[])
    }

    /// Does so with some more environment.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub(crate) fn start_in(folder: &Path, settings: &[&str], variables: &[(&str, String)]) -> anyhow::Result<Self> {
        Self::start_program(Path::new(env!("CARGO_BIN_EXE_till")), folder, settings, variables)
    }

    /// Starts a till of another build.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub(crate) fn start_program(
        program: &Path,
        folder: &Path,
        settings: &[&str],
        variables: &[(&str, String)],
    ) -> anyhow::Result<Self> {
        let mut till = Command::new(program);
        till.args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"]).arg(folder);
        let stock = format!("stock.{ITEM}={OPENING_STOCK}");
        for setting in [stock.as_str(), "inventory.faults=off"].iter().chain(settings) {
            till.args(["--set", setting]);
        }
        // They would be taken for settings.
        for (variable, _) in std::env::vars().filter(|(name, _)| name.starts_with("TILL_BENCH_")) {
            till.env_remove(variable);
        }
        till.envs(variables.iter().map(|(name, value)| (name, value)));
        let mut process = till.current_dir(folder).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let mut lines = BufReader::new(process.stdout.take().context("stdout is piped")?).lines();
        let mut address = |name: &str| {
            loop {
                let line = lines.next().context("till says where it is")??;
                let address = line.trim().strip_prefix(name).and_then(|rest| rest.trim().strip_prefix("http://"));
                if let Some(address) = address {
                    return anyhow::Ok(address.parse()?);
                }
            }
        };
        let (shop, admin) = (address("shop")?, address("admin")?);
        // To the end, or the host would meet a closed pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        Ok(Self { process, shop, admin })
    }

    #[allow(dead_code, clippy::allow_attributes, reason = "not every bench looks")]
    pub(crate) fn process_id(&self) -> String {
        self.process.id().to_string()
    }

    /// # Errors
    /// When it didn't end well.
    pub(crate) fn stop(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)?;
        let status = self.process.wait()?;
        anyhow::ensure!(status.success(), "till ended with {status}");
        Ok(())
    }
}
