//! Recent traces on the admin listener: the list, a trace with its log lines, Jaeger's query API, and their bound.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    process::Stdio,
    time::Duration,
};

use serde_json::{Value, json};

use crate::support::{
    Answer, Client, Host, built_in_and, eventually, golden,
    raw::{Raw, checkout, request},
};

/// What a list of these parameters has, by the names of its traces.
fn listed(host: &Host, query: &str) -> Vec<Value> {
    let answer = host.admin.get(&format!("/recent/traces?{query}"));
    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
    answer.json()["traces"].as_array().expect("a list").clone()
}

fn ids(traces: &[Value]) -> Vec<&str> {
    traces.iter().map(|trace| trace["trace_id"].as_str().expect("an id")).collect()
}

fn found(host: &Host, trace_id: &str) -> Value {
    let answer = host.admin.get(&format!("/recent/traces/{trace_id}"));
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// Returns the answer to the first checkout that meets the simulated deadlock; six of ten do.
fn conflict(host: &Host) -> Answer {
    eventually("a deadlock", || Some(host.shop.buy("laptop", 2)).filter(|answer| answer.status == 500))
}

/// Issue 15.8: what strangers can send for nothing pushed a real error and the orders out of the kept traces.
#[test]
fn wrong_requests_push_out_neither_orders_nor_errors() {
    let host = Host::plan_demo().warns("Database deadlock").set("traces.kept_mib=1").set("traces.slow_ms=300").start();
    let sold: Vec<String> = (0..20).map(|_| host.shop.buy("headphones", 1).trace_id()).collect();
    let failed = conflict(&host).trace_id();

    // One that takes its time over a wrong body.
    let mut dribbling = Raw::connect(&host.shop.address);
    let body = r#"{"item":"headphones"}"#;
    let length = format!("content-length: {}", body.len());
    dribbling.send(request(
        "POST /checkout HTTP/1.1",
        &["host: 127.0.0.1", "content-type: application/json", &length],
        "",
    ));
    for byte in body.bytes() {
        std::thread::sleep(Duration::from_millis(30));
        dribbling.send([byte]);
    }
    let dribbled = dribbling.answer().expect("an answer");
    assert_eq!(dribbled.status, 422);
    let [row] = &listed(&host, &format!("trace_id={}", dribbled.trace_id()))[..] else { panic!("no row") };
    let root = &found(&host, &dribbled.trace_id())["trace"]["spans"][0];
    let waited = root["tags"].as_array().expect("tags").iter().find(|tag| tag["key"] == "client.wait_ms");
    let waited_ms = waited.expect("it was waited for")["value"].as_u64().expect("a number");
    assert!(waited_ms >= 300, "{waited_ms}");
    let lasted_us = root["duration"].as_u64().expect("a duration");
    assert_eq!(row["duration_us"].as_u64().expect("a duration"), lasted_us.saturating_sub(1000 * waited_ms));

    let mut hasty = Raw::connect(&host.shop.address);
    for _ in 0..3_000 {
        hasty.send(checkout("{}"));
        assert_eq!(hasty.answer().expect("an answer").status, 422);
    }
    assert!(host.admin.get(&format!("/recent/traces/{}", dribbled.trace_id())).status == 404, "it was no slow one");
    for trace_id in sold.iter().chain([&failed]) {
        found(&host, trace_id);
    }
    host.stop();
}

#[test]
fn traces_are_listed_and_found_by_what_they_have() {
    let host = Host::plan_demo().warns("Database deadlock").start();
    let good = host.shop.buy("headphones", 1);
    let slow = host.shop.buy("smartphone", 3);
    let deduct = host.shop.post("/inventory/deduct", &json!({ "item": "headphones", "quantity": 1 }));
    let none = host.shop.buy("headphones", 10_000);
    let failed = conflict(&host);
    let [good_id, slow_id, deduct_id, none_id, failed_id] =
        [&good, &slow, &deduct, &none, &failed].map(Answer::trace_id);
    host.shop.get("/livez");

    let newest = listed(&host, "");
    assert_eq!(ids(&newest).first(), Some(&&*failed_id));
    assert_eq!(ids(&newest).last(), Some(&&*good_id), "probes are not recorded");
    assert_eq!(listed(&host, "sort=slowest&limit=1")[0]["trace_id"], *slow_id);
    let plugins = good.header("till-plugins").replace(", ", "&").replace('+', "%2B");
    let (checkout, inventory) = plugins.split_once('&').expect("two plugins");
    let start_us = newest[0]["start_us"].as_u64().expect("a time");
    for (query, expected) in [
        ("route=/checkout&item=headphones&outcome=ok".to_owned(), vec![&good_id]),
        ("errors=true&status=5xx".to_owned(), vec![&failed_id]),
        ("outcome=inventory_conflict&limit=1".to_owned(), vec![&failed_id]),
        ("status=400".to_owned(), vec![&none_id]),
        ("status=4xx&errors=false".to_owned(), vec![&none_id]),
        ("min_ms=1000".to_owned(), vec![&slow_id]),
        ("route=%2Finventory%2Fdeduct".to_owned(), vec![&deduct_id]),
        (format!("trace_id={}", &slow_id[..12]), vec![&slow_id]),
        (format!("plugin={checkout}&item=headphones"), vec![&none_id, &good_id]),
        (format!("plugin={inventory}&item=smartphone"), vec![&slow_id]),
        ("plugin=inventory/other".to_owned(), vec![]),
        ("max_ms=0".to_owned(), vec![]),
        (format!("after_us={start_us}"), vec![&failed_id]),
        (format!("before_us={}&errors=true", start_us - 60_000_000), vec![]),
        ("trace_id=FFFF".to_owned(), vec![]),
        ("q=item:smartphone".to_owned(), vec![&slow_id]),
        ("q=outcome:!ok+route:/checkout&sort=oldest".to_owned(), vec![&none_id, &failed_id]),
        (format!("q=order:{}", good.reference()), vec![&good_id]),
        ("q=took:%3E1s".to_owned(), vec![&slow_id]),
        ("q=deadlock&status=500&limit=1".to_owned(), vec![&failed_id]),
    ] {
        assert_eq!(ids(&listed(&host, &query)), expected, "{query}");
    }
    check_row(&listed(&host, &format!("trace_id={good_id}"))[0], &good);
    for unacceptable in
        ["colour=red", "status=abc", "limit=501", "limit=0", "errors=maybe", "sort=best", "min_ms=x", "route="]
    {
        let answer = host.admin.get(&format!("/recent/traces?{unacceptable}"));
        assert_eq!((answer.status, &*answer.json()["code"].to_string()), (422, "\"unacceptable\""), "{unacceptable}");
    }
    assert_eq!(host.admin.post("/recent/traces", &json!({})).status, 405);
    host.stop();
}

#[test]
fn all_that_match_are_counted_grouped_and_compared() {
    let host = Host::plan_demo().start();
    for _ in 0..3 {
        assert_eq!(host.shop.buy("headphones", 1).status, 200);
    }
    let slow = host.shop.buy("smartphone", 3).trace_id();
    let get = |path: &str| {
        let answer = host.admin.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    };

    let all = get("/recent/statistics?group=item");
    assert_eq!((&all["matched"], &all["errors"], &all["ungrouped"]), (&json!(4), &json!(0), &json!(0)));
    let groups: Vec<_> = all["groups"].as_array().expect("groups").iter().map(|group| &group["query"]).collect();
    assert_eq!(groups, ["item:headphones", "item:smartphone"]);
    let calls = get("/recent/statistics?q=span:inventory_deduct_span&of=spans");
    assert_eq!(calls["matched"], 4);
    assert_eq!(
        get("/recent/statistics?q=item:laptop"),
        json!({ "matched": 0, "errors": 0, "groups": [], "ungrouped": 0 })
    );

    let spans = get("/recent/spans?q=@simulation.latency_added:%3E0.1")["spans"].clone();
    let [span] = &spans.as_array().expect("spans")[..] else { panic!("{spans}") };
    assert_eq!(
        (&span["trace_id"], &span["name"], &span["item"]),
        (&json!(slow), &json!("inventory_deduct_span"), &json!("smartphone"))
    );
    assert_eq!(get("/recent/spans?limit=2")["spans"].as_array().expect("spans").len(), 2);

    let differ = get("/recent/differences?q=took:%3E900ms&against=route:/checkout");
    assert_eq!((&differ["selected"], &differ["rest"], &differ["is_cut"]), (&json!(1), &json!(3), &json!(false)));
    let cause = differ["rows"].as_array().expect("rows").iter().find(|row| row["query"] == "item:smartphone");
    let cause = cause.unwrap_or_else(|| panic!("no cause in {differ:#}"));
    assert_eq!((&cause["selected_share"], &cause["rest_share"]), (&json!(1.0), &json!(0.0)));

    let keys = get("/recent/keys");
    let item = keys["keys"].as_array().expect("keys").iter().find(|key| key["name"] == "item").expect("the key");
    assert_eq!(item["values"][0], json!({ "value": "headphones", "traces": 3 }));

    for (path, why) in [
        ("traces?q=itme:laptop", "there is no key itme; did you mean item?"),
        ("statistics?q=took:long", "took:long: wanted a duration"),
        ("statistics?group=took", "group=took: wanted one of item, outcome"),
        ("statistics?of=orders", "of=orders: wanted traces or spans"),
        ("statistics?gruop=item", "there is no filter gruop; did you mean group?"),
        ("spans?limit=501", "limit=501: wanted 1 to 500"),
        ("differences?against=%22", "a quote isn't closed"),
        ("keys?name=item", "there is no parameter name"),
    ] {
        let answer = host.admin.get(&format!("/recent/{path}"));
        assert_eq!(answer.status, 422, "{path}");
        assert!(answer.json()["detail"].as_str().expect("a detail").contains(why), "{path}: {}", answer.text());
    }
    host.stop();
}

/// The row of a good checkout.
fn check_row(row: &Value, answer: &Answer) {
    let plugins: Vec<&str> = answer.header("till-plugins").split(", ").collect();
    let mut steady = row.clone();
    for measured in ["start_us", "duration_us"] {
        assert!(steady[measured].as_u64() > Some(0), "{row}");
        steady[measured] = 0.into();
    }
    let version = |(number, plugin): (u64, &&str)| {
        let (kind, rest) = plugin.split_once('/').expect("a kind");
        let (name, rest) = rest.split_once('@').expect("a version");
        let (version, digest) = rest.split_once('+').expect("a digest");
        json!({ "kind": kind, "name": name, "version": version, "digest": digest, "number": number, "rollout": "live" })
    };
    let versions: Vec<_> = std::iter::zip(1.., &plugins).map(version).collect();
    let expected = json!({
        "trace_id": answer.trace_id(), "start_us": 0, "duration_us": 0, "name": "POST /checkout",
        "route": "/checkout", "status": 200, "outcome": "ok", "is_error": false, "spans": 6,
        "plugins": plugins, "versions": versions, "item": "headphones", "reference": answer.reference(),
    });
    assert_eq!(steady, expected);
}

#[test]
fn a_trace_has_its_spans_in_order_and_its_log_lines_a_guests_too() {
    let host = Host::plan().plugins(built_in_and("checkout_spans")).start();
    let answer = host.shop.buy("headphones", 2);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let found = found(&host, &answer.trace_id());
    let spans = found["trace"]["spans"].as_array().expect("spans");
    let names: Vec<_> = spans.iter().map(|span| span["operationName"].as_str().expect("a name")).collect();
    let expected = [
        "POST /checkout",
        "checkout_transaction",
        "db_create_order",
        "price_cart",
        "look_up_coupon",
        "take_stock",
        "inventory_deduct_span",
        "db_take_stock",
        "db_complete_order",
    ];
    assert_eq!(names, expected);
    let span_id =
        |name: &str| spans.iter().find(|span| span["operationName"] == name).expect("it is there")["spanID"].clone();
    let lines = found["lines"].as_array().expect("lines");
    for (message, span) in [("coupon looked up", "look_up_coupon"), ("printed to stdout", "checkout_transaction")] {
        let line = lines.iter().find(|line| line["message"] == message);
        let line = line.unwrap_or_else(|| panic!("no {message:?} in {lines:#?}"));
        assert_eq!((&line["level"], &line["target"]), (&"INFO".into(), &"guest".into()));
        assert_eq!(line["span_id"], span_id(span), "{message}");
        let plugin = line["fields"]["plugin"].as_str().expect("a plugin");
        assert!(plugin.starts_with("checkout/checkout_spans@"), "{plugin}");
        assert!(line["time_us"].as_u64() > spans[0]["startTime"].as_u64(), "{line}");
    }
    assert_eq!(found["lines_dropped"], 0);
    // The very trace that Jaeger's route has, where the lines are logs of their spans.
    let mut of_jaeger = host.admin.get(&format!("/api/traces/{}", answer.trace_id())).json()["data"][0].clone();
    let mut told = 0;
    for span in of_jaeger["spans"].as_array_mut().expect("spans") {
        span["logs"].as_array_mut().expect("logs").retain(|log| {
            let is_line = log["fields"][0]["value"] == "log";
            told += usize::from(is_line);
            !is_line
        });
    }
    assert_eq!((&of_jaeger, told), (&found["trace"], lines.len()));
    for unknown in ["0123456789abcdef0123456789abcdef", "x", "00000000000000000000000000000000"] {
        let answer = host.admin.get(&format!("/recent/traces/{unknown}"));
        assert_eq!((answer.status, answer.header("content-type")), (404, "application/problem+json"), "{unknown}");
    }
    host.stop();
}

#[test]
fn a_checkouts_answer_leads_to_its_trace() {
    let host = Host::start();
    let bought = host.shop.buy("headphones", 1);
    let refused = host.shop.post("/checkout", &json!({ "item": "headphones", "quantity": 0, "price": 1 }));
    for answer in [&bought, &refused] {
        let link = answer.header("link");
        let url = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"trace\"")).expect("a link");
        let page = format!("http://{}/traces/{}", host.admin.address, answer.trace_id());
        assert_eq!(url, page);
        found(&host, &answer.trace_id());
    }
    let home = host.shop.get("/");
    assert_eq!(home.json()["traces"], format!("http://{}/traces", host.admin.address));
    assert_eq!((home.header("link"), host.shop.get("/checkout").header("link")), ("", ""));
    // A caller's flag doesn't keep a trace from the host's own page.
    let unsampled = [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")];
    let answer = host.shop.post_with("/checkout", &unsampled, &json!({ "item": "laptop", "quantity": 1, "price": 1 }));
    assert!(answer.header("link").contains("/traces/4bf92f3577b34da6a3ce929d0e0e4736>"), "{}", answer.header("link"));
    found(&host, &answer.trace_id());
    host.stop();
}

