//! The host names that a listener accepts.
//!
//! Another site can let its name point to this machine (DNS rebinding), and a browser then treats the host's answers as
//! that site's. The browser sends the name, so requests with a foreign name are refused. Requests with an address are
//! accepted, and those without a name, which only HTTP/1.0 clients send, never browsers.

use std::net::IpAddr;

use hyper::{HeaderMap, header::HOST};

use super::problem::Problem;
use crate::config::{HostNames, Settings};

/// The names that a listener answers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hosts {
    named: HostNames,
    own: IpAddr,
    /// What a client should do instead of using another name.
    advice: &'static str,
}

impl Hosts {
    /// Returns the shop's names; `None` if it listens on another address than loopback and no name is set, so that any
    /// name is accepted.
    #[must_use]
    pub fn of_shop(settings: &Settings) -> Option<Self> {
        let hosts = Self::of_inventory(settings);
        (hosts.own.is_loopback() || !hosts.named.is_empty()).then_some(hosts)
    }

    /// Returns the names for the routes that change stock without a token.
    pub(super) fn of_inventory(settings: &Settings) -> Self {
        let server = &settings.server;
        let advice = "ask for it by its address, or have server.hosts list the name";
        Self { named: server.hosts.clone(), own: server.listen.ip(), advice }
    }

    /// Returns the admin listener's names.
    pub(crate) fn of_admin(settings: &Settings) -> Self {
        let advice = "ask for it as 127.0.0.1";
        Self { named: HostNames::default(), own: settings.server.admin.ip(), advice }
    }

    /// # Errors
    /// 403 for a request with another name.
    pub fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(host) = headers.get(HOST) else { return Ok(()) };
        let name = host.to_str().map(name_of).unwrap_or_default();
        if self.has(&name) {
            return Ok(());
        }
        Err(Problem::forbidden(format!("this host isn't called {name:.100?}; {}", self.advice)))
    }

    fn has(&self, name: &str) -> bool {
        match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) if self.own.is_loopback() => address.to_canonical().is_loopback() || address == self.own,
            Ok(_) => true,
            Err(_) => name == "localhost" || self.named.contains(name),
        }
    }
}

/// Returns the name without its port, in lower case, and without the final dot of a fully qualified name (RFC 9110,
/// 4.2.3; RFC 3986, 3.2.2).
fn name_of(host: &str) -> String {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;

    use super::*;
    use crate::config::Sources;

    fn settings(flags: &[&str]) -> Settings {
        let mut sources = Sources::defaults();
        sources.add_flags(flags.iter().copied()).expect("flags");
        Settings::load(&sources).expect("usable")
    }

    fn answers(hosts: &Hosts, host: &str) -> bool {
        let headers = [(HOST, HeaderValue::from_str(host).expect("a value"))].into_iter().collect();
        hosts.check(&headers).is_ok()
    }

    /// Issue 15.12: a page whose site's name pointed here took pieces from stock through a browser.
    #[test]
    fn on_loopback_a_listener_has_the_names_of_this_machine_and_those_that_are_set() {
        let own = settings(&[]);
        let named = settings(&["server.hosts=shop.example, Till.Example."]);
        let hosts = Hosts::of_shop(&named).expect("names");
        for name in
            ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST.:80", "localhost:", "[::1]:8000", "127.0.0.2"]
        {
            for hosts in [&hosts, &Hosts::of_admin(&own), &Hosts::of_shop(&own).expect("names")] {
                assert!(answers(hosts, name), "{name} {hosts:?}");
            }
        }
        for name in ["shop.example", "Shop.Example:443", "shop.example.", "till.example"] {
            assert!(answers(&hosts, name), "{name}");
            assert!(!answers(&Hosts::of_admin(&named), name), "{name}");
        }
        for name in ["evil.example", "evil.shop.example", "shop.example.evil", "127.0.0.1.evil.example", "", "10.0.0.1"]
        {
            assert!(!answers(&hosts, name), "{name}");
        }
        assert!(hosts.check(&HeaderMap::new()).is_ok(), "HTTP/1.0");
    }

    #[test]
    fn off_loopback_any_address_is_its_own_and_any_name_while_none_is_set() {
        assert_eq!(Hosts::of_shop(&settings(&["server.listen=0.0.0.0:8000"])), None);
        for flags in [&["server.listen=0.0.0.0:8000"][..], &["server.listen=0.0.0.0:8000", "server.hosts=shop.example"]]
        {
            let hosts = Hosts::of_inventory(&settings(flags));
            assert!(answers(&hosts, "10.0.0.1:8000") && answers(&hosts, "localhost"));
            assert!(!answers(&hosts, "evil.example"));
            assert_eq!(answers(&hosts, "shop.example"), flags.len() > 1);
        }
    }
}
