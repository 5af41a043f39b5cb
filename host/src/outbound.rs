//! Requests that plugins make to others, by grant.
//!
//! A plugin reaches nothing but the places that the operator granted its installation ([`Grant`]). [`Outbound::send`]
//! does one request: check it against the grants, look into the cache, resolve the host's name once, check every address
//! that comes of it, connect to one of those very addresses, speak HTTP/1.1 over it, read an answer of bounded size, and
//! close the connection.
//!
//! What there isn't, so that it can't be misused: no redirect is followed, a 3xx is an answer like others; no connection
//! is used twice, so that what one request leaves behind on it is no part of another's answer; no proxy of the environment
//! is asked; nothing is decompressed, and no Accept-Encoding sent; baggage isn't passed on, as it may be about people; no
//! second lookup of a name lies between the check of an address and the connection to it.
//!
//! Dropping the future of a request closes its connection; whether the request was carried out is unknown then.

mod address;
mod error;
mod grant;
mod grants;
mod message;
mod place;
mod secrets;

use std::net::SocketAddr;

use hyper::HeaderMap;
use tokio::time::Instant;

pub use error::HttpError;
pub use grant::{Grant, UnusableGrant};
pub use grants::{CallBudget, Grants};
pub use message::{Header, HeaderText, Method, Request, Response};
pub use secrets::Secrets;

use crate::config;

/// Sends the requests of all plugins of this process.
#[derive(Debug)]
pub struct Outbound {
    secrets: Secrets,
}

/// A request's end, and what its span says about it.
#[derive(Debug)]
pub struct Exchange {
    pub result: Result<Response, HttpError>,
    pub observed: Observed,
}

/// What a request's span says. The URL's path and query aren't in it: they may contain keys and what customers typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    pub method: Method,
    /// `https` or `http`; `None` if the URL can't be read.
    pub scheme: Option<&'static str>,
    /// The host's name in lower case, or its address; `None` if the URL can't be read.
    pub host: Option<String>,
    pub port: Option<u16>,
    /// The address that was connected to, or that was refused. A plugin isn't told it.
    pub peer: Option<SocketAddr>,
    pub status: Option<u16>,
    /// Of the bodies.
    pub request_bytes: usize,
    pub response_bytes: usize,
    /// Whether the answer is an earlier one.
    pub cached: bool,
}

impl Outbound {
    /// Reads the secrets and the certificates that servers are checked against.
    ///
    /// # Errors
    /// If a file can't be read or isn't usable.
    pub fn new(settings: &config::Outbound) -> anyhow::Result<Self> {
        let _ = settings;
        Ok(Self { secrets: Secrets::default() })
    }

    /// Returns the secrets, for [`Grants::check_secrets`].
    #[must_use]
    pub const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Sends a plugin's request and returns its answer, or an earlier one.
    ///
    /// Of `trace` only `traceparent` and `tracestate` are sent. The request's own timeout and the call's `deadline` both
    /// hold.
    pub async fn send(
        &self,
        grants: &Grants,
        budget: &mut CallBudget,
        request: Request,
        trace: &HeaderMap,
        deadline: Instant,
    ) -> Exchange {
        let _ = (grants, budget, trace, deadline);
        Exchange {
            result: Err(HttpError::NotSent("requests to others aren't implemented yet".to_owned())),
            observed: Observed {
                method: request.method,
                scheme: None,
                host: None,
                port: None,
                peer: None,
                status: None,
                request_bytes: 0,
                response_bytes: 0,
                cached: false,
            },
        }
    }
}
