//! The commands, their output and their exit codes.

use std::process::Output;

use serde_json::Value;

use crate::support::{Host, golden, host::run};

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

#[test]
fn settings_that_cant_be_used_are_named_with_what_would_do() {
    let mut messages = String::new();
    for setting in [
        "limits.guest_cpu=1",
        "limits.spans=many",
        "limits.spans",
        "shop.currency=XXQ",
        "stock.headphones=-1",
        "limits.remote_call_ms=6000",
        "server.listen=here",
        "inventory_url=http://there",
    ] {
        messages += &stderr(&run(&["serve", "--set", setting]), 64);
    }
    messages += &stderr(&run(&["serve", "--config", "missing.toml"]), 64);
    golden::check("unusable_settings.txt", &messages);
    stderr(&run(&["serve", "--colour", "red"]), 2);
    stderr(&run(&["sell"]), 2);
}

#[test]
fn settings_are_shown_with_their_origins() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::write(folder.path().join("till.toml"), "[limits]\nspans = 10\nevents = 11\n").expect("it is written");
    let mut command = crate::support::host::till();
    command.args(["serve", "--print-config", "--json", "--set", "limits.events=12", "--listen", "127.0.0.1:9"]);
    command.env("TILL_LIMITS_ATTRIBUTES", "13").env("INVENTORY_URL", "http://there").current_dir(folder.path());
    let shown: Value = serde_json::from_str(&stdout(&command.output().expect("till starts"))).expect("JSON");
    for (key, value, origin) in [
        ("limits.spans", "10", "till.toml"),
        ("limits.events", "12", "--set limits.events"),
        ("limits.attributes", "13", "environment TILL_LIMITS_ATTRIBUTES"),
        ("server.inventory_url", "http://there", "environment INVENTORY_URL"),
        ("server.listen", "127.0.0.1:9", "--listen"),
        ("limits.host_calls", "256", "default"),
    ] {
        assert_eq!((&shown[key]["value"], &shown[key]["origin"]), (&value.into(), &origin.into()), "{key}");
    }
    let spans = &shown["limits.spans"];
    assert_eq!(
        (&spans["least"], &spans["greatest"], &shown["server.listen"]["least"]),
        (&0.into(), &10_000.into(), &Value::Null)
    );
    assert_eq!(shown["stock.headphones"], Value::Null, "a till.toml keeps the demo out");

    let text = stdout(&run(&["serve", "--print-config"]));
    let line = |start: &str| {
        text.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("no {start} in {text}"))
    };
    assert!(line("stock.headphones = 200 ").contains("# demo, as there is no till.toml"));
    assert!(line("limits.guest_cpu_ms = 50 ms ").contains("# default; 1 to 60000; processor time of a call's guest"));
}

#[test]
fn shells_and_man_are_told_of_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&run(&["completions", shell]));
        assert!(
            ["rollback", "calls-min", "tail", "slowest", "logs", "top", "open", "demo"]
                .iter()
                .all(|word| script.contains(word)),
            "{shell}: {script}"
        );
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pages = folder.path().join("man1");
    stdout(&run(&["manual", pages.to_str().expect("UTF-8")]));
    for page in ["till.1", "till-serve.1", "till-plugin-deploy.1", "till-traces-show.1", "till-logs.1", "till-demo.1"] {
        let page = std::fs::read_to_string(pages.join(page)).expect("a page");
        assert!(page.contains(".SH NAME") || page.contains(".SH SYNOPSIS"), "{page}");
    }
}

/// Nothing is made on the disk by a host that can't serve.
#[test]
fn an_address_that_is_taken_is_noticed_before_anything_is_made() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("an address");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (shop, admin, flag) in [(&*address, "127.0.0.1:0", "--listen"), ("127.0.0.1:0", &*address, "--admin")] {
        let mut serve = crate::support::host::till();
        serve.args(["serve", "--listen", shop, "--admin", admin]).current_dir(folder.path());
        let said = stderr(&serve.output().expect("till starts"), 1);
        assert!(said.contains(&format!("listen on {address}; choose another address with {flag}")), "{said}");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}

