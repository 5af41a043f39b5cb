//! `till open`.

use std::process::{Command, Stdio};

use clap::Args;
use serde_json::json;

use super::{
    client::Admin,
    paint::{LINK, painted},
    print_json, print_painted,
    traces::find,
};

/// What opens an address with the desktop's browser.
const OPENER: &str = "xdg-open";

/// Opens the console, or one trace in it, in a browser.
///
/// The address is printed in any case; the browser is opened if this machine has a desktop.
#[derive(Debug, Args)]
pub(super) struct Open {
    /// A trace's id or its beginning, or an order's reference or number.
    #[arg(value_name = "TRACE|REFERENCE")]
    trace: Option<String>,
    /// Only prints the address.
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    admin: Admin,
}

impl Open {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { trace, print, admin } = self;
        let path = match trace {
            Some(trace) => format!("/traces/{}", find(&trace, &admin)?),
            None => "/console".to_owned(),
        };
        let url = admin.url(&path);
        let opened = !print && open(&url);
        if admin.json {
            print_json(&json!({ "url": url, "opened": opened }))
        } else {
            print_painted(&painted(LINK, &url))
        }
    }
}

/// Returns whether a browser was asked for. Without a desktop there is none, and a text browser would take the terminal.
fn open(url: &str) -> bool {
    let has_desktop =
        ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| std::env::var_os(name).is_some_and(|at| !at.is_empty()));
    let mut opener = Command::new(OPENER);
    opener.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    has_desktop && opener.spawn().is_ok()
}