#[test]
fn links_begin_as_the_setting_says_and_the_start_names_the_page() {
    let host = Host::plan().set("traces.url=https://till.example/").start();
    let answer = host.shop.buy("headphones", 1);
    let expected = format!("<https://till.example/traces/{}>; rel=\"trace\"", answer.trace_id());
    assert_eq!(answer.header("link"), expected);
    host.stop();
    let refusal = Host::plan().set("traces.url=till.example").refusal();
    assert!(refusal.contains("traces.url = \"till.example\""), "{refusal}");

    let mut child = Host::plan().command().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("till starts");
    let lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines().map_while(Result::ok);
    let named: Vec<_> = lines.filter(|line| line.contains("http://")).take(4).collect();
    child.kill().expect("it runs");
    child.wait().expect("a child of ours");
    let address = |line: &str| line.split_once("http://").expect("an address").1.to_owned();
    assert_eq!(named[2], format!("  console  http://{}/console", address(&named[1])), "{named:?}");
    assert_eq!(named[3], format!("  traces   http://{}/traces", address(&named[1])), "{named:?}");
}

#[test]
fn nothing_is_kept_where_it_is_off() {
    let plans = [Host::plan().set("traces.kept_mib=0"), Host::plan().env("OTEL_SDK_DISABLED", "true")];
    for host in plans.map(|plan| plan.start()) {
        let answer = host.shop.buy("headphones", 1);
        assert_eq!((answer.status, answer.header("link")), (200, ""));
        assert_eq!(host.shop.get("/").json()["traces"], Value::Null);
        let trace = format!("/recent/traces/{}", answer.trace_id());
        for route in ["/recent/traces", &trace, "/api/services", "/api/traces?service=order-service"] {
            let answer = host.admin.get(route);
            assert_eq!(answer.status, 404, "{route}");
            let detail = answer.json()["detail"].as_str().expect("a detail").to_owned();
            assert!(detail.contains("traces.kept_mib"), "{detail}");
        }
        assert!(!host.shop.get("/metrics").text().contains("telemetry_traces"));
        host.stop();
    }
}

