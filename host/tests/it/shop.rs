//! The shop's routes and their answers.

use serde_json::{Value, json};

use crate::support::{Answer, Host, golden, http::order_of};

/// Pages of one of two sites may use the shop. Requests of the other are answered as usual, but browsers hide the
/// answers from its pages.
#[test]
fn pages_of_the_sites_that_are_named_may_use_the_shop() {
    let host = Host::plan().set("server.origins=https://shop.example, http://localhost:5173").start();
    let ask = |method: &str, origin: &str, headers: &[(&str, &str)], body: Option<&[u8]>| {
        let headers = [&[("origin", origin)], headers].concat();
        host.shop.send(method, "/checkout", &headers, body).expect("an answer")
    };
    let wanted = [("access-control-request-method", "POST"), ("access-control-request-headers", "content-type")];
    let told = ask("OPTIONS", "https://shop.example", &wanted, None);
    assert_eq!((told.status, told.header("access-control-allow-origin")), (204, "https://shop.example"));
    assert_eq!(told.header("access-control-allow-methods"), "POST");
    assert!(told.header("access-control-allow-headers").contains("idempotency-key"));
    let json = [("content-type", "application/json")];
    let order = br#"{"item":"headphones","quantity":1,"price":99.99}"#;
    let sold = ask("POST", "http://localhost:5173", &json, Some(order));
    assert_eq!((sold.status, sold.header("access-control-allow-origin")), (200, "http://localhost:5173"));
    assert!(sold.header("access-control-expose-headers").contains("traceresponse"));
    let refused = ask("POST", "https://shop.example", &json, Some(b"{}"));
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (422, "https://shop.example"));

    let foreign = ask("OPTIONS", "https://evil.example", &wanted, None);
    assert_eq!(
        (foreign.status, foreign.header("access-control-allow-origin"), foreign.header("vary")),
        (405, "", "origin")
    );
    assert_eq!(ask("POST", "https://shop.example.evil", &json, Some(order)).header("access-control-allow-origin"), "");
    host.stop();
}

/// Off by default: nothing tells a browser anything.
#[test]
fn without_named_sites_no_answer_speaks_of_origins() {
    let host = Host::start();
    let headers = [("origin", "https://shop.example"), ("access-control-request-method", "POST")];
    let answer = host.shop.send("OPTIONS", "/checkout", &headers, None).expect("an answer");
    assert_eq!((answer.status, answer.header("access-control-allow-origin"), answer.header("vary")), (405, "", ""));
    host.stop();
}

#[test]
fn a_checkout_answers_as_the_seed_did() {
    let host = Host::start();
    let answer = host.shop.buy("headphones", 2);
    let reference = answer.reference();
    let expected = format!(
        r#"{{"order_id":1,"reference":"{reference}","status":"COMPLETED","item":"headphones","total_price":199.98}}"#
    );
    assert_eq!((answer.status, answer.text()), (200, expected));
    assert_eq!(answer.header("content-type"), "application/json");
    let plugins: Vec<&str> = answer.header("till-plugins").split(", ").collect();
    let [checkout, inventory] = plugins.as_slice() else { panic!("{plugins:?}") };
    for (plugin, name) in [(checkout, "checkout/checkout@"), (inventory, "inventory/inventory@")] {
        let (version, digest) =
            plugin.strip_prefix(name).and_then(|rest| rest.split_once('+')).expect("name@version+digest");
        assert!(!version.is_empty() && digest.len() == 12, "{plugin}");
    }
    assert_eq!(host.on_hand("headphones"), 198);
    host.stop();
}

#[test]
fn an_order_is_found_by_its_reference_alone() {
    let host = Host::start();
    let order = json!({ "lines": [
        { "item": "headphones", "quantity": 2, "price": 99.99, "attributes": { "engraving": "für Ana", "gift": true } },
        { "item": "laptop", "quantity": 1, "price": 1299 },
    ], "attributes": { "customer_id": 9_007_199_254_740_992_u64, "coupon": "X", "points": -7, "share": 0.1 } });
    let reference = host.shop.post("/checkout", &order).reference();
    let found = host.shop.get(&format!("/orders/{reference}"));
    golden::check("order.json", &steady(&found, &reference));
    assert_eq!(host.admin.get("/orders/1").json(), found.json());
    assert_eq!(host.admin.get(&format!("/orders/{reference}")).json(), found.json());
    for unknown in ["1", "01a20544-6ed6-72e0-9bde-69a6ceae3624", "%00", &"x".repeat(256)] {
        assert_eq!(host.shop.get(&format!("/orders/{unknown}")).status, 404, "{unknown}");
    }
    host.stop();
}

