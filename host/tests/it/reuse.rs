//! Reused instances: called as often as is set, never after a fault, and each call behaves as in an instance of its
//! own.

use crate::{
    rollouts::{change, rollout, try_out},
    support::{
        eventually,
        guests::built_in_and,
        host::{Host, Plan},
        http::Answer,
        rounds,
    },
};

const BUYERS: usize = 8;

fn plan(settings: &[&str]) -> Plan {
    settings.iter().fold(Host::plan().plugins(built_in_and("checkout_counts")), |plan, setting| plan.set(*setting))
}

/// What a trace says of the checkout plugin's call.
#[derive(Debug, PartialEq)]
struct Called {
    /// `fresh` or `reused`.
    instance: String,
    /// Of this instance, this one included.
    calls: u64,
    /// What it printed.
    prints: Vec<String>,
}

fn called(host: &Host, answer: &Answer) -> Called {
    let found = host.admin.get(&format!("/recent/traces/{}", answer.trace_id())).json();
    let spans = found["trace"]["spans"].as_array().unwrap_or_else(|| panic!("no spans in {found}"));
    let span = spans.iter().find(|span| span["operationName"] == "checkout_transaction").expect("the call's span");
    let tag = |key: &str| {
        let tags = span["tags"].as_array().expect("tags");
        tags.iter().find(|tag| tag["key"] == key).map(|tag| tag["value"].clone()).unwrap_or_default()
    };
    let lines = found["lines"].as_array().expect("lines").iter();
    let prints = lines.filter(|line| line["fields"]["stream"] == "print");
    Called {
        instance: tag("plugin.instance").as_str().unwrap_or_default().to_owned(),
        calls: tag("calls").as_u64().unwrap_or_default(),
        prints: prints.filter_map(|line| line["message"].as_str().map(str::to_owned)).collect(),
    }
}

fn buy(host: &Host, quantity: u32, status: u16) -> (String, u64) {
    let answer = host.shop.buy("headphones", quantity);
    assert_eq!(answer.status, status, "{}", answer.text());
    let Called { instance, calls, prints } = called(host, &answer);
    assert_eq!(prints.first(), Some(&format!("call {calls}")), "what it prints is this call's");
    (instance, calls)
}

fn check(settings: &[&str], expected: &[(&str, u64)]) {
    let host = plan(settings).start();
    let seen: Vec<_> = expected.iter().map(|_| buy(&host, 1, 200)).collect();
    let seen: Vec<_> = seen.iter().map(|(instance, calls)| (instance.as_str(), *calls)).collect();
    assert_eq!(seen, expected, "{settings:?}");
    host.stop();
}

#[test]
fn a_call_has_a_fresh_instance_unless_it_is_set_otherwise() {
    check(&[], &[("fresh", 1), ("fresh", 1), ("fresh", 1)]);
    check(&["checkout.reuse=1"], &[("fresh", 1), ("fresh", 1)]);
}

#[test]
fn an_instance_is_called_again_as_often_as_is_set() {
    let expected =
        [("fresh", 1), ("reused", 2), ("reused", 3), ("fresh", 1), ("reused", 2), ("reused", 3), ("fresh", 1)];
    check(&["checkout.reuse=3"], &expected);
}

#[test]
fn an_instance_that_is_too_old_or_finds_no_place_is_not_called_again() {
    check(&["checkout.reuse=100", "limits.reused_instance_ms=0"], &[("fresh", 1), ("fresh", 1)]);
    check(&["checkout.reuse=100", "limits.reused_instances=0"], &[("fresh", 1), ("fresh", 1)]);
    // This one holds 1.1 MiB: more than half of what a call may.
    check(&["checkout.reuse=100", "limits.guest_memory_mib=2"], &[("fresh", 1), ("fresh", 1)]);
    check(&["checkout.reuse=100", "limits.guest_memory_mib=4"], &[("fresh", 1), ("reused", 2)]);
}

#[test]
fn an_instance_at_fault_is_never_called_again() {
    let host = plan(&["checkout.reuse=100"]).warns("plugin").start();
    assert_eq!(buy(&host, 1, 200), ("fresh".to_owned(), 1));
    assert_eq!(buy(&host, 13, 502), ("reused".to_owned(), 2));
    assert_eq!(buy(&host, 1, 200), ("fresh".to_owned(), 1));
    // A rejection isn't a fault of the instance.
    assert_eq!(host.shop.buy("headphones", 10_000).status, 400);
    assert_eq!(buy(&host, 1, 200), ("reused".to_owned(), 3));
    host.stop();
}