#[test]
fn of_a_share_only_what_is_recorded_is_kept() {
    let host = Host::plan().env("OTEL_TRACES_SAMPLER", "traceidratio").env("OTEL_TRACES_SAMPLER_ARG", "0.5").start();
    let answers: Vec<_> = (0..40).map(|_| host.shop.buy("headphones", 1)).collect();
    let linked: Vec<_> = answers.iter().filter(|answer| !answer.header("link").is_empty()).collect();
    assert!((1..40).contains(&linked.len()), "{} of 40", linked.len());
    let mut kept = listed(&host, "limit=500");
    kept.reverse();
    assert_eq!(ids(&kept), linked.iter().map(|answer| answer.trace_id()).collect::<Vec<_>>());
    host.stop();
}

/// Issue 15.7: a call's span within all documented limits was missing, and the page had no `checkout_transaction`.
#[test]
fn a_large_span_is_on_the_page_and_says_what_was_cut() {
    let host = Host::plan().plugins(built_in_and("checkout_large_span")).start();
    let answer = host.shop.buy("headphones", 1);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let path = format!("/api/traces/{}", answer.trace_id());
    let trace = eventually("the trace", || Some(host.admin.get(&path)).filter(|got| got.status == 200)).json();
    let spans = trace["data"][0]["spans"].as_array().expect("spans").clone();
    let names: Vec<_> = spans.iter().map(|span| span["operationName"].as_str().unwrap_or_default()).collect();
    let call = spans.iter().find(|span| span["operationName"] == "checkout_transaction");
    let call = call.unwrap_or_else(|| panic!("only {names:?}"));
    assert_eq!(call["logs"].as_array().map(Vec::len), Some(110));
    assert!(
        call["warnings"].to_string().contains("880 texts were cut, 0 events and 0 attributes left out"),
        "{}",
        call["warnings"]
    );
    host.stop();
}

