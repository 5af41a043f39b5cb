//! Plugins at the hooks of track 0.2 that misbehave: each loses its own answer, and nothing else. A wrong price isn't quoted, nothing is
//! sold below the operator's bounds, and where the interface says so, a quote goes on without the plugin and says so.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};

use crate::support::{Answer, Host, Plan, guests};

/// The hostile installation, and the one that offers ways of delivery beside it.
const HOSTILE: &str = "hostile";
const WAYS: &str = "ways";
const OPENING: u64 = 200;
/// No answer or log line has room for what a hostile plugin says at length.
const LINE_BYTES_MAX: usize = 4_096;

/// What comes of a quote and of a checkout.
#[derive(Debug, Clone, Copy)]
enum Comes {
    /// Both fail.
    Fails(&'static str),
    /// The quote goes on without the plugin and says so; the checkout fails.
    LeftOut(&'static str),
    /// Both cost that much.
    Sold(f64),
    /// The quote costs that much; the checkout is refused with 422.
    Refused(f64, &'static str),
}

use Comes::{Fails, LeftOut, Refused, Sold};

/// A hook's mistakes, by what comes of them.
type Rows = [(Comes, &'static [&'static str])];

/// The mistakes that any hook can make, by the failure's word.
const OF_ANY: [(&str, &[&str]); 7] = [
    ("trap", &["trap", "recursion"]),
    ("deadline", &["loop"]),
    ("memory", &["memory"]),
    ("host_calls", &["host_calls"]),
    ("bad_output", &["facts", "fields", "long_question", "hostile_error", "long_error"]),
    ("unavailable", &["unavailable"]),
    ("other", &["other"]),
];

#[test]
fn a_hostile_cart_transform_sells_nothing_below_the_bounds() {
    let broken: &[&str] = &[
        "wrong_line",
        "used_line",
        "expand_twice",
        "line_twice",
        "own_line",
        "more_pieces",
        "more_pieces_by_overflow",
        "pieces_wrap",
        "no_pieces",
        "no_bundles",
        "no_parts",
        "no_components",
        "many_components",
        "component_pieces",
        "amount",
        "largest",
        "sum",
        "sum_wraps",
        "ppm",
        "ppm_of_expand",
        "unknown_item",
        "no_item",
        "hostile_item",
        "wordy_item",
        "some_prices",
        "no_price",
        "hostile_title",
        "long_title",
        "hostile_attribute",
        "many_attributes",
        "operations",
        "many_operations",
        "many_lines",
        "free",
        "cheaper",
        "free_bundle",
        "free_components",
        "gift",
        "dearer",
    ];
    let rows: &Rows =
        &[(Fails("bad_output"), broken), (Sold(133.32), &["a_third_off"]), (Sold(199.98), &["small_gift"])];
    check("cart-transform", rows, &cart(), Fails);
}

#[test]
fn a_hostile_validation_sells_nothing() {
    let broken: &[&str] = &[
        "wrong_line",
        "wrong_code",
        "wordy_code",
        "no_code",
        "hostile_code",
        "hostile_message",
        "long_message",
        "hostile_field",
        "hostile_billing_field",
        "wordy_field",
        "hostile_key",
        "wordy_key",
        "violations",
        "many_violations",
    ];
    let rows: &Rows = &[(Fails("bad_output"), broken), (Refused(199.98, "cart_refused"), &["refuse"])];
    check("validation", rows, &cart(), Fails);
}

#[test]
fn a_hostile_discount_takes_off_no_more_than_the_cap() {
    let broken: &[&str] = &[
        "wrong_line",
        "wrong_excluded_line",
        "line_twice",
        "no_pieces",
        "no_lines",
        "ppm",
        "largest_ppm",
        "amount",
        "largest",
        "largest_of_each",
        "mixed",
        "no_candidates",
        "candidates",
        "offers",
        "many_offers",
        "candidates_of_all",
        "code_not_entered",
        "accepts_other_code",
        "accepts_wordy_code",
        "accepts_upper_case",
        "code_twice",
        "codes",
        "hostile_reason",
        "hostile_title",
        "long_title",
        "wordy_title",
    ];
    let above_the_cap: &[&str] = &["all_of_it", "more_than_all", "halves", "each_more_than_its_price"];
    let rows: &Rows = &[
        (LeftOut("bad_output"), broken),
        (Sold(199.98), above_the_cap),
        (Sold(139.99), &["many_halves"]),
        (Sold(99.99), &["half"]),
        (Sold(179.98), &["more_pieces", "no_title"]),
    ];
    check("discounts", rows, &cart(), LeftOut);
}

#[test]
fn hostile_ways_of_delivery_are_left_out() {
    let broken: &[&str] = &[
        "cost",
        "amount",
        "largest",
        "handle_twice",
        "no_handle",
        "long_handle",
        "hostile_handle",
        "hostile_title",
        "long_title",
        "hostile_description",
        "hostile_location",
        "days",
        "attributes",
        "attribute_twice",
        "options",
        "many_options",
    ];
    let rows: &Rows = &[
        (LeftOut("bad_output"), broken),
        (Refused(204.98, "not_delivered"), &["other_name"]),
        (Refused(199.98, "not_delivered"), &["nothing_offered"]),
        (Sold(204.98), &["three"]),
    ];
    check("delivery-options", rows, &with("delivery", &json!({ "1": format!("{HOSTILE}/standard") })), LeftOut);
}

#[test]
fn a_hostile_discount_on_delivery_takes_off_no_more_than_the_delivery() {
    let broken: &[&str] = &[
        "wrong_group",
        "wrong_option",
        "wordy_option",
        "without_name",
        "group_twice",
        "no_targets",
        "ppm",
        "largest_ppm",
        "amount",
        "largest",
        "no_candidates",
        "candidates",
        "offers",
        "many_offers",
        "code_not_entered",
        "hostile_title",
        "long_title",
    ];
    let rows: &Rows =
        &[(LeftOut("bad_output"), broken), (Sold(199.98), &["more_than_cost", "more_than_all", "many_free"])];
    check("delivery-discounts", rows, &cart(), LeftOut);
}

#[test]
fn a_hostile_delivery_menu_sells_nothing() {
    let broken: &[&str] = &[
        "wrong_group",
        "group_twice",
        "groups",
        "wrong_option",
        "wordy_option",
        "hide_twice",
        "rename_twice",
        "hide_and_rename",
        "changes",
        "many_changes",
        "hostile_title",
        "long_title",
    ];
    let rows: &Rows = &[
        (Fails("bad_output"), broken),
        (Refused(204.98, "not_delivered"), &["hide"]),
        (Refused(199.98, "not_delivered"), &["hide_all"]),
        (Sold(208.98), &["rename_hidden", "move_hidden", "far"]),
    ];
    check("delivery-menu", rows, &with("delivery", &json!({ "1": format!("{WAYS}/express") })), Fails);
}

#[test]
fn a_hostile_tax_is_neither_quoted_nor_sold() {
    let broken: &[&str] = &[
        "no_lines",
        "without_delivery",
        "wrong_line",
        "wrong_group",
        "amount",
        "largest",
        "sum_wraps",
        "included_sum_wraps",
        "included",
        "included_twice",
        "added",
        "added_in_parts",
        "lines",
        "many_lines",
        "hostile_title",
        "long_title",
    ];
    let rows: &Rows =
        &[(Fails("bad_output"), broken), (Sold(212.98), &["twice"]), (Sold(208.98), &["rate", "most_lines"])];
    check("tax", rows, &cart(), Fails);
}

#[test]
fn a_hostile_payment_menu_sells_nothing() {
    let broken: &[&str] = &[
        "wrong_method",
        "wordy_method",
        "hide_twice",
        "hide_and_rename",
        "changes",
        "many_changes",
        "hostile_title",
        "long_title",
    ];
    let rows: &Rows = &[
        (Fails("bad_output"), broken),
        (Refused(199.98, "not_payable"), &["hide", "hide_all"]),
        (Sold(199.98), &["rename_hidden", "move_hidden", "far"]),
    ];
    check("payment-menu", rows, &with("payment", &json!({ "method": "invoice" })), Fails);
}

#[test]
fn what_plugins_of_a_chain_do_is_bounded_together() {
    let shop = Shop::start(Host::plan().warns("checkout failed"));
    for name in ["first", "second"] {
        shop.install("cart-transform", name, &json!({ "do": "a_third_off" }));
    }
    shop.asks("both a third off", &cart(), "cart-transform/second", Fails("bad_output"), 0.0);
    shop.set("cart-transform", "second", &json!({ "do": "small_gift" }));
    shop.asks("a third off and a gift", &cart(), "", Sold(133.32), 0.0);
    shop.set("cart-transform", "second", &json!({ "do": "gift" }));
    shop.asks("a third off and three gifts", &cart(), "cart-transform/second", Fails("bad_output"), 0.0);
    for name in ["first", "second"] {
        shop.uninstall("cart-transform", name);
    }
    shop.install("delivery-options", WAYS, &json!({ "do": "three" }));
    for (kind, total) in [("delivery-menu", 204.98), ("payment-menu", 208.98)] {
        shop.install(kind, "first", &json!({ "do": "hide" }));
        shop.install(kind, "second", &json!({ "do": "nothing" }));
        shop.asks(kind, &cart(), "", Sold(total), 0.0);
        for back in ["rename_hidden", "move_hidden", "hide"] {
            shop.set(kind, "second", &json!({ "do": back }));
            shop.asks(back, &cart(), &format!("{kind}/second"), Fails("bad_output"), 0.0);
        }
        shop.uninstall(kind, "first");
        shop.uninstall(kind, "second");
    }
    shop.stop();
}

/// An offer on the order is a discount on each line: a hundred of them on a hundred lines are 10 MB of titles.
#[test]
fn a_receipt_has_no_room_for_ten_thousand_discounts() {
    let shop = Shop::start(Host::plan().warns("checkout failed"));
    shop.install("discounts", HOSTILE, &json!({ "do": "many_adjustments" }));
    shop.install("discounts", "modest", &json!({ "do": "nothing" }));
    let large = json!({ "lines": vec![json!({ "item": "cable", "quantity": 1 }); 100] });
    shop.asks("many_adjustments", &large, "discounts/hostile", Fails("bad_output"), 0.0);
    shop.stop();
}

#[test]
fn a_customer_pays_for_a_missing_discount_only_what_was_agreed() {
    let shop = Shop::start(Host::plan().warns("checkout failed"));
    shop.install("delivery-options", WAYS, &json!({ "do": "three" }));
    for kind in ["discounts", "delivery-discounts", "validation"] {
        shop.install(kind, HOSTILE, &json!({ "do": "trap", "on_failure": "skip" }));
        let quote = shop.host.shop.post("/quote", &cart());
        let left_out = json!([{ "plugin": format!("{kind}/{HOSTILE}"), "reason": "trap" }]);
        assert_eq!((quote.status, &quote.json()["hooks"]["left_out"]), (200, &left_out), "{}", quote.text());
        let silent = shop.host.shop.post("/checkout", &cart());
        if kind == "validation" {
            assert_eq!(silent.status, 200, "{}", silent.text());
        } else {
            assert_eq!((silent.status, &*silent.code()), (502, "trap"), "{kind}: {}", silent.text());
        }
        let dearer = shop.host.shop.post("/checkout", &with("expected_total", &json!(150)));
        assert_eq!((dearer.status, &*dearer.code()), (409, "quote_changed"), "{kind}: {}", dearer.text());
        let agreed = shop.host.shop.post("/checkout", &with("quote", &quote.json()["quote"]));
        assert_eq!((agreed.status, &agreed.json()["total_price"]), (200, &json!(208.98)), "{kind}: {}", agreed.text());
        shop.uninstall(kind, HOSTILE);
    }
    for kind in ["cart-transform", "tax", "delivery-options", "delivery-menu", "payment-menu"] {
        let refused = shop.try_install(kind, HOSTILE, &json!({ "do": "trap", "on_failure": "skip" }));
        assert_eq!((refused.status, &*refused.code()), (422, "unacceptable"), "{kind}: {}", refused.text());
    }
    shop.stop();
}

#[test]
fn a_plugin_reaches_nobody_beyond_its_grants() {
    let shop = Shop::start(Host::plan().set("limits.hook_http_call_ms=1000").warns("checkout failed"));
    let others = Others::start();
    let here = format!("http://{}", others.address);
    let private = format!("{here} private=yes");
    let by_name = here.replace("http://127.0.0.1", "https://localhost");
    let open = shop.try_install("delivery-options", HOSTILE, &json!({ "do": "nothing", "grants": here }));
    assert_eq!((open.status, &*open.code()), (422, "unacceptable"), "{}", open.text());
    shop.install("delivery-options", HOSTILE, &json!({ "do": "send", "url": here }));
    let check = |grants: &str, url: &str, title: &str, asked: &[&str]| {
        shop.set("delivery-options", HOSTILE, &json!({ "grants": grants, "url": url }));
        let quote = shop.host.shop.post("/quote", &cart());
        assert_eq!(quote.status, 200, "{url}: {}", quote.text());
        assert_eq!(quote.json()["hooks"]["delivery"][0]["options"][0]["title"], title, "{grants} {url}");
        assert_eq!(others.asked(), asked, "{grants} {url}");
    };
    // Without a grant, with one for another name, and with one for a name that leads to the host itself.
    let elsewhere = "https://rates.example";
    check(elsewhere, &here, "not granted", &[]);
    check(&by_name, &by_name, "not granted", &[]);
    check(&private, &here.replace("127.0.0.1", "localhost"), "not granted", &[]);
    check(&private, &here.replace("127.0.0.1", "127.1"), "not granted", &[]);
    check(&private, &here.replace("127.0.0.1", "0.0.0.0"), "not granted", &[]);
    check(&private, &format!("{here}@rates.example/"), "not granted", &[]);
    check(&private, "file:///etc/passwd", "not granted", &[]);
    check(&private, &format!("{here}/fine"), "answered 200", &["/fine"]);
    check(&private, &format!("{here}/redirect"), "answered 302", &["/redirect"]);
    check(&private, &format!("{here}/endless"), "too large", &["/endless"]);
    check(&private, &format!("{here}/headers"), "too large", &["/headers"]);
    check(&private, &format!("{here}/huge"), "too large", &["/huge"]);
    check(&private, &format!("{here}/garbage"), "unknown", &["/garbage"]);
    check(&private, &format!("{here}/drip"), "unknown", &["/drip"]);
    check(&private, &format!("{here}/silent"), "unknown", &["/silent"]);
    shop.set("delivery-options", HOSTILE, &json!({ "do": "send_often" }));
    check(&private, &format!("{here}/fine"), "not granted", &["/fine"; 4]);
    shop.uninstall("delivery-options", HOSTILE);

    // A tax that nobody answers for isn't quoted.
    shop.install("tax", HOSTILE, &json!({ "do": "send", "url": format!("{here}/silent"), "grants": private }));
    shop.asks("silent", &cart(), "", Fails("unavailable"), 0.0);
    shop.set("tax", HOSTILE, &json!({ "url": format!("{here}/fine") }));
    shop.asks("fine", &cart(), "", Sold(199.98), 0.0);
    shop.stop();
}

/// Makes each mistake, and looks at a quote and a checkout. `of_any` says what comes of the mistakes that any hook can make.
fn check(kind: &str, rows: &Rows, cart: &Value, of_any: fn(&'static str) -> Comes) {
    let shop = Shop::start(Host::plan().warns("checkout failed"));
    let needs_ways = ["delivery-discounts", "delivery-menu", "tax"].contains(&kind);
    if needs_ways {
        shop.install("delivery-options", WAYS, &json!({ "do": "three" }));
    }
    shop.install(kind, HOSTILE, &json!({ "do": "nothing" }));
    let without = if needs_ways { 208.98 } else { 199.98 };
    let any = OF_ANY.map(|(code, mistakes)| (of_any(code), mistakes));
    let at = format!("{kind}/{HOSTILE}");
    for (comes, mistakes) in any.iter().chain(rows) {
        for mistake in *mistakes {
            shop.set(kind, HOSTILE, &json!({ "do": mistake }));
            shop.asks(mistake, cart, &at, *comes, without);
        }
    }
    // The same plugin, once it behaves.
    shop.set(kind, HOSTILE, &json!({ "do": "nothing" }));
    let sound = if kind == "delivery-options" { 204.98 } else { without };
    shop.asks("nothing", cart, &at, Sold(sound), without);
    shop.stop();
}

/// Returns two headphones of 99.99 each, with a code.
fn cart() -> Value {
    json!({ "lines": [{ "item": "headphones", "quantity": 2 }], "codes": ["spring"] })
}

fn with(what: &str, value: &Value) -> Value {
    let mut cart = cart();
    cart[what] = value.clone();
    cart
}

/// A host with a catalogue, ways to pay, and a breaker that stays closed.
struct Shop {
    host: Host,
}

impl Shop {
    fn start(plan: Plan) -> Self {
        let plan = plan.set("breaker.faults=1000000").set("payment.methods=card=Card, invoice=Invoice");
        let host = plan.set("stock.cable=1000").set("stock.bag=100").start();
        let csv = "item,title,price\nheadphones,Headphones,99.99\ncable,Cable,10\n";
        let imported = host.admin.send("POST", "/catalogue", &[("content-type", "text/csv")], Some(csv.as_bytes()));
        assert_eq!(imported.expect("an answer").status, 200);
        Self { host }
    }

    fn install(&self, kind: &str, name: &str, set: &Value) {
        let installed = self.try_install(kind, name, set);
        assert_eq!(installed.status, 200, "{kind}/{name} {set}: {}", installed.text());
    }

    fn try_install(&self, kind: &str, name: &str, set: &Value) -> Answer {
        let guest = format!("hook_{}", kind.replace('-', "_"));
        let query = format!("&name={guest}&force=true");
        self.host.admin.install(&format!("{kind}/{name}"), &query, set, &guests::bytes_of(&guest))
    }

    fn set(&self, kind: &str, name: &str, set: &Value) {
        let body = json!({ "set": set, "installation": name, "force": true });
        let changed = self.host.admin.post(&format!("/plugins/{kind}/settings"), &body);
        assert_eq!(changed.status, 200, "{kind}/{name} {set}: {}", changed.text());
    }

    fn uninstall(&self, kind: &str, name: &str) {
        let gone = self.host.admin.post(&format!("/plugins/{kind}/uninstall"), &json!({ "installation": name }));
        assert_eq!(gone.status, 200, "{kind}/{name}: {}", gone.text());
    }

    /// Asks for a quote and a checkout of two headphones. `at` is the plugin at fault, `without` what the cart costs without that.
    fn asks(&self, mistake: &str, cart: &Value, at: &str, comes: Comes, without: f64) {
        let left = || (self.host.on_hand("headphones"), self.host.orders().len());
        let (on_hand, orders) = left();
        let quote = self.host.shop.post("/quote", cart);
        assert_eq!(left(), (on_hand, orders), "{mistake}: a quote leaves nothing");
        let checkout = self.host.shop.post("/checkout", cart);
        let told = format!("{at} {mistake}: {comes:?}\n{}\n{}", quote.text(), checkout.text());
        let costs = |answer: &Answer, total: f64| {
            assert_eq!((answer.status, &answer.json()["total_price"]), (200, &json!(total)), "{told}");
        };
        let fails = |answer: &Answer, status: u16, code: &str| {
            assert_eq!((answer.status, &*answer.code()), (status, code), "{told}");
            assert!(answer.body.len() < LINE_BYTES_MAX, "{} bytes", answer.body.len());
            if status == 502 && code == "bad_output" {
                assert!(answer.text().contains(at), "{told}");
            }
        };
        match comes {
            Fails(code) => {
                fails(&quote, status_of(code), code);
                fails(&checkout, status_of(code), code);
            }
            LeftOut(code) => {
                costs(&quote, without);
                assert_eq!(quote.json()["hooks"]["left_out"], json!([{ "plugin": at, "reason": code }]), "{told}");
                fails(&checkout, status_of(code), code);
            }
            Sold(total) => {
                costs(&quote, total);
                costs(&checkout, total);
            }
            Refused(total, code) => {
                costs(&quote, total);
                fails(&checkout, 422, code);
            }
        }
        let sold = u64::from(checkout.status == 200);
        assert_eq!(self.host.on_hand("headphones"), on_hand - 2 * sold, "{told}");
        let completed = self.host.orders().iter().filter(|order| order["status"] == "COMPLETED").count();
        assert_eq!(u64::try_from(completed).expect("few"), (OPENING - on_hand) / 2 + sold, "{told}");
        assert_eq!((self.host.shop.get("/livez").status, self.host.shop.get("/readyz").status), (200, 200), "{told}");
    }

    fn stop(self) {
        for line in self.host.stop().log {
            let said = line["message"].as_str().unwrap_or_default();
            assert!(!said.starts_with("level=error"), "a log line of the guest's own making: {line}");
            assert!(line.to_string().len() < LINE_BYTES_MAX, "a log line of {} bytes", line.to_string().len());
        }
    }
}

fn status_of(code: &str) -> u16 {
    if code == "deadline" { 504 } else { 502 }
}

/// A server that answers as the path says, each kind of answer at its worst.
struct Others {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Others {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound").to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (noted, own) = (Arc::clone(&asked), address.clone());
        // Ends with the test process: a thread that waits for connections costs nothing.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (noted, own) = (Arc::clone(&noted), own.clone());
                std::thread::spawn(move || {
                    let mut request = [0; 8_192];
                    let read = stream.read(&mut request).unwrap_or(0);
                    let head = String::from_utf8_lossy(&request[..read]).into_owned();
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    noted.lock().expect("nobody panics").push(path.clone());
                    // The host hangs up once it has had enough.
                    _ = answer(&mut stream, &path, &own);
                });
            }
        });
        Self { address, asked }
    }

    /// Returns the paths that were asked for since the last time.
    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("nobody panics"))
    }
}

fn answer(stream: &mut (impl Read + Write), path: &str, own: &str) -> std::io::Result<()> {
    let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    match path {
        "/redirect" => {
            let head = format!("HTTP/1.1 302 Found\r\nlocation: http://{own}/secret\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(head.as_bytes())
        }
        "/endless" => {
            stream.write_all(chunked)?;
            let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
            loop {
                stream.write_all(chunk.as_bytes())?;
            }
        }
        "/headers" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
            let header = format!("a: {}\r\n", "x".repeat(1_000));
            loop {
                stream.write_all(header.as_bytes())?;
            }
        }
        "/drip" => {
            stream.write_all(chunked)?;
            loop {
                stream.write_all(b"1\r\nx\r\n")?;
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        }
        "/huge" => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\nx"),
        "/garbage" => stream.write_all(&[0, 255].repeat(100)),
        // Until the host hangs up.
        "/silent" => stream.read(&mut [0]).map(drop),
        _ => stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
    }
}
