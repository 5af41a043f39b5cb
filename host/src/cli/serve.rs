//! `till serve`.

mod signals;

use std::{ffi::OsString, fmt::Write, path::PathBuf, time::Duration};

use clap::Args;
use serde_json::json;

use super::{own_program, print, print_json};
use crate::{
    app::App,
    config::{self, Settings, Sources, Unusable},
    telemetry::flush_log,
};
use signals::Signals;

/// How long the last log lines may take to be written when the process ends.
const LAST_LINES_WITHIN: Duration = Duration::from_millis(500);

/// Settings come from flags, then the environment (`TILL_SECTION_NAME`, `INVENTORY_URL`, OpenTelemetry's own), then
/// till.toml, then the defaults. Without a till.toml the demo's stock and faults apply.
#[derive(Debug, Default, Args)]
pub(super) struct Serve {
    /// The shop listener's address [default: 127.0.0.1:8000].
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// The admin listener's address, for operators [default: 127.0.0.1:8001].
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<String>,
    /// The folder of the order store [default: till-data].
    #[arg(long, value_name = "FOLDER")]
    data: Option<OsString>,
    /// A folder of plugins that replace the built-in ones: one checkout and one inventory *.wasm. The folder is
    /// watched: a new or changed file is deployed, and goes live if it isn't refused.
    #[arg(long, value_name = "FOLDER")]
    plugins: Option<OsString>,
    /// A settings file [default: till.toml, if there is one].
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Overrides one setting, e.g. --set stock.headphones=100000.
    #[arg(long, value_name = "SECTION.KEY=VALUE")]
    set: Vec<OsString>,
    /// Prints every setting with its value and source, and exits.
    #[arg(long)]
    print_config: bool,
    /// With --print-config: as JSON.
    #[arg(long, requires = "print_config")]
    json: bool,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let sources = self.sources()?;
        let mut settings = Settings::load(&sources)?;
        settings.server.compile_with.get_or_insert_with(own_program);
        if self.print_config {
            return if self.json { print_json(&config_json(&sources)) } else { print(&config_text(&sources)) };
        }
        log_panics();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let served = runtime.block_on(serve(settings));
        // Tasks that are left had their time to end in `App::run`, and are cut off.
        runtime.shutdown_timeout(Duration::from_millis(100));
        flush_log(LAST_LINES_WITHIN);
        served
    }

    fn sources(&self) -> Result<Sources, Unusable> {
        let mut sources = Sources::defaults();
        sources.add_file_or_demo(self.config.as_deref())?;
        sources.add_environment(std::env::vars_os())?;
        sources.add_flags(self.set.iter())?;
        let text = |value: &Option<String>| value.clone().map(OsString::from);
        let named = [
            ("server.listen", &text(&self.listen), "--listen"),
            ("server.admin", &text(&self.admin), "--admin"),
            ("server.data", &self.data, "--data"),
            ("server.plugins", &self.plugins, "--plugins"),
        ];
        for (key, value, flag) in named {
            if let Some(value) = value {
                sources.add_flag(key, value, flag)?;
            }
        }
        Ok(sources)
    }
}

async fn serve(settings: Settings) -> anyhow::Result<()> {
    // This comes before everything else, so that a signal during the start isn't lost.
    let mut signals = Signals::listen()?;
    let app = tokio::select! {
        app = App::build(settings.clone()) => app?,
        // Nobody was served yet, and the store is in the same state as after a crash.
        () = signals.stop() => return Ok(()),
    };
    tokio::spawn(signals.watch(app.stopping()));
    print(&banner(&app, &settings)?)?;
    tracing::info!(address = %app.public_address()?, "serving");
    app.run().await
}

/// Logs a panic on any thread as a line of the log. The default hook prints to stderr, which blocks if nobody reads it.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("no message");
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        tracing::error!(place, thread, "a thread panicked, which is a fault of Till's: {message}");
    }));
}

/// Returns the lines that tell a person the addresses and what to try next.
fn banner(app: &App, settings: &Settings) -> anyhow::Result<String> {
    let (public, admin) = (app.public_url()?, app.admin_url()?);
    let opened = app.opened();
    let mut text = String::new();
    writeln!(text, "till {}", env!("CARGO_PKG_VERSION"))?;
    writeln!(text, "  shop     {public}")?;
    writeln!(text, "  admin    {admin}")?;
    writeln!(text, "  console  {admin}/console")?;
    if let Some(page) = app.traces_page() {
        writeln!(text, "  traces   {page}")?;
    }
    writeln!(text, "  plugins  {}", app.plugins().snapshot().header())?;
    match &settings.server.inventory_url {
        Some(url) => writeln!(text, "  stock    at {url}")?,
        None => writeln!(text, "  stock    {}", stock_line(settings))?,
    }
    writeln!(
        text,
        "  data     {} ({} orders interrupted by the last stop, {} wait for a release)",
        settings.server.data.display(),
        opened.interrupted_orders,
        opened.awaiting_release_orders
    )?;
    writeln!(text, "  try      curl -XPOST {public}/checkout -H 'content-type: application/json' \\")?;
    write!(text, "             -d '{{\"item\":\"headphones\",\"quantity\":1,\"price\":99.99}}'")?;
    Ok(text)
}

fn stock_line(settings: &Settings) -> String {
    let faults = settings.of_plugins.iter().any(|set| set.get("faults").is_some_and(|faults| faults == "on"));
    let opening = if settings.stock.is_empty() { "no opening stock set; till stock set ITEM N" } else { "as set" };
    if faults { "the demo's, with its simulated faults on (inventory.faults)".into() } else { opening.into() }
}

fn config_text(sources: &Sources) -> String {
    let rows = sources.iter().map(|(key, value, origin)| {
        let row = config::row(key);
        let unit = row.map(|row| row.unit).filter(|unit| !unit.is_empty());
        let unit = unit.map(|unit| format!(" {unit}")).unwrap_or_default();
        let reason = row.map(|row| format!("; {}", row.reason)).unwrap_or_default();
        let past = row.map(|row| row.past).filter(|past| !past.is_empty());
        let past = past.map(|past| format!("; past it: {past}")).unwrap_or_default();
        let range = row.and_then(|row| row.range);
        let range = range.map(|(least, most)| format!("; {least} to {most}")).unwrap_or_default();
        let value = if value.is_empty() { "\"\"".into() } else { value };
        format!("{:<44} # {origin}{range}{reason}{past}", format!("{key} = {value}{unit}"))
    });
    rows.collect::<Vec<_>>().join("\n")
}

fn config_json(sources: &Sources) -> serde_json::Value {
    let rows = sources.iter().map(|(key, value, origin)| {
        let origin = origin.to_string();
        let range = config::row(key).and_then(|row| row.range);
        let row = match range {
            Some((least, greatest)) => {
                json!({ "value": value, "origin": origin, "least": least, "greatest": greatest })
            }
            None => json!({ "value": value, "origin": origin }),
        };
        (key.to_owned(), row)
    });
    serde_json::Value::Object(rows.collect())
}