#[test]
fn a_deploys_setting_counts_and_one_that_means_nothing_is_refused() {
    let host = plan(&[]).start();
    let set = |value: &str| {
        let changes = serde_json::json!({ "set": { "reuse": value } });
        host.admin.post("/plugins/checkout/settings", &changes)
    };
    let refused = set("often");
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert!(refused.text().contains("1 (a fresh one for each) to 100000"), "{}", refused.text());
    assert_eq!(buy(&host, 1, 200), ("fresh".to_owned(), 1));
    let accepted = set("2");
    assert_eq!(accepted.status, 200, "{}", accepted.text());
    assert_eq!([1, 1, 1].map(|quantity| buy(&host, quantity, 200).1), [1, 2, 1]);
    host.stop();
}

#[test]
fn instances_that_are_called_again_serve_one_call_at_a_time() {
    let host = plan(&["checkout.reuse=50", "stock.headphones=1000000"]).start();
    let orders = rounds(60, 2_000);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let buyer = || (0..orders).map(|_| host.shop.buy("headphones", 1)).collect::<Vec<_>>();
        let buyers: Vec<_> = (0..BUYERS).map(|_| scope.spawn(buyer)).collect();
        buyers.into_iter().flat_map(|buyer| buyer.join().expect("a buyer")).collect()
    });
    let mut reused = 0;
    for answer in &answers {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let called = called(&host, answer);
        assert!((1..=50).contains(&called.calls), "{called:?}");
        assert_eq!(called.prints, [format!("call {}", called.calls)], "a print is one call's only");
        reused += usize::from(called.instance == "reused");
    }
    assert!(reused > answers.len() / 2, "{reused} of {}", answers.len());
    host.stop();
}

