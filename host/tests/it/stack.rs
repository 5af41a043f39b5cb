//! The parts of the stack that run without containers: the dashboards' queries and the alerts, on a real Prometheus
//! that scraped a busy host. `stack/check.py` checks the rest, which can only be read.

use std::process::Command;

use serde_json::json;

use crate::support::{Host, Protocol, collector::Collector, eventually, host::till, prometheus::Prometheus};

const PANELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../stack/panels.py");

/// The demo's traffic is on, and each occasional event happens at least once.
#[test]
fn every_panel_has_numbers_once_a_host_was_busy() {
    let collector = Collector::start(Protocol::Grpc);
    let host = Host::plan_demo()
        .set("stock.laptop=1000000")
        .set("stock.smartphone=1000000")
        .set("stock.headphones=1000000")
        .set("limits.guest_fuel=on")
        .set("traces.sent_percent=5")
        .exporting_to(collector.endpoint(), Protocol::Grpc)
        .warns("checkout failed")
        .start();
    let prometheus = Prometheus::scraping(&host);
    let traffic = || {
        let mut traffic = till();
        traffic
            .args(["traffic", "--rate", "40", "--duration", "6s", "--url"])
            .arg(format!("http://{}", host.shop.address));
        let ended = traffic.output().expect("till starts");
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    };
    traffic();
    // A shadow that decides otherwise now and then, for it draws its own faults; and a version that is made live.
    let settings = json!({ "set": { "reuse": "1" } });
    let shadow = host.admin.post("/plugins/inventory/settings", &json!({ "set": { "faults": "off" }, "shadow": true }));
    assert_eq!(shadow.status, 200, "{}", shadow.text());
    traffic();
    let ended = host.admin.post("/plugins/rollout/abort", &json!({}));
    assert_eq!(ended.status, 200, "{}", ended.text());
    let changed = host.admin.post("/plugins/checkout/settings", &settings);
    assert_eq!(changed.status, 200, "{}", changed.text());
    traffic();
    prometheus.wait_for_scrape();

    let table = eventually("numbers in every panel", || {
        let asked = Command::new("python3")
            .args([PANELS, "--all", "--prometheus"])
            .arg(format!("http://{}", prometheus.api.address))
            .output()
            .expect("Python is installed");
        let table = String::from_utf8_lossy(&asked.stdout).into_owned();
        if std::env::var_os("TILL_PANELS").is_some() && !asked.status.success() {
            println!("{table}");
        }
        asked.status.success().then_some(table)
    });
    println!("{table}");
    // Nothing is down, and nothing is lost.
    for alert in ["HostDown", "PluginBreakerOpen", "SpansLost"] {
        assert!(prometheus.values(&format!("ALERTS{{alertname=\"{alert}\"}}")).is_empty(), "{alert} fires");
    }
    host.end();
}
