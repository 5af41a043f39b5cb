//! `till traffic` against a real host: both sides count the same, and no failure on the way makes a second order.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{
    Host, Plan, eventually, golden,
    host::{run, till},
    inventory_service::InventoryService,
};

/// Plans a host that doesn't run out of what the demo sells, and refuses nobody because the machine is busy.
fn stocked(plan: Plan) -> Plan {
    let plan = plan.set("limits.queue_ms=7000");
    ["laptop", "smartphone", "headphones"].iter().fold(plan, |plan, item| plan.set(format!("stock.{item}=1000000")))
}

/// `till traffic` at that shop, with its summary for programs.
fn traffic(address: &str, arguments: &str) -> Command {
    let mut command = till();
    command.args(["traffic", "--json", "--arrivals", "constant", "--url", &format!("http://{address}")]);
    command.args(arguments.split(' ')).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn summary(output: &Output) -> Value {
    let stdout = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&stdout).unwrap_or_else(|_| panic!("{stdout}{}", String::from_utf8_lossy(&output.stderr)))
}

/// Returns the summary of traffic that has to end well.
fn ended_well(output: &Output) -> Value {
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), summary(output));
    summary(output)
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("it runs");
}

/// Returns how many came out so, by code.
fn outcomes(summary: &Value) -> BTreeMap<String, u64> {
    let outcomes = summary["outcomes"].as_array().expect("a list").iter();
    outcomes
        .map(|ended| (ended["code"].as_str().expect("a code").to_owned(), ended["count"].as_u64().expect("a count")))
        .collect()
}

/// Returns how many of the host's orders ended so: their reason, or `completed`.
fn ends(host: &Host) -> BTreeMap<String, u64> {
    let mut ends = BTreeMap::new();
    for order in host.orders() {
        *ends.entry(order["reason"].as_str().unwrap_or("completed").to_owned()).or_default() += 1;
    }
    ends
}

#[test]
fn both_sides_count_the_same() {
    let host = stocked(Host::plan_demo()).warns("checkout failed").start();
    let arguments = "--rate 60 --duration 3s --seed 7 --malformed 0.2 --repeat 0.2 --retries 0";
    let summary = ended_well(&traffic(&host.shop.address, arguments).output().expect("till starts"));

    let (mut outcomes, ends) = (outcomes(&summary), ends(&host));
    let malformed = ["malformed", "unacceptable", "unsupported_media_type", "too_large"];
    let refused: u64 = malformed.iter().map(|code| outcomes.remove(*code).unwrap_or_default()).sum();
    assert_eq!(outcomes, ends, "{summary}");
    assert!(ends.contains_key("inventory_conflict") && ends.contains_key("completed"), "the demo's fault: {ends:?}");
    assert_eq!(summary["malformed_refused"], refused, "{summary}");
    assert!(refused > 0);
    let at_once = ["offered", "sent", "answered"].map(|name| summary[name]["count"].as_u64());
    assert_eq!(at_once, [Some(180); 3], "{summary}");
    assert_eq!(summary["repeats"], summary["repeats_agreed"], "{summary}");
    assert!(summary["repeats"].as_u64() > Some(0), "{summary}");
    golden::check("traffic_summary.txt", &shape(&summary));
    host.stop();
}

/// Returns the value with a type in the place of each text and number, and one of each kind of element.
fn shape(value: &Value) -> String {
    fn of(value: &Value) -> Value {
        match value {
            Value::Null | Value::Bool(_) => value.clone(),
            Value::Number(_) => "number".into(),
            Value::String(_) => "text".into(),
            Value::Array(elements) => {
                let shapes: BTreeMap<String, Value> =
                    elements.iter().map(of).map(|shape| (shape.to_string(), shape)).collect();
                Value::Array(shapes.into_values().collect())
            }
            Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), of(value))).collect(),
        }
    }
    serde_json::to_string_pretty(&of(value)).expect("JSON")
}

#[test]
fn a_seed_buys_the_same_carts_again() {
    let host = stocked(Host::plan()).start();
    let mut after = 0;
    let mut carts = |seed: u32| {
        let arguments = format!("--rate 50 --duration 1s --malformed 0 --repeat 0 --seed {seed}");
        let summary = ended_well(&traffic(&host.shop.address, &arguments).output().expect("till starts"));
        assert_eq!(outcomes(&summary), BTreeMap::from([("completed".to_owned(), 50)]), "{summary}");
        let orders = host.orders();
        let mut carts: Vec<String> = orders[after..].iter().map(|order| order["lines"].to_string()).collect();
        after = orders.len();
        carts.sort_unstable();
        carts
    };
    let (first, again, other) = (carts(5), carts(5), carts(6));
    assert_eq!((first.len(), &first), (50, &again));
    assert_ne!(first, other);
    host.stop();
}

