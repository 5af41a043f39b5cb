//! Parses a setting's text into its type, with messages for wrong values.

use std::{ffi::OsStr, io::IsTerminal, net::SocketAddr, path::PathBuf};

use crate::{oci, order::Currency, pricing::menu::PaymentMethod, telemetry::LogFormat};

/// A type that a setting can have.
pub(super) trait Value: Sized {
    /// Parses the text.
    ///
    /// # Errors
    /// Says what is allowed.
    fn parse(text: &str) -> Result<Self, String>;

    /// Parses a value from the system, which need not be UTF-8. Paths may have any bytes.
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    fn parse_os(value: &OsStr) -> Result<Self, String> {
        value.to_str().ok_or_else(|| NOT_UTF8.to_owned()).and_then(Self::parse)
    }
}

/// What is allowed instead of bytes that aren't text.
pub(super) const NOT_UTF8: &str = "a text in UTF-8";

/// A path that may be left empty.
pub type OptionalPath = Option<PathBuf>;
/// A text that may be left empty.
pub type OptionalText = Option<String>;

/// Host names, in lower case and without a final dot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostNames(Vec<String>);

impl HostNames {
    #[must_use]
    pub fn contains(&self, name: &str) -> bool {
        self.0.iter().any(|known| known == name)
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Value for HostNames {
    fn parse(text: &str) -> Result<Self, String> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        let names: Vec<String> =
            names.map(|name| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()).collect();
        let is_name = |name: &String| {
            let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_of_label);
            name.split('.').all(is_label)
        };
        let wanted = "names of hosts with commas between them, without scheme and port, such as shop.example, till";
        if names.iter().all(is_name) { Ok(Self(names)) } else { Err(wanted.to_owned()) }
    }
}

const fn is_of_label(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Ways to pay: an id and a name each.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaymentMethods(Vec<PaymentMethod>);

impl PaymentMethods {
    pub fn iter(&self) -> impl Iterator<Item = &PaymentMethod> {
        self.0.iter()
    }
}

impl Value for PaymentMethods {
    fn parse(text: &str) -> Result<Self, String> {
        const WANTED: &str =
            "ways to pay as id=Name with commas between them, each id once, such as card=Card, invoice=Invoice";
        let method = |text: &str| {
            let (id, name) = text.split_once('=')?;
            let (id, name) = (id.trim(), name.trim());
            let is_id = !id.is_empty() && id.bytes().all(is_of_label);
            (is_id && !name.is_empty()).then(|| PaymentMethod { id: id.to_owned(), name: name.to_owned() })
        };
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let methods: Vec<_> = parts.map(method).collect::<Option<_>>().ok_or(WANTED)?;
        let mut ids: Vec<_> = methods.iter().map(|method| &method.id).collect();
        ids.sort_unstable();
        let is_twice = ids.windows(2).any(|pair| pair.first() == pair.last());
        if is_twice { Err(WANTED.to_owned()) } else { Ok(Self(methods)) }
    }
}

/// Keys whose values aren't recorded, in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MaskedKeys(Vec<String>);

impl MaskedKeys {
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl Value for MaskedKeys {
    fn parse(text: &str) -> Result<Self, String> {
        let keys = text.split(',').map(str::trim).filter(|key| !key.is_empty());
        let keys: Vec<String> = keys.map(str::to_lowercase).collect();
        let is_part = |part: &str| part.chars().any(char::is_alphanumeric);
        let is_key = |key: &String| key.split('.').count() <= 2 && key.split('.').all(is_part);
        let wanted = "keys with commas between them, such as email, ship_to.lines";
        if keys.iter().all(is_key) { Ok(Self(keys)) } else { Err(wanted.to_owned()) }
    }
}

/// Sites whose pages may use the shop, in browsers' form: `https://shop.example`, with a port if it isn't the scheme's
/// default.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<String>);

impl Origins {
    #[must_use]
    pub fn contains(&self, origin: &str) -> bool {
        self.0.iter().any(|known| known == origin)
    }

    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Value for Origins {
    fn parse(text: &str) -> Result<Self, String> {
        let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        let is_origin = |origin: &&str| {
            let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            let host = |host: &str| !host.is_empty() && !host.contains(['/', '?', '#', '@', '*', ' ']);
            rest.is_some_and(host) && origin.to_lowercase() == **origin
        };
        let wanted =
            || "origins with commas between them, such as https://shop.example, http://localhost:5173".to_owned();
        let all: Vec<&str> = origins.collect();
        if all.iter().all(is_origin) { Ok(Self(all.into_iter().map(str::to_owned).collect())) } else { Err(wanted()) }
    }
}

/// What a plugin needs to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Required {
    None,
    /// Its digest is listed, or it is signed.
    Digest,
    /// It is signed.
    Signature,
}

impl Required {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Digest => "digest",
            Self::Signature => "signature",
        }
    }
}