/// Returns an order's JSON with its passing values named.
fn steady(answer: &Answer, reference: &str) -> String {
    let order = answer.json();
    // As it was sent: a parsed number would hide how it was written.
    let mut text = answer.text().replace(reference, "<reference>");
    for member in ["trace_id", "plugins", "placed_at_ms", "placed_at", "ended_at_ms", "ended_at"] {
        text = text.replace(&order[member].to_string(), &format!("<{member}>"));
    }
    text
}

#[test]
fn problems_say_what_was_wrong() {
    let host = Host::start();
    let oversold = host.shop.buy("headphones", 201);
    let mut problem = oversold.json();
    assert_eq!(problem["trace_id"].as_str(), Some(&*oversold.trace_id()));
    problem["trace_id"] = "<trace_id>".into();
    golden::check("insufficient_stock.json", &serde_json::to_string_pretty(&problem).expect("JSON"));

    let empty_key = ("idempotency-key", "");
    let one = json!({ "item": "headphones", "quantity": 1 });
    let keyless = host.shop.post_with("/inventory/deduct", &[empty_key], &one);
    for (answer, status, code) in [
        (host.shop.get("/nowhere"), 404, "not_found"),
        (host.shop.get("/inventory/nothing"), 404, "not_found"),
        (keyless, 400, "malformed"),
    ] {
        assert_eq!((answer.status, &*answer.code()), (status, code), "{}", answer.text());
        assert_eq!(answer.json()["trace_id"].as_str(), Some(&*answer.trace_id()));
    }
    let head = host.shop.send("HEAD", "/inventory", &[], None).expect("an answer");
    assert_eq!((head.status, head.body.len()), (200, 0));
    // One order: the one that asked for too much.
    assert_eq!(host.orders().len(), 1);
    assert_eq!(host.on_hand("headphones"), 200);
    host.stop();
}