#[test]
fn hostile_text_comes_back_as_it_was() {
    const TEXT: &str = "<script>alert(1)</script>\u{1b}[2J\u{202e}\"'&\r\n\0";
    let host =
        Host::plan().plugins(built_in_and("checkout_hostile_text")).set("stock.<img src onerror>laptop</b>=10").start();
    let item = "<img src onerror>laptop</b>";
    let answer = host.shop.buy(item, 1);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let rows = host.admin.get("/recent/traces?item=%3Cimg+src+onerror%3Elaptop%3C/b%3E");
    assert_eq!(rows.header("content-type"), "application/json");
    assert_eq!(rows.json()["traces"][0]["item"], item);

    let found = found(&host, &answer.trace_id());
    let spans = found["trace"]["spans"].as_array().expect("spans");
    let is_hostile = |span: &&Value| span["operationName"].as_str().is_some_and(|name| name.starts_with(TEXT));
    let span = spans.iter().find(is_hostile).unwrap_or_else(|| panic!("not among {spans:#?}"));
    let tag = |tags: &Value, key: &str| {
        let tag = tags.as_array().expect("tags").iter().find(|tag| tag["key"] == key);
        tag.unwrap_or_else(|| panic!("no {key:?} in {tags}"))["value"].as_str().expect("a text").to_owned()
    };
    assert_eq!(tag(&span["tags"], "text"), TEXT);
    assert!(tag(&span["tags"], "long").starts_with(TEXT));
    assert_eq!(tag(&span["logs"][0]["fields"], "event"), TEXT);
    assert_eq!(tag(&span["logs"][0]["fields"], TEXT), TEXT);
    let lines = found["lines"].as_array().expect("lines");
    assert!(lines.iter().any(|line| line["message"] == TEXT), "{lines:#?}");
    host.stop();
}

