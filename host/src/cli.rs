//! The commands of the `till` program, and their exit codes.
//!
//! 0: done. 1: refused or failed, with the reason on stderr. 2: wrong usage. 64: unusable settings.

mod backup;
mod client;
mod compile_plugin;
mod completions;
mod doctor;
mod manual;
mod orders;
mod plugin;
mod restore;
mod serve;
mod stock;
mod traffic;
mod whole;

use std::{io::Write, process::ExitCode};

use clap::{CommandFactory, Parser, Subcommand};
use rustix::fs::Mode;

use crate::config::Unusable;

/// The exit code for settings that can't be used, as in BSD's sysexits.h (`EX_USAGE`).
const UNUSABLE_SETTINGS: u8 = 64;
/// The exit code that clap has for it.
const WRONG_USAGE: u8 = 2;

/// Till, the open, self-hosted host for checkout logic: WebAssembly plugins, traced end to end.
///
/// Without a command it serves, as `till serve` does.
#[derive(Debug, Parser)]
#[command(
    name = "till",
    version,
    max_term_width = 110,
    after_help = "First steps: `till serve` opens the demo's shop, `till traffic` has customers come to it, and \
                  http://127.0.0.1:8001/traces shows what becomes of them."
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves the shop.
    Serve(serve::Serve),
    /// Deploys plugins to a running host, rolls them back, shows what is live; checks plugin files.
    #[command(subcommand)]
    Plugin(plugin::Plugin),
    /// Shows and changes what is on hand, at a running host.
    #[command(subcommand)]
    Stock(stock::Stock),
    /// Lists, shows and exports orders, from a running host.
    #[command(subcommand)]
    Orders(orders::Orders),
    // Described where its flags are, at more length than here.
    Traffic(traffic::Traffic),
    /// Writes the order store to a file of its own, while a till serves or not.
    Backup(backup::Backup),
    /// Puts a backup in the place of the order store.
    Restore(restore::Restore),
    /// Checks the order store of a till that is stopped, and says what to do. Changes nothing.
    Doctor(doctor::Doctor),
    /// Prints what a shell needs to complete these commands.
    Completions(completions::Completions),
    /// Writes the manual's pages, one a command, for `man`.
    Manual(manual::Manual),
    #[command(hide = true)]
    CompilePlugin(compile_plugin::CompilePlugin),
}

impl Command {
    /// Returns whether what it writes is the shop's own: orders, stock, what sells them.
    const fn keeps_private(&self) -> bool {
        match self {
            Self::Serve(_)
            | Self::Stock(_)
            | Self::Orders(_)
            | Self::Traffic(_)
            | Self::Backup(_)
            | Self::Restore(_)
            | Self::Doctor(_) => true,
            // An author's files, for whom the author's mask lets.
            Self::Plugin(_) | Self::Completions(_) | Self::Manual(_) | Self::CompilePlugin(_) => false,
        }
    }
}

/// Returns this program as one to be started again: also when another file stands under its name by then.
fn own_program() -> std::path::PathBuf {
    "/proc/self/exe".into()
}

/// Returns the commands as clap knows them: docs/reference/cli.md is made of their help.
#[must_use]
pub fn commands() -> clap::Command {
    Cli::command()
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let command = Cli::parse().command.unwrap_or_else(|| Command::Serve(serve::Serve::default()));
    if command.keeps_private() {
        // For as long as the process lives: SQLite, the plugins' files and the exports alike are nobody else's to read.
        let mask = rustix::process::umask(Mode::RWXG | Mode::RWXO);
        rustix::process::umask(mask | Mode::RWXG | Mode::RWXO);
    }
    let done = match command {
        Command::Serve(serve) => serve.run(),
        Command::Plugin(plugin) => plugin.run(),
        Command::Stock(stock) => stock.run(),
        Command::Orders(orders) => orders.run(),
        Command::Traffic(traffic) => traffic.run(),
        Command::Backup(backup) => backup.run(),
        Command::Restore(restore) => restore.run(),
        Command::Doctor(doctor) => doctor.run(),
        Command::Completions(completions) => completions.run(),
        Command::Manual(manual) => manual.run(),
        Command::CompilePlugin(compile) => compile.run(),
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

/// What a person handed in can't be worked with, as a flag that doesn't exist can't.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct WrongUsage(String);

/// Writes to stdout. A reader that went away (`till orders list | head`) is no error.
fn print(text: &str) -> anyhow::Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// Writes rows under a header, each column as wide as its longest cell.
fn print_table<const COLUMNS: usize>(
    header: [&str; COLUMNS],
    rows: impl IntoIterator<Item = [String; COLUMNS]>,
) -> anyhow::Result<()> {
    let rows: Vec<_> = [header.map(str::to_owned)].into_iter().chain(rows).collect();
    let mut widths = [0; COLUMNS];
    for (width, cell) in rows.iter().flat_map(|row| std::iter::zip(0.., row)) {
        if let Some(widest) = widths.get_mut(width) {
            *widest = cell.chars().count().max(*widest);
        }
    }
    for row in rows {
        let cells = std::iter::zip(row, widths).map(|(cell, width)| format!("{cell:<width$}"));
        print(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Writes a value as JSON, indented, for programs.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    print(&serde_json::to_string_pretty(value)?)
}
