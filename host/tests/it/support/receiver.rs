//! An OTLP receiver that isn't ours: PyPI's `ddapm-test-agent`. What it received is read back from it.

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

use super::{Client, eventually, tree::Span};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http/protobuf",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Receiver {
    child: Child,
    http: Client,
    grpc_port: u16,
}

impl Receiver {
    /// Starts one and waits until it receives.
    pub(crate) fn start() -> Self {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.tools/venv/bin");
        let agent = tools.join("ddapm-test-agent");
        assert!(agent.is_file(), "{} is missing; run make test, which installs it", agent.display());
        // It can't be told to choose its ports. Another program may take one before it does: then it ends, and the
        // next three are tried.
        eventually("a receiver", || {
            let [own, http, grpc] = free_ports();
            let mut command = Command::new(&agent);
            command.env_clear().env("PATH", &tools).args(["--host", "127.0.0.1", "--log-level", "ERROR"]);
            command.arg("--disable-llmobs-data-forwarding").current_dir(env!("CARGO_TARGET_TMPDIR"));
            for (flag, port) in [("--port", own), ("--otlp-http-port", http), ("--otlp-grpc-port", grpc)] {
                command.args([flag, &port.to_string()]);
            }
            let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the receiver starts");
            let mut receiver = Self { child, http: Client::new(&format!("127.0.0.1:{http}")), grpc_port: grpc };
            let ready = eventually("the receiver's start", || {
                let ended = receiver.child.try_wait().expect("a child of ours").map(|_| false);
                ended.or_else(|| receiver.requests().map(|_| true))
            });
            ready.then_some(receiver)
        })
    }

    pub(crate) fn endpoint(&self, protocol: Protocol) -> String {
        match protocol {
            Protocol::Grpc => format!("http://127.0.0.1:{}", self.grpc_port),
            Protocol::Http => format!("http://{}", self.http.address),
        }
    }

    /// Returns every span received.
    pub(crate) fn spans(&self) -> Vec<Span> {
        let requests = self.requests().expect("what the host sent can be decoded");
        let of = |list: &Value, key: &str| list[key].as_array().cloned().unwrap_or_default();
        let mut spans = Vec::new();
        for resource in requests.iter().flat_map(|request| of(request, "resource_spans")) {
            for scope in of(&resource, "scope_spans") {
                spans.extend(of(&scope, "spans").iter().map(|span| Span::received(span, &resource["resource"])));
            }
        }
        spans
    }

    fn requests(&self) -> Option<Vec<Value>> {
        let answer = self.http.send("GET", "/test/session/traces", &[], None).ok()?;
        assert_eq!(answer.status, 200, "{}", answer.text());
        Some(answer.json().as_array().expect("a list").clone())
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        // One that is left over would share its gRPC port with the next, and take half of its spans.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Returns three ports that were free a moment ago, all different.
fn free_ports() -> [u16; 3] {
    let listeners = [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("it is bound").port())
}