impl Value for Required {
    fn parse(text: &str) -> Result<Self, String> {
        let found = [Self::None, Self::Digest, Self::Signature].into_iter().find(|required| required.as_str() == text);
        found.ok_or_else(|| "none, digest or signature".into())
    }
}

impl Value for oci::Hosts {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse(text)
    }
}

/// A share of something, in percent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Percent(f64);

impl Percent {
    /// Returns the share as a number from 0 to 1.
    #[must_use]
    pub const fn share(self) -> f64 {
        self.0 / 100.0
    }
}

impl Value for Percent {
    fn parse(text: &str) -> Result<Self, String> {
        let percent = text.parse().ok().filter(|percent| (0.0..=100.0).contains(percent));
        percent.map(Self).ok_or_else(|| "a number from 0 to 100, such as 5 or 0.1".into())
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn parse(text: &str) -> Result<Self, String> {
                text.replace('_', "").parse().map_err(|_| format!("a whole number from 0 to {}", Self::MAX))
            }
        }
    )*};
}

whole_numbers!(u8, u32, u64, usize);

impl Value for f64 {
    fn parse(text: &str) -> Result<Self, String> {
        let number = text.parse::<Self>().ok().filter(|number| number.is_finite() && *number >= 0.0);
        number.ok_or_else(|| "a number from 0 on, such as 0.5".into())
    }
}

impl Value for bool {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "on" | "true" | "yes" | "1" => Ok(true),
            "off" | "false" | "no" | "0" => Ok(false),
            _ => Err("on or off".into()),
        }
    }
}

impl Value for String {
    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
}

impl Value for PathBuf {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse_os(text.as_ref())
    }

    fn parse_os(value: &OsStr) -> Result<Self, String> {
        if value.is_empty() { Err("a path".into()) } else { Ok(value.into()) }
    }
}

impl<T: Value> Value for Option<T> {
    fn parse(text: &str) -> Result<Self, String> {
        Self::parse_os(text.as_ref())
    }

    fn parse_os(value: &OsStr) -> Result<Self, String> {
        if value.is_empty() { Ok(None) } else { T::parse_os(value).map(Some) }
    }
}

impl Value for SocketAddr {
    fn parse(text: &str) -> Result<Self, String> {
        text.replace("localhost", "127.0.0.1")
            .parse()
            .map_err(|_| "an address with a port, such as 127.0.0.1:8000".into())
    }
}

impl Value for Currency {
    fn parse(text: &str) -> Result<Self, String> {
        Self::in_use(text).map_err(|error| error.to_string())
    }
}

impl Value for LogFormat {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "json" => Ok(Self::Json),
            "pretty" => Ok(Self::Pretty),
            "auto" if std::io::stderr().is_terminal() => Ok(Self::Pretty),
            "auto" => Ok(Self::Json),
            _ => Err("json, pretty or auto".into()),
        }
    }
}

/// Returns `count` for each core that this process may use.
pub(super) fn per_core(count: usize) -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.saturating_mul(count).to_string()
}

/// Returns `base` plus `count` for each core that this process may use.
pub(super) fn beside_cores(base: usize, count: usize) -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    cores.saturating_mul(count).saturating_add(base).to_string()
}

/// The setting of an installed plugin that says what becomes of a request if the plugin fails: `closed`, or `skip` where the hook
/// allows that.
pub const ON_FAILURE: &str = "on_failure";
/// The setting of an installed plugin that says what it may send to others.
pub const GRANTS: &str = "grants";

/// The plugin setting that says how many calls one instance answers.
pub const REUSE: &str = "reuse";
const REUSED_CALLS_MAX: u32 = 100_000;

/// Reads the value of [`REUSE`].
///
/// # Errors
/// Says what is allowed.
pub fn reused_calls(text: &str) -> Result<u32, String> {
    let calls = text.parse().ok().filter(|calls| (1..=REUSED_CALLS_MAX).contains(calls));
    calls.ok_or_else(|| format!("calls that one instance answers, 1 (a fresh one for each) to {REUSED_CALLS_MAX}"))
}
