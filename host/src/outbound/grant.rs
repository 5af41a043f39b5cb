//! One place that an installation's plugin may send requests to, as the operator granted it.

use std::{collections::BTreeSet, fmt, net::IpAddr, str::FromStr};

use url::Host;

use super::{
    address::Reach,
    message::Method,
    place::{Place, Scheme},
    secrets::is_secret_name,
};
use crate::units::KIB;

const REQUESTS: u32 = 4;
const REQUESTS_MAX: u32 = 64;
const BODY_KIB: usize = 64;
const BODY_KIB_MAX: usize = 4_096;
const SECRETS_MAX: usize = 8;

/// A grant: `https://rates.example`, then any of these, with spaces between them.
///
/// | word | default | meaning |
/// |---|---|---|
/// | `methods=get,post` | `get,post` | of `get`, `post`, `put` and `delete` |
/// | `requests=4` | 4 | requests of one call of the plugin, 1 to 64; answers from the cache count as well |
/// | `kib=64` | 64 | the most that a request's body has, and as much for its answer's, in KiB, 1 to 4096 |
/// | `private=yes` | `no` | allows addresses of the host's own networks: loopback, 10/8, 192.168/16, fc00::/7 and the like |
/// | `secrets=carrier-key` | none | secrets that headers may be filled from, up to 8 |
///
/// The place is scheme, host and port, without a path. The host is one name, with no wildcards, or an address. `http`
/// needs `private=yes`, because anybody between the host and an address elsewhere could read and change what is sent,
/// secrets included.
///
/// On a command line the whole grant is one argument: `--grant 'https://rates.example methods=get requests=1'`.
///
/// The canonical text (`Display`) has every word, so that a grant that is stored doesn't change with a later default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    pub(super) place: Place,
    pub(super) methods: BTreeSet<Method>,
    pub(super) requests: u32,
    pub(super) kib: usize,
    pub(super) private: bool,
    pub(super) secrets: BTreeSet<String>,
}

/// A text that is no grant; says what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct UnusableGrant(pub(super) String);

impl Grant {
    /// Returns the most bytes of a request's body, and of its answer's.
    pub(super) const fn bytes_max(&self) -> usize {
        self.kib * KIB
    }

    fn of_place(place: Place) -> Self {
        Self {
            place,
            methods: BTreeSet::from([Method::Get, Method::Post]),
            requests: REQUESTS,
            kib: BODY_KIB,
            private: false,
            secrets: BTreeSet::new(),
        }
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        match name {
            "methods" => self.methods = value.split(',').map(method).collect::<Result<_, _>>()?,
            "requests" => self.requests = number(name, value, REQUESTS_MAX)?,
            "kib" => self.kib = number(name, value, BODY_KIB_MAX)?,
            "private" => self.private = yes_or_no(value)?,
            "secrets" => self.secrets = secrets(value)?,
            _ => return Err(format!("there is no {name}=; write methods=, requests=, kib=, private= or secrets=")),
        }
        Ok(())
    }

    /// Checks what depends on several words.
    fn check(&self) -> Result<(), String> {
        if self.place.scheme == Scheme::Http && !self.private {
            return Err("http is for the host's own networks only; write https, or add private=yes".to_owned());
        }
        let reach = match &self.place.host {
            Host::Domain(_) => return Ok(()),
            Host::Ipv4(address) => Reach::of(IpAddr::V4(*address)),
            Host::Ipv6(address) => Reach::of(IpAddr::V6(*address)),
        };
        match reach {
            Reach::Private if !self.private => {
                Err("this is an address of the host's own networks; add private=yes".to_owned())
            }
            Reach::Never => Err("nothing may be sent to this address, not even with private=yes".to_owned()),
            Reach::Global | Reach::Private => Ok(()),
        }
    }
}

impl FromStr for Grant {
    type Err = UnusableGrant;

