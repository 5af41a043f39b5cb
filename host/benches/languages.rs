//! The demo's inventory in eight languages: what each costs, as the table of plugins/README.md; and a shop whose plugins are
//! in Python and JavaScript, under 64 connections.
//!
//! Each call is of one line, whose stock is a number in memory; `fresh` makes an instance for it and drops it, `reused` calls
//! one again. The languages take turns, so that a machine that is busy with something else is so for all, and Rust is the
//! unit. `make plugins` has to have built them. `TILL_BENCH_SECONDS` is how long the shop is loaded (60, 0 for not at all);
//! with `TILL_BENCH_WRITE=1` the table is written where it belongs. It fails when a call fails, never for being slow.

#[path = "shop/guest.rs"]
mod guest;
#[path = "shop/host.rs"]
mod host;
#[path = "shop/memory.rs"]
mod memory;
#[path = "shop/resident.rs"]
mod resident;
#[allow(dead_code, clippy::allow_attributes, reason = "it has what other benches need, too")]
mod shop;
#[allow(dead_code, clippy::allow_attributes, reason = "likewise")]
#[path = "shop/wrk.rs"]
mod wrk;

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use anyhow::Context;
use hdrhistogram::Histogram;
use till::imports::bindings::{InventoryPluginPre, types::StockLine};

use guest::{Guest, Sandbox};
use host::Host;
use memory::Memory;

const TURNS: usize = 6;
const FRESH_CALLS: usize = 150;
/// As often as the host calls a Go plugin's instance.
const CALLS_OF_INSTANCE: usize = 50;
const REUSED_INSTANCES: usize = 6;
const CONNECTIONS: u32 = 64;
const README: &str = "plugins/README.md";
const MARKS: (&str, &str) = ("<!-- table -->\n", "<!-- /table -->");

/// A language, the folder of its inventory, and the file that pins its tools.
struct Language {
    name: &'static str,
    folder: &'static str,
    pins: &'static str,
}

const LANGUAGES: [Language; 8] = [
    Language { name: "Rust", folder: "inventory", pins: "rust-toolchain.toml" },
    Language { name: "C", folder: "inventory-c", pins: "plugins/kits/c/requirements.txt" },
    Language { name: "C++", folder: "inventory-cpp", pins: "plugins/kits/c/requirements.txt" },
    Language { name: "Zig", folder: "inventory-zig", pins: "plugins/kits/zig/requirements.txt" },
    Language { name: "Go", folder: "inventory-go", pins: "plugins/kits/go/requirements.txt" },
    Language { name: "JavaScript", folder: "inventory-js", pins: "plugins/kits/js/package.json" },
    Language { name: "TypeScript", folder: "inventory-ts", pins: "plugins/kits/js/package.json" },
    Language { name: "Python", folder: "inventory-python", pins: "plugins/kits/python/requirements.txt" },
];

/// Of each kind one language, and the other way round.
const MIXED: [[&str; 2]; 2] = [["checkout-python", "inventory-js"], ["checkout-js", "inventory-python"]];

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    // On a worker, as a request is.
    runtime.block_on(async { tokio::spawn(measure()).await? })
}

#[expect(clippy::print_stdout, reason = "the figures are what it is for")]
async fn measure() -> anyhow::Result<()> {
    let folder = shop::folder()?;
    let telemetry = shop::telemetry(shop::Spans::Off, shop::NOTHING_KEPT)?;
    let sandbox = Sandbox::new(shop::settings(folder.path())?.limits, telemetry.tracer().clone())?;
    let mut measured = Vec::new();
    for language in &LANGUAGES {
        measured.push(Measured::new(&sandbox, language)?);
    }
    for _ in 0..TURNS {
        for one in &mut measured {
            one.turn(&sandbox).await?;
        }
    }
    let table = table(&measured)?;
    println!("{table}");
    if std::env::var("TILL_BENCH_WRITE").is_ok_and(|write| write == "1") {
        put(&table)?;
    }
    let seconds = std::env::var("TILL_BENCH_SECONDS").map_or(Ok(60), |text| text.parse());
    let duration = Duration::from_secs(seconds.context("read TILL_BENCH_SECONDS")?);
    for folders in MIXED.iter().filter(|_| !duration.is_zero()) {
        println!("{}", loaded(folders, duration).await?);
    }
    Ok(())
}

