//! Where settings come from: flags over environment over `till.toml` over the demo's over defaults.
//!
//! Every value is kept as its text, with its origin, until [`super::Settings`] parses it, so that each message can name
//! the source to change.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashSet},
    ffi::{OsStr, OsString},
    fmt,
    os::unix::ffi::OsStrExt,
    path::Path,
    sync::Arc,
};

use super::{
    ROWS, Row, SECTIONS, service_links,
    value::{NOT_UTF8, REUSE, Value, reused_calls},
};
use crate::{
    hooks::Kind,
    nearest::nearest,
    order::{Item, composed},
};

/// Returns whether the section's keys are chosen by the shop: items, or a plugin's settings.
fn is_open(section: &str) -> bool {
    OPEN.contains(&section) || Kind::parse(section).is_some()
}

/// Sections of items.
const OPEN: [&str; 2] = ["stock", "prices"];

/// Variables with another name than `TILL_…`.
const ALIASES: [(&str, &str); 1] = [("INVENTORY_URL", "server.inventory_url")];

/// Variables that aren't settings: the address and token of a running host for its commands (`cli/client.rs`), and the
/// folder of the tools for a plugin's Makefile.
const NO_SETTINGS: [&str; 6] = [
    "TILL_ADMIN_URL",
    "TILL_ADMIN_TOKEN_FILE",
    "TILL_ADMIN_CA_FILE",
    "TILL_ADMIN_CERT_FILE",
    "TILL_ADMIN_KEY_FILE",
    "TILL_PLUGIN_TOOLS",
];

/// The demo's stock and its faults.
const DEMO: [(&str, &str); 4] =
    [("stock.laptop", "50"), ("stock.smartphone", "100"), ("stock.headphones", "200"), ("inventory.faults", "on")];

/// The source of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Default,
    Demo,
    File(String),
    Environment(String),
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => out.write_str("default"),
            Self::Demo => out.write_str("demo, as there is no till.toml"),
            Self::File(path) => out.write_str(path),
            Self::Environment(variable) => write!(out, "environment {variable}"),
            Self::Flag(flag) => out.write_str(flag),
        }
    }
}

/// Why the settings can't be used. Ends the program with exit code 64.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    #[error("{key} = {value:?} ({origin}) can't be used: {reason}")]
    Value { key: String, value: String, origin: Origin, reason: String },
    #[error("there is no setting {key} ({origin}){hint}; `till serve --print-config` lists them all")]
    Unknown { key: String, origin: Origin, hint: String },
    #[error("--set {0:?} is not section.key=value in UTF-8")]
    Flag(OsString),
    #[error("{path} can't be read: {reason}")]
    File { path: String, reason: String },
    #[error("deadlines have to nest: {0}")]
    Nesting(String),
    /// Settings that don't go together.
    #[error("{0}")]
    Together(&'static str),
}

impl Unusable {
    pub(super) fn nesting(message: String) -> Self {
        Self::Nesting(message)
    }
}

/// A setting as it is shown: an address without its password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    pub value: String,
    pub origin: Origin,
}

/// All values by key; a later source replaces an earlier one's value.
#[derive(Debug, Clone)]
pub struct Sources {
    /// The values as they were written, because a path need not be UTF-8.
    values: BTreeMap<String, (OsString, Origin)>,
}

impl Sources {
    /// Returns the table's defaults.
    #[must_use]
    pub fn defaults() -> Self {
        let row = |row: &super::Row| (row.key.to_owned(), ((row.default_value)().into(), Origin::Default));
        Self { values: ROWS.iter().map(row).collect() }
    }

    /// Adds the demo's stock and faults.
    pub fn add_demo(&mut self) {
        for (key, value) in DEMO {
            self.values.insert(key.to_owned(), (value.into(), Origin::Demo));
        }
    }