    /// Reads a grant.
    ///
    /// # Errors
    /// Says what to write instead.
    fn from_str(text: &str) -> Result<Self, UnusableGrant> {
        let mut words = text.split(' ').filter(|word| !word.is_empty());
        let place = place(words.next().unwrap_or_default()).map_err(UnusableGrant)?;
        let mut grant = Self::of_place(place);
        let mut seen = BTreeSet::new();
        for word in words {
            let (name, value) = word.split_once('=').ok_or_else(|| {
                UnusableGrant(format!("{word:?} isn't name=value; write for example methods=get,post requests=4"))
            })?;
            if !seen.insert(name) {
                return Err(UnusableGrant(format!(
                    "{name}= stands there twice; write it once, with commas in its value"
                )));
            }
            grant.set(name, value).map_err(UnusableGrant)?;
        }
        grant.check().map_err(UnusableGrant)?;
        Ok(grant)
    }
}

impl fmt::Display for Grant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let methods: Vec<_> = self.methods.iter().map(|method| method.in_lower_case()).collect();
        let private = if self.private { "yes" } else { "no" };
        let (place, methods, requests, kib) = (&self.place, methods.join(","), self.requests, self.kib);
        write!(out, "{place} methods={methods} requests={requests} kib={kib} private={private}")?;
        if !self.secrets.is_empty() {
            let secrets: Vec<_> = self.secrets.iter().map(String::as_str).collect();
            write!(out, " secrets={}", secrets.join(","))?;
        }
        Ok(())
    }
}

fn place(text: &str) -> Result<Place, String> {
    if text.is_empty() {
        return Err("the grant is empty; write a place, such as https://rates.example".to_owned());
    }
    let (place, url) =
        Place::of_url(text).map_err(|error| format!("{error}; write for example https://rates.example"))?;
    let alone = url.path() == "/" && !text.contains(['?', '#']);
    if alone { Ok(place) } else { Err(format!("a grant is for a whole host; leave out the path: {place}")) }
}

fn method(text: &str) -> Result<Method, String> {
    let method = Method::ALL.into_iter().find(|method| method.in_lower_case() == text);
    method.ok_or_else(|| {
        format!("{text:?} is no method; write some of get, post, put and delete, with commas between them")
    })
}

fn number<N: FromStr + PartialOrd + From<u8> + fmt::Display + Copy>(
    name: &str,
    text: &str,
    most: N,
) -> Result<N, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && (N::from(1)..=most).contains(number));
    number.ok_or_else(|| format!("{name}={text} can't be; write a whole number from 1 to {most}"))
}

fn yes_or_no(text: &str) -> Result<bool, String> {
    match text {
        "yes" => Ok(true),
        "no" => Ok(false),
        _ => Err("private is yes or no".to_owned()),
    }
}

