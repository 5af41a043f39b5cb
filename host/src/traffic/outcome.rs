//! The outcome of a request, and its trace: the parts of a host's answer that are used, bounded and harmless on a
//! terminal.

use std::fmt;

use hyper::{HeaderMap, header::LINK};
use serde::{Deserialize, Serialize};

use super::client::{Answer, Said, Silence};

/// The longest code and the longest link, bytes, because a host's texts go to a terminal and into a table.
const TEXT_BYTES_MAX: usize = 200;

/// The outcome of a request: the status and the code of a problem, or why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Outcome {
    /// `None` without an answer.
    pub status: Option<u16>,
    pub code: String,
}

/// The trace of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    pub trace_id: String,
    /// Where the trace can be viewed, if the host says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl Said {
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Answer(answer) => answer.outcome(),
            Self::Nothing(silence) => {
                let code = match silence {
                    Silence::Unreachable => "unreachable",
                    Silence::Torn => "torn",
                    Silence::TimedOut => "timed_out",
                };
                Outcome { status: None, code: code.to_owned() }
            }
        }
    }
}

impl Answer {
    /// Returns the outcome: a problem's code, an order's status in lower case, or `other`.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        let document: Option<Document> = serde_json::from_slice(&self.body).ok();
        let code = document.and_then(|document| match document.status {
            Some(serde_json::Value::String(status)) if self.status.is_success() => Some(status.to_lowercase()),
            _ => document.code,
        });
        let is_word = |code: &String| {
            code.len() <= TEXT_BYTES_MAX && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        };
        let code = code.filter(|code| !code.is_empty()).filter(is_word).unwrap_or_else(|| "other".to_owned());
        Outcome { status: Some(self.status.as_u16()), code }
    }
}

/// The members of an answer that determine its outcome.
#[derive(Deserialize)]
struct Document {
    code: Option<String>,
    status: Option<serde_json::Value>,
}

impl Outcome {
    /// Returns whether the host or a plugin failed: 5xx, or no answer.
    #[must_use]
    pub fn is_failure(&self) -> bool {
        self.status.is_none_or(|status| status >= 500)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.status {
            Some(status) => write!(out, "{status} {}", self.code),
            None => write!(out, "--- {}", self.code),
        }
    }
}

impl Trace {
    /// Returns the trace that `traceresponse` names (<https://www.w3.org/TR/trace-context-2/>), with the link to it.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let named = headers.get("traceresponse")?.to_str().ok()?;
        let is_id = |id: &&str| id.len() == 32 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
        let trace_id = named.split('-').nth(1).filter(is_id)?;
        let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
        let link = links.flat_map(|value| value.split(',')).find_map(|link| {
            let (address, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
            let is_trace = parameters.split(';').any(|one| matches!(one.trim(), "rel=\"trace\"" | "rel=trace"));
            (is_trace && address.len() <= TEXT_BYTES_MAX).then(|| address.to_owned())
        });
        Some(Self { trace_id: trace_id.to_owned(), link })
    }
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;

    #[test]
    fn an_answer_has_one_outcome() {
        for (status, body, outcome) in [
            (200, r#"{"order_id":1,"status":"COMPLETED"}"#, "200 completed"),
            (500, r#"{"status":500,"code":"inventory_conflict"}"#, "500 inventory_conflict"),
            (400, r#"{"status":400,"code":"\u001b[2J"}"#, "400 other"),
            (502, "<html>", "502 other"),
        ] {
            let status = StatusCode::from_u16(status).unwrap();
            let answer = Answer { status, body: body.into(), replayed: false, retry_after: None, trace: None };
            assert_eq!(answer.outcome().to_string(), outcome);
        }
        let silence = Said::Nothing(Silence::TimedOut).outcome();
        assert!(silence.is_failure() && silence.to_string() == "--- timed_out");
    }

    #[test]
    fn a_trace_is_found_with_its_link() {
        let id = "01a205380b741779801a148d91041100";
        let of = |named: String, link: &str| {
            let named = [("traceresponse", named), ("link", link.to_owned())];
            let headers = named.map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
            Trace::of(&HeaderMap::from_iter(headers)).map(|trace| trace.link)
        };
        let named = || format!("00-{id}-00f067aa0ba902b7-01");
        let (next, trace) = ("<http://a/>; rel=\"next\"", "<http://a:8001/traces/1>; rel=\"trace\"");
        let found = Some(Some("http://a:8001/traces/1".to_owned()));
        for (named, link, expected) in [
            (named(), trace.to_owned(), found.clone()),
            (named(), format!("{next}, {trace}"), found),
            (named(), next.to_owned(), Some(None)),
            (format!("00-{}-00f067aa0ba902b7-01", &id[1..]), trace.to_owned(), None),
            ("nonsense".to_owned(), trace.to_owned(), None),
        ] {
            assert_eq!(of(named.clone(), &link), expected, "{named} {link}");
        }
    }
}