    /// Adds a `till.toml`'s text; `path` is only for messages.
    ///
    /// # Errors
    /// If the text isn't TOML of sections with plain values, or names an unknown setting.
    pub fn add_file(&mut self, path: &str, text: &str) -> Result<(), Unusable> {
        let unreadable = |reason: String| Unusable::File { path: path.to_owned(), reason };
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| unreadable(error.to_string()))?;
        let mut names = HashSet::new();
        for (section, content) in table {
            let toml::Value::Table(content) = content else {
                return Err(unreadable(format!("{section} has to stand in a [section]")));
            };
            for (name, value) in content {
                let key = format!("{section}.{name}");
                if !names.insert(composed_item(key.clone())) {
                    return Err(unreadable(format!("{key} stands there twice, in two Unicode forms")));
                }
                let value = match value {
                    toml::Value::String(text) => text,
                    toml::Value::Integer(number) => number.to_string(),
                    toml::Value::Boolean(flag) => flag.to_string(),
                    toml::Value::Table(_) => {
                        let meant = SECTIONS.iter().find(|(known, _)| *known == name);
                        let hint = meant.map(|(known, _)| format!(": write [{known}]")).unwrap_or_default();
                        return Err(unreadable(format!("[{key}] is no section, and sections don't nest{hint}")));
                    }
                    // A list may be written as one, instead of with commas in a text.
                    toml::Value::Array(texts) if texts.iter().all(toml::Value::is_str) => {
                        texts.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(", ")
                    }
                    // A price written as a bare number was already parsed as a float, so its last digits can't be
                    // trusted.
                    _ => {
                        return Err(unreadable(format!(
                            "{key} has to be a text in quotes, a list of such texts, a whole number or true/false"
                        )));
                    }
                };
                self.add(key, value.into(), Origin::File(path.to_owned()))?;
            }
        }
        Ok(())
    }

    /// Adds the file at `path`, or `till.toml` in this folder if there is one; the demo's settings if there is none.
    ///
    /// # Errors
    /// The same as of [`add_file`](Self::add_file); or if a given `path` can't be read.
    pub fn add_file_or_demo(&mut self, path: Option<&Path>) -> Result<(), Unusable> {
        if !self.add_file_if_any(path)? {
            self.add_demo();
        }
        Ok(())
    }

    /// Adds the file at `path`, or `till.toml` in this folder if there is one; returns whether there was one.
    ///
    /// # Errors
    /// As [`add_file_or_demo`](Self::add_file_or_demo).
    pub fn add_file_if_any(&mut self, path: Option<&Path>) -> Result<bool, Unusable> {
        let chosen = path.unwrap_or(Path::new("till.toml"));
        match std::fs::read_to_string(chosen) {
            Ok(text) => self.add_file(&chosen.display().to_string(), &text).map(|()| true),
            Err(error) if path.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Unusable::File { path: chosen.display().to_string(), reason: error.to_string() }),
        }
    }

    /// Adds the variables `TILL_SECTION_NAME` and `INVENTORY_URL`. Ignores others, including those that Kubernetes sets
    /// in a pod for a Service whose name begins with `till`.
    ///
    /// # Errors
    /// A `TILL_` variable that isn't a setting.
    pub fn add_environment(&mut self, variables: impl Iterator<Item = (OsString, OsString)>) -> Result<(), Unusable> {
        for (variable, value) in variables {
            let Some((variable, key)) =
                variable.to_str().and_then(|variable| Some((variable, key_of_variable(variable)?)))
            else {
                continue;
            };
            if is_row(&key) || !service_links::is_one(variable, &value) {
                self.add(key, value, Origin::Environment(variable.to_owned()))?;
            }
        }
        Ok(())
    }

    /// Adds `--set section.key=value` flags.
    ///
    /// # Errors
    /// A flag without `=`, or with an unknown key.
    pub fn add_flags(&mut self, flags: impl Iterator<Item = impl AsRef<OsStr>>) -> Result<(), Unusable> {
        for flag in flags {
            let flag = flag.as_ref();
            let mut parts = flag.as_bytes().splitn(2, |byte| *byte == b'=');
            let key = parts.next().and_then(|key| std::str::from_utf8(key).ok());
            let (Some(key), Some(value)) = (key, parts.next()) else { return Err(Unusable::Flag(flag.to_owned())) };
            self.add_flag(key, OsStr::from_bytes(value), &format!("--set {key}"))?;
        }
        Ok(())
    }

    /// Adds the value of a flag with a name of its own.
    ///
    /// # Errors
    /// If no setting has that key.
    pub fn add_flag(&mut self, key: &str, value: impl Into<OsString>, flag: &str) -> Result<(), Unusable> {
        self.add(key.to_owned(), value.into(), Origin::Flag(flag.to_owned()))
    }

    /// Returns every key with its text and origin: the table's keys in its order, then the shop's own by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Cow<'_, str>, &Origin)> {
        let of_table = ROWS.iter().filter_map(|row| self.values.get_key_value(row.key));
        let own = self.values.iter().filter(|(key, _)| !is_row(key));
        of_table
            .chain(own)
            .map(|(key, (value, origin))| (key.as_str(), without_password(value.to_string_lossy()), origin))
    }

    /// Returns every setting of the table and of the plugins; items' stock and prices are lists of their own.
    pub(super) fn listed(&self) -> Arc<[Listed]> {
        let listed = self.iter().filter(|(key, ..)| key.split_once('.').is_some_and(|(of, _)| !OPEN.contains(&of)));
        listed
            .map(|(key, value, origin)| Listed {
                key: key.to_owned(),
                value: value.into_owned(),
                origin: origin.clone(),
            })
            .collect()
    }

    fn add(&mut self, key: String, value: OsString, origin: Origin) -> Result<(), Unusable> {
        let key = composed_item(key);
        let open = key.split_once('.').is_some_and(|(section, name)| is_open(section) && !name.is_empty());
        if !open && !is_row(&key) {
            let hint = hint(&key, &origin);
            return Err(Unusable::Unknown { key, origin, hint });
        }
        self.values.insert(key, (value, origin));
        Ok(())
    }

    pub(super) fn value<T: Value>(&self, key: &str) -> Result<T, Unusable> {
        let (value, origin) = self.values.get(key).cloned().unwrap_or((OsString::new(), Origin::Default));
        let parsed = T::parse_os(&value).map_err(|fine| wanted(&fine));
        let in_range = |parsed| row(key).map_or(Ok(()), |row| row.check(&value)).map(|()| parsed);
        parsed.and_then(in_range).map_err(|reason| unusable(key, &value, &origin, reason))
    }

    /// Returns a section's items with their values.
    pub(super) fn items<T>(
        &self,
        section: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<BTreeMap<Item, T>, Unusable> {
        let entry = |(name, key, value, origin): Entry<'_>| {
            let item = Item::parse(name).ok_or_else(|| unusable(key, name.as_ref(), origin, Item::RULE.to_owned()))?;
            Ok((item, parsed(key, value, origin, &parse)?))
        };
        self.entries(section).map(entry).collect()
    }

    /// Returns all keys of a section with their values, as they were written.
    pub(super) fn plugin_settings(&self, section: &str) -> Result<BTreeMap<String, String>, Unusable> {
        let checked = self.entries(section).map(|(name, key, value, origin)| {
            let value = parsed(key, value, origin, |text| match name {
                REUSE => reused_calls(text).map(|_| text.to_owned()).map_err(|fine| wanted(&fine)),
                _ => Ok(text.to_owned()),
            })?;
            Ok((name.to_owned(), value))
        });
        checked.collect()
    }

    fn entries<'a>(&'a self, section: &'a str) -> impl Iterator<Item = Entry<'a>> {
        self.values.iter().filter(|(key, _)| !is_row(key)).filter_map(move |(key, (value, origin))| {
            let (of, name) = key.split_once('.')?;
            (of == section).then_some((name, key.as_str(), value.as_os_str(), origin))
        })
    }
}