#[test]
fn a_deduct_is_taken_once_and_given_back_once() {
    let host = Host::start();
    let deduct = |key: &str, body: &Value| host.shop.post_with("/inventory/deduct", &[("idempotency-key", key)], body);
    let release = |key: &str| {
        let answer = host.shop.post("/inventory/release", &json!({ "reference": key }));
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()["outcome"].as_str().expect("an outcome").to_owned()
    };
    let two = json!({ "item": "headphones", "quantity": 2 });
    assert_eq!(deduct("first", &two).text(), r#"{"status":"SUCCESS","remaining_stock":198}"#);
    let again = deduct("first", &two);
    assert_eq!((again.text(), again.header("idempotency-replayed")), (deduct("first", &two).text(), "true"));
    assert_eq!(host.on_hand("headphones"), 198);

    let lines = json!({ "lines": [{ "item": "headphones", "quantity": 1 }, { "item": "laptop", "quantity": 3 }] });
    let levels =
        r#"{"status":"SUCCESS","levels":[{"item":"headphones","remaining":197},{"item":"laptop","remaining":47}]}"#;
    assert_eq!(deduct("second", &lines).text(), levels);
    // All lines or none.
    let too_many = json!({ "lines": [{ "item": "headphones", "quantity": 1 }, { "item": "laptop", "quantity": 48 }] });
    let short = deduct("third", &too_many);
    assert_eq!((short.status, &*short.code()), (400, "insufficient_stock"));
    assert_eq!((host.on_hand("headphones"), host.on_hand("laptop")), (197, 47));

    assert_eq!(
        (release("first"), release("first"), release("first")),
        ("returned".into(), "released_before".into(), "released_before".into())
    );
    assert_eq!(host.on_hand("headphones"), 199);
    // A release that overtakes its deduct: the late one must not take.
    assert_eq!((release("late"), release("late")), ("nothing_taken".into(), "released_before".into()));
    let late = deduct("late", &two);
    assert_eq!((late.status, &*late.code()), (409, "reference_used"));
    // An order's own stock isn't for others to give back.
    let reference = host.shop.buy("headphones", 1).reference();
    let foreign = host.shop.post("/inventory/release", &json!({ "reference": reference }));
    assert_eq!(foreign.status, 409, "{}", foreign.text());
    assert_eq!(host.on_hand("headphones"), 198);
    // Without a key it is final.
    assert_eq!(host.shop.post("/inventory/deduct", &two).status, 200);
    let listed = host.shop.get("/inventory").json();
    let expected = json!({ "items": [
        { "item": "headphones", "on_hand": 196 }, { "item": "laptop", "on_hand": 47 }, { "item": "smartphone", "on_hand": 100 },
    ] });
    assert_eq!(listed, expected);
    host.stop();
}

#[test]
fn the_inventory_is_closed_to_strangers() {
    let two = json!({ "item": "headphones", "quantity": 2 });
    let everyone = Host::plan().listen("0.0.0.0:0");
    let host = everyone.start();
    for answer in [host.shop.post("/inventory/deduct", &two), host.shop.get("/inventory")] {
        assert_eq!((answer.status, &*answer.code()), (403, "forbidden"));
    }
    assert_eq!(host.shop.buy("headphones", 1).status, 200, "the shop itself is open");
    host.stop();

    let folder = tempfile::tempdir().expect("a temporary folder");
    let token_file = folder.path().join("token");
    std::fs::write(&token_file, "0123456789abcdef0123456789abcdef\n").expect("the token is written");
    let with_token = format!("server.inventory_token_file={}", token_file.display());
    let host = Host::plan().listen("0.0.0.0:0").set(&with_token).start();
    let deduct = |token: &str| host.shop.post_with("/inventory/deduct", &[("authorization", token)], &two);
    let refused = deduct("Bearer 0123456789abcdef0123456789abcdee");
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer"));
    assert_eq!(host.shop.post("/inventory/deduct", &two).status, 401);
    assert_eq!(deduct("Bearer 0123456789abcdef0123456789abcdef").status, 200);
    // Another till with the same token may.
    let url = format!("http://{}", host.shop.address);
    let orders = Host::plan().env("INVENTORY_URL", url).set(&with_token).start();
    assert_eq!(orders.shop.buy("headphones", 1).status, 200);
    orders.stop();
    host.stop();

    let host = Host::plan().listen("0.0.0.0:0").set("server.inventory_open=on").start();
    assert_eq!(host.shop.post("/inventory/deduct", &two).status, 200);
    // A browser whose page had its name point here has no token either.
    let rebound = host.shop.post_with("/inventory/deduct", &[("host", "evil.example")], &two);
    assert_eq!((rebound.status, rebound.code()), (403, "forbidden".to_owned()));
    let of_a_customer = host.shop.post_with("/checkout", &[("host", "shop.example")], &order_of("headphones", 1));
    assert_eq!(of_a_customer.status, 200, "off loopback the shop has whatever name its customers call it by");
    assert_eq!(host.on_hand("headphones"), 197);
    host.stop();
}

/// Issue 15.12: pieces were gone from a browser whose page had its own name point to 127.0.0.1.
#[test]
fn on_loopback_a_shop_is_asked_for_by_this_machines_names_and_those_that_are_set() {
    let host = Host::plan().set("server.hosts=shop.example").start();
    let two = json!({ "item": "headphones", "quantity": 2 });
    let one = order_of("headphones", 1);
    let bodies =
        [("/inventory/deduct", &two), ("/inventory/release", &json!({ "reference": "a" })), ("/checkout", &one)];
    for (path, body) in bodies {
        let rebound = host.shop.post_with(path, &[("host", "evil.example")], body);
        assert_eq!((rebound.status, rebound.code()), (403, "forbidden".to_owned()), "{path}");
        assert!(rebound.text().contains("server.hosts"), "{path}: {}", rebound.text());
    }
    for path in ["/", "/inventory", "/metrics", "/livez", "/nowhere"] {
        let rebound = host.shop.send("GET", path, &[("host", "evil.example:8000")], None).expect("an answer");
        assert_eq!(rebound.status, 403, "{path}");
    }
    assert_eq!((host.on_hand("headphones"), host.orders().len()), (200, 0));
    for name in ["shop.example", "SHOP.example.:8000", "localhost", "Localhost:", "127.0.0.1"] {
        let answer = host.shop.post_with("/checkout", &[("host", name)], &one);
        assert_eq!(answer.status, 200, "{name}: {}", answer.text());
    }
    host.stop();
}

#[test]
fn a_page_of_another_site_changes_nothing() {
    let host = Host::plan().set("server.origins=https://shop.example").start();
    let one = order_of("headphones", 1);
    let foreign = [("origin", "https://evil.example")];
    let changes = [
        (&host.shop, "POST", "/checkout"),
        (&host.shop, "POST", "/inventory/deduct"),
        (&host.shop, "POST", "/inventory/release"),
        (&host.admin, "POST", "/stock/headphones"),
        (&host.admin, "DELETE", "/stock/headphones"),
        (&host.admin, "POST", "/plugins"),
        (&host.admin, "POST", "/plugins/checkout/rollback"),
        (&host.admin, "POST", "/plugins/checkout/settings"),
        (&host.admin, "POST", "/plugins/rollout/abort"),
    ];
    for (listener, method, path) in changes {
        let answer = listener.send(method, path, &foreign, None).expect("an answer");
        assert_eq!((answer.status, answer.code()), (403, "forbidden".to_owned()), "{method} {path}");
    }
    // The sites that may use the shop are no operators.
    let site = [("origin", "https://shop.example")];
    assert_eq!(host.admin.post_with("/stock/headphones", &site, &json!({ "set": 0 })).status, 403);
    assert_eq!(host.shop.post_with("/checkout", &site, &one).status, 200);
    let own = format!("http://{}", host.shop.address);
    assert_eq!(host.shop.post_with("/checkout", &[("origin", &own)], &one).status, 200);
    assert_eq!(host.shop.send("GET", "/inventory", &foreign, None).expect("an answer").status, 200);
    assert_eq!(host.on_hand("headphones"), 198);
    host.stop();
}

#[test]
fn what_operators_are_answered_is_kept_by_no_browser_and_taken_for_nothing_else() {
    let host = Host::start();
    for (method, path, status) in [
        ("GET", "/", 200),
        ("GET", "/orders", 200),
        ("GET", "/metrics", 200),
        ("GET", "/livez", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/traces", 200),
        ("GET", "/page/frame/main.js", 200),
        ("GET", "/api/services", 200),
        ("GET", "/nowhere", 404),
        ("POST", "/orders", 405),
        ("OPTIONS", "/stock", 405),
    ] {
        let answer = host.admin.send(method, path, &[], None).expect("an answer");
        let told = (answer.status, answer.header("cache-control"), answer.header("x-content-type-options"));
        assert_eq!(told, (status, "no-store", "nosniff"), "{method} {path}");
    }
    host.stop();
}

#[test]
fn the_admin_listener_is_for_this_machine() {
    let host = Host::start();
    let rebound = host.admin.send("GET", "/orders", &[("host", "shop.example:8001")], None).expect("an answer");
    assert_eq!(rebound.status, 403, "a page that rebinds its name to 127.0.0.1 reads nothing");
    for (method, path, allow) in [("POST", "/orders", "GET, HEAD"), ("HEAD", "/stock/headphones", "POST, DELETE")] {
        let answer = host.admin.send(method, path, &[], None).expect("an answer");
        assert_eq!((answer.status, answer.header("allow")), (405, allow), "{method} {path}");
    }
    assert_eq!(host.admin.get("/orders?colour=red").status, 422);
    for (path, members) in [("/", "links"), ("/plugins", "plugins"), ("/stock", "items"), ("/orders", "orders")] {
        let answer = host.admin.get(path);
        assert!(answer.status == 200 && !answer.json()[members].is_null(), "{path}: {}", answer.text());
    }
    host.stop();

    let open = Host::plan().command().args(["--admin", "0.0.0.0:0"]).output();
    let open = open.expect("till starts");
    assert_ne!(open.status.code(), Some(0), "{}", String::from_utf8_lossy(&open.stderr));
}

#[test]
fn operators_are_asked_what_they_mean() {
    let host = Host::start();
    for change in ["{}", "[]", r#"{"set":1,"add":1}"#, r#"{"set":null}"#, r#"{"set":-1}"#, r#"{"put":1}"#] {
        let json = [("content-type", "application/json")];
        let answer = host.admin.send("POST", "/stock/headphones", &json, Some(change.as_bytes())).expect("an answer");
        assert_eq!((answer.status, answer.code()), (422, "unacceptable".to_owned()), "{change}");
    }
    assert_eq!(host.on_hand("headphones"), 200);

    for query in ["unresolved=maybe", "unresolved", "colour", "limit=1&limit=2", "status=", "limit=0", "limit=1001"] {
        assert_eq!(host.admin.get(&format!("/orders?{query}")).code(), "unacceptable", "{query}");
    }
    for query in ["", "unresolved=false", "&limit=1&", "%6cimit=1000", "status=PENDING"] {
        assert_eq!(host.admin.get(&format!("/orders?{query}")).status, 200, "{query}");
    }
    let head = host.admin.send("HEAD", "/stock", &[], None).expect("an answer");
    assert_eq!((head.status, head.header("content-type"), head.body.len()), (200, "application/json", 0));
    host.stop();
}

#[test]
fn http2_works_with_prior_knowledge() {
    use http_body_util::{BodyExt, Full};
    use hyper::{Request, Version, body::Bytes};
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};

    let host = Host::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (version, status, body) = runtime.block_on(async {
        let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        let request = Request::post(format!("http://{}/checkout", host.shop.address))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(order_of("headphones", 1).to_string())))
            .expect("a request");
        let answer = client.request(request).await.expect("an answer");
        let (parts, body) = answer.into_parts();
        (parts.version, parts.status, body.collect().await.expect("a body").to_bytes())
    });
    // With its connection: a host that stops waits for an answer to its farewell.
    drop(runtime);
    assert_eq!((version, status.as_u16()), (Version::HTTP_2, 200), "{body:?}");
    let body: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(body["status"], "COMPLETED");
    host.stop();
}

#[test]
fn with_a_seed_every_call_draws_the_same() {
    // Free, 60 of 100 of these meet the simulated deadlock; all of them do, or none.
    let host = Host::plan_demo().set("plugins.random_seed=2").start();
    let statuses: Vec<u16> = (0..12).map(|_| host.shop.buy("laptop", 2).status).collect();
    assert_eq!(statuses, [200; 12]);
    host.stop();
}
