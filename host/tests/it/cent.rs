//! The story of a cent: a canary takes one too much for large carts. The console shows it, names what differs, repeats a call with the
//! version before, saves it as a case, and takes the canary back; the case passes with the version before, and fails with the canary.

use serde_json::{Value, json};

use crate::{
    page::look,
    rollouts::{rollout, try_out},
    support::{Host, host::till},
};

/// A small cart and a large one, as the customers were told they cost.
const CARTS: [(&str, u32); 2] = [("cable", 10), ("television", 1_200)];

/// Buys so many of each cart for the agreed total, and returns how many were refused because they cost something else now.
fn buy_agreed(host: &Host, each: usize) -> usize {
    let carts = CARTS.iter().cycle().take(each * CARTS.len());
    let refused = carts.filter(|(item, price)| {
        let cart = json!({ "item": item, "quantity": 1, "price": price, "expected_total": price });
        let answer = host.shop.post("/checkout", &cart);
        assert!(answer.status == 200 || (answer.status == 409 && *item == "television"), "{item}: {}", answer.text());
        answer.status == 409
    });
    refused.count()
}

#[test]
fn a_canary_that_takes_a_cent_too_much_is_seen_explained_repeated_and_taken_back() {
    let host = Host::plan().set("stock.cable=100000").set("stock.television=100000").start();
    assert_eq!(buy_agreed(&host, 20), 0);
    let live = host.admin.get("/plugins").json();
    let checkout = live["plugins"].as_array().expect("a list").iter().find(|plugin| plugin["kind"] == "checkout");
    let before = checkout.expect("one is live")["number"].as_u64().expect("a number");

    let tried = try_out(&host.admin, "checkout_one_cent", &json!({ "canary": 50, "gates": { "calls_min": 100_000 } }));
    assert_eq!(tried.status, 200, "{}", tried.text());
    let candidate = rollout(&host.admin)["version"]["id"].as_u64().expect("a number");
    let refused = buy_agreed(&host, 40);
    assert!((5..=35).contains(&refused), "{refused} of 40 large carts met the canary");

    let folder = tempfile::tempdir().expect("a folder");
    let case = folder.path().join("case.json");
    look(
        &host,
        "cent",
        json!({ "path": "/console", "before": before, "candidate": candidate, "item": "television", "case": case }),
    );
    assert_eq!(rollout(&host.admin)["state"], "aborted");
    assert_eq!(buy_agreed(&host, 10), 0, "the canary is gone");

    let saved: Value = serde_json::from_slice(&std::fs::read(&case).expect("the case was saved")).expect("JSON");
    assert_eq!(saved["expect"]["receipt"]["total"], 1_200, "{saved}");
    let passes = |number: u64| {
        let file = folder.path().join(format!("{number}.wasm"));
        let answer = host.admin.get(&format!("/plugins/versions/{number}/file"));
        assert_eq!(answer.status, 200);
        std::fs::write(&file, &answer.body).expect("the file is written");
        let tested = till().args(["plugin", "test"]).arg(&file).arg(&case).output().expect("till starts");
        (
            tested.status.success(),
            String::from_utf8_lossy(&tested.stdout).into_owned() + &String::from_utf8_lossy(&tested.stderr),
        )
    };
    let (good, bad) = (passes(before), passes(candidate));
    assert!(good.0, "{}", good.1);
    assert!(!bad.0 && bad.1.contains("1200.01"), "{}", bad.1);
    host.stop();
}