fn of_project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn component(folder: &str) -> anyhow::Result<Vec<u8>> {
    let path = of_project("plugins").join(folder).join("build").join(folder).with_extension("wasm");
    fs::read(&path).with_context(|| format!("read {}, which `make plugins` builds", path.display()))
}

/// What is known of a language's plugin.
struct Measured {
    language: &'static Language,
    bytes: usize,
    compile: Duration,
    wasi: Vec<String>,
    pre: InventoryPluginPre<Guest>,
    fresh: Histogram<u64>,
    reused: Histogram<u64>,
    memory_bytes: usize,
}

impl Measured {
    fn new(sandbox: &Sandbox, language: &'static Language) -> anyhow::Result<Self> {
        let bytes = component(language.folder)?;
        let began = Instant::now();
        let pre = sandbox.load(&bytes)?;
        let (compile, wasi) = (began.elapsed(), wasi(&bytes)?);
        let histogram = || Histogram::new_with_bounds(1, 10_000_000_000, 3);
        let (fresh, reused) = (histogram()?, histogram()?);
        Ok(Self { language, bytes: bytes.len(), compile, wasi, pre, fresh, reused, memory_bytes: 0 })
    }

    async fn turn(&mut self, sandbox: &Sandbox) -> anyhow::Result<()> {
        let lines = [StockLine { item: shop::ITEM.to_owned(), quantity: 1 }];
        for _ in 0..FRESH_CALLS {
            let began = Instant::now();
            let (mut store, ctx) = sandbox.store();
            let instance = self.pre.instantiate_async(&mut store).await?;
            let answer = instance.till_plugin_inventory().call_deduct(&mut store, &ctx, &lines).await?;
            let guest = store.into_data();
            self.memory_bytes = self.memory_bytes.max(guest.memory_bytes);
            guest.end();
            self.fresh.record(nanoseconds(began))?;
            anyhow::ensure!(answer.is_ok(), "{} answered {answer:?}", self.language.name);
        }
        for _ in 0..REUSED_INSTANCES {
            let (mut store, ctx) = sandbox.store();
            let instance = self.pre.instantiate_async(&mut store).await?;
            let plugin = instance.till_plugin_inventory();
            anyhow::ensure!(plugin.call_deduct(&mut store, &ctx, &lines).await?.is_ok(), "the first call");
            for _ in 1..CALLS_OF_INSTANCE {
                let began = Instant::now();
                let ctx = sandbox.again(&mut store);
                let answer = plugin.call_deduct(&mut store, &ctx, &lines).await?;
                self.reused.record(nanoseconds(began))?;
                anyhow::ensure!(answer.is_ok(), "{} answered {answer:?}", self.language.name);
            }
        }
        Ok(())
    }
}

