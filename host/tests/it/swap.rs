//! Plugins are changed while requests are served; a refused file changes nothing.

use std::{
    path::PathBuf,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant},
};

use rand::RngExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::{
    Answer, Client, Host, OnDrop, built_in_and, dice, eventually,
    guests::file,
    host::till,
    promises::{Acknowledged, Buyers, broken},
    rounds, soaking,
};

const WASM: [(&str, &str); 1] = [("content-type", "application/wasm")];

/// Deploys a guest, or the built-in plugin of a kind by that.
fn deploy(admin: &Client, plugin: &str) -> Answer {
    admin.deploy(plugin, "", &bytes(plugin))
}

fn bytes(plugin: &str) -> Vec<u8> {
    if !["checkout", "inventory"].contains(&plugin) {
        return std::fs::read(file(plugin)).expect("the guest is read");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("plugin.wasm");
    assert!(till().args(["plugin", "export", plugin]).arg(&path).status().expect("till starts").success());
    std::fs::read(path).expect("the plugin is read")
}

/// Returns the guest under another name and version.
fn named(guest: &str, name: &str, version: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("plugin.wasm");
    let kind = guest.split_once('_').expect("a kind").0;
    let mut pack = till();
    pack.args(["plugin", "pack", "--kind", kind, "--name", name, "--version", version, "--out"]).arg(&path);
    assert!(pack.arg(file(guest)).status().expect("till starts").success());
    std::fs::read(path).expect("the plugin is read")
}

/// Returns the versions that an answer names: the checkout's and the inventory's.
fn ran(answer: &Answer) -> (String, String) {
    let (checkout, inventory) = answer.header("till-plugins").split_once(", ").expect("two plugins");
    (checkout.to_owned(), inventory.to_owned())
}

/// Returns the same from a request that buys nothing.
fn live(shop: &Client) -> (String, String) {
    ran(&shop.get("/"))
}

fn history(admin: &Client) -> Vec<(String, String)> {
    let history = admin.get("/plugins/history").json();
    let event = |event: &Value| {
        (event["action"].as_str().expect("an action").to_owned(), event["kind"].as_str().unwrap_or("-").to_owned())
    };
    history["events"].as_array().expect("events").iter().rev().map(event).collect()
}

fn events(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let started = [("start", "checkout"), ("start", "inventory")];
    started.iter().chain(expected).map(|(action, kind)| ((*action).to_owned(), (*kind).to_owned())).collect()
}

#[test]
fn a_deployed_version_is_live_at_once_and_after_a_restart() {
    let host = Host::plan().start();
    let before = live(&host.shop);
    let deployed = deploy(&host.admin, "checkout_discount");
    assert_eq!(deployed.status, 200, "{}", deployed.text());
    assert_eq!(
        (&deployed.json()["version"]["kind"], &deployed.json()["result"]),
        (&"checkout".into(), &"published".into())
    );
    let express = json!({
        "lines": [{ "item": "headphones", "quantity": 1, "price": 10.00 }], "attributes": { "express": true }
    });
    let bought = host.shop.post("/checkout", &express);
    assert_eq!(bought.status, 200, "{}", bought.text());
    let after = ran(&bought);
    assert_ne!(after.0, before.0);
    assert_eq!(after.1, before.1, "the other kind stays");
    let order = host.shop.get(&format!("/orders/{}", bought.reference())).json();
    assert_eq!(order["plugins"], format!("{}, {}", after.0, after.1));

    // The same file again changes nothing.
    assert_eq!(deploy(&host.admin, "checkout_discount").json()["result"], "unchanged");
    assert_eq!(history(&host.admin), events(&[("deploy", "checkout")]));
    let metrics = host.admin.get("/metrics").text();
    for line in
        [r#"plugin_swaps_total{kind="checkout",result="published"} 1"#, r#"kind="checkout",result="unchanged"} 1"#]
    {
        assert!(metrics.contains(line), "{line} is missing in\n{metrics}");
    }
    let folder = host.kill().folder;
    let host = Host::plan().folder(&folder).start();
    assert_eq!(live(&host.shop), after);
    assert_eq!(history(&host.admin), events(&[("deploy", "checkout")]), "a restart is no change");
    host.stop();
}

#[test]
fn a_rollback_comes_back_to_what_was_live_before() {
    let host = Host::start();
    let built_in = live(&host.shop);
    let roll_back = |body: &Value| host.admin.post("/plugins/checkout/rollback", body);
    let none = roll_back(&json!({}));
    assert_eq!((none.status, none.json()["code"].as_str()), (409, Some("no_such_version")));

    deploy(&host.admin, "checkout_discount");
    let first = live(&host.shop);
    let second_number = deploy(&host.admin, "checkout_spans").json()["version"]["id"].clone();
    let second = live(&host.shop);
    for expected in [&first, &built_in] {
        let rolled_back = roll_back(&json!({ "by": "ada" }));
        assert_eq!(rolled_back.status, 200, "{}", rolled_back.text());
        assert_eq!(rolled_back.json()["version"]["changed_by"], "ada");
        assert_eq!(live(&host.shop), *expected);
    }
    assert_eq!(roll_back(&json!({})).status, 409, "what was withdrawn doesn't come back by itself");
    assert_eq!(roll_back(&json!({ "to": second_number })).status, 200);
    assert_eq!(live(&host.shop), second);
    assert_eq!(roll_back(&json!({ "to": 2 })).status, 409, "version 2 is an inventory plugin");
    assert_eq!(host.admin.post("/plugins/till/rollback", &json!({})).status, 422);
    host.stop();
}

#[test]
fn a_file_that_is_refused_changes_nothing_and_is_in_the_history() {
    let host = Host::plan().warns("no plugin was changed").start();
    let before = live(&host.shop);
    let garbage = host.admin.send("POST", "/plugins", &WASM, Some(b"no plugin")).expect("an answer");
    assert_eq!((garbage.status, garbage.json()["code"].as_str()), (422, Some("plugin_refused")));
    assert!(garbage.text().contains("it is no WebAssembly file"), "{}", garbage.text());
    assert_eq!(deploy(&host.admin, "neither_world").status, 422);
    let other = host.admin.send("POST", "/plugins?kind=inventory", &WASM, Some(&bytes("checkout_spans")));
    assert_eq!(other.expect("an answer").status, 422);
    let untyped = host.admin.post("/plugins", &json!({}));
    assert_eq!(untyped.status, 415);
    assert_eq!(live(&host.shop), before);
    assert_eq!(history(&host.admin), events(&[("refuse", "-"), ("refuse", "-"), ("refuse", "checkout")]));
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    host.stop();
}

#[test]
fn a_plugins_setting_is_a_version_of_its_own() {
    let host = Host::plan().start();
    let before = live(&host.shop);
    let set = |changes: Value| host.admin.post("/plugins/inventory/settings", &json!({ "set": changes }));
    let changed = set(json!({ "faults": "on" }));
    assert_eq!((changed.status, &changed.json()["version"]["settings"]), (200, &json!({ "faults": "on" })));
    let after = live(&host.shop);
    assert!(after.1.starts_with(&format!("{}.", before.1)), "the file's digest with the settings': {after:?}");
    let failed = (0..100).any(|_| host.shop.buy("laptop", 2).status == 500);
    assert!(failed, "a deadlock in 100");

    // A new version of the plugin keeps what was set.
    host.admin.deploy("inventory", "", &named("inventory_forged_context", "inventory", "2.0.0"));
    let versions = host.admin.get("/plugins/versions").json();
    assert_eq!(versions["versions"][0]["settings"], json!({ "faults": "on" }));
    host.admin.post("/plugins/inventory/rollback", &json!({}));
    assert_eq!(live(&host.shop), after);
    let folder = host.end().folder;

    let host = Host::plan().folder(&folder).start();
    assert_eq!(live(&host.shop), after, "a restart keeps it, too");
    let unset = host.admin.post("/plugins/inventory/settings", &json!({ "set": { "faults": null } }));
    assert_eq!((unset.status, live(&host.shop)), (200, before));
    host.stop();
}

#[test]
fn a_plugin_of_another_name_gets_none_of_the_replaced_ones_settings() {
    let host = Host::plan().start();
    let deploy = |guest: &str, name: &str, version: &str, how: &str| {
        let answer = host.admin.deploy(name, how, &named(guest, name, version));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    };
    let first = deploy("checkout_pricing", "volume-discount", "1.0.0", "");
    let replaced = |changed: &Value| (changed["replaces"]["name"].clone(), changed["replaces"]["id"].clone());
    assert_eq!(replaced(&first), (json!("checkout"), json!(1)), "{first}");
    let set = host.admin.post("/plugins/checkout/settings", &json!({ "set": { "surcharge": "250", "reuse": "2" } }));
    assert_eq!(set.status, 200, "{}", set.text());

    let newer = deploy("checkout_discount", "volume-discount", "1.1.0", "");
    assert_eq!(newer["version"]["settings"], json!({ "surcharge": "250", "reuse": "2" }), "{newer}");
    assert!(newer.get("settings_left").is_none(), "{newer}");
    // Tried or live at once: neither has what was set for another plugin.
    let tried = deploy("checkout_pricing", "delivery-discount", "1.0.0", "&try=%7B%22shadow%22:true%7D");
    assert_eq!((&tried["version"]["settings"], &tried["result"]), (&json!({}), &json!("candidate")), "{tried}");
    assert_eq!(replaced(&tried), (json!("volume-discount"), newer["version"]["id"].clone()), "{tried}");
    assert_eq!(host.admin.post("/plugins/rollout/abort", &json!({})).status, 200);
    let other = deploy("checkout_pricing", "delivery-discount", "1.0.0", "");
    assert_eq!(other["version"]["settings"], json!({}), "{other}");
    assert_eq!(other["settings_left"], json!(["reuse", "surcharge"]), "{other}");
    let sold = host.shop.post("/checkout", &json!({ "item": "headphones", "quantity": 1, "price": 10 }));
    assert_eq!(sold.json()["total_price"], json!(10.0), "{}", sold.text());

    // A rollback has the settings of the version that it makes live.
    let back = host.admin.post("/plugins/checkout/rollback", &json!({})).json();
    assert_eq!(back["version"]["settings"], json!({ "surcharge": "250", "reuse": "2" }), "{back}");
    assert_eq!(replaced(&back), (json!("delivery-discount"), other["version"]["id"].clone()), "{back}");
    host.stop();
}

#[test]
fn what_there_was_is_listed_page_by_page() {
    let host = Host::start();
    let set = |faults: &str| host.admin.post("/plugins/inventory/settings", &json!({ "set": { "faults": faults } }));
    for faults in ["on", "off", "on"] {
        assert_eq!(set(faults).status, 200);
    }
    for (list, rows) in [("versions", 4), ("history", 5)] {
        let name = if list == "history" { "events" } else { list };
        let ids = |page: &Value| -> Vec<u64> {
            let rows = page[name].as_array().expect("rows");
            rows.iter().map(|row| row["id"].as_u64().expect("a number")).collect()
        };
        let whole = host.admin.get(&format!("/plugins/{list}")).json();
        assert_eq!((ids(&whole).len(), &whole["next_after"]), (rows, &Value::Null), "{list}");
        let (mut listed, mut after) = (Vec::new(), String::new());
        loop {
            let page = host.admin.get(&format!("/plugins/{list}?limit=2{after}")).json();
            assert!(ids(&page).len() <= 2, "{list}: {page}");
            listed.extend(ids(&page));
            match page["next_after"].as_u64() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(listed, ids(&whole), "{list}");
        for unusable in ["after=0", "limit=1001", "state=live"] {
            assert_eq!(host.admin.get(&format!("/plugins/{list}?{unusable}")).status, 422, "{list}?{unusable}");
        }
    }
    host.stop();
}

#[test]
fn a_candidate_is_called_once_before_it_is_live() {
    let host = Host::plan().set("stock.probe=1").warns("no plugin was changed").start();
    let before = live(&host.shop);
    let refused = host.admin.deploy("probe_trap", "", &bytes("probe_trap"));
    let detail = refused.json()["detail"].as_str().expect("a reason").to_owned();
    assert_eq!(refused.status, 422, "{detail}");
    assert!(detail.contains("no receipt for order"), "what it printed: {detail}");
    assert_eq!(live(&host.shop), before);

    // To say no is no fault.
    assert_eq!(host.admin.deploy("probe_rejected", "", &bytes("probe_rejected")).status, 200);
    assert_eq!(host.shop.buy("espresso", 1).status, 422);

    deploy(&host.admin, "probe_setting");
    let set = |broken: &str| host.admin.post("/plugins/checkout/settings", &json!({ "set": { "broken": broken } }));
    let (refused, before) = (set("on"), live(&host.shop));
    assert_eq!((refused.status, refused.json()["code"].as_str()), (422, Some("plugin_refused")), "{}", refused.text());
    assert_eq!(live(&host.shop), before);
    assert_eq!(set("off").status, 200);

    assert_eq!(host.on_hand("probe"), 1, "nothing was taken for it");
    host.stop();
}

#[test]
fn what_cant_be_started_with_gives_way_to_the_version_before() {
    let host = Host::plan().start();
    deploy(&host.admin, "checkout_discount");
    let good = live(&host.shop);
    let digest = deploy(&host.admin, "checkout_spans").json()["version"]["digest"].clone();
    let folder = host.kill().folder;
    let kept: PathBuf = folder.path().join(format!("data/plugins/{}.wasm", digest.as_str().expect("a digest")));
    let mut damaged = std::fs::read(&kept).expect("the file is read");
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    std::fs::write(&kept, damaged).expect("the file is damaged");

    let host = Host::plan().folder(&folder).warns("what was live can't be started with").start();
    assert_eq!(live(&host.shop), good);
    assert_eq!(history(&host.admin).pop(), Some(("rollback".into(), "checkout".into())));
    host.stop();
}

#[test]
fn the_folder_decides_when_it_has_something_new() {
    let host = Host::plan().plugins(built_in_and("checkout_discount")).start();
    let of_folder = live(&host.shop);
    deploy(&host.admin, "checkout_spans");
    let deployed = live(&host.shop);
    let folder = host.end().folder;
    let starts_with = |guest: &str, expected: Option<&(String, String)>| {
        let host = Host::plan().folder(&folder).plugins(built_in_and(guest)).start();
        let started = live(&host.shop);
        if let Some(expected) = expected {
            assert_eq!(started, *expected, "{guest}");
        }
        host.end();
        started
    };
    starts_with("checkout_discount", Some(&deployed));
    let new = starts_with("checkout_answers", None);
    assert!(new != deployed && new != of_folder, "{new:?}");
    starts_with("checkout_answers", Some(&new));
}

#[test]
fn no_request_sees_a_swap() {
    const MEMORY_BYTES_MAX: u64 = 50 * 1024 * 1024;
    let (swaps, buyers) = (rounds(50, 1_000), rounds(16, 64));
    // A thousand of them in ten minutes.
    let every = Duration::from_millis(if soaking() { 600 } else { 0 });
    // Full before the first look at the memory, so that what grows afterwards isn't the page's.
    let host = Host::plan().set("stock.headphones=100000000").set("traces.kept_mib=1").start();
    let plugins = ["checkout_spans", "inventory_forged_context", "checkout_discount", "checkout", "inventory"];
    let plugins = plugins.map(|plugin| (plugin, bytes(plugin)));
    let (done, answers) = (AtomicBool::new(false), AtomicUsize::new(0));
    let memory_before = std::thread::scope(|scope| {
        for _ in 0..buyers {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    let bought = host.shop.buy("headphones", 1);
                    assert_eq!(bought.status, 200, "{}", bought.text());
                    let order = host.shop.get(&format!("/orders/{}", bought.reference())).json();
                    assert_eq!(order["plugins"], bought.header("till-plugins"), "one version of each from end to end");
                    answers.fetch_add(1, SeqCst);
                }
            });
        }
        let _done = OnDrop(&done);
        let swap = |plugin: &str, bytes: &[u8]| {
            let swapped = host.admin.deploy(plugin, "", bytes);
            assert_eq!(swapped.status, 200, "{}", swapped.text());
            let version = &swapped.json()["version"];
            let digest = version["digest"].as_str().expect("a digest")[..12].to_owned();
            // What begins after the answer runs the new version.
            let (checkout, inventory) = ran(&host.shop.buy("headphones", 1));
            let ran = if version["kind"] == "checkout" { checkout } else { inventory };
            assert!(ran.ends_with(&digest), "{ran} ran instead of {digest}");
        };
        for (plugin, bytes) in &plugins {
            swap(plugin, bytes);
        }
        let (began, memory) = (Instant::now(), host.memory_bytes());
        for (number, (plugin, bytes)) in (1_u32..).zip(plugins.iter().cycle().take(swaps)) {
            swap(plugin, bytes);
            std::thread::sleep((every * number).saturating_sub(began.elapsed()));
        }
        println!("{swaps} swaps in {:?}", began.elapsed());
        memory
    });
    let answers = answers.into_inner();
    let memory_after = eventually("the memory to be free again", || {
        Some(host.memory_bytes()).filter(|memory| *memory <= memory_before + MEMORY_BYTES_MAX)
    });
    let mib = [memory_before, memory_after].map(|bytes| bytes / 1024 / 1024);
    println!("{answers} checkouts on {buyers} connections; {mib:?} MiB before and after");
    assert!(answers > swaps, "{answers} checkouts meanwhile");
    let metrics = host.admin.get("/metrics").text();
    let published = |kind: &str| {
        let series = format!("plugin_swaps_total{{kind=\"{kind}\",result=\"published\"}} ");
        let line = metrics.lines().find_map(|line| line.strip_prefix(&series)).expect("a series").to_owned();
        line.parse::<usize>().expect("a number")
    };
    assert_eq!(published("checkout") + published("inventory"), swaps + plugins.len());
    host.stop();
}