#[test]
fn memory_stays_within_its_bound_in_a_flood() {
    const MIB: u64 = 1 << 20;
    const BOUND: u64 = 32 * MIB;
    // Compared with the same flood on a host that keeps no traces.
    let (unkept, without) = flooded("traces.kept_mib=0");
    unkept.stop();
    let (host, with) = flooded("traces.kept_mib=32");
    let kept = host.admin.get("/recent/traces?limit=1").json()["kept"].clone();
    let figure = |name: &str| kept[name].as_u64().expect("a number");
    let by_traces = with.saturating_sub(without);
    println!(
        "{} KiB are counted; {} KiB are used, without traces {} KiB",
        figure("bytes") >> 10,
        with >> 10,
        without >> 10
    );
    assert_eq!(figure("bytes_max"), BOUND);
    assert!((BOUND / 4 * 3..=BOUND).contains(&figure("bytes")), "{kept}");
    assert!(figure("evicted") > 500, "{kept}");
    // Two processes of the same kind differ by some 20 MiB where the machine has other work.
    assert!((BOUND / 4..=BOUND * 2).contains(&by_traces), "{by_traces} bytes more, {kept}");
    let metrics = host.admin.get("/metrics").text();
    for name in ["telemetry_traces_memory_bytes", "telemetry_traces_kept", "telemetry_traces_evicted_total"] {
        assert!(metrics.lines().any(|line| line.starts_with(name)), "{name} is not in {metrics}");
    }
    host.stop();
}

