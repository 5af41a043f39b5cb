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
mod cache;
mod connect;
mod error;
mod exchange;
mod grant;
mod grants;
mod message;
mod place;
mod prepared;
mod room;
mod secrets;
mod tls;
mod wire;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use cache::{Cache, Key};
use connect::Connector;
use exchange::{AnswerLimits, exchange};
use hyper::HeaderMap;
use place::Place;
use prepared::Prepared;
use room::Room;
use tls::Tls;
use tokio::time::{Instant, timeout_at};
use wire::{Watched, Wire};

pub use error::HttpError;
pub use grant::{Grant, UnusableGrant};
pub use grants::{CallBudget, Grants};
pub use message::{Header, HeaderText, Method, Request, Response};
pub use secrets::Secrets;

use crate::{
    config,
    units::{MIB, millis},
};

/// Sends the requests of all plugins of this process.
#[derive(Debug)]
pub struct Outbound {
    secrets: Secrets,
    connector: Connector,
    cache: Cache,
    room: Room,
    headers_max: usize,
    header_bytes_max: usize,
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
    /// Reads the secrets and the certificates of `outbound.ca_file`.
    ///
    /// # Errors
    /// If a file can't be read or isn't usable.
    pub fn new(settings: &config::Outbound) -> anyhow::Result<Self> {
        let tls = Tls::new(settings.ca_file.as_deref())?;
        Ok(Self {
            secrets: settings.secrets.as_deref().map(Secrets::read).transpose()?.unwrap_or_default(),
            connector: Connector::new(tls, settings.lookups),
            cache: Cache::new(settings.cache_mib.saturating_mul(MIB)),
            room: Room::new(settings.requests, settings.bodies_mib),
            headers_max: settings.headers,
            header_bytes_max: settings.header_bytes,
        })
    }

    /// Returns the secrets, for [`Grants::check_secrets`].
    #[must_use]
    pub const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Sends a plugin's request and returns its answer, or an earlier one.
    ///
    /// Of `trace` only `traceparent` and `tracestate` are sent. The request's own timeout and the call's `deadline` both
    /// hold. A request whose place and method are granted counts in `budget`, whatever comes of it.
    pub async fn send(
        &self,
        grants: &Grants,
        budget: &mut CallBudget,
        request: Request,
        trace: &HeaderMap,
        deadline: Instant,
    ) -> Exchange {
        let mut observed = Observed::of(&request);
        let result = self.answer(grants, budget, &request, trace, deadline, &mut observed).await;
        if let Ok(response) = &result {
            observed.status = Some(response.status);
            observed.response_bytes = response.body.len();
        }
        Exchange { result, observed }
    }

    async fn answer(
        &self,
        grants: &Grants,
        budget: &mut CallBudget,
        request: &Request,
        trace: &HeaderMap,
        deadline: Instant,
        observed: &mut Observed,
    ) -> Result<Response, HttpError> {
        let (place, url) = Place::of_url(&request.url).map_err(HttpError::NotGranted)?;
        observed.is_to(&place);
        let grant = grants.take(budget, &place, request.method)?;
        let mut prepared = Prepared::new(request, &url, grant, &self.secrets)?;
        let key = Key::of(grants.name(), request);
        let earlier = key.as_ref().and_then(|key| self.cache.find(key, Instant::now()));
        // The grant may have become smaller since.
        if let Some(response) = earlier.filter(|response| response.body.len() <= grant.bytes_max()) {
            observed.cached = true;
            return Ok(response);
        }
        prepared.add_trace(trace);
        let deadline = deadline.min(Instant::now() + Duration::from_millis(request.timeout_ms.into()));
        let mut response = self.ask(grant, prepared, deadline, observed).await?;
        // Not only those of this request: a place may show what an earlier one left there.
        for secret in grants.secrets(&self.secrets) {
            response.blank(secret);
        }
        if let Some(key) = key {
            self.cache.keep(&key, &response, Instant::now());
        }
        Ok(response)
    }

    /// Asks the place itself, until the deadline.
    async fn ask(
        &self,
        grant: &Grant,
        prepared: Prepared,
        deadline: Instant,
        observed: &mut Observed,
    ) -> Result<Response, HttpError> {
        let wire = Arc::new(Wire::default());
        let begin = Instant::now();
        let late = || {
            let (place, waited_ms) = (&grant.place, millis(begin.elapsed()));
            if wire.is_written() {
                HttpError::Unknown(format!("no whole answer from {place} within {waited_ms} ms"))
            } else {
                HttpError::NotSent(format!("no connection to {place} within {waited_ms} ms"))
            }
        };
        let asked = async {
            // Held until the answer is there.
            let _place = self.room.wait_for_place(grant).await?;
            let addresses = self.connector.addresses(&grant.place, grant.private).await;
            let addresses = addresses.map_err(|(error, address)| {
                observed.peer = address;
                error
            })?;
            let (link, peer) = self.connector.connect(&grant.place, &addresses, deadline).await?;
            observed.peer = Some(peer);
            let limits = AnswerLimits {
                headers: self.headers_max,
                header_bytes: self.header_bytes_max,
                body_bytes: grant.bytes_max(),
            };
            let connection = Watched::new(link, Arc::clone(&wire), limits.read_bytes());
            // A timer that is late must not let the request begin.
            if Instant::now() >= deadline { Err(late()) } else { exchange(connection, prepared, limits, &wire).await }
        };
        timeout_at(deadline, asked).await.unwrap_or_else(|_| Err(late()))
    }
}

impl Observed {
    fn of(request: &Request) -> Self {
        Self {
            method: request.method,
            scheme: None,
            host: None,
            port: None,
            peer: None,
            status: None,
            request_bytes: request.body.as_ref().map_or(0, bytes::Bytes::len),
            response_bytes: 0,
            cached: false,
        }
    }

    fn is_to(&mut self, place: &Place) {
        self.scheme = Some(place.scheme.as_str());
        self.host = Some(place.host.to_string());
        self.port = Some(place.port);
    }
}

#[cfg(test)]
mod tests;