#[test]
fn a_kill_during_a_swap_leaves_the_old_version_or_the_new_one() {
    let mut dice = dice("swap");
    let rounds = rounds(10, 100);
    let plan = || Host::plan().set("stock.espresso=10000000");
    let mut folder = plan().start().stop().folder;
    let mut acknowledged: Vec<Acknowledged> = Vec::new();
    for round in 0..rounds {
        let host = plan().folder(&folder).start();
        let before = live(&host.shop);
        let plugin = ["checkout_spans", "checkout_discount"][round % 2];
        let (bytes, admin) = (bytes(plugin), host.admin.clone());
        let digest: String = Sha256::digest(&bytes).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let buyers = Buyers::start(2, &host.shop, &["espresso".to_owned()]);
        let swapping = std::thread::spawn(move || {
            let swapped = admin.send("POST", &format!("/plugins?name={plugin}"), &WASM, Some(&bytes));
            swapped.is_ok_and(|answer| answer.status == 200)
        });
        std::thread::sleep(std::time::Duration::from_micros(dice.random_range(0..300_000)));
        folder = host.kill().folder;
        let swapped = swapping.join().expect("no panic");
        acknowledged.extend(buyers.until_gone());

        let host = plan().folder(&folder).start();
        let after = live(&host.shop);
        let is_new = after.0.ends_with(&digest);
        assert!(is_new || (after.0 == before.0 && !swapped), "round {round}: {after:?} after {before:?}, {swapped}");
        assert_eq!(after.1, before.1, "round {round}");
        assert_eq!(host.shop.buy("espresso", 1).status, 200, "round {round}");
        folder = host.stop().folder;
    }
    assert_eq!(broken(&folder.path().join("data"), &acknowledged), [""; 0]);
}

