//! Another till's inventory, across the network.
//!
//! A 200 that can be parsed, or a problem document with a code which says that nothing was taken, is a known outcome.
//! Otherwise (a timeout, another code, an answer that is cut off or not a till's) it is unknown what the remote did.
//!
//! A deduct has a reference of its own as its `Idempotency-Key`, and Till sends it once: an unknown outcome makes the
//! order PENDING_RELEASE. There is one exception: the HTTP client itself sends a request again if its pooled connection
//! had closed before anything of the request was written. A release is repeated until the remote confirms it, with
//! growing pauses (`shop/release.rs`); a second release changes nothing.

mod answer;

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, StatusCode, Uri,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue},
    http::uri::InvalidUri,
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use opentelemetry::{
    KeyValue,
    trace::{SpanContext, SpanKind},
};
use rustls::ClientConfig;
use serde::Serialize;

use crate::{
    config::{Limits, Server, read_token},
    failure::Failure,
    order::{IdempotencyKey, Reference, StockLine},
    store::StockLevel,
    telemetry::{
        Propagator,
        names::{attribute, span},
        propagation::Carried,
        traces::{Span, Tracer},
    },
    tls::{self, Authorities},
};

/// A connection pool to one other till.
#[derive(Debug)]
pub struct Remote {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    url: Arc<str>,
    /// The former address of the same inventory.
    former_url: Option<String>,
    deduct: Uri,
    authorization: Option<HeaderValue>,
    propagator: Propagator,
    call: Duration,
    body_bytes_max: usize,
}

#[derive(Serialize)]
struct Lines<'a> {
    lines: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    item: &'a str,
    quantity: u32,
}

impl Remote {
    /// Prepares calls to the till at `url`; connects at the first of them.
    ///
    /// # Errors
    /// When the address isn't `http://host[:port]` or `https://host[:port]`, or a file can't be used.
    pub fn new(url: &str, server: &Server, propagator: Propagator, limits: &Limits) -> anyhow::Result<Arc<Self>> {
        let base: Uri = url.parse().with_context(|| format!("read INVENTORY_URL {url:?}"))?;
        // Anything after the host would come before each route's path, or be lost.
        let is_whole = matches!(base.path(), "" | "/") && base.query().is_none() && !url.contains(['#', '@']);
        anyhow::ensure!(
            matches!(base.scheme_str(), Some("http" | "https")) && base.host().is_some() && is_whole,
            "INVENTORY_URL has to be http://host[:port] or https://host[:port] alone, not {url:?}; for a path put a proxy in between"
        );
        let is_secured = base.scheme_str() == Some("https");
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.enforce_http(false);
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls_to(server, is_secured)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        // The client by itself sends a request again only if nothing of it was sent: the pooled connection had closed
        // before hyper began to write (`retry_canceled_requests`, on by default, has only what hyper's `TrySendError`
        // gives back). So the remote never gets a request twice. If it did, it would refuse the second or answer it as
        // the first, by their key.
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            // Well before the other till closes the connection (its limits.idle_ms): a deduct on a connection that is
            // just being closed has an unknown outcome.
            .pool_idle_timeout(Duration::from_secs(2))
            .http1_max_buf_size(limits.remote_body_bytes.max(8192))
            .build(connector);
        Ok(Arc::new(Self {
            client,
            deduct: at(url, "/inventory/deduct").with_context(|| format!("read INVENTORY_URL {url:?}"))?,
            url: url.into(),
            former_url: server.inventory_url_before.clone(),
            authorization: server.inventory_token_file.as_deref().map(bearer).transpose()?,
            propagator,
            call: Duration::from_millis(limits.remote_call_ms),
            body_bytes_max: limits.remote_body_bytes,
        }))
    }

    /// Returns the address as it was set.
    #[must_use]
    pub fn url(&self) -> Arc<str> {
        Arc::clone(&self.url)
    }

    /// Asks the remote to take the lines under the reference.
    ///
    /// # Errors
    /// The remote's refusal; [`Failure::InventoryUnreachable`] or [`Failure::InventoryRefused`] when it is unknown what
    /// the remote did.
    pub async fn deduct(
        &self,
        tracer: &Tracer,
        parent: &SpanContext,
        carried: &Carried,
        reference: &Reference,
        lines: &[StockLine],
    ) -> Result<Vec<StockLevel>, Failure> {
        let asked = lines.iter().map(|line| Line { item: line.item.as_str(), quantity: line.quantity.pieces() });
        let body = Lines { lines: asked.collect() };
        let mut span = self.span(tracer, parent, &self.deduct);
        let answered = self.post(&self.deduct, &mut span, carried, Some(reference), &body).await;
        ended(span, answered.and_then(|(status, body)| answer::of_deduct(status, &body, lines)))
    }