/// An entry of an open section: name, key, value, origin.
type Entry<'a> = (&'a str, &'a str, &'a OsStr, &'a Origin);

/// Returns the key with an item's name in Unicode's normal form C, so that a flag overrides the file's value for the
/// item, however each was typed.
fn composed_item(key: String) -> String {
    if key.starts_with("stock.") || key.starts_with("prices.") { composed(&key).into_owned() } else { key }
}

fn parsed<T>(
    key: &str,
    value: &OsStr,
    origin: &Origin,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Result<T, Unusable> {
    let text = value.to_str().ok_or_else(|| wanted(NOT_UTF8));
    text.and_then(parse).map_err(|reason| unusable(key, value, origin, reason))
}

fn unusable(key: &str, value: &OsStr, origin: &Origin, reason: String) -> Unusable {
    Unusable::Value { key: key.to_owned(), value: value.to_string_lossy().into_owned(), origin: origin.clone(), reason }
}

/// Returns the text to be shown: of an address that has a password, without it.
fn without_password(text: Cow<'_, str>) -> Cow<'_, str> {
    let shown = text.split_once("://").and_then(|(scheme, rest)| {
        let (login, place) = rest.rsplit_once('@')?;
        let (user, _password) = login.split_once(':')?;
        Some(format!("{scheme}://{user}:…@{place}"))
    });
    shown.map_or(text, Cow::Owned)
}

/// Returns the table's row of that key; `None` for an item or a plugin's setting.
#[must_use]
pub fn row(key: &str) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.key == key)
}