#[test]
fn an_inventory_is_at_a_host_and_nothing_more() {
    for url in ["http://there:8000/shop", "http://there?x=1", "http://there/#a", "http://me@there", "ftp://there"] {
        let said = stderr(
            &run(&[
                "serve",
                "--set",
                &format!("server.inventory_url={url}"),
                "--listen",
                "127.0.0.1:0",
                "--admin",
                "127.0.0.1:0",
            ]),
            1,
        );
        assert!(said.contains("http://host[:port] or https://host[:port] alone") && said.contains(url), "{said}");
    }
}

#[test]
fn the_commands_own_variables_are_no_settings() {
    let mut command = crate::support::host::till();
    command
        .args(["serve", "--print-config"])
        .env("TILL_ADMIN_URL", "http://127.0.0.1:1")
        .env("TILL_ADMIN_TOKEN_FILE", "x")
        .env("TILL_ADMIN_CA_FILE", "x")
        .env("TILL_ADMIN_CERT_FILE", "x")
        .env("TILL_ADMIN_KEY_FILE", "x");
    assert!(stdout(&command.output().expect("till starts")).contains("limits.host_calls"));
}

#[test]
fn stock_is_shown_and_changed_at_a_running_host() {
    let host = Host::start();
    let admin = format!("http://{}", host.admin.address);
    let stock = |arguments: &[&str]| run(&[&["stock"], arguments, &["--admin", &admin]].concat());
    assert_eq!(stdout(&stock(&["set", "headphones", "7"])), "         7  headphones\n");
    assert_eq!(stdout(&stock(&["add", "headphones", "5"])), "        12  headphones\n");
    assert_eq!(stdout(&stock(&["add", "headphones", "-2"])), "        10  headphones\n");
    let added = stdout(&stock(&["set", "écran 27\"", "3"]));
    assert!(added.starts_with("         3  écran 27\"\n") && added.contains("new item"), "{added}");
    // A slip makes no item for good.
    let slip = stdout(&stock(&["set", "headphnes", "70"]));
    assert!(slip.contains("till stock remove \"headphnes\""), "{slip}");
    assert_eq!(host.shop.get("/inventory/headphnes").status, 200);
    assert_eq!(stdout(&stock(&["remove", "headphnes"])), "headphnes is no longer in the shop\n");
    assert_eq!(host.shop.get("/inventory/headphnes").status, 404);
    assert_eq!(host.shop.buy("headphnes", 1).status, 400);
    let gone = stderr(&stock(&["remove", "headphnes"]), 1);
    assert!(gone.contains("the shop has no item \"headphnes\""), "{gone}");
    let listed = stdout(&stock(&["list"]));
    let (header, rows) = listed.split_once('\n').expect("lines");
    assert!(header.starts_with("ON HAND  ITEM, as of 2"), "{listed}");
    assert_eq!(rows, "10       headphones\n50       laptop\n100      smartphone\n3        écran 27\"\n");
    let json: Value = serde_json::from_str(&stdout(&stock(&["list", "--json"]))).expect("JSON");
    assert_eq!(json["items"][0], serde_json::json!({ "item": "headphones", "on_hand": 10 }));
    for (arguments, reason) in
        [(["add", "headphones", "-11"], "headphones"), (["set", "headphones", "-1"], "-1"), (["set", "", "1"], "item")]
    {
        let message = stderr(&stock(&arguments), 1);
        assert!(message.starts_with("till: ") && message.contains(reason), "{message}");
    }
    assert_eq!(host.shop.buy("écran 27\"", 3).status, 200);
    assert_eq!(host.shop.buy("headphones", 11).status, 400);
    host.stop();
}