fn secrets(text: &str) -> Result<BTreeSet<String>, String> {
    let names: BTreeSet<_> = text.split(',').map(str::to_owned).collect();
    if names.len() > SECRETS_MAX {
        return Err(format!("a grant has at most {SECRETS_MAX} secrets"));
    }
    match names.iter().find(|name| !is_secret_name(name)) {
        Some(name) => Err(format!(
            "{name:?} is no secret's name; write names of files in outbound.secrets, with commas between them"
        )),
        None => Ok(names),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, canonical: &str) {
        let grant: Grant = text.parse().expect("a grant");
        assert_eq!(grant.to_string(), canonical);
        assert_eq!(canonical.parse(), Ok(grant), "{canonical} read again");
    }

    fn refused(text: &str, expected: &str) {
        let error = text.parse::<Grant>().expect_err(text).to_string();
        assert!(error.contains(expected), "{text:?}: {error:?} lacks {expected:?}");
    }

    #[test]
    fn a_grant_has_one_text() {
        let rest = "methods=get,post requests=4 kib=64 private=no";
        check("https://rates.example", &format!("https://rates.example:443 {rest}"));
        check("https://rates.example/", &format!("https://rates.example:443 {rest}"));
        check("HTTPS://Rates.Example:443", &format!("https://rates.example:443 {rest}"));
        check("https://b\u{fc}cher.example:8443", &format!("https://xn--bcher-kva.example:8443 {rest}"));
        check("https://1.1.1.1", &format!("https://1.1.1.1:443 {rest}"));
        check("https://[2606:4700:0::1111]", &format!("https://[2606:4700::1111]:443 {rest}"));
        check(
            "  https://rates.example  secrets=b-key,a-key,b-key private=yes kib=4096 requests=64 methods=delete,put,get ",
            "https://rates.example:443 methods=get,put,delete requests=64 kib=4096 private=yes secrets=a-key,b-key",
        );
        check(
            "http://localhost:9000 private=yes",
            "http://localhost:9000 methods=get,post requests=4 kib=64 private=yes",
        );
        check("http://[::1] private=yes", "http://[::1]:80 methods=get,post requests=4 kib=64 private=yes");
        check("https://10.0.0.1 private=yes", "https://10.0.0.1:443 methods=get,post requests=4 kib=64 private=yes");
    }

    #[test]
    fn a_text_that_is_no_grant_is_told_what_to_write() {
        refused("", "write a place, such as https://rates.example");
        refused("   ", "the grant is empty");
        refused("rates.example", "write for example https://rates.example");
        refused("ftp://rates.example", "has to begin with https://");
        refused("*", "has to begin with https://");
        refused("https://*", "no wildcards");
        refused("https://*.rates.example", "no wildcards");
        refused("https://rates.example.", "ends with a dot");
        refused("https://rates.example:0", "port 0");
        refused("https://user@rates.example", "send them in a header, as a secret");
        refused("https://rates.example/v1", "leave out the path: https://rates.example:443");
        refused("https://rates.example?x", "leave out the path");
        refused("https://rates.example#x", "leave out the path");
        refused("https://rates.example\tmethods=get", "control character");
        refused("https://rates.example,methods=get", "letters, digits");
        refused("https://rates.example methods", "isn't name=value");
        refused("https://rates.example method=get", "there is no method=");
        refused("https://rates.example methods=", "\"\" is no method");
        refused("https://rates.example methods=GET", "\"GET\" is no method; write some of get, post");
        refused("https://rates.example methods=get+post", "with commas between them");
        refused("https://rates.example methods=patch", "\"patch\" is no method");
        refused("https://rates.example methods=get methods=post", "methods= stands there twice");
        for number in ["0", "65", "-1", "+1", "1.5", "", "x", "99999999999999999999"] {
            refused(&format!("https://rates.example requests={number}"), "a whole number from 1 to 64");
        }
        for number in ["0", "4097", "64k"] {
            refused(&format!("https://rates.example kib={number}"), "a whole number from 1 to 4096");
        }
        refused("https://rates.example private=true", "private is yes or no");
        refused("https://rates.example secrets=", "\"\" is no secret's name");
        refused("https://rates.example secrets=../key", "\"../key\" is no secret's name");
        refused("https://rates.example secrets=a,b,c,d,e,f,g,h,i", "at most 8 secrets");
    }

    #[test]
    fn a_place_that_is_never_reached_isnt_granted() {
        refused("http://rates.example", "write https, or add private=yes");
        refused("http://127.0.0.1:80", "add private=yes");
        refused("https://127.0.0.1", "of the host's own networks; add private=yes");
        refused("https://[fd00::1]", "of the host's own networks; add private=yes");
        refused("https://[::ffff:10.0.0.1] private=yes", "write 10.0.0.1");
        refused("http://0x7f.1 private=yes", "write 127.0.0.1");
        refused("http://169.254.169.254 private=yes", "not even with private=yes");
        refused("http://[fd00:ec2::254] private=yes", "not even with private=yes");
        refused("http://0.0.0.0:8001 private=yes", "not even with private=yes");
        refused("https://[2002:7f00:1::] private=yes", "not even with private=yes");
    }
}