/// Returns a host after a flood of big requests, half of them in one trace of their caller's, and what it then uses.
fn flooded(setting: &str) -> (Host, u64) {
    let host = Host::plan().set(setting).start();
    let (long, agent) = ("x".repeat(1_500), "y".repeat(4_000));
    let endless = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let request = |client: &Client, headers: &[(&str, &str)]| {
        let headers = [&[("user-agent", &*agent)], headers].concat();
        let answer = client.send("GET", &format!("/nowhere/{long}"), &headers, None).expect("the host answers");
        assert_eq!(answer.status, 404);
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                // A client of its own: the shared one would have them wait for each other.
                let client = Client::new(&host.shop.address);
                for _ in 0..2_000 {
                    request(&client, &[]);
                    request(&client, &[("traceparent", endless)]);
                }
            });
        }
    });
    let used = host.memory_bytes();
    (host, used)
}

#[test]
fn jaegers_queries_are_answered_as_jaeger_answers_them() {
    let host = Host::plan_demo().warns("Database deadlock").start();
    let bought = host.shop.buy("headphones", 1);
    let slow = host.shop.buy("smartphone", 3);
    let failed = conflict(&host);
    let get = |path: &str| host.admin.get(path);
    let search = |query: &str| get(&format!("/api/traces?service=order-service&{query}"));
    let (good_id, failed_id) = (bought.trace_id(), failed.trace_id());
    let unknown = "0123456789abcdef0123456789abcdef";
    let mut answers = Vec::new();
    for (name, status, path) in [
        ("services", 200, "/api/services".to_owned()),
        ("service_operations", 200, "/api/services/order-service/operations".to_owned()),
        ("operations", 200, "/api/operations?service=order-service".to_owned()),
        ("operations_of_a_kind", 200, "/api/operations?service=order-service&spanKind=server".to_owned()),
        ("operations_refused", 400, "/api/operations".to_owned()),
        ("trace", 200, format!("/api/traces/{good_id}")),
        ("trace_failed", 200, format!("/api/traces/{failed_id}?prettyPrint=false")),
        ("trace_not_found", 404, format!("/api/traces/{unknown}")),
        ("trace_refused", 400, "/api/traces/xyz".to_owned()),
        ("traces_by_id", 200, format!("/api/traces?traceID={unknown}")),
        ("search_refused", 400, "/api/traces?operation=x".to_owned()),
        ("search_nothing", 200, "/api/traces?service=other".to_owned()),
        ("dependencies", 200, "/api/dependencies?endTs=1700000000000&lookback=86400000".to_owned()),
    ] {
        let answer = get(&path);
        assert_eq!((answer.status, answer.header("content-type")), (status, "application/json"), "{path}");
        answers.push(format!("{name}: {:#}", steady(&answer.json())));
    }
    golden::check("jaeger.txt", &answers.join("\n\n"));
    check_version_3(&host, &bought, &slow, &failed);

    let trace_ids = |answer: &Answer| -> Vec<String> {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let traces = answer.json()["data"].as_array().expect("a list").clone();
        traces.iter().map(|trace| trace["traceID"].as_str().expect("an id").to_owned()).collect()
    };
    // The requests of Grafana's data source: sorted, in the form of a form, tags as JSON.
    let error = "tags=%7B%22error%22%3A%22true%22%2C%22http.route%22%3A%22%2Fcheckout%22%7D";
    let conflicts = trace_ids(&search(&format!("limit=20&operation=POST+%2Fcheckout&{error}")));
    assert_eq!(conflicts, std::slice::from_ref(&failed_id));
    assert_eq!(trace_ids(&search("minDuration=900ms&operation=POST+%2Fcheckout")), [slow.trace_id()]);
    assert_eq!(trace_ids(&search("tag=order.item:smartphone&maxDuration=1h&lookback=1h")), [slow.trace_id()]);
    assert_eq!(
        trace_ids(&search("limit=1&start=1&end=99999999999999999&lookback=custom")),
        std::slice::from_ref(&failed_id)
    );
    assert_eq!(
        trace_ids(&search("tags=%7B%22telemetry.sdk.name%22%3A%22opentelemetry%22%7D&limit=500")).last(),
        Some(&good_id)
    );
    assert_eq!(trace_ids(&search("end=1&start=0")), Vec::<String>::new());
    assert_eq!(trace_ids(&search("tags=%7B%22order.item%22%3A%22laptop%22%7D&minDuration=1m")), Vec::<String>::new());
    let both = get(&format!("/api/traces?traceID={good_id}&traceID={failed_id}"));
    assert_eq!(trace_ids(&both), [good_id, failed_id]);
    assert_eq!(get("/api/metrics/latencies").status, 404);
    host.stop();
}

