//! What plugins take for now and what they draw belongs to the order: whichever version is called, on whichever host, in
//! whichever language.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{
    Client, Host, built_in_and, eventually,
    guests::{PluginFolder, file},
};

fn order() -> Value {
    json!({ "lines": [{ "item": "headphones", "quantity": 1, "price": 10 }] })
}

/// Returns the labels of the order's adjustments, which are what `checkout_clock` says.
fn said(order: &Value) -> Vec<String> {
    let adjustments = order["adjustments"].as_array().expect("adjustments").iter();
    adjustments.map(|adjustment| adjustment["label"].as_str().expect("a label").to_owned()).collect()
}

#[test]
fn now_is_when_the_order_was_placed_and_moves_on_by_what_a_call_sleeps() {
    let host = Host::plan().plugins(built_in_and("checkout_clock")).start();
    let sold = host.shop.post("/checkout", &order());
    assert_eq!(sold.status, 200, "{}", sold.text());
    let kept = host.shop.get(&format!("/orders/{}", sold.reference())).json();
    let placed_at_ms = kept["placed_at_ms"].as_u64().expect("a time");
    let said = said(&sold.json());
    assert_eq!(said[..2], [placed_at_ms.to_string(), (placed_at_ms + 1_500).to_string()]);

    // Another order has another moment.
    let other = self::said(&host.shop.post("/checkout", &order()).json());
    assert!(said.iter().zip(&other).all(|(one, other)| one != other), "{said:?} {other:?}");
    host.stop();
}

#[test]
fn a_shadow_has_the_clock_and_the_chance_of_the_live_call() {
    let host = Host::plan().plugins(built_in_and("checkout_clock")).start();
    let shadow = "&try=%7B%22shadow%22:true,%22gates%22:%7B%22calls_min%22:1000000%7D%7D";
    let component = std::fs::read(file("checkout_clock")).expect("the guest is read");
    let tried = host.admin.deploy("checkout_clock", shadow, &component);
    assert_eq!((tried.status, &tried.json()["result"]), (200, &json!("candidate")), "{}", tried.text());
    for _ in 0..3 {
        assert_eq!(host.shop.post("/checkout", &order()).status, 200);
    }
    let figures = || host.admin.get("/plugins/rollouts").json()["rollouts"][0]["figures"].clone();
    let all = |figures: &Value| figures["candidate"]["calls"] == 3;
    let figures = eventually("calls that follow", || Some(figures()).filter(all));
    let differences = host.admin.get("/plugins/rollout/differences").json();
    assert_eq!(figures["differing"], 0, "{differences:#}");
    host.stop();
}

/// The default inventory's deadlock happens by chance, to 60 % of the laptops bought by the pair.
fn deadlocks(shop: &Client) -> Vec<u16> {
    let body = json!({ "item": "laptop", "quantity": 2 });
    let deduct = |number: u8| {
        let key = format!("moment-{number}");
        let headers = [("content-type", "application/json"), ("idempotency-key", &*key)];
        let body = serde_json::to_vec(&body).expect("JSON");
        shop.send("POST", "/inventory/deduct", &headers, Some(&body)).expect("an answer").status
    };
    (0..12).map(deduct).collect()
}

#[test]
fn an_order_draws_the_same_numbers_on_every_host_and_in_every_language() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let built = |language: &str| -> PathBuf {
        let name = format!("inventory-{language}");
        plugins.join(&name).join("build").join(&name).with_extension("wasm")
    };
    let drawn = |plan: crate::support::Plan| {
        let host = plan.set("inventory.faults=on").set("stock.laptop=1000").start();
        let drawn = deadlocks(&host.shop);
        host.stop();
        drawn
    };
    let in_rust = drawn(Host::plan());
    assert!(in_rust.contains(&200) && in_rust.contains(&500), "{in_rust:?}");
    for language in ["c", "go", "js", "python", "ts"] {
        let file = built(language);
        assert!(file.is_file(), "{} isn't built; make plugins does it", file.display());
        let folder = PluginFolder::of(&[&file], &["checkout"]);
        assert_eq!(drawn(Host::plan().plugins(folder)), in_rust, "{language}");
    }
}