/// Returns whether the key is in the table, and so isn't an item or a plugin's setting.
#[must_use]
pub fn is_row(key: &str) -> bool {
    row(key).is_some()
}

/// Returns the message for a wrong value, which says what is allowed.
pub(super) fn wanted(fine: &str) -> String {
    format!("wanted {fine}")
}

/// Returns the key of a variable; `None` for one that isn't Till's.
fn key_of_variable(variable: &str) -> Option<String> {
    if let Some((_, key)) = ALIASES.iter().find(|(alias, _)| *alias == variable) {
        return Some((*key).to_owned());
    }
    if NO_SETTINGS.contains(&variable) {
        return None;
    }
    let text = variable.strip_prefix("TILL_")?.to_lowercase();
    match text.split_once('_') {
        Some((section, name)) => Some(format!("{section}.{name}")),
        // `TILL_LISTEN` is a slip, and `TILL_SOAK` somebody else's.
        None => ROWS.iter().any(|row| name_of(row.key) == text).then_some(text),
    }
}

/// Returns the key that a mistyped one most likely meant, preferably of the same section. In a mistyped section that
/// the shop's own keys belong to, only the section can be mistyped.
fn nearest_key(key: &str) -> Option<String> {
    let (section, typed) = (section_of(key), name_of(key));
    let in_section = |own: bool| ROWS.iter().map(|row| row.key).filter(move |key| (section_of(key) == section) == own);
    let nearest_in = |own: bool| {
        let name = nearest(typed, in_section(own).map(name_of))?;
        in_section(own).find(|key| name_of(key) == name).map(str::to_owned)
    };
    let in_nearest_section = || {
        let sections = SECTIONS.iter().map(|(section, _)| *section).chain(OPEN).chain(Kind::REQUIRED.map(Kind::as_str));
        let meant = nearest(section, sections)?;
        let rows = ROWS.iter().map(|row| row.key).filter(|key| section_of(key) == meant);
        let name = nearest(typed, rows.map(name_of)).or_else(|| is_open(meant).then_some(typed));
        name.filter(|name| !name.is_empty() && meant != section).map(|name| format!("{meant}.{name}"))
    };
    nearest_in(true).or_else(in_nearest_section).or_else(|| nearest_in(false))
}

/// Returns the hint of an unknown key's message, in the form in which it was written.
fn hint(key: &str, origin: &Origin) -> String {
    let Some(near) = nearest_key(key) else { return String::new() };
    let near = if matches!(origin, Origin::Environment(_)) { variable_of(&near) } else { near };
    format!("; did you mean {near}?")
}

fn variable_of(key: &str) -> String {
    format!("TILL_{}", key.replace('.', "_").to_uppercase())
}

fn section_of(key: &str) -> &str {
    key.split_once('.').map_or("", |(section, _)| section)
}

fn name_of(key: &str) -> &str {
    key.split_once('.').map_or(key, |(_, name)| name)
}
