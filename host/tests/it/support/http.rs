//! A small HTTP client. Every status is an answer, none an error.

use std::{io::Read, sync::OnceLock};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use ureq::{
    Agent,
    http::{HeaderMap, Request},
};

use super::PATIENCE;

/// How the tests name themselves, so that a trace shows the same agent whatever the client's version.
const AGENT: &str = "till-tests";

/// What both listeners say of themselves.
pub(crate) const DOCUMENT: &str = include_str!("../../../src/http/openapi.json");

#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// `host:port`
    pub(crate) address: String,
    agent: Agent,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .user_agent(AGENT)
            .timeout_global(Some(PATIENCE));
        Self { address: address.to_owned(), agent: config.build().new_agent() }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], None).expect("the host answers")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[], body)
    }

    pub(crate) fn post_with(&self, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send("POST", path, &headers, Some(body.to_string().as_bytes())).expect("the host answers")
    }

    /// Buys some of one item.
    pub(crate) fn buy(&self, item: &str, quantity: u32) -> Answer {
        self.post("/checkout", &order_of(item, quantity))
    }

    /// Deploys a component, at the admin listener; `query` follows its name.
    pub(crate) fn deploy(&self, name: &str, query: &str, component: &[u8]) -> Answer {
        let path = format!("/plugins?name={name}{query}");
        self.send("POST", &path, &[("content-type", "application/wasm")], Some(component)).expect("the host answers")
    }

    /// Installs a component at `HOOK/NAME`, at the admin listener; `query` follows them.
    pub(crate) fn install(&self, at: &str, query: &str, settings: &Value, component: &[u8]) -> Answer {
        let (hook, name) = at.split_once('/').expect("HOOK/NAME");
        let settings = settings.to_string();
        let settings = utf8_percent_encode(&settings, NON_ALPHANUMERIC);
        let path = format!("/plugins/install?kind={hook}&installation={name}&set={settings}{query}");
        self.send("POST", &path, &[("content-type", "application/wasm")], Some(component)).expect("the host answers")
    }

    /// Returns the answer; the error is for who expects none.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Result<Answer, ureq::Error> {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = match body {
            Some(body) => self.agent.run(request.body(body).expect("a request"))?,
            None => self.agent.run(request.body(()).expect("a request"))?,
        };
        let mut body = Vec::new();
        answer.body_mut().as_reader().read_to_end(&mut body)?;
        Ok(Answer { status: answer.status().as_u16(), headers: answer.headers().clone(), body })
    }
}

/// Returns the seed's form of an order, each piece for 99.99.
pub(crate) fn order_of(item: &str, quantity: u32) -> Value {
    json!({ "item": item, "quantity": quantity, "price": 99.99 })
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {}", self.text()))
    }

    /// Returns the body, without the line's end that JSON has behind it.
    pub(crate) fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.strip_suffix('\n').unwrap_or(&text).to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII")).unwrap_or_default()
    }

    /// Returns the `code` of a problem, which `openapi.json` has to have with this status.
    pub(crate) fn code(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.text());
        let code = self.json()["code"].as_str().expect("a code").to_owned();
        assert!(is_documented(self.status, &code), "openapi.json has no {} {code}", self.status);
        code
    }

    /// Returns the trace that the request became.
    pub(crate) fn trace_id(&self) -> String {
        self.header("traceresponse").split('-').nth(1).expect("a traceresponse").to_owned()
    }

    pub(crate) fn reference(&self) -> String {
        assert_eq!(self.status, 200, "{}", self.text());
        self.json()["reference"].as_str().expect("a reference").to_owned()
    }
}

/// Returns whether the document has a problem of that status with that code.
fn is_documented(status: u16, code: &str) -> bool {
    static DOCUMENTED: OnceLock<Value> = OnceLock::new();
    has_problem(DOCUMENTED.get_or_init(|| serde_json::from_str(DOCUMENT).expect("JSON")), status, code)
}

fn has_problem(part: &Value, status: u16, code: &str) -> bool {
    let properties = &part["properties"];
    let codes = &properties["code"];
    let among = codes["enum"].as_array().is_some_and(|codes| codes.iter().any(|known| known == code));
    let known = &properties["status"];
    let here = known["minimum"] == status && known["maximum"] == status && among;
    here || match part {
        Value::Object(members) => members.values().any(|part| has_problem(part, status, code)),
        Value::Array(parts) => parts.iter().any(|part| has_problem(part, status, code)),
        _ => false,
    }
}