/// What a Jaeger UI of 2.20 asks for (its search moved by b6c97a182, 2026-05-24), and Grafana 13.2's data source with its
/// toggle for the gRPC endpoint; the golden file was built from their shapes.
fn check_version_3(host: &Host, bought: &Answer, slow: &Answer, failed: &Answer) {
    let get = |path: &str| host.admin.get(&format!("/api/v3/{path}"));
    let search = |query: &str| format!("trace-summaries?query.serviceName=order-service&{query}");
    let day = "query.startTimeMin=2020-01-01T00%3A00%3A00.000Z&query.startTimeMax=2100-01-01T00%3A00%3A00.000000000Z";
    let unknown = "0123456789abcdef0123456789abcdef";
    let mut answers = Vec::new();
    for (name, status, path) in [
        ("services", 200, "services".to_owned()),
        ("operations", 200, "operations?service=order-service".to_owned()),
        ("operations_of_a_kind", 200, "operations?service=order-service&span_kind=server".to_owned()),
        ("operations_refused", 400, "operations".to_owned()),
        ("summaries", 200, search(&format!("query.searchDepth=20&{day}"))),
        ("summaries_refused", 400, "trace-summaries".to_owned()),
        ("summaries_of_another", 200, "trace-summaries?query.serviceName=other".to_owned()),
        ("trace", 200, format!("traces/{}", bought.trace_id())),
        ("trace_failed", 200, format!("traces/{}", failed.trace_id())),
        ("trace_not_found", 404, format!("traces/{unknown}")),
        ("trace_refused", 400, "traces/xyz".to_owned()),
    ] {
        let answer = get(&path);
        assert_eq!((answer.status, answer.header("content-type")), (status, "application/json"), "{path}");
        let mut json = answer.json();
        if name == "summaries" {
            // However many laptops it took to meet a deadlock.
            json["summaries"]
                .as_array_mut()
                .expect("a list")
                .retain(|row| [bought, slow, failed].iter().any(|answer| row["traceId"] == answer.trace_id()));
        }
        answers.push(format!("{name}: {:#}", steady(&json)));
    }
    golden::check("jaeger_v3.txt", &answers.join("\n\n"));

    let found = |query: &str| -> Vec<String> {
        let answer = get(&search(query));
        assert_eq!(answer.status, 200, "{}", answer.text());
        let rows = answer.json()["summaries"].as_array().expect("a list").clone();
        rows.iter().map(|row| row["traceId"].as_str().expect("an id").to_owned()).collect()
    };
    assert_eq!(found("query.operationName=POST+%2Fcheckout&query.durationMin=900ms"), [slow.trace_id()]);
    let error = "query.attributes=%7B%22error%22%3A%22true%22%2C%22http.route%22%3A%22%2Fcheckout%22%7D";
    assert_eq!(found(error), [failed.trace_id()]);
    assert_eq!(found("query.searchDepth=1").len(), 1);
    assert_eq!(found("query.startTimeMax=2020-01-01T00%3A00%3A00Z"), Vec::<String>::new());

    let path = format!("/api/v3/traces/{}", bought.trace_id());
    for (accepted, encoding) in [("gzip, deflate, br", "gzip"), ("identity", "")] {
        let answer = host.admin.send("GET", &path, &[("accept-encoding", accepted)], None).expect("an answer");
        assert_eq!((answer.header("content-encoding"), answer.header("vary")), (encoding, "accept-encoding"));
        assert_eq!(answer.body.starts_with(&[0x1f, 0x8b]), encoding == "gzip");
    }
}

