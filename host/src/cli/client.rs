//! The client of a running host's admin listener.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::text::visible;
use crate::{
    config::read_token,
    tls::{self, Authorities},
};

/// How long an answer may take.
const READ_WITHIN: Duration = Duration::from_secs(120);
/// The same for a change. The host compiles a plugin before it answers: minutes for an interpreter, where the machine has other things to do.
const CHANGED_WITHIN: Duration = Duration::from_secs(600);
/// The longest text that is shown of an answer without a problem document, bytes.
const TEXT_BYTES_MAX: usize = 200;
const JSON: &str = "application/json";

/// The flags that name the host.
#[derive(Debug, Args)]
pub(super) struct Admin {
    /// The admin listener of the host.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8001", env = "TILL_ADMIN_URL")]
    admin: String,
    /// The file with the admin listener's bearer token, if it requires one.
    #[arg(long, value_name = "FILE", env = "TILL_ADMIN_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// For an https address: the certificates, in PEM, that the host has to show one of [default: the system's].
    #[arg(long, value_name = "FILE", env = "TILL_ADMIN_CA_FILE")]
    ca_file: Option<PathBuf>,
    /// The certificate, in PEM, to show a host that asks for one.
    #[arg(long, value_name = "FILE", env = "TILL_ADMIN_CERT_FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// The key, in PEM, of --cert-file.
    #[arg(long, value_name = "FILE", env = "TILL_ADMIN_KEY_FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
    /// Prints JSON, for programs.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

/// No host answers at the address.
#[derive(Debug, thiserror::Error)]
#[error("{admin} can't be reached ({reason}); is till serving there? --admin URL says where")]
pub(super) struct Unreachable {
    admin: String,
    reason: String,
}

/// Returns a path with a query of the pairs that have a value.
pub(super) fn with_query<'a>(path: &str, pairs: impl IntoIterator<Item = (&'a str, Option<String>)>) -> String {
    let given = pairs.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let encoded = given.map(|(name, value)| format!("{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC)));
    let query = encoded.collect::<Vec<_>>().join("&");
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A list that the host returns in pages.
pub(super) trait Paged: DeserializeOwned {
    /// Returns the `after` of the next page; `None` on the last page.
    fn next_after(&self) -> Option<String>;

    /// Appends the next page and takes over its `next_after`.
    fn append(&mut self, next: Self);
}

impl Admin {
    /// Returns a host at this address, without a token.
    pub(super) const fn at(admin: String) -> Self {
        Self { admin, token_file: None, ca_file: None, cert_file: None, key_file: None, json: false }
    }

    /// Returns the answer to a `GET`.
    ///
    /// # Errors
    /// If the host can't be reached, or the host's refusal.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.call(Method::GET, path, Bytes::new(), JSON)
    }

    /// Returns the answer to a `GET`, `None` if the host has nothing there.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) fn find<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Option<T>> {
        let answer = self.ask(Method::GET, path, Bytes::new(), JSON)?;
        if answer.status == StatusCode::NOT_FOUND { Ok(None) } else { answer.read().map(Some) }
    }

    /// Returns the address of a path of the admin listener.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.admin.trim_end_matches('/'))
    }

    /// Returns all pages of a list as one.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) fn all<T: Paged>(&self, path: &str) -> anyhow::Result<T> {
        let mut all: T = self.get(path)?;
        while let Some(after) = all.next_after() {
            all.append(self.get(&format!("{path}?after={}", utf8_percent_encode(&after, NON_ALPHANUMERIC)))?);
        }
        Ok(all)
    }

    /// Returns the answer to a `POST`.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) fn post<T: DeserializeOwned>(&self, path: &str, body: &Value) -> anyhow::Result<T> {
        self.call(Method::POST, path, serde_json::to_vec(body)?.into(), JSON)
    }

    /// Returns the answer to a `DELETE`.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) fn delete<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.call(Method::DELETE, path, Bytes::new(), JSON)
    }

    /// Returns the answer to a `POST` of a plugin's file.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) fn post_component<T: DeserializeOwned>(&self, path: &str, bytes: Bytes) -> anyhow::Result<T> {
        self.call(Method::POST, path, bytes, "application/wasm")
    }

    /// Returns the answer to a `POST` of a file.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) fn post_file<T: DeserializeOwned>(
        &self,
        path: &str,
        bytes: Vec<u8>,
        content_type: &'static str,
    ) -> anyhow::Result<T> {
        self.call(Method::POST, path, bytes.into(), content_type)
    }

    /// Returns a file of the host's.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) fn file(&self, path: &str) -> anyhow::Result<Bytes> {
        self.ask(Method::GET, path, Bytes::new(), JSON)?.whole()
    }

    fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        content_type: &'static str,
    ) -> anyhow::Result<T> {
        self.ask(method, path, body, content_type)?.read()
    }

    fn ask(&self, method: Method, path: &str, body: Bytes, content_type: &'static str) -> anyhow::Result<Answer> {
        let uri = self.url(path);
        let within = if method == Method::GET { READ_WITHIN } else { CHANGED_WITHIN };
        let mut request = Request::builder().method(method).uri(&uri).header(CONTENT_TYPE, content_type);
        if let Some(file) = &self.token_file {
            request = request.header(AUTHORIZATION, format!("Bearer {}", read_token(file)?));
        }
        let request = request.body(Full::new(body)).with_context(|| format!("ask {uri}"))?;

        let connector = self.connector()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (status, body) = runtime.block_on(async {
            let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
            let exchange = async {
                let response = client
                    .request(request)
                    .await
                    .map_err(|error| Unreachable { admin: self.admin.clone(), reason: with_causes(&error) })?;
                let status = response.status();
                anyhow::Ok((status, response.into_body().collect().await?.to_bytes()))
            };
            let late = || {
                format!(
                    "{} didn't answer within {} s; what it was asked for may be done all the same",
                    self.admin,
                    within.as_secs()
                )
            };
            tokio::time::timeout(within, exchange).await.with_context(late)?
        })?;
        Ok(Answer { uri, status, body })
    }

    /// Returns what connects to the host, within TLS if its address says so.
    fn connector(&self) -> anyhow::Result<HttpsConnector<HttpConnector>> {
        let identity = self.cert_file.as_deref().zip(self.key_file.as_deref());
        let tls = match &self.ca_file {
            _ if !self.admin.starts_with("https:") => tls::client(Authorities::None, None),
            Some(file) => tls::client(Authorities::OfFile(file), identity),
            None => tls::client(Authorities::OfSystem, identity),
        };
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls?).https_or_http().enable_http1();
        Ok(connector.wrap_connector(http))
    }
}

