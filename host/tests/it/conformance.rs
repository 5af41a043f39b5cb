//! The same plugin in all languages decides the same: outcomes, receipts and span trees, to the byte.
//!
//! The cases are those of `plugins/cases`; each case has a golden file with the call's result. The plugins are listed
//! here: a missing one is a failure. The samples of `plugins/examples` have their cases beside them, with what is expected.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::support::{
    Host, PluginFolder, Protocol, Receiver, golden,
    guests::{file, sample},
    host::till,
    tree::{Span, of_trace},
};

/// Folders of `plugins`, built by `make plugins`.
const INVENTORIES: [&str; 8] = [
    "inventory",
    "inventory-c",
    "inventory-cpp",
    "inventory-zig",
    "inventory-go",
    "inventory-js",
    "inventory-ts",
    "inventory-python",
];
const PRICING_CHECKOUTS: [&str; 7] =
    ["checkout-c", "checkout-cpp", "checkout-zig", "checkout-go", "checkout-js", "checkout-ts", "checkout-python"];

/// The results of calls, by case.
type Calls = BTreeMap<String, String>;

#[test]
fn every_inventory_decides_the_same() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    check("inventory", &[built_in("inventory", folder.path())], &INVENTORIES);
}

#[test]
fn every_pricing_checkout_decides_the_same() {
    check("checkout-pricing", &[file("checkout_pricing")], &PRICING_CHECKOUTS);
}

/// Compares the calls of all these plugins with the golden files.
fn check(cases: &str, in_rust: &[PathBuf], named: &[&str]) {
    let files: Vec<PathBuf> = in_rust.iter().cloned().chain(named.iter().map(|name| built(name))).collect();
    // One after the other: compiling one takes all cores already.
    let played: Vec<(String, Calls)> =
        files.iter().map(|file| (name(file), play(file, &plugins().join("cases").join(cases)))).collect();
    let (_, first) = played.first().expect("a plugin");
    assert!(first.len() > 10, "{} cases", first.len());
    for (case, call) in first {
        golden::check(&format!("conformance/{cases}_{case}.txt"), call);
    }
    for (plugin, calls) in &played {
        assert_eq!(calls, first, "{plugin} against {}", played[0].0);
    }
}

fn built_in(kind: &str, folder: &Path) -> PathBuf {
    let file = folder.join(kind).with_extension("wasm");
    assert!(till().args(["plugin", "export", kind]).arg(&file).status().expect("till starts").success());
    file
}

/// Every folder of `plugins/examples` is a sample with cases, or `NAME-LANGUAGE` and has the cases of `NAME`.
#[test]
fn every_sample_decides_its_cases_as_expected() {
    let examples = plugins().join("examples");
    let entries = std::fs::read_dir(&examples).expect("the samples").map(|entry| entry.expect("an entry"));
    let mut samples: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().into_string().expect("UTF-8"))
        .collect();
    samples.sort();
    let mut decided: BTreeMap<String, Calls> = BTreeMap::new();
    for name in samples {
        let folder = examples.join(&name);
        let file = if folder.join("Cargo.toml").is_file() { sample(&name) } else { built(&format!("examples/{name}")) };
        let same_as = [name.as_str(), name.rsplit_once('-').map_or("", |(start, _)| start)]
            .into_iter()
            .find(|name| examples.join(name).join("cases").is_dir())
            .unwrap_or_else(|| panic!("{name} has no cases"));
        let calls = play(&file, &examples.join(same_as).join("cases"));
        assert!(calls.len() > 5, "{name}: {} cases", calls.len());
        match decided.get(same_as) {
            Some(first) => assert_eq!(&calls, first, "{name} against {same_as}"),
            None => drop(decided.insert(same_as.to_owned(), calls)),
        }
    }
}

/// Returns what `make plugins` has built of this folder of `plugins`.
pub(crate) fn built(folder: &str) -> PathBuf {
    let name = folder.rsplit('/').next().expect("a name");
    let path = plugins().join(folder).join("build").join(name).with_extension("wasm");
    assert!(path.is_file(), "{} isn't built; make plugins does it", path.display());
    path
}

fn plugins() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins")
}

