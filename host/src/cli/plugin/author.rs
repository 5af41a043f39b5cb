//! Who changes a host's plugins, and why, for the history.

use clap::Args;
use rustix::process::getuid;

/// Who changes something, and why.
#[derive(Debug, Args)]
pub(in super::super) struct Author {
    /// Who changes it, for the history [default: the user of this command].
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT", visible_alias = "why")]
    pub(super) reason: Option<String>,
}

impl Author {
    /// Returns the user of a command that has no such flags.
    pub(super) const fn user() -> Self {
        Self { by: None, reason: None }
    }

    /// Returns the name for the history.
    pub(super) fn by(&self) -> String {
        self.by.clone().unwrap_or_else(user)
    }
}

/// Returns the user's name for the audit.
fn user() -> String {
    let named = ["USER", "LOGNAME"].into_iter().find_map(|variable| std::env::var(variable).ok());
    let fits = |user: &String| (1..=64).contains(&user.len());
    let id = getuid().as_raw().to_string();
    named.filter(fits).or_else(|| name_of_user(&id).filter(fits)).unwrap_or_else(|| format!("user {id}"))
}

/// Returns the name of the user with that id.
fn name_of_user(id: &str) -> Option<String> {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then(|| name.to_owned())
    })
}