#[test]
fn lost_answers_make_no_second_order() {
    const PURCHASES: usize = 20;
    let host = stocked(Host::plan()).start();
    let network = InventoryService::start();
    let address = network.url.trim_start_matches("http://");
    let arguments = "--rate 20 --duration 1s --malformed 0 --repeat 1 --retries 5";
    let running = traffic(address, arguments).spawn().expect("till starts");
    // The first answer to each key is lost; the second one comes, and so does that to the repeat.
    let mut keys = BTreeSet::new();
    for _ in 0..3 * PURCHASES {
        let asked = network.asked();
        let key = asked.headers["idempotency-key"].clone();
        let answer = host.shop.post_with(&asked.path, &[("idempotency-key", &key)], &asked.body);
        if keys.insert(key) {
            drop(asked);
        } else {
            asked.answer(answer.status, answer.header("content-type"), &answer.json());
        }
    }
    let summary = ended_well(&running.wait_with_output().expect("it ends"));
    assert_eq!(summary["retries"], PURCHASES, "{summary}");
    assert_eq!((&summary["repeats_agreed"], &summary["unanswered"]), (&json!(PURCHASES), &json!(0)), "{summary}");
    let all_completed = BTreeMap::from([("completed".to_owned(), PURCHASES as u64)]);
    assert_eq!((outcomes(&summary), ends(&host)), (all_completed.clone(), all_completed));
    host.stop();
}

#[test]
fn a_host_that_is_killed_and_comes_back_has_one_order_for_each_that_was_answered() {
    let host = stocked(Host::plan()).start();
    let address = host.shop.address.clone();
    let running =
        traffic(&address, "--rate 50 --malformed 0 --repeat 0.3 --retries 1000").spawn().expect("till starts");
    let completed = |host: &Host, orders: u64| {
        eventually("orders", || (ends(host).get("completed") >= Some(&orders)).then_some(()));
    };
    completed(&host, 20);
    let folder = host.kill().folder;
    let host = Host::plan().folder(&folder).listen(String::leak(address)).start();
    let before = ends(&host)["completed"];
    completed(&host, before + 20);
    signal(&running, Signal::TERM);
    let summary = ended_well(&running.wait_with_output().expect("it ends"));

    assert!(summary["retries"].as_u64() > Some(0), "{summary}");
    assert_eq!((&summary["unanswered"], &summary["cut_off"]), (&json!(0), &json!(0)), "{summary}");
    let mut ends = ends(&host);
    // Orders interrupted by the kill were failed at the next start, and bought again.
    ends.remove("interrupted");
    assert_eq!(outcomes(&summary), ends, "{summary}");
    host.stop();
}

#[test]
fn a_shop_that_breaks_a_promise_is_told_so() {
    let shop = InventoryService::start();
    let mut command = till();
    // The next one would be due in 1,000 s.
    let arguments = "--rate 0.001 --arrivals constant --malformed 0 --repeat 1";
    command.args(["traffic", "--url", &shop.url]).args(arguments.split(' '));
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("till starts");
    for order in [1, 2] {
        shop.asked().answer(200, "application/json", &json!({ "order_id": order, "status": "COMPLETED" }));
    }
    signal(&running, Signal::INT);
    let output = running.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(1));
    let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(stdout.contains("1  broken") && stdout.contains("200 completed"), "{stdout}");
    assert!(stderr.contains("broke its promises 1 times"), "{stderr}");
}

#[test]
fn what_cant_work_is_said_at_once() {
    for (arguments, code, reason) in [
        ("--url http://127.0.0.1:1", 1, "http://127.0.0.1:1 can't be reached"),
        ("--url https://till.example", 2, "--url has to be http://host[:port]"),
        ("--rate 0", 2, "requests a second"),
        ("--malformed 2", 2, "a share from 0 to 1"),
        ("--duration 60", 2, "a time such as 90s"),
        ("--in-flight-max 0", 2, "requests, from 1 to 10000"),
    ] {
        let output = run(&[&["traffic"], &arguments.split(' ').collect::<Vec<_>>()[..]].concat());
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments}: {stderr}");
        assert!(stderr.contains(reason), "{arguments}: {stderr}");
    }
}