fn name(file: &Path) -> String {
    file.file_name().expect("a name").to_string_lossy().into_owned()
}

/// Has the plugin decide all cases of the folder. The expectations that the cases have themselves hold too.
fn play(file: &Path, cases: &Path) -> Calls {
    let mut test = till();
    test.args(["plugin", "test", "--json"]).arg(file).arg(cases);
    // A second of CPU, for the machine may be busy: ticks go on while a guest waits for a core.
    test.env("TILL_LIMITS_GUEST_CPU_MS", "1000").env("TILL_LIMITS_HOOK_CPU_MS", "1000");
    let tested = test.output().expect("till starts");
    let said = String::from_utf8_lossy(&tested.stderr);
    let result: Value = serde_json::from_slice(&tested.stdout).unwrap_or_else(|_| panic!("{}: {said}", file.display()));
    let cases = result["cases"].as_array().expect("a list");
    let differing: Vec<_> =
        cases.iter().filter(|case| case["passed"] != true).map(|case| &case["differences"]).collect();
    assert!(tested.status.success(), "{}: {said}{differing:#?}", file.display());
    cases.iter().map(|case| (stem(case), text_of(&case["call"]))).collect()
}

fn stem(case: &Value) -> String {
    case["case"].as_str().expect("a name").trim_end_matches(".json").to_owned()
}

/// Returns what has to be the same in all languages.
fn text_of(call: &Value) -> String {
    let parts = ["outcome", "detail", "rejection", "is_fault", "receipt", "levels", "asked"];
    let parts = parts.iter().filter(|part| !call[**part].is_null());
    let decided: String = parts.map(|part| format!("{part}: {:#}\n", call[*part])).collect();
    let spans = call["spans"].as_array().expect("a list");
    spans.iter().fold(decided, |text, span| text + &names(span, 0))
}

fn names(span: &Value, depth: usize) -> String {
    let name = span["name"].as_str().expect("a name");
    let below = span["spans"].as_array().expect("a list").iter().map(|span| names(span, depth + 1));
    format!("{}{name}\n{}", "  ".repeat(depth), below.collect::<String>())
}

/// An inventory's decision travels in the host's own types: a compiled language and one with a runtime show it.
#[test]
fn across_the_network_an_inventory_decides_the_same() {
    for inventory in ["inventory", "inventory-js"] {
        golden::check("conformance/remote.txt", &remote(inventory));
    }
}

/// Buys from a till whose stock is at another till with that inventory plugin, and returns the result.
fn remote(inventory: &str) -> String {
    let receiver = Receiver::start();
    let plan = Host::plan().traced(&receiver, Protocol::Grpc, "inventory-service");
    let plan = plan.set("inventory.faults=on").set("plugins.random_seed=2");
    let plugins = PluginFolder::of(&[&built(inventory)], &["checkout"]);
    let stock = plan.plugins(plugins).start();
    let url = format!("http://{}", stock.shop.address);
    let shop = Host::plan().traced(&receiver, Protocol::Grpc, "order-service").env("INVENTORY_URL", url).start();
    let lines = json!({ "lines": [
        { "item": "smartphone", "quantity": 3, "price": 10 },
        { "item": "laptop", "quantity": 2, "price": 10 },
    ] });
    let answers = [shop.shop.post("/checkout", &lines), shop.shop.buy("headphones", 1_000)];
    let left = ["smartphone", "laptop", "headphones"].map(|item| stock.on_hand(item));
    shop.stop();
    stock.stop();
    let spans = receiver.spans();
    let mut text = format!("left {left:?}\n");
    for answer in answers {
        let trace = of_trace(&spans, &answer.trace_id());
        text += &format!("{} {}\n{}", answer.status, answer.json()["code"], span_names(&trace, "", 1));
    }
    text
}

fn span_names(spans: &[Span], parent: &str, depth: usize) -> String {
    let mut below: Vec<&Span> = spans.iter().filter(|span| span.parent_id == parent).collect();
    below.sort_by_key(|span| span.start_ns);
    let line = |span: &Span| format!("{}{}\n{}", "  ".repeat(depth), span.name, span_names(spans, &span.id, depth + 1));
    below.into_iter().map(line).collect()
}
