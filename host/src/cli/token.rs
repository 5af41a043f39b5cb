//! `till token`: the file of named tokens of the admin listener, `server.admin_tokens_file`.

use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum, builder::PossibleValue};
use serde_json::json;

use super::{plugin::age, print, print_json, print_table, table::Cell, whole::write_whole};
use crate::{
    clock::now_ms,
    http::rfc3339,
    tokens::{NAME_RULE, NamedToken, Scope, TokenDigest, TokensFile, edit, is_name},
};

/// Only the host and who owns the file may read it.
const MODE: u32 = 0o600;

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Makes a token and prints it, once: the file keeps its digest alone.
    New(New),
    /// Lists the tokens of a file.
    List {
        /// The file, as server.admin_tokens_file names it.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
        /// Prints JSON, for programs.
        #[arg(long)]
        json: bool,
    },
    /// Takes a token out of a file. A host that reads the file refuses the token within some seconds.
    Revoke {
        name: String,
        /// The file, as server.admin_tokens_file names it.
        #[arg(long, value_name = "FILE")]
        file: PathBuf,
    },
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// Whose token it is, for the history.
    #[arg(long, value_parser = name)]
    name: String,
    /// What it is for: `read` changes nothing, `deploy` changes plugins, `stock` the stock and the catalogue, `all` everything.
    #[arg(long)]
    scope: Scope,
    /// How long it is valid, such as 90d; otherwise for ever.
    #[arg(long, value_name = "TIME", value_parser = age)]
    expires: Option<Duration>,
    /// The file that gets its row, as server.admin_tokens_file names it; without one the row is printed, too.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Prints JSON, for programs.
    #[arg(long)]
    json: bool,
}

impl ValueEnum for Scope {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::EACH
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

impl Token {
    pub(super) fn run(self) -> anyhow::Result<()> {
        match self {
            Self::New(new) => new.run(),
            Self::List { file, json } => list(&file, json),
            Self::Revoke { name, file } => revoke(&name, &file),
        }
    }
}

impl New {
    fn run(self) -> anyhow::Result<()> {
        let Self { name, scope, expires, file, json } = self;
        let token = edit::drawn();
        let expires =
            expires.map(|valid| moment(now_ms().saturating_add(u64::try_from(valid.as_millis()).unwrap_or(u64::MAX))));
        let row = edit::row(&name, scope, &TokenDigest::of(&token), expires.as_deref());
        if let Some(file) = &file {
            let before = read_or_empty(file)?;
            let text = edit::with(&before, &row).with_context(|| unusable(file))?;
            write_private(file, &text)?;
        }
        if json {
            let row = file.is_none().then_some(row);
            return print_json(
                &json!({ "name": name, "scope": scope.as_str(), "expires": expires, "token": token, "row": row }),
            );
        }
        print(&token)?;
        match file {
            Some(file) => tell(&format!("the token {name} is in {}; it isn't shown again", file.display())),
            None => {
                tell("the token isn't shown again; its row, for the file of server.admin_tokens_file:");
                print(row.trim_end())?;
            }
        }
        Ok(())
    }
}

fn list(file: &Path, as_json: bool) -> anyhow::Result<()> {
    let text = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let tokens = TokensFile::parse(&text).with_context(|| unusable(file))?;
    let now_ms = now_ms();
    let expires = |token: &NamedToken| token.expires.as_ref().map(ToString::to_string);
    let is_expired = |token: &NamedToken| token.expires.as_ref().is_some_and(|expires| expires.is_past(now_ms));
    if as_json {
        let token = |token: &NamedToken| {
            json!({
                "name": token.name,
                "scope": token.scope.as_str(),
                "expires": expires(token),
                "expired": is_expired(token),
                "sha256": token.digest.hex(),
            })
        };
        return print_json(&json!({ "tokens": tokens.iter().map(token).collect::<Vec<_>>() }));
    }
    let row = |token: &NamedToken| {
        let until = match expires(token) {
            Some(at) if is_expired(token) => format!("{at} (expired)"),
            Some(at) => at,
            None => "never".to_owned(),
        };
        let short = token.digest.hex().chars().take(12).collect::<String>();
        [token.name.as_str().into(), token.scope.as_str().into(), until.into(), short.into()] as [Cell; 4]
    };
    print_table(["NAME", "SCOPE", "EXPIRES", "SHA256"], tokens.iter().map(row))
}

fn revoke(name: &str, file: &Path) -> anyhow::Result<()> {
    let before = fs::read_to_string(file).with_context(|| format!("read {}", file.display()))?;
    let without = edit::without(&before, name).with_context(|| unusable(file))?;
    let (text, token) = without.with_context(|| {
        format!(
            "{} has no token {name:?}; till token list --file {} shows those that it has",
            file.display(),
            file.display()
        )
    })?;
    write_private(file, &text)?;
    print(&format!("the token {name} of the scope {} is no longer in {}", token.scope.as_str(), file.display()))
}

fn read_or_empty(file: &Path) -> anyhow::Result<String> {
    match fs::read_to_string(file) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(String::new()),
        read => read.with_context(|| format!("read {}", file.display())),
    }
}

/// Replaces the file as a whole. A new one can be read by its owner alone, whatever the process's mask.
fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    let created = OpenOptions::new().write(true).create_new(true).mode(MODE).open(file);
    match created {
        Ok(created) => created.set_permissions(fs::Permissions::from_mode(MODE))?,
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("write {}", file.display())),
    }
    write_whole(file, |out| Ok(out.write_all(text.as_bytes())?))
}

/// Returns the moment to the second, as the file has it.
fn moment(ms: u64) -> String {
    rfc3339(ms / 1_000 * 1_000).replace(".000Z", "Z")
}

/// Says something beside the token, which alone is on stdout.
fn tell(text: &str) {
    _ = writeln!(std::io::stderr(), "{text}");
}

fn unusable(file: &Path) -> String {
    format!("{} can't be used", file.display())
}

fn name(text: &str) -> Result<String, String> {
    if is_name(text) { Ok(text.to_owned()) } else { Err(NAME_RULE.to_owned()) }
}
