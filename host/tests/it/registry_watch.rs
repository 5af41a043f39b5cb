//! Watched tags: what a tag is moved to is tried as a canary, once, whatever becomes of the registry and of the host.

use serde_json::{Value, json};

use crate::{
    registry::{home, pushed},
    rollouts,
    support::{
        Host, Plan, eventually,
        guests::file,
        registry::{Registry, digest, manifest},
        shared_store::{self, UNSYNCHRONISED},
    },
};

/// A host that watches these tags, and looks often.
fn watching(tags: &str) -> Plan {
    Host::plan().set(format!("plugins.watch={tags}")).set("plugins.watch_every_ms=100").set("rollout.calls_min=100000")
}

/// Returns the history behind the two starts, the oldest event first: what was done, by whom, with what detail.
fn history(host: &Host) -> Vec<(String, String, String)> {
    let history = host.admin.get("/plugins/history").json();
    let text = |event: &Value, key: &str| event[key].as_str().expect("a text").to_owned();
    let event = |event: &Value| (text(event, "action"), text(event, "changed_by"), text(event, "detail"));
    history["events"].as_array().expect("events").iter().rev().skip(2).map(event).collect()
}

fn by_watch(host: &Host) -> Vec<(String, String)> {
    let all = history(host).into_iter();
    all.filter(|(_, by, _)| by == "watch").map(|(action, _, detail)| (action, detail)).collect()
}

fn says(host: &Host, text: &str) -> usize {
    host.log().iter().filter(|line| line["message"].as_str().is_some_and(|message| message.contains(text))).count()
}

fn wait_for(host: &Host, text: &str, times: usize) {
    eventually(&format!("the log to say {text} {times} times"), || (says(host, text) >= times).then_some(()));
}

/// Waits until that guest runs as a canary.
fn canary(host: &Host, guest: &str) {
    let wanted = digest(&std::fs::read(file(guest)).expect("the guest"));
    eventually(&format!("a canary of {guest}"), || {
        let answer = host.admin.get("/plugins/rollouts?limit=1").json();
        let rollout = &answer["rollouts"][0];
        let digest = rollout["version"]["digest"].as_str().unwrap_or_default();
        (rollout["state"] == "running" && wanted == format!("sha256:{digest}")).then_some(())
    });
}

fn change(host: &Host, change: &str) {
    let changed = rollouts::change(&host.admin, change);
    assert_eq!(changed.status, 200, "{}", changed.text());
}

#[test]
fn a_moved_tag_begins_a_canary_and_survives_the_registry() {
    let (mut registry, home) = (Registry::start(false), home());
    let tag = format!("{}:stable", registry.of("shop/checkout"));
    let first = pushed(home.path(), "checkout_discount", &tag);
    let host = watching(&tag).warns("isn't followed for now").start();
    canary(&host, "checkout_discount");
    assert_eq!(by_watch(&host), [("rollout".to_owned(), first)]);
    assert_eq!(rollouts::rollout(&host.admin)["mode"], "canary");
    assert_eq!(rollouts::rollout(&host.admin)["percent"], 10.0);

    // What it is moved to meanwhile waits.
    let second = pushed(home.path(), "checkout_spans", &tag);
    wait_for(&host, "is tried when the rollout under way has ended", 1);
    assert_eq!(by_watch(&host).len(), 1);
    change(&host, "promote");
    canary(&host, "checkout_spans");
    assert_eq!(by_watch(&host).pop(), Some(("rollout".to_owned(), second)));
    change(&host, "abort");

    // The registry goes away, which is said once, and comes back.
    registry.switch_off();
    wait_for(&host, "isn't followed for now, and what is live stays", 1);
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    registry.switch_on();
    pushed(home.path(), "checkout_tenth", &tag);
    canary(&host, "checkout_tenth");
    assert_eq!(says(&host, "isn't followed for now"), 1);
    change(&host, "abort");
    // Back to what was withdrawn: nothing is tried.
    pushed(home.path(), "checkout_spans", &tag);
    wait_for(&host, "isn't tried: it was rolled back here", 1);
    assert_eq!(by_watch(&host).len(), 3);
    host.stop();
}