#[test]
fn orders_are_listed_shown_and_exported() {
    let host = Host::start();
    let admin = format!("http://{}", host.admin.address);
    let orders = |arguments: &[&str]| stdout(&run(&[&["orders"], arguments, &["--admin", &admin]].concat()));
    let order = serde_json::json!({ "lines": [{ "item": "headphones", "quantity": 2, "price": 99.99 }],
                                    "attributes": { "coupon": "X" } });
    let sold = host.shop.post("/checkout", &order).reference();
    assert_eq!(host.shop.buy("laptop", 51).status, 400);

    let listed = orders(&["list"]);
    let lines: Vec<&str> = listed.lines().collect();
    let [header, first, second] = lines.as_slice() else { panic!("{listed}") };
    assert!(header.starts_with("NUMBER  REFERENCE") && header.contains("PLACED"), "{listed}");
    for (line, parts) in [
        (first, [sold.as_str(), "COMPLETED", "199.98 USD", "2 x headphones"]),
        (second, ["2", "FAILED", "insufficient_stock", "51 x laptop"]),
    ] {
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
    }
    assert_eq!(orders(&["list", "--status", "FAILED"]).lines().count(), 2);
    assert_eq!(orders(&["list", "--after", "1"]).lines().count(), 2);
    assert_eq!(orders(&["list", "--unresolved"]).lines().count(), 1);
    let by_number: Value = serde_json::from_str(&orders(&["show", "1", "--json"])).expect("JSON");
    let by_reference: Value = serde_json::from_str(&orders(&["show", &sold, "--json"])).expect("JSON");
    assert_eq!(by_number, by_reference);
    assert_eq!((&by_number["status"], &by_number["attributes"]["coupon"]), (&"COMPLETED".into(), &"X".into()));

    let json: Vec<Value> =
        orders(&["export", "--format", "json"]).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(json, host.orders());
    let text = orders(&["export"]);
    let mut csv = csv::Reader::from_reader(text.as_bytes());
    let header = csv.headers().expect("a header").clone();
    assert_eq!(header.iter().collect::<Vec<_>>()[..4], ["order_id", "reference", "status", "placed_at_ms"]);
    let rows: Vec<csv::StringRecord> = csv.records().map(|row| row.expect("a row")).collect();
    let cell = |row: usize, column: &str| {
        rows[row][header.iter().position(|name| name == column).expect("a column")].to_owned()
    };
    assert_eq!(rows.len(), 2);
    assert_eq!(
        (cell(0, "reference"), cell(0, "total_price"), cell(0, "reason")),
        (sold, "199.98".into(), String::new())
    );
    assert_eq!((cell(1, "total_price"), cell(1, "reason")), (String::new(), "insufficient_stock".into()));
    assert_eq!((cell(0, "attributes"), cell(1, "attributes")), (r#"{"coupon":"X"}"#.into(), String::new()));
    assert!(cell(0, "placed_at").ends_with('Z') && cell(0, "placed_at") <= cell(0, "ended_at"), "{text}");
    let lines: Value = serde_json::from_str(&cell(1, "lines")).expect("JSON");
    assert_eq!(lines, serde_json::json!([{ "item": "laptop", "quantity": 51, "price": 99.99 }]));

    // A reader that has read all it wanted is no failure: the export's pipe is closed before it writes.
    for format in ["csv", "json"] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let mut export = crate::support::host::till();
        export.args(["orders", "export", "--format", format, "--admin", &admin]).stdout(writer);
        let done = export.output().expect("till starts");
        assert_eq!((done.status.code(), String::from_utf8_lossy(&done.stderr).as_ref()), (Some(0), ""), "{format}");
    }
    // The last good file outlives an export that fails, and an export replaces it whole.
    let file = host.folder.path().join("orders.csv");
    let to_file = |admin: &str| {
        run(&["orders", "export", "--admin", admin, "--output", file.to_str().expect("UTF-8")]).status.code()
    };
    std::fs::write(&file, "the last good one").expect("written");
    assert_eq!(to_file("http://127.0.0.1:1"), Some(1));
    assert_eq!(std::fs::read_to_string(&file).expect("read"), "the last good one");
    assert_eq!(to_file(&admin), Some(0));
    assert_eq!(std::fs::read_to_string(&file).expect("read"), text);

    let missing = stderr(&run(&["orders", "show", "99", "--admin", &admin]), 1);
    assert_eq!(missing, "till: there is no order \"99\"\n");
    host.stop();
}

#[test]
fn a_host_that_isnt_there_is_a_clear_failure() {
    for arguments in [["orders", "list"], ["stock", "list"]] {
        let message = stderr(&run(&[&arguments[..], &["--admin", "http://127.0.0.1:1"]].concat()), 1);
        assert!(message.contains("http://127.0.0.1:1 can't be reached"), "{message}");
    }
}
