//! `till plugin run` and `till plugin test`: show what a plugin does, before it is deployed.

use std::{
    collections::BTreeMap,
    io::Read,
    path::{Path, PathBuf},
};

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};

use super::{
    super::{WrongUsage, print, print_json},
    code::Code,
    origin::{Origin, origin},
    played::{json_of, log_line, text_of},
    shop::{Shop, ShopFile},
};
use crate::{
    app::store_settings,
    author::rehearsal::{Case, Difference, Played, Stage, differences},
    config::{Settings, Unusable, is_row},
    hooks::{Kind, PerKind},
    order::{Currency, Item},
    runtime::Compiler,
    versions::Candidate,
};

/// Exit codes: 0, the call returned a receipt or stock levels; 1, it was rejected or failed, and `outcome` says which;
/// 2, the case can't be read.
#[derive(Debug, Args)]
#[command(after_help = FORMAT)]
pub(in super::super) struct Run {
    /// The plugin's component, or `oci://HOST/REPOSITORY:TAG` in a registry.
    #[arg(value_parser = origin())]
    file: Origin,
    /// The case, a JSON file; `-` reads it from standard input.
    #[arg(long, value_name = "CASE")]
    input: PathBuf,
    /// Sets the stock of an item, over what the case says.
    #[arg(long, value_name = "ITEM=PIECES", value_parser = stock)]
    stock: Vec<(Item, u32)>,
    /// Sets one of the plugin's settings, over what the case says, or one of the host's, e.g. shop.currency=EUR.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    #[command(flatten)]
    file_of_shop: ShopFile,
    /// The inventory plugin behind a checkout plugin [default: the built-in one].
    #[arg(long, value_name = "FILE")]
    inventory: Option<PathBuf>,
    /// Prints JSON, for programs.
    #[arg(long)]
    json: bool,
}

/// Exit codes: 0, all cases are as expected; 1, one isn't, or there are no cases; 2, one can't be read.
#[derive(Debug, Args)]
#[command(after_help = FORMAT)]
pub(in super::super) struct Test {
    /// The plugin's component, or `oci://HOST/REPOSITORY:TAG` in a registry.
    #[arg(value_parser = origin())]
    file: Origin,
    /// A case, or the folder of the cases, *.json.
    cases: PathBuf,
    /// The inventory plugin behind a checkout plugin [default: the built-in one].
    #[arg(long, value_name = "FILE")]
    inventory: Option<PathBuf>,
    /// Sets one of the plugin's settings, over what each case says, or one of the host's, e.g. shop.currency=EUR. May be
    /// given several times.
    #[arg(long, value_name = "KEY=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,
    #[command(flatten)]
    file_of_shop: ShopFile,
    /// Prints JSON, for programs.
    #[arg(long)]
    json: bool,
}

const FORMAT: &str = r#"A case is a JSON object; only "lines" has to be there:
  "shop": {"currency": "EUR"}    instead of the host's; also "discount_max_percent", "added_max_percent",
                                 "added_max_floor"
  "set": {"faults": "on"}        the plugin's settings
  "random": [0.25]               what host.random answers, in turn; the last one repeats
  "stock": {"headphones": 10}    what is on hand
  "lines": [{"item": "headphones", "quantity": 3, "price": 99.99}]
                                 the order; "price" and "attributes" of a line are a checkout's
  "attributes": {"coupon": "X"}  the order's
  "inventory": {"unavailable": "down"}
                                 what a checkout's deduct is answered instead of by the stock;
                                 also "conflict", "other", "rejected": {"code", "message"}
  "expect": {"outcome": "ok"}    for till plugin test; also "detail", "rejection": "code", "asked": {item: pieces},
                                 "spans": ["checkout_transaction", "  price_cart"],
                                 of a checkout "receipt": {"total": 269.98, "adjustments": [{"effect":
                                 "subtract", "category", "label", "amount", "line"}], "attributes": {}},
                                 of an inventory "levels": {item: pieces left}
Outcomes: ok, insufficient_stock, rejected, inventory_conflict, unavailable, other; and of a broken plugin
trap, deadline, memory, host_calls, bad_output. The limits are the host's, as till serve reads them
here, and so are the currency and the caps that a case doesn't name.

Next: till plugin check FILE says whether a host would take it, till plugin deploy FILE makes it live."#;

impl Run {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let runtime = runtime()?;
        let (settings, of_plugin) = settings(&self.file_of_shop, self.set)?;
        let plugin = self.file.candidate(&settings)?;
        let source = plugin.source.clone();
        let played = runtime.block_on(async {
            let (stage, currency) = stage_of(plugin, self.inventory.as_deref(), settings).await?;
            let mut case = parse(&read(&self.input)?, &self.input, stage.kind(), currency)?;
            case.stock.extend(self.stock);
            case.set.extend(of_plugin);
            let played = stage.play(&case).await?;
            if self.json {
                print_json(&json_of(&source, stage.identity(), &played))?;
            } else {
                print(&text_of(stage.identity(), &played))?;
            }
            anyhow::Ok(played)
        })?;
        match played.decided {
            Err(failure) => anyhow::bail!("{}: {failure}", failure.code()),
            _ => Ok(()),
        }
    }
}

impl Test {
    /// Returns the test of the plugin with these cases, and the built-in inventory.
    pub(super) fn of(file: &Path, cases: &Path, shop: &Shop, json: bool) -> Self {
        let (file, cases) = (Origin::File(file.to_owned()), cases.to_owned());
        Self { file, cases, inventory: None, set: shop.set(), file_of_shop: shop.file().clone(), json }
    }