#[test]
fn the_command_line_deploys_lists_and_rolls_back() {
    let host = Host::plan().start();
    let admin = format!("http://{}", host.admin.address);
    let run = |arguments: &[&str]| {
        let output = till().args(["plugin"]).args(arguments).args(["--admin", &admin]).output().expect("till starts");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let guest = file("checkout_discount");
    let guest = guest.to_str().expect("UTF-8");
    let (code, said, _) = run(&["deploy", guest]);
    assert_eq!(code, Some(0));
    let (live, replaced) = said.split_once(", is live in the place of ").expect("two versions");
    assert!(live.starts_with("checkout checkout_discount@") && replaced.starts_with("checkout@"), "{said}");
    let (code, _, said) = run(&["deploy", guest, "--kind", "inventory"]);
    assert_eq!((code, &*said), (Some(1), "till: its world is checkout-plugin, wanted was inventory-plugin\n"));
    let (_, listed, _) = run(&["list"]);
    assert_eq!(listed.lines().filter(|line| line.contains(" live ")).count(), 2, "{listed}");
    let (code, said, _) = run(&["set", "checkout", "reuse=1"]);
    assert!(code == Some(0) && said.contains(", number 4 (number 3 with other settings), is live"), "{said}");
    for command in ["list", "history", "status"] {
        let (_, told, _) = run(&[command]);
        let wanted =
            |line: &&str| line.contains("checkout_discount@") && line.contains("(number 3 with other settings)");
        assert_eq!(told.lines().filter(wanted).count(), 1, "{told}");
        assert!(command == "status" || told.lines().next().is_some_and(|header| header.contains("BY")), "{told}");
    }
    let live = &host.admin.get("/plugins").json()["plugins"][0];
    assert_eq!((&live["number"], &live["same_file_as"]), (&4.into(), &3.into()), "{live}");
    assert_eq!(run(&["rollback", "checkout"]).0, Some(0));
    assert_eq!(run(&["rollback", "checkout"]).0, Some(0));
    let (_, history, _) = run(&["history"]);
    assert_eq!(history.lines().count(), 8, "{history}");
    let (_, shown, _) = run(&["show", "1", "--json"]);
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    assert_eq!((&shown["state"], &shown["kind"]), (&"live".into(), &"checkout".into()));
    assert_eq!(run(&["rollback", "checkout", "--to", "4"]).0, Some(0));
    let (_, said, _) = run(&["rollback", "checkout", "--to", "1"]);
    assert!(said.ends_with("\nnot taken over from checkout_discount: its reuse\n"), "{said}");
    eventually("the log's line", || {
        host.log()
            .iter()
            .any(|line| line["message"].as_str().is_some_and(|text| text.contains("is live in the place of")))
            .then_some(())
    });
    host.end();
}