/// Neither a restart nor a deploy by command makes the same digest new.
#[test]
fn a_digest_is_tried_once() {
    let (registry, home) = (Registry::shared(), home());
    let tag = format!("{}:stable", registry.of("once"));
    pushed(home.path(), "checkout_discount", &tag);
    let host = watching(&tag).start();
    canary(&host, "checkout_discount");
    change(&host, "promote");
    let other = host.admin.deploy("spans", "", &std::fs::read(file("checkout_spans")).expect("the guest"));
    assert_eq!(other.status, 200, "{}", other.text());
    let folder = host.stop().folder;
    let again = watching(&tag).folder(&folder).warns("no plugin was changed").start();
    wait_for(&again, "is watched", 1);
    assert_eq!(by_watch(&again).len(), 1);

    // A refused one is in the history once, whether it is no plugin or none of the host's.
    registry.blob("once", b"{}");
    registry.blob("once", b"text");
    let mut two = manifest(b"text");
    two["layers"] = json!([two["layers"][0], two["config"]]);
    let refusals = || {
        by_watch(&again)
            .into_iter()
            .filter(|(action, _)| action == "refuse")
            .map(|(_, detail)| detail)
            .collect::<Vec<_>>()
    };
    for (number, (manifest, why)) in
        [(two, "it has 2 layers"), (manifest(b"text"), "it is no WebAssembly file")].into_iter().enumerate()
    {
        let digest = registry.manifest("once", "stable", &manifest);
        let refused = eventually("a refusal", || refusals().get(number).cloned());
        assert!(refused.contains(&format!("{tag}@{digest} is refused")) && refused.contains(why), "{refused}");
    }
    let folder = again.stop().folder;
    let third = watching(&tag).folder(&folder).start();
    wait_for(&third, "is watched", 1);
    assert_eq!(by_watch(&third).len(), 3);
    third.stop();
}

/// Hosts of one store look for it: the one that leads, or the next one when that has gone.
#[test]
fn hosts_that_share_a_store_try_a_moved_tag_once() {
    let (store, registry, home) = (shared_store::make(), Registry::shared(), home());
    let tag = format!("{}:stable", registry.of("shared"));
    let first = pushed(home.path(), "checkout_discount", &tag);
    let start = || watching(&tag).sharing(&store).warns(UNSYNCHRONISED).start();
    let (leader, other) = (start(), start());
    for host in [&leader, &other] {
        canary(host, "checkout_discount");
    }
    change(&leader, "promote");
    leader.end();
    let second = pushed(home.path(), "checkout_spans", &tag);
    canary(&other, "checkout_spans");
    assert_eq!(by_watch(&other), [("rollout".to_owned(), first), ("rollout".to_owned(), second)]);
    other.end();
}

/// At a hook that may have several, the place has to be said, and to exist.
#[test]
fn a_tag_has_a_place_where_there_are_several() {
    let (registry, home) = (Registry::shared(), home());
    let tag = format!("{}:1", registry.of("placed"));
    let percent = crate::support::guests::sample("percent-with-code");
    let file = percent.display().to_string();
    assert!(crate::registry::plugin(home.path(), &["push", &file, &tag]).status.success());
    let host = watching(&format!("{tag} as discounts/spring")).warns("isn't followed for now").start();
    wait_for(&host, "nothing is installed at discounts/spring", 1);
    let other = std::fs::read(crate::support::guests::sample("volume_discount")).expect("the sample");
    let installed = host.admin.install("discounts/spring", "&force=true", &json!({}), &other);
    assert_eq!(installed.status, 200, "{}", installed.text());
    eventually("a canary at discounts/spring", || {
        let answer = host.admin.get("/plugins/rollouts?limit=1").json();
        (answer["rollouts"][0]["version"]["installation"] == "spring").then_some(())
    });
    host.stop();
}