fn nanoseconds(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the packages of WASI that a component imports.
fn wasi(component: &[u8]) -> anyhow::Result<Vec<String>> {
    let mut packages = Vec::new();
    let mut depth = 0;
    for payload in wasmparser::Parser::new(0).parse_all(component) {
        match payload? {
            wasmparser::Payload::ModuleSection { .. } | wasmparser::Payload::ComponentSection { .. } => depth += 1,
            wasmparser::Payload::End(_) => depth -= 1,
            wasmparser::Payload::ComponentImportSection(imports) if depth == 0 => {
                for import in imports {
                    let name = import?.name.name.to_owned();
                    let package = name.strip_prefix("wasi:").and_then(|rest| rest.split('/').next());
                    packages.extend(package.map(str::to_owned));
                }
            }
            _ => {}
        }
    }
    packages.sort();
    packages.dedup();
    Ok(packages)
}

/// Returns the tools that a file pins, as `name version`.
fn pins(path: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(of_project(path))?;
    if path.ends_with("package.json") {
        let package: serde_json::Value = serde_json::from_str(&text)?;
        let tools = package.get("dependencies").and_then(serde_json::Value::as_object).context("dependencies")?;
        let pins = tools.iter().map(|(name, version)| format!("{name} {}", version.as_str().unwrap_or_default()));
        return Ok(pins.collect::<Vec<_>>().join(", "));
    }
    if path.ends_with(".toml") {
        let toolchain: toml::Table = text.parse()?;
        let channel = toolchain.get("toolchain").and_then(|table| table.get("channel")?.as_str());
        return Ok(format!("rustc {}", channel.context("a channel")?));
    }
    let pinned = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    Ok(pinned.map(|line| line.replace("==", " ")).collect::<Vec<_>>().join(", "))
}

/// Returns the table, in Markdown.
fn table(measured: &[Measured]) -> anyhow::Result<String> {
    let rust = measured.first().context("Rust is the first")?;
    let median = |histogram: &Histogram<u64>| microseconds(histogram, 0.5);
    let mut table = String::from(
        "| language | tools | built by | size | WASI imports | compiled in | fresh call, µs: p50 / p99 | of Rust's | \
         reused call, µs: p50 / p99 | of Rust's | memory |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for one in measured {
        let Language { name, folder, pins: file } = one.language;
        let wasi = if one.wasi.is_empty() { "none".to_owned() } else { one.wasi.join(", ") };
        writeln!(
            table,
            "| {name} | {} | `make -C plugins/{folder}` | {} | {wasi} | {} ms | {} | {:.1} | {} | {:.1} | {} KiB |",
            pins(file)?,
            size(one.bytes),
            one.compile.as_millis(),
            both(&one.fresh),
            median(&one.fresh) / median(&rust.fresh),
            both(&one.reused),
            median(&one.reused) / median(&rust.reused),
            one.memory_bytes / 1024,
        )?;
    }
    Ok(table)
}

fn size(bytes: usize) -> String {
    if bytes < 1 << 20 {
        format!("{} KiB", bytes >> 10)
    } else {
        format!("{}.{} MiB", bytes >> 20, ((bytes & 0xf_ffff) * 10) >> 20)
    }
}

fn both(histogram: &Histogram<u64>) -> String {
    format!("{:.0} / {:.0}", microseconds(histogram, 0.5), microseconds(histogram, 0.99))
}

fn microseconds(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    Duration::from_nanos(histogram.value_at_quantile(quantile)).as_secs_f64() * 1e6
}

/// Puts the table between its marks.
fn put(table: &str) -> anyhow::Result<()> {
    let path = of_project(README);
    let text = fs::read_to_string(&path)?;
    let (before, rest) = text.split_once(MARKS.0).context("the table's begin")?;
    let (_, after) = rest.split_once(MARKS.1).context("the table's end")?;
    Ok(fs::write(path, format!("{before}{}{table}{}{after}", MARKS.0, MARKS.1))?)
}

/// Has a shop with these two plugins loaded, and says what it did.
async fn loaded(folders: &[&str; 2], duration: Duration) -> anyhow::Result<String> {
    let folder = shop::folder()?;
    let plugins = folder.path().join("plugins");
    fs::create_dir(&plugins)?;
    for name in folders {
        fs::write(plugins.join(name).with_extension("wasm"), component(name)?)?;
    }
    let host = Host::start(folder.path(), &[&format!("server.plugins={}", plugins.display())])?;
    let warm_up = wrk::load(host.shop, CONNECTIONS, Duration::from_secs(5)).await?;
    let memory = Memory::watch(&host.process_id());
    let load = wrk::load(host.shop, CONNECTIONS, duration).await?;
    let memory = memory.finish()?;
    host.stop()?;
    for part in [&warm_up, &load] {
        part.check()?;
    }
    let (rate, p50_ms, p99_ms) = load.figures()?;
    let [checkout, inventory] = folders;
    Ok(format!(
        "{checkout} with {inventory}, {CONNECTIONS} connections: {rate:.0} checkouts/s, p50 {p50_ms:.1} ms, p99 {p99_ms:.1} ms, \
         {} answered and none failed\n{memory}",
        load.answered
    ))
}
