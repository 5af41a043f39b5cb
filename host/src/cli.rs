//! The commands of the `till` program, and their exit codes.
//!
//! 0: done. 1: refused or failed, with the reason on stderr. 2: wrong usage. 64: unusable settings.

mod backup;
mod catalogue;
mod client;
mod compile_plugin;
mod completions;
mod demo;
mod doctor;
mod follow;
mod hosts;
mod logs;
mod manual;
mod open;
mod orders;
mod paint;
mod plugin;
mod repeat_call;
mod restore;
mod serve;
mod stock;
mod store;
mod table;
mod text;
mod token;
mod top;
mod traces;
mod traffic;
mod whole;

use std::{io::Write, ops::ControlFlow, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use rustix::fs::Mode;

use crate::config::Unusable;
use table::print_table;

/// The exit code for settings that can't be used, as in BSD's sysexits.h (`EX_USAGE`).
const UNUSABLE_SETTINGS: u8 = 64;
/// clap's exit code for wrong usage.
const WRONG_USAGE: u8 = 2;

/// Till, the open, self-hosted host for checkout logic: WebAssembly plugins, traced end to end.
///
/// Without a command `till` serves the shop, as `till serve` does.
#[derive(Debug, Parser)]
#[command(
    name = "till",
    version,
    max_term_width = 110,
    after_help = "First steps: `till demo` shows in a minute what a till does. `till serve` opens the demo's shop, `till traffic` \
                  has customers come to it, and `till open` shows what becomes of them."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the shop.
    Serve(serve::Serve),
    /// Deploys plugins to a running host, rolls them back and shows the live ones; builds, checks and tests plugin
    /// files.
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Shows and changes the stock of a running host.
    #[command(subcommand)]
    Stock(stock::Stock),
    /// Shows the catalogue of a running host, and imports it from a file.
    #[command(subcommand)]
    Catalogue(catalogue::Catalogue),
    /// Lists, shows and exports orders, from a running host.
    #[command(subcommand)]
    Orders(orders::Orders),
    /// Makes and changes the tables of a store that several hosts share.
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Lists the hosts that share a store.
    #[command(subcommand)]
    Hosts(hosts::Hosts),
    /// Makes, lists and revokes the named tokens of the admin listener, in their file.
    #[command(subcommand)]
    Token(token::Token),
    /// Lists recent traces of a running host, shows one as a tree, and follows new ones.
    #[command(subcommand)]
    Traces(traces::Traces),
    /// Shows the last lines of a running host's log, and follows it.
    Logs(logs::Logs),
    /// Shows what a running host does now: rates, outcomes, versions, the slowest requests.
    Top(top::Top),
    Open(open::Open),
    Demo(demo::Demo),
    // Described at `Traffic`, at more length.
    Traffic(traffic::Traffic),
    /// Writes a backup of the order store to a file, while a till serves or not.
    Backup(backup::Backup),
    /// Replaces the order store with a backup.
    Restore(restore::Restore),
    /// Checks the order store of a stopped till, or a shared one, and says what to do. Changes nothing.
    Doctor(doctor::Doctor),
    /// Prints a completion script for a shell.
    Completions(completions::Completions),
    /// Writes the manual pages for `man`, one for each command.
    Manual(manual::Manual),
    #[command(hide = true)]
    CompilePlugin(compile_plugin::CompilePlugin),
    #[command(hide = true)]
    RepeatCall(repeat_call::RepeatCall),
}

impl Command {
    /// Returns whether the command writes the shop's own data: orders, stock or plugins.
    const fn keeps_private(&self) -> bool {
        match self {
            Self::Serve(_)
            | Self::Stock(_)
            | Self::Catalogue(_)
            | Self::Orders(_)
            | Self::Store(_)
            | Self::Hosts(_)
            | Self::Token(_)
            | Self::Traces(_)
            | Self::Logs(_)
            | Self::Top(_)
            | Self::Open(_)
            | Self::Demo(_)
            | Self::Traffic(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Doctor(_) => true,
            // These write an author's files, with the permissions that the author's mask allows.
            Self::Plugin(_) | Self::Completions(_) | Self::Manual(_) | Self::CompilePlugin(_) | Self::RepeatCall(_) => {
                false
            }
        }
    }
}

/// Returns this program's path for starting it again, which works even after its file was replaced.
fn own_program() -> std::path::PathBuf {
    "/proc/self/exe".into()
}

/// Returns clap's definition of the commands; docs/reference/cli.md is generated from their help.
#[must_use]
pub fn commands() -> clap::Command {
    Cli::command()
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let command = Cli::parse().command.unwrap_or_else(|| Command::Serve(serve::Serve::default()));
    if command.keeps_private() {
        // The mask applies to the whole process: nobody else may read the store, the plugins' files or an export.
        let mask = rustix::process::umask(Mode::RWXG | Mode::RWXO);
        rustix::process::umask(mask | Mode::RWXG | Mode::RWXO);
    }
    let done = match command {
        Command::Serve(serve) => serve.run(),
        Command::Plugin(plugin) => plugin.run(),
        Command::Stock(stock) => stock.run(),
        Command::Catalogue(catalogue) => catalogue.run(),
        Command::Orders(orders) => orders.run(),
        Command::Store(store) => store.run(),
        Command::Hosts(hosts) => hosts.run(),
        Command::Token(token) => token.run(),
        Command::Traces(traces) => traces.run(),
        Command::Logs(logs) => logs.run(),
        Command::Top(top) => top.run(),
        Command::Open(open) => open.run(),
        Command::Demo(demo) => demo.run(),
        Command::Traffic(traffic) => traffic.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Completions(completions) => completions.run(),
        Command::Manual(manual) => manual.run(),
        Command::CompilePlugin(compile) => compile.run(),
        Command::RepeatCall(repeat) => repeat.run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            _ = writeln!(std::io::stderr(), "till: {error:#}");
            exit_code(&error)
        }
    }
}

fn exit_code(error: &anyhow::Error) -> ExitCode {
    if error.is::<Unusable>() {
        ExitCode::from(UNUSABLE_SETTINGS)
    } else if error.is::<WrongUsage>() {
        ExitCode::from(WRONG_USAGE)
    } else {
        ExitCode::FAILURE
    }
}

/// An input that can't be used, reported like a wrong flag.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUsage(String);

/// Writes to stdout. A reader that went away (`till orders list | head`) isn't an error.
fn print(text: &str) -> anyhow::Result<()> {
    unless_gone(writeln!(std::io::stdout(), "{text}")).map(drop)
}

/// Writes to stdout, with colours if it is a terminal that has them.
fn print_painted(text: &str) -> anyhow::Result<()> {
    print_followed(text).map(drop)
}

/// Writes to stdout, as [`print_painted`]. Says to break if the reader went away: a command that follows something ends
/// then.
fn print_followed(text: &str) -> anyhow::Result<ControlFlow<()>> {
    let mut out = anstream::stdout();
    unless_gone(writeln!(out, "{text}").and_then(|()| out.flush()))
}

fn unless_gone(written: std::io::Result<()>) -> anyhow::Result<ControlFlow<()>> {
    match written {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(ControlFlow::Break(())),
        written => Ok(written.map(ControlFlow::Continue)?),
    }
}

/// Writes a value as JSON, indented, for programs.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}
