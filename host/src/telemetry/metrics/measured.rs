//! The measurements that callers record.

use std::time::Duration;

use opentelemetry::KeyValue;

use super::super::names::{self, attribute};

/// An HTTP request that was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HttpRequest {
    /// From [`names::http_method`].
    pub method: &'static str,
    /// The route that matched ("/orders/{reference}"), never the path; empty if none did.
    pub route: &'static str,
    pub status: u16,
    /// HTTP's version: "1.1", "2".
    pub version: &'static str,
    pub duration: Duration,
}

impl HttpRequest {
    /// Returns whether the answer is an error of the host: 5xx other than 501. A method that the host doesn't implement
    /// is the client's mistake.
    pub(super) const fn is_error(&self) -> bool {
        self.status >= 500 && self.status != 501
    }

    /// Returns the attributes of `http.server.request.duration`.
    pub(super) fn labels(&self) -> Vec<KeyValue> {
        let status = i64::from(self.status);
        let mut labels = Vec::with_capacity(6);
        labels.push(KeyValue::new(attribute::HTTP_REQUEST_METHOD, names::http_method(self.method)));
        labels.push(KeyValue::new(attribute::HTTP_RESPONSE_STATUS_CODE, status));
        labels.push(KeyValue::new(attribute::NETWORK_PROTOCOL_VERSION, self.version));
        labels.push(KeyValue::new(attribute::URL_SCHEME, "http"));
        if !self.route.is_empty() {
            labels.push(KeyValue::new(attribute::HTTP_ROUTE, self.route));
        }
        if self.is_error() {
            labels.push(KeyValue::new(attribute::ERROR_TYPE, self.status.to_string()));
        }
        labels
    }
}

/// A call of a plugin that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PluginCall {
    pub kind: &'static str,
    /// The role of the called version: live, canary or shadow.
    pub rollout: &'static str,
    pub outcome: &'static str,
    pub duration: Duration,
    /// The most memory it had during the call.
    pub memory_bytes: u64,
    /// `None` if fuel isn't counted.
    pub fuel_used: Option<u64>,
    /// Log lines dropped because of the limits.
    pub log_lines_dropped: u64,
}

/// A plugin that is loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginInfo {
    pub kind: &'static str,
    /// The version's role: live, canary or shadow.
    pub rollout: &'static str,
    pub plugin: String,
    pub version: String,
    pub digest: String,
}
