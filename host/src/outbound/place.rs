//! A place that requests can go to: scheme, host and port, compared exactly.
//!
//! Grants and requests are read by the same code, so that what was granted and what is asked can't differ in meaning. The
//! WHATWG's URL parser forgives much: it drops tabs, takes a backslash for a slash, decodes a host, takes `0x7f.1` for
//! 127.0.0.1. Whatever it would have to forgive is refused before it is parsed, since another parser behind the host
//! might forgive it differently.

use std::{fmt, net::IpAddr};

use url::{Host, Url};

/// The longest URL of a request. Servers commonly take 8,000 bytes of a request line.
const URL_BYTES_MAX: usize = 8_000;
/// DNS's limits of a name and of its labels.
const NAME_BYTES_MAX: usize = 253;
const LABEL_BYTES_MAX: usize = 63;

const SCHEME: &str = "the URL has to begin with https:// (or http://, where that is granted)";
const USERINFO: &str = "the URL has a user or password before its host; send them in a header, as a secret";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Http,
    Https,
}

impl Scheme {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) scheme: Scheme,
    /// A name in lower case and Punycode without a final dot, or an address.
    pub(super) host: Host<String>,
    pub(super) port: u16,
}

impl Place {
    /// Reads an absolute URL, and returns its place with the URL.
    ///
    /// # Errors
    /// Says what isn't allowed, without the URL's own text.
    pub(super) fn of_url(text: &str) -> Result<(Self, Url), String> {
        let authority = authority(text)?;
        let url = Url::parse(text).map_err(|error| format!("the URL can't be read: {error}"))?;
        // The text was checked for it; this is what the parser made of the text.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(USERINFO.to_owned());
        }
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return Err(SCHEME.to_owned()),
        };
        let host = url.host().ok_or("the URL has no host")?.to_owned();
        check_host(&host, authority)?;
        let port = url.port().unwrap_or(scheme.default_port());
        if port == 0 {
            return Err("port 0 can't be connected to".to_owned());
        }
        Ok((Self { scheme, host, port }, url))
    }

    /// Returns the value of a Host header, without the scheme's own port.
    pub(super) fn host_header(&self) -> String {
        if self.port == self.scheme.default_port() {
            self.host.to_string()
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Display for Place {
    /// Writes `https://rates.example:443`, always with the port.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}://{}:{}", self.scheme.as_str(), self.host, self.port)
    }
}

/// Returns what stands between the scheme and the path, after the checks that need the text as it was written.
fn authority(text: &str) -> Result<&str, String> {
    if text.len() > URL_BYTES_MAX {
        return Err(format!("the URL has {} bytes; at most {URL_BYTES_MAX} are allowed", text.len()));
    }
    if text.contains(|letter: char| letter.is_control() || letter.is_whitespace() || letter == '\\') {
        return Err("the URL has a space, a control character or a backslash; percent-encode it".to_owned());
    }
    let prefix = ["https://", "http://"]
        .into_iter()
        .find(|prefix| text.get(..prefix.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(prefix)));
    let rest = text.get(prefix.ok_or(SCHEME)?.len()..).unwrap_or_default();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(USERINFO.to_owned());
    }
    if authority.is_empty() || authority.starts_with(':') {
        return Err("the URL has no host".to_owned());
    }
    if authority.contains('%') {
        return Err("the URL's host is percent-encoded; write it as it is".to_owned());
    }
    Ok(authority)
}

/// Checks what the parser made of the host against how it was written.
fn check_host(host: &Host<String>, authority: &str) -> Result<(), String> {
    match host {
        Host::Domain(name) => check_name(name),
        Host::Ipv4(address) => {
            let written = authority.split(':').next().unwrap_or_default();
            if written == address.to_string() {
                Ok(())
            } else {
                Err(format!("the URL's host is an address; write {address}"))
            }
        }
        Host::Ipv6(address) => match address.to_canonical() {
            IpAddr::V4(mapped) => {
                Err(format!("the URL's host is an IPv4 address within an IPv6 address; write {mapped}"))
            }
            IpAddr::V6(_) => Ok(()),
        },
    }
}

fn check_name(name: &str) -> Result<(), String> {
    if name.ends_with('.') {
        return Err("the host's name ends with a dot; leave it out".to_owned());
    }
    if name.contains('*') {
        return Err("the host has to be one name; there are no wildcards".to_owned());
    }
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label) {
        Ok(())
    } else {
        Err("the host has to be a name of letters, digits, `-`, `_` and dots between them".to_owned())
    }
}
