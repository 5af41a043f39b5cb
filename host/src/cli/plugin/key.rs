//! `till plugin key`: keys to sign plugins with.

use std::{fs::OpenOptions, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::PathBuf};

use anyhow::Context;
use clap::Subcommand;

use super::super::print;
use crate::trust::PrivateKey;

#[derive(Debug, Subcommand)]
pub(in super::super) enum KeyCommand {
    /// Makes a key pair of Ed25519: FILE has the private key, which only the signer keeps. Prints the entry for the trust files
    /// of the hosts (trust.keys_file).
    New {
        /// The private key's file, which must not exist.
        file: PathBuf,
        /// The key's name in the hosts' histories [default: the file's name].
        #[arg(long)]
        name: Option<String>,
    },
    /// Prints the entry of an existing key for the trust files of the hosts.
    Show {
        /// The private key's file.
        file: PathBuf,
        /// The key's name in the hosts' histories [default: the file's name].
        #[arg(long)]
        name: Option<String>,
    },
}

impl KeyCommand {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let (file, name) = match self {
            Self::New { file, name } => {
                let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&file);
                let mut out = made.with_context(|| format!("make {}, which must not exist", file.display()))?;
                out.write_all(PrivateKey::fresh_pem().as_bytes())?;
                out.sync_all()?;
                (file, name)
            }
            Self::Show { file, name } => (file, name),
        };
        let stem = || file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let key = PrivateKey::read(&file)?;
        let public = key.public();
        let name = toml::Value::String(name.unwrap_or_else(stem));
        print(&format!(
            "# The key {}. It counts for all hooks; name those it is for: hooks = [\"discounts\"]. It may expire: expires = 2027-12-31\n[[key]]\nname = {name}\npublic_key = \"\"\"\n{}\"\"\"",
            public.id,
            public.to_pem()
        ))
    }
}
