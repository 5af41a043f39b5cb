//! A shop's catalogue from its file to what a client reads: by the commands of a running host, and on hosts that share a store.

use std::{path::PathBuf, process::Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{
    Host, eventually,
    host::run,
    shared_store::{self, UNSYNCHRONISED},
};

/// Runs `till catalogue` against a host.
fn catalogue(host: &Host, arguments: &[&str]) -> Output {
    let admin = format!("http://{}", host.admin.address);
    run(&[&["catalogue"], arguments, &["--admin", &admin]].concat())
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn file(folder: &TempDir, name: &str, content: &str) -> PathBuf {
    let file = folder.path().join(name);
    std::fs::write(&file, content).expect("it is written");
    file
}

/// Imports a file with that content.
fn import(host: &Host, name: &str, content: &str, flags: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let file = file(&folder, name, content);
    catalogue(host, &[&["import", file.to_str().expect("UTF-8")], flags].concat())
}

#[test]
fn a_catalogue_is_imported_and_read() {
    let host = Host::start();
    assert_eq!(host.shop.get("/catalogue/mug").status, 404);
    let csv = "item,title,price,tags,field:care.wash\nmug,\"Mug, blue\",9.90,sale;new,40\ntea,,3,,\n";
    let said = stdout(&import(&host, "shop.csv", csv, &[]));
    assert_eq!(said, "2 added, 0 changed, 0 removed, 0 as they were; the catalogue has 2 items\n");
    let mug = host.shop.get("/catalogue/mug");
    let body = String::from_utf8_lossy(&mug.body);
    assert!(body.contains("\"price\":9.90,"), "an amount keeps its decimals: {body}");
    let expected = json!({
        "item": "mug", "title": "Mug, blue", "price": 9.9, "currency": "USD", "tags": ["sale", "new"], "needs_shipping": true,
        "fields": {"care.wash": "40"},
    });
    assert_eq!(mug.json(), expected);
    assert_eq!(host.admin.get("/catalogue/mug").json(), expected);

    // A file with a wrong line changes nothing, and says where it is wrong.
    let refused = import(&host, "shop.csv", "item,price\ncup,1\nmug,\"2,80\"\n", &[]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        refused.status.code() == Some(1) && said.contains("line 3, column price: the price 2,80 has a comma"),
        "{said}"
    );
    assert_eq!((host.shop.get("/catalogue/cup").status, host.shop.get("/catalogue/tea").status), (404, 200));

    let merged = r#"{"items":[{"item":"mug","title":"Mug","price":9.95}],"shop_fields":{"shop.open":true}}"#;
    let changes: Value =
        serde_json::from_str(&stdout(&import(&host, "more.json", merged, &["--merge", "--json"]))).expect("JSON");
    assert_eq!(changes, json!({"items": 2, "added": 0, "changed": 1, "removed": 0, "unchanged": 0}));
    let listed = stdout(&catalogue(&host, &["list"]));
    assert_eq!(listed, "PRICE  ITEM  TITLE\n9.95   mug   Mug\n3.00   tea   tea\n");
    let page = host.admin.get("/catalogue").json();
    assert_eq!((&page["shop_fields"], &page["next_after"]), (&json!({"shop.open": true}), &Value::Null));
    assert_eq!(host.admin.get("/catalogue?after=mug").json()["items"][0]["item"], "tea");

    // What isn't in the file is gone, also after a restart.
    stdout(&import(&host, "all.json", r#"[{"item":"tea","price":3}]"#, &[]));
    let folder = host.folder.clone();
    host.stop();
    let host = Host::plan().folder(&folder).start();
    assert_eq!((host.shop.get("/catalogue/mug").status, host.shop.get("/catalogue/tea").status), (404, 200));
    assert!(stdout(&catalogue(&host, &["show", "tea"])).contains("\"price\": 3.00"));
    host.stop();
}

#[test]
fn hosts_that_share_a_store_see_each_others_imports() {
    let url = shared_store::make();
    let start = || Host::plan().sharing(&url).warns(UNSYNCHRONISED).start();
    let (one, other) = (start(), start());
    stdout(&import(&one, "shop.csv", "item,price\nmug,9.90\n", &[]));
    assert_eq!(one.shop.get("/catalogue/mug").status, 200, "here at once");
    eventually("the other host's look", || (other.shop.get("/catalogue/mug").status == 200).then_some(()));
    // An import is merged over what the store has, not over what the host has seen.
    stdout(&import(&other, "more.csv", "item\ntea\n", &["--merge"]));
    stdout(&import(&one, "more.csv", "item\ncup\n", &["--merge"]));
    assert_eq!(one.admin.get("/catalogue").json()["items"].as_array().map(Vec::len), Some(3));
    one.stop();
    other.stop();
}

#[test]
fn a_file_of_keys_that_cannot_be_used_is_named_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let keys = file(&folder, "keys.json", "{}");
    let refusal = Host::plan().set(format!("customers.keys_file={}", keys.display())).refusal();
    assert!(refusal.contains("customers.keys_file") && refusal.contains("no JWKS"), "{refusal}");
}