/// Returns the answer with what differs from run to run replaced: ids by the order they appear in.
fn steady(answer: &Value) -> Value {
    steady_in(answer, &mut BTreeMap::new())
}

fn steady_in(part: &Value, ids: &mut BTreeMap<String, String>) -> Value {
    const MEASURED: [&str; 16] = [
        "reference",
        "db.order_id",
        "plugin.memory_bytes",
        "plugin.guest_us",
        "plugin.instantiate_us",
        "plugin.digest",
        "plugin.version",
        "order.reference",
        "server.port",
        "service.instance.id",
        "process.pid",
        "host.name",
        "host.arch",
        "os.type",
        "service.version",
        "telemetry.sdk.version",
    ];
    match part {
        // Not every machine has an id.
        Value::Array(parts) => {
            parts.iter().filter(|part| part["key"] != "host.id").map(|part| steady_in(part, ids)).collect()
        }
        Value::Object(members) => {
            let is_measured = members.get("key").and_then(Value::as_str).is_some_and(|key| MEASURED.contains(&key));
            let member = |(name, value): (&String, &Value)| {
                let value = match &**name {
                    "traceID" | "spanID" | "traceId" | "spanId" | "parentSpanId" => {
                        let count = ids.len();
                        let id = value.as_str().expect("an id").to_owned();
                        ids.entry(id).or_insert_with(|| format!("id {count}")).clone().into()
                    }
                    "startTime" | "duration" | "timestamp" => {
                        assert!(value.is_u64(), "{name}: {value}");
                        0.into()
                    }
                    name if name.ends_with("UnixNano") => {
                        let digits =
                            value.as_str().is_some_and(|text| text.bytes().all(|digit| digit.is_ascii_digit()));
                        assert!(digits, "{name}: {value}");
                        "0".into()
                    }
                    "value" if is_measured => "…".into(),
                    _ => steady_in(value, ids),
                };
                (name.clone(), value)
            };
            members.iter().map(member).collect()
        }
        other => other.clone(),
    }
}
