//! Links to a request's trace on the admin listener, under the address by which people reach it.

use std::net::SocketAddr;

use hyper::{Uri, header::HeaderValue};
use opentelemetry::trace::TraceId;

/// The beginning of every link to a trace, `http://127.0.0.1:8001`, without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceLinks(String);

impl TraceLinks {
    /// Returns links to the listener at `admin`, or to `url` if that setting is set.
    ///
    /// # Errors
    /// If the setting isn't an http address.
    pub fn new(url: Option<&str>, scheme: &str, admin: SocketAddr) -> anyhow::Result<Self> {
        let Some(url) = url else { return Ok(Self(format!("{scheme}://{}", reachable(admin)))) };
        let sound = url.parse::<Uri>().is_ok_and(|url| {
            matches!(url.scheme_str(), Some("http" | "https"))
                && url.authority().is_some_and(|authority| !authority.host().is_empty())
                && url.query().is_none()
        });
        anyhow::ensure!(
            sound,
            "traces.url = {url:?}: wanted an address such as http://till.example:8001, or with the path that a proxy takes \
             off: https://shop.example/till"
        );
        Ok(Self(url.trim_end_matches('/').to_owned()))
    }

    /// Returns the address of the page that lists the traces.
    #[must_use]
    pub fn page(&self) -> String {
        format!("{}/traces", self.0)
    }

    /// Returns the value of the header `link` (RFC 8288).
    pub(super) fn header(&self, id: TraceId) -> Option<HeaderValue> {
        HeaderValue::try_from(format!("<{}/traces/{id}>; rel=\"trace\"", self.0)).ok()
    }
}

/// Returns the address for a browser on this machine: a wildcard address becomes `localhost`.
fn reachable(admin: SocketAddr) -> String {
    if admin.ip().is_unspecified() { format!("localhost:{}", admin.port()) } else { admin.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_begin_with_what_people_reach() {
        for (url, admin, page) in [
            (None, "127.0.0.1:8001", Some("http://127.0.0.1:8001/traces")),
            (None, "[::1]:8001", Some("http://[::1]:8001/traces")),
            (None, "0.0.0.0:8001", Some("http://localhost:8001/traces")),
            (None, "[::]:8001", Some("http://localhost:8001/traces")),
            (Some("https://till.example/"), "0.0.0.0:8001", Some("https://till.example/traces")),
            (Some("https://till.example/admin/"), "0.0.0.0:8001", Some("https://till.example/admin/traces")),
            (Some("till.example"), "0.0.0.0:8001", None),
            (Some("ftp://till.example"), "0.0.0.0:8001", None),
            (Some("http://till.example/?a=b"), "0.0.0.0:8001", None),
            (Some("http://till.example/> rel"), "0.0.0.0:8001", None),
        ] {
            let links = TraceLinks::new(url, "http", admin.parse().unwrap());
            assert_eq!(links.ok().map(|links| links.page()).as_deref(), page, "{url:?} {admin}");
        }
        let secured = TraceLinks::new(None, "https", "127.0.0.1:8001".parse().unwrap()).expect("links");
        assert_eq!(secured.page(), "https://127.0.0.1:8001/traces");
    }
}
