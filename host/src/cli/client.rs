//! The client of a running host's admin listener.

use std::{path::PathBuf, time::Duration};

use anyhow::Context;
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use crate::config::read_token;

/// How long an answer may take: the host compiles a large plugin before it answers.
const ANSWER: Duration = Duration::from_secs(120);
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
    /// Prints JSON, for programs.
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Deserialize)]
struct Problem {
    detail: String,
}

/// A list that the host returns in pages.
pub(super) trait Paged: DeserializeOwned {
    /// Returns the `after` of the next page; `None` on the last page.
    fn next_after(&self) -> Option<String>;

    /// Appends the next page and takes over its `next_after`.
    fn append(&mut self, next: Self);
}

impl Admin {
    /// Returns the answer to a `GET`.
    ///
    /// # Errors
    /// If the host can't be reached, or the host's refusal.
    pub(super) fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.call(Method::GET, path, Bytes::new(), JSON)
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
    pub(super) fn post_component<T: DeserializeOwned>(&self, path: &str, bytes: Vec<u8>) -> anyhow::Result<T> {
        self.post_file(path, bytes, "application/wasm")
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

    /// Returns the address of a page of the host, for a link.
    pub(super) fn address(&self, path: &str) -> String {
        format!("{}{path}", self.admin.trim_end_matches('/'))
    }

    /// Returns a file of the host's.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub(super) fn file(&self, path: &str) -> anyhow::Result<Bytes> {
        self.answer(Method::GET, path, Bytes::new(), JSON)
    }

    fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        content_type: &'static str,
    ) -> anyhow::Result<T> {
        let body = self.answer(method, path, body, content_type)?;
        serde_json::from_slice(&body).with_context(|| format!("read the answer of {}", self.address(path)))
    }

    fn answer(&self, method: Method, path: &str, body: Bytes, content_type: &'static str) -> anyhow::Result<Bytes> {
        let uri = self.address(path);
        let mut request = Request::builder().method(method).uri(&uri).header(CONTENT_TYPE, content_type);
        if let Some(file) = &self.token_file {
            request = request.header(AUTHORIZATION, format!("Bearer {}", read_token(file)?));
        }
        let request = request.body(Full::new(body)).with_context(|| format!("ask {uri}"))?;

        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (status, body) = runtime.block_on(async {
            let client: Client<HttpConnector, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
            let exchange = async {
                let response = client.request(request).await.map_err(|error| {
                    anyhow::anyhow!(
                        "{} can't be reached ({error}); is till serving there? --admin URL says where",
                        self.admin
                    )
                })?;
                let status = response.status();
                anyhow::Ok((status, response.into_body().collect().await?.to_bytes()))
            };
            tokio::time::timeout(ANSWER, exchange).await.context("wait for the host's answer")?
        })?;
        if !status.is_success() {
            let problem: Option<Problem> = serde_json::from_slice(&body).ok();
            anyhow::bail!(problem.map_or_else(|| format!("{uri} answered {status}"), |problem| problem.detail));
        }
        Ok(body)
    }
}
