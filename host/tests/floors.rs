//! Who may use whom, read from the `use` lines of `src`: the table below, ARCHITECTURE.md and the code say the same.
//!
//! A module of the crate's root uses exactly the modules of its row: a row with an unused module is out of date.

#![expect(clippy::expect_used, reason = "a helper that fails is a test that fails")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A module, and the modules that it uses. A floor stands above those that it uses.
const FLOORS: [(&str, &[&str]); 31] = [
    (
        "cli",
        &[
            "admin",
            "app",
            "author",
            "clock",
            "config",
            "failure",
            "hooks",
            "hooks/kind",
            "http",
            "imports",
            "oci",
            "order",
            "runtime",
            "store",
            "telemetry",
            "tls",
            "tokens",
            "traffic",
            "trust",
            "units",
            "versions",
        ],
    ),
    (
        "app",
        &[
            "admin",
            "catalogue",
            "config",
            "facts",
            "http",
            "runtime",
            "shop",
            "store",
            "telemetry",
            "tls",
            "tokens",
            "units",
            "versions",
        ],
    ),
    (
        "admin",
        &[
            "catalogue",
            "clock",
            "config",
            "facts",
            "failure",
            "hooks/kind",
            "http",
            "order",
            "recordings",
            "runtime",
            "store",
            "telemetry",
            "tokens",
            "trust",
            "units",
            "versions",
        ],
    ),
    (
        "http",
        &[
            "catalogue",
            "config",
            "facts",
            "failure",
            "order",
            "pricing",
            "shop",
            "store",
            "telemetry",
            "tls",
            "tokens",
            "units",
            "versions",
        ],
    ),
    (
        "author",
        &[
            "clock",
            "config",
            "facts",
            "failure",
            "hooks",
            "imports",
            "order",
            "recordings",
            "runtime",
            "shop",
            "store",
            "telemetry",
            "trust",
            "units",
            "versions",
        ],
    ),
    (
        "shop",
        &[
            "clock",
            "config",
            "facts",
            "failure",
            "hooks",
            "imports",
            "order",
            "outbound",
            "pricing",
            "recordings",
            "runtime",
            "store",
            "telemetry",
            "tls",
            "units",
            "versions",
        ],
    ),
    (
        "versions",
        &[
            "clock",
            "config",
            "failure",
            "hooks",
            "hooks/kind",
            "imports",
            "oci",
            "order",
            "outbound",
            "recordings",
            "runtime",
            "store",
            "telemetry",
            "tokens",
            "trust",
            "units",
        ],
    ),
    (
        "hooks",
        &[
            "config",
            "facts",
            "failure",
            "imports",
            "order",
            "outbound",
            "pricing",
            "recordings",
            "runtime",
            "store",
            "telemetry",
        ],
    ),
    ("runtime", &["config", "failure", "hooks/kind", "imports", "recordings", "store", "telemetry", "units"]),
    (
        "imports",
        &[
            "clock",
            "config",
            "facts",
            "failure",
            "hooks/kind",
            "order",
            "outbound",
            "recordings",
            "store",
            "telemetry",
            "units",
        ],
    ),
    ("catalogue", &["config", "facts", "order", "store", "units"]),
    ("facts", &["clock", "config", "order", "reread"]),
    ("outbound", &["config", "telemetry", "tls", "units"]),
    ("failure", &["hooks/kind", "order", "pricing", "recordings", "store", "telemetry"]),
    ("recordings", &["clock", "config", "hooks/kind", "units"]),
    ("trust", &["clock", "config", "hooks/kind", "reread", "store", "units"]),
    ("store", &["clock", "hooks/kind", "order", "units"]),
    ("tokens", &["clock", "config", "nearest", "reread", "units"]),
    ("traffic", &["order", "telemetry"]),
    ("config", &["hooks/kind", "nearest", "oci", "order", "pricing", "telemetry", "tls", "units"]),
    ("pricing", &["order"]),
    ("oci", &["tls", "units"]),
    ("order", &[]),
    ("telemetry", &["nearest", "units"]),
    ("clock", &["units"]),
    ("hooks/kind", &[]),
    ("nearest", &[]),
    ("reread", &[]),
    ("tls", &[]),
    ("units", &[]),
    ("main", &[]),
];

/// Modules in a folder that count as modules of their own, with the names by which they are used and the reason.
///
/// The store, failures and settings use only the kinds' names of hooks, which are far below the hooks themselves.
const LEAF_IN_FOLDER: (&str, &str, [&str; 4]) =
    ("hooks/kind.rs", "hooks", ["Kind", "PerKind", "Installation", "InstallationName"]);

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Returns the Rust files below a folder that aren't only for tests, by their paths in it, with their [code](code()).
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut left = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder).expect("below it").to_str().expect("UTF-8").to_owned();
                found.insert(name, fs::read_to_string(&path).expect("a file"));
            }
        }
    }
    let for_tests: BTreeSet<String> = found.iter().flat_map(|(name, text)| for_tests(name, text)).collect();
    found.retain(|name, _| !for_tests.iter().any(|module| name.starts_with(module.as_str())));
    found.into_iter().map(|(name, text)| (name, code(&text))).collect()
}

/// Returns the files, and the folders, of the modules that a file has for tests only.
fn for_tests(file: &str, text: &str) -> Vec<String> {
    let folder = match file {
        "lib.rs" => String::new(),
        file => format!("{}/", file.trim_end_matches(".rs")),
    };
    let lines: Vec<&str> = text.lines().collect();
    let module = |pair: &[&str]| {
        let [attribute, declared] = pair else { return None };
        let name = declared.rsplit_once("mod ")?.1.strip_suffix(';')?;
        (*attribute == "#[cfg(test)]").then(|| [format!("{folder}{name}.rs"), format!("{folder}{name}/")])
    };
    lines.windows(2).filter_map(module).flatten().collect()
}