/// Issue 15.4: what was left open added up, and every so many calls a customer was told of it.
#[test]
fn handles_that_a_guest_leaves_open_are_no_later_customers_business() {
    let plan = Host::plan().set("checkout.reuse=1000").set("stock.headphones=1000").warns("limits.wasi_handles");
    let host = plan.plugins(built_in_and("checkout_keeps_handles")).start();
    for _ in 0..12 {
        let answer = host.shop.buy("headphones", 1);
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let line = serde_json::json!({ "item": "headphones", "quantity": 1, "price": 1 });
    let order = serde_json::json!({ "lines": [line], "attributes": { "more": true } });
    let answer = host.shop.post("/checkout", &order);
    assert_eq!((answer.status, &*answer.code()), (502, "trap"), "{}", answer.text());
    assert!(answer.text().contains("limits.wasi_handles"), "{}", answer.text());
    host.stop();
}

#[test]
fn a_pool_that_does_not_fit_is_as_large_as_fits_or_refused_with_what_takes_less() {
    let host = Host::plan().set("limits.concurrent_requests=1000000").start();
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    assert!(host.log().iter().any(|line| line.to_string().contains("instead of 1000000")), "{:?}", host.log());
    host.stop();
    // Not even one call of such a plugin fits.
    let plan = Host::plan().address_space_max_mib(8 * 1024).set("limits.guest_memory_mib=4096");
    let said = plan.refusal();
    assert!(said.contains("a smaller limits.guest_memory_mib") && said.contains("ulimit -v"), "{said}");
}

/// Lets eight buyers buy fifty times each, and looks at each answer.
fn crowd(host: &Host, look: impl Fn(&Answer) + Sync) {
    let buy = || (0..50).for_each(|_| look(&host.shop.buy("headphones", 1)));
    std::thread::scope(|scope| (0..8).for_each(|_| _ = scope.spawn(buy)));
}

/// Waits until the host has given back what a crowd left.
fn is_given_back(host: &Host) {
    let kept = || {
        let metrics = host.admin.get("/metrics").text();
        let line = metrics.lines().find_map(|line| line.strip_prefix("plugin_memory_kept_bytes "));
        line.and_then(|bytes| bytes.parse::<f64>().ok()).expect("the gauge")
    };
    eventually("what it left", || (kept() > 0.0).then_some(()));
    eventually("what it left, given back", || (kept() == 0.0).then_some(()));
}

/// Settings with which what a crowd leaves is given back at once.
const RESTLESS: [&str; 3] = ["limits.resting_memory_mib=0", "limits.resting_ms=300", "stock.headphones=1000000"];

/// A crowd's memory is given back, and clients that buy meanwhile notice nothing.
#[test]
fn the_memory_of_a_crowd_is_given_back_while_others_buy() {
    let host = plan(&RESTLESS).start();
    let header = host.shop.get("/").header("till-plugins").to_owned();
    for _ in 0..3 {
        crowd(&host, |bought| {
            assert_eq!((bought.status, bought.header("till-plugins")), (200, &*header), "{}", bought.text());
        });
        is_given_back(&host);
    }
    let number = || host.admin.get("/plugins").json()["plugins"][0]["number"].clone();
    assert_eq!(number(), 1, "the same version");
    // Idle instances belong to the previous pool: they are dropped, and new ones answer.
    let set = host.admin.post("/plugins/checkout/settings", &serde_json::json!({ "set": { "reuse": "100" } }));
    assert_eq!(set.status, 200, "{}", set.text());
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    host.stop();
}

/// A candidate's code is loaded anew as the live version's is, and its calls are counted on.
#[test]
fn the_memory_of_a_crowd_is_given_back_while_a_version_is_tried() {
    let host = plan(&RESTLESS).start();
    for how in [serde_json::json!({ "canary": 50 }), serde_json::json!({ "shadow": true })] {
        let mut how = how;
        how["gates"] = serde_json::json!({ "calls_min": 1_000_000 });
        assert_eq!(try_out(&host.admin, "checkout_discount", &how).status, 200, "{how}");
        let calls = || rollout(&host.admin)["figures"]["candidate"]["calls"].as_u64().expect("a number");
        let mut counted = 0;
        for _ in 0..2 {
            crowd(&host, |bought| assert_eq!(bought.status, 200, "{}", bought.text()));
            is_given_back(&host);
            assert!(calls() > counted, "{how}: {counted} calls and no more");
            counted = calls();
        }
        assert_eq!(change(&host.admin, "promote").status, 200, "{how}");
        assert_eq!(host.shop.buy("headphones", 1).status, 200);
        let back = host.admin.post("/plugins/checkout/rollback", &serde_json::json!({}));
        assert_eq!(back.status, 200, "{}", back.text());
    }
    host.stop();
}

/// Where a text lies in the memories of a host's guests: those begin with an image of the plugin's data, and go on behind it.
fn found_in_guests(host: &Host, text: &str) -> usize {
    let process = format!("/proc/{}", host.process_id());
    let maps = std::fs::read_to_string(format!("{process}/maps")).expect("its mappings");
    let memory = std::fs::File::open(format!("{process}/mem")).expect("its memory");
    let mut guest_goes_on_at = None;
    let mut found = 0;
    for mapping in maps.lines() {
        let (range, rest) = mapping.split_once(' ').expect("a range");
        let (start, end) = range.split_once('-').expect("two ends");
        let [start, end] = [start, end].map(|end| u64::from_str_radix(end, 16).expect("an address"));
        let is_guests = rest.contains("wasm-memory-image") || guest_goes_on_at == Some(start);
        if !is_guests || !rest.starts_with("rw") {
            continue;
        }
        guest_goes_on_at = Some(end);
        let mut bytes = vec![0; usize::try_from(end - start).expect("it fits")];
        std::os::unix::fs::FileExt::read_exact_at(&memory, &mut bytes, start).expect("is mapped");
        found += memchr::memmem::find_iter(&bytes, text).count();
    }
    found
}

/// The same plugin without the built-in one's allocator leaves the order's texts behind, which shows that they would be found.
#[test]
fn a_built_in_instance_that_rests_holds_nothing_of_the_order_before() {
    let check = |plan: Plan, leaves_texts: bool| {
        let host = plan.start();
        for mark in ["mark-of-the-first-order", "mark-of-the-second-order"] {
            let body = serde_json::json!({
                "lines": [{ "item": "headphones", "quantity": 1, "price": 99.99, "attributes": { "engraving": mark } }],
                "attributes": { mark: true },
            });
            let answer = host.shop.post("/checkout", &body);
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let left = found_in_guests(&host, "-order");
        assert_eq!(left > 0, leaves_texts, "{left} texts were found");
        host.stop();
    };
    check(Host::plan(), false);
    check(plan(&["checkout.reuse=1000"]), true);
}
