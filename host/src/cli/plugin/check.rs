//! `till plugin check`: runs admission on a file and prints the result.

use std::{collections::BTreeMap, sync::Arc};

use clap::Args;
use serde_json::json;

use super::{
    super::{own_program, print, print_json},
    code::Code,
    origin::{Origin, origin},
    shop::Shop,
};
use crate::{
    config::Limits,
    hooks::info,
    imports::wasi::{PACKAGES, Package},
    runtime::{Compiler, Engine},
    versions::{Checked, check},
};

/// Checks the plugin as a host does at a deploy: counts its parts, compares its imports and exports with the
/// interface's, compiles it in a process of its own, and calls it once for one piece of an item named "probe".
#[derive(Debug, Args)]
#[command(
    after_help = "Next: till plugin run FILE --input CASE makes a call of your own, till plugin deploy FILE makes it live."
)]
pub(in super::super) struct Check {
    /// The plugin's component, or `oci://HOST/REPOSITORY:TAG` in a registry.
    #[arg(value_parser = origin())]
    file: Origin,
    #[command(flatten)]
    shop: Shop,
    /// Prints JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let mut settings = self.shop.settings()?;
        // The same as in a rehearsal, so that all of an author's commands share the compiled code.
        settings.limits.guest_fuel = true;
        let limits = &settings.limits;
        let candidate = self.file.candidate(&settings)?;
        let source = candidate.source.clone();
        // The code that the child process compiled is loaded from here, instead of being compiled again.
        let code = Code::of(&candidate.bytes, limits.compiled_mib)?;
        let compiler = Compiler::with_child(own_program()).keeping(code.kept());
        let engine = Arc::new(Engine::with(&limits.of_one_call(), compiler)?);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let checked = runtime.block_on(check(&engine, candidate, &settings));
        if self.json
            && let Err(refused) = &checked
        {
            print_json(&json!({ "file": source, "accepted": false, "reason": refused.to_string() }))?;
        }
        let checked = checked?;
        if self.json { print_json(&json_of(&source, &checked)) } else { print(&text_of(&source, &checked, limits)) }
    }
}

/// Returns the WASI packages that the imports name, each once, with what the host provides for it. No plugin gets more
/// by importing one.
fn wasi(imports: &[String]) -> BTreeMap<&'static str, &'static str> {
    let is_imported = |package: &&Package| imports.iter().any(|import| package.has(import));
    PACKAGES.iter().filter(is_imported).map(|package| (package.name, package.behind)).collect()
}

/// Returns the names of Till's interfaces among the imports, without their version.
fn interfaces(imports: &[String]) -> Vec<&str> {
    imports.iter().filter_map(|name| name.strip_prefix("till:plugin/")?.split('@').next()).collect()
}

fn json_of(source: &str, checked: &Checked) -> serde_json::Value {
    let identity = &checked.identity;
    let track = info(identity.at.kind).track;
    json!({
        "file": source,
        "accepted": true,
        "kind": identity.at.kind.as_str(),
        "name": identity.name,
        "version": identity.version,
        "language": identity.language,
        "digest": identity.digest,
        "interface": track.package(),
        "track": track.name,
        "imports": checked.imports,
        "wasi": wasi(&checked.imports),
        "bytes": checked.bytes,
        "compile_ms": checked.compile_ms,
        "memory_bytes_at_start": checked.memory_bytes_at_start,
        "memory_bytes": checked.memory_bytes,
        "host_calls": checked.host_calls,
    })
}

fn text_of(source: &str, checked: &Checked, limits: &Limits) -> String {
    let Checked { identity, bytes, imports, compile_ms, memory_bytes_at_start, memory_bytes, host_calls } = checked;
    let track = info(identity.at.kind).track;
    let rows = [
        ("kind", identity.at.kind.to_string()),
        ("name", identity.name.clone()),
        ("version", identity.version.clone()),
        ("language", identity.language.clone()),
        ("digest", identity.digest.clone()),
        ("size", format!("{bytes} bytes, {} MiB are allowed", limits.component_mib)),
        ("interface", format!("{}, track {}", track.package(), track.name)),
        ("imports", interfaces(imports).join(", ")),
        ("compile", format!("{compile_ms} ms of processor time, {} are allowed", limits.compile_ms)),
        (
            "memory",
            format!(
                "{memory_bytes_at_start} bytes at first, {memory_bytes} after a call; {} MiB are allowed",
                limits.guest_memory_mib
            ),
        ),
        ("calls", format!("{host_calls} to the host in a call, {} are allowed", limits.host_calls)),
    ];
    let row = |(name, value): &(&str, String)| format!("\n  {name:<10} {value}");
    let table: String = rows.iter().map(row).collect();
    format!("{source} would be taken{table}\n{}", wasi_text(imports))
}

fn wasi_text(imports: &[String]) -> String {
    let packages = wasi(imports);
    if packages.is_empty() {
        return "  WASI       nothing of it is imported".to_owned();
    }
    let row = |(package, behind): (&str, &str)| format!("\n    {package:<10} {behind}");
    let table: String = packages.into_iter().map(row).collect();
    format!("  WASI       imported, and met by nothing that reaches out of the sandbox:{table}")
}