/// Returns what is said of an answer that isn't a problem document, with its text if that is a short one.
fn unexpected(uri: &str, status: StatusCode, body: &[u8]) -> String {
    match std::str::from_utf8(body).map(str::trim) {
        Ok(text) if (1..=TEXT_BYTES_MAX).contains(&text.len()) => format!("{uri} answered {status}: {}", visible(text)),
        _ => format!("{uri} answered {status}"),
    }
}

/// Returns an error's text with its causes: hyper's own leaves out the certificate that it is about.
fn with_causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// An answer of the host.
struct Answer {
    uri: String,
    status: StatusCode,
    body: Bytes,
}

impl Answer {
    /// # Errors
    /// The host's refusal.
    fn whole(self) -> anyhow::Result<Bytes> {
        let Self { uri, status, body } = self;
        if !status.is_success() {
            let problem: Option<Problem> = serde_json::from_slice(&body).ok();
            anyhow::bail!(problem.map_or_else(|| unexpected(&uri, status, &body), |problem| problem.detail));
        }
        Ok(body)
    }

    /// # Errors
    /// The host's refusal, and an answer that is something else.
    fn read<T: DeserializeOwned>(self) -> anyhow::Result<T> {
        let uri = self.uri.clone();
        serde_json::from_slice(&self.whole()?).with_context(|| format!("read the answer of {uri}"))
    }
}
