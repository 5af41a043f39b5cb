//! Whatever a client sends: the host doesn't panic, answers in HTTP or hangs up, sells nothing that it doesn't say it
//! sold, and serves the next client.
//!
//! The first byte of an input says how it is sent: as it is, in two parts, or as the body of a well-formed checkout,
//! which is where most of the host's own parsing is.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;
use till::{
    app::App,
    config::{Settings, Sources},
    store::{OrdersFilter, Store},
};
use tokio::runtime::Runtime;

/// Inputs between looks at the shop's books.
const BOOKS_EVERY: u64 = 4096;
const PATIENCE: Duration = Duration::from_secs(20);
/// Less than `limits.header_ms`.
const HEAD_DEADLINE: Duration = Duration::from_secs(4);
const GOOD_ORDER: &str = r#"{"item":"headphones","quantity":1,"price":1}"#;

struct Shop {
    runtime: Runtime,
    address: SocketAddr,
    store: Store,
    _folder: TempDir,
}

/// One host for all inputs, as a shop has.
static SHOP: LazyLock<Shop> = LazyLock::new(|| {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = Runtime::new().expect("a runtime");
    let mut sources = Sources::defaults();
    let data = format!("server.data={}", folder.path().display());
    let flags = [
        "server.listen=127.0.0.1:0",
        "server.admin=127.0.0.1:0",
        "log.level=error",
        // What the requests ask for.
        "server.hosts=shop",
        "stock.headphones=4000000000",
        // Instrumented code is slow.
        "limits.guest_cpu_ms=2000",
        &data,
    ];
    sources.add_flags(flags.into_iter()).expect("fine settings");
    let app = runtime.block_on(App::build(Settings::load(&sources).expect("fine settings"))).expect("the host starts");
    let address = app.public_address().expect("it is bound");
    let store = app.store().clone();
    runtime.spawn(app.run());
    Shop { runtime, address, store, _folder: folder }
});

static SOLD: AtomicU64 = AtomicU64::new(0);
static INPUTS: AtomicU64 = AtomicU64::new(0);

/// Sends the input, counts what was sold, and looks at the shop's books now and then.
pub(crate) fn send(input: &[u8]) {
    let Some((how, bytes)) = input.split_first() else { return };
    let answers = match how % 4 {
        0 => until_closed(&[bytes]),
        1 => {
            let (first, second) = bytes.split_at(usize::from(how / 4) * bytes.len() / 64);
            until_closed(&[first, second])
        }
        2 => answer(&checkout(bytes, "")),
        _ => {
            // A header's value, then the good order.
            let value: Vec<u8> = bytes.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
            let names = ["idempotency-key", "traceparent", "tracestate", "baggage"];
            let name = names[usize::from(how / 4) % names.len()];
            answer(&checkout(GOOD_ORDER.as_bytes(), &format!("{name}: {}\r\n", String::from_utf8_lossy(&value))))
        }
    };
    SOLD.fetch_add(count_sold(&answers), Relaxed);
    if INPUTS.fetch_add(1, Relaxed).is_multiple_of(BOOKS_EVERY) {
        balance();
    }
}

fn checkout(body: &[u8], head: &str) -> Vec<u8> {
    let head = format!(
        "POST /checkout HTTP/1.1\r\nhost: shop\r\ncontent-type: application/json\r\n{head}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn connect() -> TcpStream {
    let stream = TcpStream::connect(SHOP.address).expect("the host listens");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    stream
}

/// Sends the parts and that there is no more, and returns everything that comes back until the host hangs up.
fn until_closed(parts: &[&[u8]]) -> Vec<u8> {
    let mut stream = connect();
    for part in parts {
        // The host may have hung up over the part before.
        if stream.write_all(part).is_err() {
            break;
        }
    }
    _ = stream.shutdown(Shutdown::Write);
    let mut answers = Vec::new();
    while read(&mut stream, &mut answers) {}
    answers
}

/// Sends a request whose length is beyond doubt, and returns its answer.
fn answer(request: &[u8]) -> Vec<u8> {
    let started = Instant::now();
    let mut stream = connect();
    stream.write_all(request).expect("the host reads");
    let mut answer = Vec::new();
    while !is_whole(&answer) && read(&mut stream, &mut answer) {}
    // A machine that is busy with something else may have let the host's deadline for a head pass by.
    let late = started.elapsed() > HEAD_DEADLINE;
    assert!(late || is_whole(&answer), "no whole answer: {}", String::from_utf8_lossy(&answer));
    answer
}

/// Returns whether there is more.
fn read(stream: &mut TcpStream, into: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 16 << 10];
    match stream.read(&mut buffer) {
        Ok(0) => false,
        Ok(read) => {
            into.extend_from_slice(&buffer[..read]);
            true
        }
        // libFuzzer's clock.
        Err(error) if error.kind() == ErrorKind::Interrupted => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no answer and no end of it"),
        // A reset: the host had not read everything.
        Err(_) => false,
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    length.is_none_or(|length| length.parse() == Ok(body.len()))
}

/// Returns how many orders the answers say were sold; each by an order number that came out of this host.
fn count_sold(answers: &[u8]) -> u64 {
    let text = String::from_utf8_lossy(answers);
    assert!(text.is_empty() || text.starts_with("HTTP/1.") || answers.starts_with(&[0, 0]), "no HTTP: {text}");
    let replayed = text.matches("idempotency-replayed: true").count();
    let completed = text.matches("\"status\":\"COMPLETED\"").count();
    u64::try_from(completed.saturating_sub(replayed)).expect("a count")
}

/// Checks that a good order still goes through, and that the books hold what the answers said and nothing else.
pub(crate) fn balance() {
    let good = || Some(answer(&checkout(GOOD_ORDER.as_bytes(), ""))).filter(|answer| is_whole(answer));
    let answer = std::iter::repeat_with(good).find_map(|answer| answer).expect("sooner or later");
    let text = String::from_utf8_lossy(&answer).into_owned();
    let body = text.split_once("\r\n\r\n").map(|(_head, body)| body).expect("an answer");
    let order: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("no order: {text}"));
    assert_eq!(order["status"], "COMPLETED", "{text}");
    let sold = SOLD.fetch_add(1, Relaxed) + 1;
    let (unresolved, mismatches) = SHOP.runtime.block_on(async {
        let unresolved = OrdersFilter { unresolved: true, limit: 10, ..OrdersFilter::default() };
        (SHOP.store.orders(unresolved).await.expect("reads"), SHOP.store.ledger_mismatches().await.expect("reads"))
    });
    assert!(unresolved.rows.is_empty(), "orders without an end: {unresolved:?}");
    assert!(mismatches.is_empty(), "{mismatches:?}");
    // A client that hung up too early hears of no sale, so there may be more orders than were heard of.
    assert!(order["order_id"].as_u64() >= Some(sold), "{sold} were heard of: {text}");
}
