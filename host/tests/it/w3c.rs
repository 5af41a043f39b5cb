//! The program against the W3C's own tests of trace context: `make w3c SUITE=folder`.
//!
//! The tests ask a service to call them back a number of times, and check the headers of those calls. Till needs no
//! route for that: its stock may be at another service, and a checkout then calls that service. A relay between the two
//! passes on the header lines of either side, byte for byte:
//!
//! ```text
//! suite ── POST /test ─▶ relay ── POST /checkout ─▶ till ── POST /inventory/deduct ─▶ relay ── POST (callback) ─▶ suite
//! ```

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a helper that fails is a test that fails"
)]

#[expect(dead_code, unused_imports, reason = "the tests in main.rs stand on the rest of it")]
mod support;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    sync::mpsc,
};

use serde_json::{Value, json};

use support::{Host, PATIENCE, http::order_of};

/// How many tests the suite has at level 2. Fewer is a suite that didn't run, more are rules that we don't know yet.
const TESTS: usize = 41;
/// The variable that names the suite's folder.
const SUITE: &str = "TRACE_CONTEXT_SUITE";

#[test]
fn the_w3cs_own_tests_pass() {
    let suite = suite();
    let (inventory_url, deducts) = serve(|_| {
        let levels = json!({ "status": "SUCCESS", "levels": [{ "item": "headphones", "remaining": 1 }] });
        (200, levels.to_string())
    });
    let host = Host::plan().env("INVENTORY_URL", inventory_url).start();
    let shop = host.shop.address.clone();
    let (service, _asked) = serve(move |asked| {
        for call in serde_json::from_slice::<Vec<Value>>(&asked.body).expect("a list of calls") {
            relay(asked, &call, &shop, &deducts);
        }
        (200, "null".to_owned())
    });
    let output = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/.tools/venv/bin/python"))
        .arg("test.py")
        .arg(format!("{service}/test"))
        .current_dir(suite)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .envs([("SPEC_LEVEL", "2"), ("STRICT_LEVEL", "2"), ("HARNESS_HOST", "127.0.0.1")])
        .env("HARNESS_PORT", free_port().to_string())
        .env("HARNESS_TIMEOUT", PATIENCE.as_secs().to_string())
        .output()
        .expect("python runs; make w3c installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    println!("{}{said}", String::from_utf8_lossy(&output.stdout));
    host.stop();
    // "OK (skipped=1)" would be a pass to python.
    assert!(output.status.success() && said.trim_end().ends_with("\nOK"), "not all of them passed");
    assert!(said.contains(&format!("\nRan {TESTS} tests in ")), "not {TESTS} tests");
}

/// Returns the folder with the suite's `test.py`.
fn suite() -> PathBuf {
    let folder = std::env::var_os(SUITE).filter(|folder| !folder.is_empty()).unwrap_or_else(|| {
        panic!("{SUITE} isn't set; clone github.com/w3c/trace-context and: make w3c SUITE=<clone>/test")
    });
    let folder = PathBuf::from(folder);
    assert!(folder.join("test.py").is_file(), "{SUITE}: there is no test.py in {}", folder.display());
    folder
}

/// Makes a checkout of what the suite asked, and a callback of the deduct that comes of it.
fn relay(asked: &Message, call: &Value, shop: &str, deducts: &mpsc::Receiver<Message>) {
    let answer = post(shop, "/checkout", asked, &order_of("headphones", 1));
    assert!(answer.start.contains(" 200 "), "{}", String::from_utf8_lossy(&answer.body));
    let deduct = deducts.try_recv().expect("a checkout that is answered has called the inventory");
    let url = call["url"].as_str().and_then(|url| url.strip_prefix("http://")).expect("an address");
    let (address, path) = url.split_once('/').expect("a path");
    let answer = post(address, &format!("/{path}"), &deduct, &call["arguments"]);
    assert!(answer.start.contains(" 200 "), "the suite refuses a callback: {}", answer.start);
}

/// A request or an answer.
#[derive(Debug)]
struct Message {
    start: String,
    /// Its header lines as they came.
    headers: Vec<Vec<u8>>,
    body: Vec<u8>,
}

impl Message {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut lines = Vec::new();
        loop {
            let mut line = Vec::new();
            reader.read_until(b'\n', &mut line).ok()?;
            line.truncate(line.strip_suffix(b"\r\n")?.len());
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let start = String::from_utf8(lines.remove(0)).ok()?;
        let length = lines.iter().find_map(|line| header(line).strip_prefix("content-length:")?.trim().parse().ok())?;
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        Some(Self { start, headers: lines, body })
    }
}

/// A header line in lower case, to tell which it is.
fn header(line: &[u8]) -> String {
    String::from_utf8_lossy(line).to_lowercase()
}

/// Posts the body with the header lines of another message, but for those that are about its connection and its body.
fn post(address: &str, path: &str, like: &Message, body: &Value) -> Message {
    let body = body.to_string();
    let mut request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n",
        body.len()
    )
    .into_bytes();
    let own = ["host:", "connection:", "content-", "transfer-encoding:", "accept-encoding:", "idempotency-key:"];
    for line in like.headers.iter().filter(|line| !own.iter().any(|own| header(line).starts_with(own))) {
        request.extend_from_slice(line);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body.as_bytes());
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(&request).expect("it reads");
    Message::read(&stream).expect("an answer")
}

/// Answers every request, and hands it on. Ends with the process.
fn serve(mut answer: impl FnMut(&Message) -> (u16, String) + Send + 'static) -> (String, mpsc::Receiver<Message>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    let (seen, messages) = mpsc::channel();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let Some(asked) = Message::read(&stream) else { continue };
            let (status, body) = answer(&asked);
            // First, so that it is there once the answer is.
            _ = seen.send(asked);
            let length = body.len();
            let head = format!("HTTP/1.1 {status} Said\r\nconnection: close\r\ncontent-type: application/json\r\n");
            _ = stream.write_all(format!("{head}content-length: {length}\r\n\r\n{body}").as_bytes());
        }
    });
    (url, messages)
}

/// The suite can't be told to choose its port.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port()
}
