//! The client: one request and its answer.

use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Request, Response, StatusCode, Uri,
    body::Incoming,
    header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};

use super::{mix, outcome::Trace};
use crate::order::IdempotencyKey;

/// How long to wait for an answer: a host gives up after 7 s (`limits.request_ms`), and says so.
const ANSWER: Duration = Duration::from_secs(10);
/// How long an idle connection is kept: less than the 75 s after which a host closes it (`limits.idle_ms`).
const IDLE: Duration = Duration::from_secs(2);
/// The longest answer that is read, bytes. The answer to a cart of one line has some hundred.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// A shop to which checkouts are sent.
#[derive(Debug)]
pub struct Shop {
    client: Client<HttpConnector, Full<Bytes>>,
    checkout: Uri,
}

/// The result of a request.
#[derive(Debug, Clone)]
pub enum Said {
    Answer(Answer),
    Nothing(Silence),
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Silence {
    /// No connection: nothing was sent.
    Unreachable,
    /// The answer broke off or can't be read: the request's result is unknown.
    Torn,
    /// No answer within 10 s: the request's result is unknown.
    TimedOut,
}

#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
    /// Whether this is the repeated answer to an earlier request.
    pub replayed: bool,
    pub retry_after: Option<Duration>,
    pub trace: Option<Trace>,
}

impl Shop {
    /// Prepares requests to the shop at `url`, with at most `connections_max` idle connections.
    ///
    /// # Errors
    /// If the address isn't `http://host[:port]`.
    pub fn new(url: &str, connections_max: usize) -> anyhow::Result<Self> {
        let base: Uri = url.parse().with_context(|| format!("read {url:?}"))?;
        let has_host = base.host().is_some_and(|host| !host.is_empty());
        let sound = base.scheme_str() == Some("http") && has_host && base.query().is_none();
        anyhow::ensure!(sound, "--url has to be http://host[:port], not {url:?}; for https put a proxy in between");
        let checkout = format!("{}/checkout", url.trim_end_matches('/'));
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(ANSWER));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(connections_max)
            .build(connector);
        Ok(Self { client, checkout: checkout.parse().with_context(|| format!("read {url:?}"))? })
    }

    /// Opens a connection, to find out whether the shop can be reached.
    ///
    /// # Errors
    /// If it can't be reached.
    pub async fn reach(&self) -> std::io::Result<()> {
        let host = self.checkout.host().unwrap_or_default().trim_matches(['[', ']']);
        let connecting = tokio::net::TcpStream::connect((host, self.checkout.port_u16().unwrap_or(80)));
        tokio::time::timeout(ANSWER, connecting).await??;
        Ok(())
    }

    /// Sends the checkout with the key. May be dropped midway: then its result is unknown.
    pub async fn ask(&self, request: &mix::Request, key: &str) -> Said {
        let asked = Request::post(&self.checkout)
            .header(CONTENT_TYPE, request.content_type)
            .header(IdempotencyKey::HEADER, key)
            .header(USER_AGENT, concat!("till-traffic/", env!("CARGO_PKG_VERSION")))
            .body(Full::new(request.body.clone()));
        let Ok(asked) = asked else { return Said::Nothing(Silence::Torn) };
        let exchange = async {
            match self.client.request(asked).await {
                Ok(response) => read(response).await.map_or(Said::Nothing(Silence::Torn), Said::Answer),
                Err(error) if error.is_connect() => Said::Nothing(Silence::Unreachable),
                Err(_) => Said::Nothing(Silence::Torn),
            }
        };
        tokio::time::timeout(ANSWER, exchange).await.unwrap_or(Said::Nothing(Silence::TimedOut))
    }
}

impl Said {
    /// Returns the answer, if there is one.
    #[must_use]
    pub const fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Nothing(_) => None,
        }
    }
}

async fn read(response: Response<Incoming>) -> Option<Answer> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.ok()?.to_bytes();
    let text = |name| head.headers.get(name).and_then(|value| value.to_str().ok());
    Some(Answer {
        status: head.status,
        body,
        replayed: text("idempotency-replayed") == Some("true"),
        retry_after: text(RETRY_AFTER.as_str()).and_then(|value| value.parse().ok()).map(Duration::from_secs),
        trace: Trace::of(&head.headers),
    })
}