/// Returns the text without its comments, without what it uses for tests, and without the tests at its end.
fn code(text: &str) -> String {
    let text = text.replace("#[cfg(test)]\nuse crate::schema;", "");
    let end = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

fn module_of(file: &str) -> String {
    let (leaf, ..) = LEAF_IN_FOLDER;
    if file == leaf || file.starts_with(&format!("{}/", leaf.trim_end_matches(".rs"))) {
        return leaf.trim_end_matches(".rs").to_owned();
    }
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs").to_owned()
}

/// Returns the paths behind each `crate::` of a text, groups taken apart at their first level.
fn paths(text: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in text.match_indices("crate::") {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|before| before.is_alphanumeric() || before == '_') {
            continue;
        }
        let rest = &text[at + "crate::".len()..];
        if rest.starts_with('{') {
            paths.extend(parts(group(rest)));
        } else {
            paths.push(path_at(rest));
        }
    }
    paths
}

/// Returns what is between the brace at the start and the one that ends it.
fn group(text: &str) -> &str {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return &text[1..at];
                }
            }
            _ => {}
        }
    }
    ""
}

/// Returns the parts of a group, at its commas.
fn parts(group: &str) -> Vec<String> {
    let (mut depth, mut part, mut parts) = (0, String::new(), Vec::new());
    for letter in group.chars() {
        depth += match letter {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        if letter == ',' && depth == 0 {
            parts.push(std::mem::take(&mut part).trim().to_owned());
        } else {
            part.push(letter);
        }
    }
    parts.push(part.trim().to_owned());
    parts.retain(|part| !part.is_empty());
    parts
}

/// Returns the path at the start of a text, with the group at its end.
fn path_at(text: &str) -> String {
    let end = text.find(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':'));
    let path = &text[..end.unwrap_or(text.len())];
    match text[path.len()..].starts_with('{') {
        true => format!("{path}{{{}}}", group(&text[path.len()..])),
        false => path.to_owned(),
    }
}

/// Returns the module that a path leads to.
fn used(path: &str) -> String {
    let (leaf, folder, names) = LEAF_IN_FOLDER;
    let (module, rest) = path.split_once("::").unwrap_or((path, ""));
    let rest = parts(rest.trim_start_matches('{').trim_end_matches('}'));
    let is_leaf = module == folder && !rest.is_empty() && rest.iter().all(|name| names.contains(&&**name));
    if is_leaf { leaf.trim_end_matches(".rs").to_owned() } else { module.to_owned() }
}

/// Returns which module uses which, and in which files.
fn uses() -> BTreeMap<String, BTreeMap<String, BTreeSet<String>>> {
    let mut uses: BTreeMap<String, BTreeMap<String, BTreeSet<String>>> = BTreeMap::new();
    for (file, text) in files(&source()) {
        let module = module_of(&file);
        let of_module = uses.entry(module.clone()).or_default();
        for used in paths(&text).iter().map(|path| used(path)).filter(|used| *used != module) {
            of_module.entry(used).or_default().insert(file.clone());
        }
    }
    uses.remove("lib");
    uses
}

#[test]
fn each_module_uses_what_its_row_has() {
    let table: BTreeMap<&str, BTreeSet<&str>> =
        FLOORS.iter().map(|(module, used)| (*module, used.iter().copied().collect())).collect();
    let mut wrong = Vec::new();
    let found = uses();
    for (module, used) in &found {
        let Some(row) = table.get(module.as_str()) else {
            wrong.push(format!("{module} has no row"));
            continue;
        };
        for (name, files) in used.iter().filter(|(name, _)| !row.contains(name.as_str())) {
            wrong.push(format!("{module} must not use {name}: {files:?}"));
        }
        for name in row.iter().filter(|name| !used.contains_key(**name)) {
            wrong.push(format!("{module} doesn't use {name} any more"));
        }
    }
    let gone = table.keys().filter(|module| !found.contains_key(**module));
    wrong.extend(gone.map(|module| format!("there is no module {module}")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A module is above those it uses, in the order of the table, so there is no cycle.
#[test]
fn no_floor_uses_one_above_it() {
    let floor = |name: &str| FLOORS.iter().position(|(module, _)| *module == name).expect("a row");
    let upward = FLOORS.iter().flat_map(|(module, used)| used.iter().map(move |name| (*module, *name)));
    let upward: Vec<_> = upward.filter(|(module, name)| floor(name) <= floor(module)).collect();
    assert!(upward.is_empty(), "{upward:?}");
}

/// Everything specific to a kind of plugin is in `hooks`, so that a new kind is an addition there.
#[test]
fn no_kind_is_named_outside_hooks() {
    let kinds = ["Kind::Checkout", "Kind::Inventory"];
    let named = files(&source()).into_iter().filter(|(file, _)| !file.starts_with("hooks"));
    let named: Vec<_> =
        named.filter(|(_, text)| kinds.iter().any(|kind| text.contains(kind))).map(|(file, _)| file).collect();
    assert!(named.is_empty(), "{named:?}");
}

#[test]
fn architecture_has_the_same_table() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ARCHITECTURE.md");
    let page = fs::read_to_string(page).expect("a page");
    let rows = FLOORS.iter().filter(|(module, _)| *module != "main");
    let rows: Vec<_> = rows.map(|(module, used)| format!("| `{module}` | {} |", listed(used))).collect();
    let table = format!("| module | uses |\n|---|---|\n{}\n", rows.join("\n"));
    assert!(page.contains(&table), "ARCHITECTURE.md needs this table:\n{table}");
}

fn listed(used: &[&str]) -> String {
    if used.is_empty() { "nothing of Till".to_owned() } else { used.join(", ") }
}
