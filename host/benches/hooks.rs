//! What the hooks cost: a checkout without a plugin at any hook beside one with a plugin in Rust at the first hook, at the first
//! two, and so on in the order in which they are asked, up to all eight. `shop/compared.rs` says how, and with which variables.
//!
//! Each row has what the row above has and one plugin more, so that the difference of two rows is what that hook costs. All have the
//! same request: one line, a code, an address, an agreed delivery and a way to pay.

#[expect(clippy::expect_used, reason = "it is the tests' own, which end with what they can't do")]
#[path = "../tests/it/support/built.rs"]
mod built;
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

use std::path::{Path, PathBuf};

use anyhow::Context;
use compared::{Contender, Running};
use host::{Host, ITEM};

/// A plugin at a hook.
struct Plugin {
    /// What stands in the table.
    row: &'static str,
    hook: &'static str,
    file: fn() -> PathBuf,
    /// JSON.
    settings: &'static str,
}

/// In the order in which they are asked.
const PLUGINS: [Plugin; 8] = [
    Plugin {
        row: "+cart-transform",
        hook: "cart-transform",
        file: || built::sample("bundle-expand"),
        settings: r#"{"decrease":"5"}"#,
    },
    Plugin {
        row: "+validation",
        hook: "validation",
        file: || built::sample("cart-limits"),
        settings: r#"{"most":"10"}"#,
    },
    Plugin {
        row: "+discounts",
        hook: "discounts",
        file: || built::sample("percent-with-code"),
        settings: r#"{"code":"WELCOME10","percent":"10"}"#,
    },
    Plugin {
        row: "+delivery-options",
        hook: "delivery-options",
        file: || built::guest("delivery_options_flat"),
        settings: r#"{"options":"standard=4.99,express=9.99,pickup=0"}"#,
    },
    Plugin {
        row: "+delivery-discounts",
        hook: "delivery-discounts",
        file: || built::sample("free-delivery"),
        settings: r#"{"over":"50"}"#,
    },
    Plugin {
        row: "+delivery-menu",
        hook: "delivery-menu",
        file: || built::guest("delivery_menu_limits"),
        settings: r#"{"hide":"express"}"#,
    },
    Plugin {
        row: "+tax",
        hook: "tax",
        file: || built::sample("province-tax"),
        settings: r#"{"rates":"{\"CA-ON\":{\"standard\":13}}"}"#,
    },
    Plugin {
        row: "+payment-menu",
        hook: "payment-menu",
        file: || built::guest("payment_menu_limits"),
        settings: r#"{"invoice_under":"50"}"#,
    },
];

/// What each is asked.
const BODY: &str = r#"{"item":"headphones","quantity":1,"price":99.99,"codes":["WELCOME10"],
    "shipping_address":{"country_code":"CA","province_code":"ON","city":"Ottawa","postal_code":"K1A 0B1"}}"#;

/// A shop with the first so many plugins.
#[derive(Clone, Copy)]
struct Shop(usize);

impl Contender for Shop {
    fn name(&self) -> &'static str {
        self.plugins().last().map_or("none", |plugin| plugin.row)
    }

    fn must_serve(&self) -> bool {
        true
    }

    fn start(&self, folder: &Path) -> anyhow::Result<Running> {
        let host = Host::start(folder, &["payment.methods=invoice=Invoice,card=Card"])?;
        let catalogue = format!(r#"[{{"item":"{ITEM}","title":"Headphones","price":99.99}}]"#);
        let imported = ureq::post(format!("http://{}/catalogue", host.admin)).content_type("application/json");
        imported.send(&catalogue).context("import the catalogue")?;
        for plugin in self.plugins() {
            plugin.install(&host).with_context(|| format!("install a plugin at {}", plugin.hook))?;
        }
        Ok(Running::Till(host))
    }
}

impl Shop {
    fn plugins(self) -> impl Iterator<Item = &'static Plugin> {
        PLUGINS.iter().take(self.0)
    }
}

impl Plugin {
    fn install(&self, host: &Host) -> anyhow::Result<()> {
        let bytes = std::fs::read((self.file)())?;
        let install = ureq::post(format!("http://{}/plugins/install", host.admin))
            .query("kind", self.hook)
            .query("installation", "bench")
            .query("set", self.settings);
        install.content_type("application/wasm").send(&bytes)?;
        Ok(())
    }
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let shops: Vec<_> = (0..=PLUGINS.len()).map(Shop).collect();
    runtime.block_on(compared::compare(&shops, BODY))
}