    /// Asks the inventory at that address to give back what it took under the reference, if anything. By now deducts
    /// may be sent to another address; the former one of the same inventory is replaced by the current one.
    ///
    /// # Errors
    /// [`Failure::Unavailable`] when the remote refused this release; [`Failure::InventoryUnreachable`] or
    /// [`Failure::InventoryRefused`] when it didn't confirm for another reason.
    pub async fn release(
        &self,
        tracer: &Tracer,
        parent: &SpanContext,
        url: &str,
        reference: &Reference,
    ) -> Result<(), Failure> {
        let url = if self.former_url.as_deref() == Some(url) { &self.url } else { url };
        let release = at(url, "/inventory/release").map_err(|error| unreachable(&error))?;
        let body = serde_json::json!({ "reference": reference.as_str() });
        let mut span = self.span(tracer, parent, &release);
        let answered = self.post(&release, &mut span, &Carried::default(), None, &body).await;
        ended(span, answered.and_then(|(status, body)| answer::of_release(status, &body)))
    }

    fn span(&self, tracer: &Tracer, parent: &SpanContext, uri: &Uri) -> Span {
        let attributes = vec![
            KeyValue::new(attribute::HTTP_REQUEST_METHOD, "POST"),
            KeyValue::new(attribute::URL_FULL, uri.to_string()),
            KeyValue::new(attribute::SERVER_ADDRESS, uri.host().unwrap_or_default().to_owned()),
            KeyValue::new(
                attribute::SERVER_PORT,
                i64::from(uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 })),
            ),
        ];
        tracer.start(span::CALL_INVENTORY_SERVICE, SpanKind::Client, Some(parent), attributes)
    }

    async fn post(
        &self,
        uri: &Uri,
        span: &mut Span,
        carried: &Carried,
        key: Option<&Reference>,
        body: &impl Serialize,
    ) -> Result<(StatusCode, Bytes), Failure> {
        let body = serde_json::to_vec(body).map_err(|error| unreachable(&error))?;
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        if let Some(authorization) = &self.authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        if let Some(key) = key {
            let key = HeaderValue::from_str(key.as_str()).map_err(|error| unreachable(&error))?;
            headers.insert(IdempotencyKey::HEADER, key);
        }
        // Inside the CLIENT span, so that the remote's spans are below it and not beside it.
        self.propagator.inject(span.context(), carried, headers);
        let exchange = async {
            let response = self.client.request(request).await.map_err(|error| unreachable(&Chain(&error)))?;
            let status = response.status();
            let body = Limited::new(response.into_body(), self.body_bytes_max).collect().await;
            Ok::<_, Failure>((status, body.map_err(|error| unreachable(&error))?.to_bytes()))
        };
        let answered = tokio::time::timeout(self.call, exchange).await;
        let (status, body) =
            answered.map_err(|_| unreachable(&format_args!("no answer within {} ms", self.call.as_millis())))??;
        span.set(attribute::HTTP_RESPONSE_STATUS_CODE, i64::from(status.as_u16()));
        Ok((status, body))
    }
}

/// Returns what speaks TLS to the other till. The system's authorities are read only if they are needed.
fn tls_to(server: &Server, is_secured: bool) -> anyhow::Result<ClientConfig> {
    let identity = server.inventory_cert_file.as_deref().zip(server.inventory_key_file.as_deref());
    match (&server.inventory_ca_file, is_secured) {
        (None, true) => tls::client(Authorities::OfSystem, identity),
        (Some(file), true) => tls::client(Authorities::OfFile(file), identity),
        (_, false) => tls::client(Authorities::None, None),
    }
}

fn at(url: &str, path: &str) -> Result<Uri, InvalidUri> {
    format!("{}{path}", url.trim_end_matches('/')).parse()
}

fn ended<T>(mut span: Span, result: Result<T, Failure>) -> Result<T, Failure> {
    if let Err(failure) = &result {
        failure.mark(&mut span);
    }
    span.end();
    result
}

fn unreachable(reason: &dyn std::fmt::Display) -> Failure {
    Failure::InventoryUnreachable(reason.to_string())
}

fn bearer(file: &Path) -> anyhow::Result<HeaderValue> {
    let token = read_token(file)?;
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .with_context(|| format!("use the token in {}", file.display()))?;
    value.set_sensitive(true);
    Ok(value)
}

/// An error with its causes: hyper's own text leaves out the refused connection that it is about.
struct Chain<'a>(&'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(out, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