    pub(super) fn run(self) -> anyhow::Result<()> {
        let runtime = runtime()?;
        let (settings, of_plugin) = settings(&self.file_of_shop, self.set)?;
        let plugin = self.file.candidate(&settings)?;
        let source = plugin.source.clone();
        runtime.block_on(async {
            let (stage, currency) = stage_of(plugin, self.inventory.as_deref(), settings).await?;
            let mut cases = cases(&self.cases, stage.kind(), currency)?;
            anyhow::ensure!(!cases.is_empty(), "there are no cases (*.json) in {}", self.cases.display());
            let mut tested = Vec::new();
            for (name, case) in &mut cases {
                case.set.extend(of_plugin.clone());
                let played = stage.play(case).await.with_context(|| format!("play {name}"))?;
                let differences = case.expected.iter().flat_map(|wanted| differences(wanted, &played));
                let one = Tested { name: name.clone(), differences: differences.collect(), played };
                if !self.json {
                    print(&one.text())?;
                }
                tested.push(one);
            }
            let differing = tested.iter().filter(|one| !one.differences.is_empty()).count();
            if self.json {
                let cases: Vec<Value> = tested.iter().map(|one| one.json(&source, &stage)).collect();
                print_json(&json!({ "passed": differing == 0, "cases": cases }))?;
            }
            anyhow::ensure!(differing == 0, "{differing} of {} cases aren't as expected", tested.len());
            Ok(())
        })
    }
}

/// A case and its result.
struct Tested {
    name: String,
    played: Played,
    differences: Vec<Difference>,
}

impl Tested {
    fn text(&self) -> String {
        let verdict = if self.differences.is_empty() { "ok  " } else { "FAIL" };
        let mut text = format!("{verdict}  {}  {}", self.name, self.played.outcome());
        for difference in &self.differences {
            text += &format!("\n      {}", difference.part);
            difference.lines().iter().for_each(|line| text += &format!("\n        {line}"));
        }
        let lines = &self.played.trace.lines;
        if !self.differences.is_empty() && !lines.is_empty() {
            text += "\n      log";
            lines.iter().for_each(|line| text += &format!("\n        {}", log_line(line).replace('\n', "\n        ")));
        }
        text
    }

    fn json(&self, source: &str, stage: &Stage) -> Value {
        json!({
            "case": self.name,
            "passed": self.differences.is_empty(),
            "differences": self.differences,
            "call": json_of(source, stage.identity(), &self.played),
        })
    }
}

/// What is set: one of the host's settings or the plugin's.
type Set = Vec<(String, String)>;

/// Returns the host's settings with what is set for it, and the plugin's: a key that isn't one of the host's is the
/// plugin's.
fn settings(file: &ShopFile, set: Set) -> Result<(Settings, Set), Unusable> {
    let (of_host, of_plugin): (Set, Set) = set.into_iter().partition(|(key, _)| is_row(key));
    let settings = file.settings(of_host.iter().map(|(key, value)| (&**key, &**value)))?;
    Ok((settings, of_plugin))
}

pub(super) fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()
}

/// Returns the stage of a plugin, and the currency of its cases.
pub(super) async fn stage_of(
    plugin: Candidate,
    inventory: Option<&Path>,
    settings: Settings,
) -> anyhow::Result<(Stage, Currency)> {
    // In a test, only the case sets the plugin's settings.
    let settings = Settings { of_plugins: PerKind::default(), ..settings };
    let currency = settings.shop.currency;
    let inventory = inventory.map(|file| Candidate::read(file, &settings.limits)).transpose()?;
    let of_store = store_settings(&settings);
    // The lock is held until everything is compiled.
    let code = Code::of(&plugin.bytes, settings.limits.compiled_mib)?;
    let compiler = Compiler::in_process().keeping(code.kept());
    Ok((Stage::set(plugin, inventory, settings, of_store, compiler).await?, currency))
}

/// Returns the cases by their names, each with an expectation: those of a folder, or the one of a file.
fn cases(place: &Path, kind: Kind, currency: Currency) -> anyhow::Result<BTreeMap<String, Case>> {
    let unreadable = |error: std::io::Error| WrongUsage(format!("{} can't be read: {error}", place.display()));
    let files = if place.is_file() {
        vec![place.to_owned()]
    } else {
        let entries = std::fs::read_dir(place).map_err(unreadable)?;
        let paths = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
        let is_case = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "json");
        paths.map_err(unreadable)?.into_iter().filter(is_case).collect()
    };
    let mut cases = BTreeMap::new();
    for path in files {
        let case = parse(&read(&path)?, &path, kind, currency)?;
        if case.expected.is_none() {
            return Err(WrongUsage(format!("{} has no \"expect\"", path.display())).into());
        }
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        cases.insert(name, case);
    }
    Ok(cases)
}

fn read(path: &Path) -> Result<String, WrongUsage> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    read.map_err(|error| WrongUsage(format!("{} can't be read: {error}", path.display())))
}

fn parse(text: &str, path: &Path, kind: Kind, currency: Currency) -> Result<Case, WrongUsage> {
    Case::parse(text, kind, currency).map_err(|bad| WrongUsage(format!("{}: {bad}", path.display())))
}

fn stock(text: &str) -> Result<(Item, u32), String> {
    let (item, pieces) = text.rsplit_once('=').ok_or_else(|| format!("{text:?} is not ITEM=PIECES"))?;
    let item = Item::parse(item).ok_or(Item::RULE)?;
    let pieces = pieces.parse().map_err(|_| format!("{pieces:?} is not a whole number of pieces"))?;
    Ok((item, pieces))
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("{text:?} is not KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}
