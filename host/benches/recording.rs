//! What recording plugins' calls costs a checkout: without recordings, with them, with every recording making room for another, and with each
//! masked and written to the disk, its texts searched for personal details or not. `shop/compared.rs` says how, and with which variables.
//!
//! All have the same request: two lines, three attributes of the order and one of a line, as much as a shop may send. A checkout makes
//! two recordings.

#[path = "shop/compared.rs"]
mod compared;
#[path = "shop/cpu.rs"]
mod cpu;
#[path = "shop/host.rs"]
mod host;
#[path = "shop/peer.rs"]
#[expect(dead_code, reason = "only till is measured")]
mod peer;
#[path = "shop/resident.rs"]
mod resident;
#[expect(dead_code, reason = "no host runs in this process, with telemetry of its own")]
mod shop;
#[path = "shop/wrk.rs"]
#[expect(dead_code, reason = "each round has a time of its own, and refusals are counted")]
mod wrk;

use std::path::Path;

use compared::{Contender, Running};
use host::Host;

/// What each is asked.
const BODY: &str = r#"{"lines":[{"item":"headphones","quantity":1,"price":99.99},
    {"item":"headphones","quantity":2,"price":89.99,"attributes":{"engraving":"for Ada"}}],
    "attributes":{"customer_email":"ada@example.com","channel":"web","note":"please ring twice"}}"#;

/// A host with these settings.
#[derive(Clone, Copy)]
struct Recording {
    name: &'static str,
    settings: &'static [&'static str],
}

const ALL: [Recording; 5] = [
    Recording { name: "none", settings: &["recordings.kept_mib=0"] },
    Recording { name: "recorded", settings: &[] },
    // A checkout's recordings take some 2 KiB, so that after a moment each makes room for another.
    Recording { name: "full", settings: &["recordings.kept_mib=1"] },
    // Each recording is masked, too, on the thread that writes it.
    Recording { name: "written", settings: &["recordings.disk_percent=100"] },
    Recording { name: "written, by key", settings: &["recordings.disk_percent=100", "recordings.mask_found=off"] },
];

impl Contender for Recording {
    fn name(&self) -> &'static str {
        self.name
    }

    fn must_serve(&self) -> bool {
        true
    }

    fn start(&self, folder: &Path) -> anyhow::Result<Running> {
        Ok(Running::Till(Host::start(folder, self.settings)?))
    }
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(compared::compare(&ALL, BODY))
}
