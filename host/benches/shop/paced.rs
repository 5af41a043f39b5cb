//! Orders at a fixed rate, whoever waits.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use hdrhistogram::Histogram;

const BODY: &str = r#"{"item":"headphones","quantity":1,"price":99.99}"#;
const CLIENTS: u32 = 8;

/// Latencies, in microseconds.
///
/// # Errors
/// Never.
pub(crate) fn latencies() -> anyhow::Result<Histogram<u64>> {
    Ok(Histogram::new_with_bounds(1, 60_000_000, 3)?)
}

/// Has orders come at the rate a second while `work` is done, and returns how long each took.
///
/// # Errors
/// When one isn't answered with 200.
pub(crate) fn load(shop: SocketAddr, rate: u64, work: impl FnOnce()) -> anyhow::Result<Histogram<u64>> {
    let over = Arc::new(AtomicBool::new(false));
    let every = Duration::from_secs(u64::from(CLIENTS)).checked_div(u32::try_from(rate)?).context("a rate")?;
    let began = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (over, first) = (Arc::clone(&over), began + every * client / CLIENTS);
            std::thread::spawn(move || buy(shop, first, every, &over))
        })
        .collect();
    work();
    over.store(true, Ordering::Relaxed);
    let mut all = latencies()?;
    for client in clients {
        all.add(client.join().map_err(|_| anyhow::anyhow!("a client panicked"))??)?;
    }
    Ok(all)
}

/// Sends an order whenever one is due. An answer's latency is counted from then: one that comes late makes those behind
/// it late, too.
fn buy(shop: SocketAddr, first: Instant, every: Duration, over: &AtomicBool) -> anyhow::Result<Histogram<u64>> {
    let mut latencies = latencies()?;
    let mut stream: Option<TcpStream> = None;
    let mut due = first;
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let open = match stream.take() {
            Some(open) => open,
            None => TcpStream::connect(shop).and_then(|open| open.set_nodelay(true).map(|()| open))?,
        };
        stream = exchange(open)?;
        latencies.record(u64::try_from(due.elapsed().as_micros())?.max(1))?;
        due += every;
    }
    Ok(latencies)
}

/// Returns the connection, unless the host wants no more on it.
fn exchange(mut stream: TcpStream) -> anyhow::Result<Option<TcpStream>> {
    let length = BODY.len();
    let head = "POST /checkout HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length:";
    stream.write_all(format!("{head} {length}\r\n\r\n{BODY}").as_bytes())?;
    let (mut answer, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut piece)?;
        anyhow::ensure!(read > 0, "hung up after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(piece.get(..read).unwrap_or_default());
        let text = String::from_utf8_lossy(&answer).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).context("a length")?;
        if body.len() >= length.parse()? {
            anyhow::ensure!(head.starts_with("http/1.1 200"), "answered {text}");
            return Ok((!head.contains("\r\nconnection: close")).then_some(stream));
        }
    }
}
