//! `till hosts`.

use clap::Subcommand;
use serde_json::json;

use super::{
    print_json, print_table,
    store::{Shared, runtime},
    text::clock,
};
use crate::{
    http::rfc3339,
    store::{self, HostRow},
};

#[derive(Debug, Subcommand)]
pub(super) enum Hosts {
    /// Lists the hosts of the store at store.url: those that serve, and those that died within a day.
    List {
        #[command(flatten)]
        shared: Shared,
        /// Prints JSON, for programs.
        #[arg(long)]
        json: bool,
    },
}

impl Hosts {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self::List { shared, json } = self;
        let settings = shared.settings()?;
        let hosts = runtime()?.block_on(store::hosts(&settings))?;
        if json {
            let hosts: Vec<_> = hosts
                .iter()
                .map(|host| {
                    json!({
                        "host": host.id,
                        "name": host.name,
                        "version": host.version,
                        "serves": host.serves,
                        "started_at": rfc3339(host.started_at_ms),
                        "lease_until": rfc3339(host.lease_until_ms),
                        "open_orders": host.open_orders,
                    })
                })
                .collect();
            return print_json(&json!({ "hosts": hosts }));
        }
        let line = |host: &HostRow| {
            [
                host.id.to_string(),
                host.name.clone(),
                host.version.clone(),
                if host.serves { "serves".to_owned() } else { "dead".to_owned() },
                clock(host.started_at_ms * 1000),
                clock(host.lease_until_ms * 1000),
                host.open_orders.to_string(),
            ]
        };
        print_table(["HOST", "NAME", "TILL", "STATE", "STARTED", "LEASE UNTIL", "OPEN ORDERS"], hosts.iter().map(line))
    }
}
