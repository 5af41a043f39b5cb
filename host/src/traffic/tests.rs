//! The traffic, against a shop that a test controls.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use tokio_util::sync::CancellationToken;

use super::{
    Plan,
    arrivals::Arrivals,
    client::Shop,
    mix::{Mix, Request},
    purchase::Purchase,
    summary::Summary,
    tally::{Promise, Tally},
};

/// A request that a test's shop gets.
struct Asked {
    key: String,
    body: String,
    /// How many requests came before.
    before: usize,
}

/// Serves `answer` at a free port; each connection has a thread, until the test process ends.
fn shop(answer: impl Fn(&Asked) -> (u16, String) + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (answer, count) = (Arc::new(answer), Arc::new(AtomicUsize::new(0)));
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
            std::thread::spawn(move || while serve(&stream, &*answer, &count).is_some() {});
        }
    });
    url
}

fn serve(stream: &TcpStream, answer: &impl Fn(&Asked) -> (u16, String), count: &AtomicUsize) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut length, mut key) = (0, String::new());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().ok()?,
            Some(("idempotency-key", value)) => key = value.to_owned(),
            _ if line.trim_end().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let asked = Asked { key, body: String::from_utf8(body).ok()?, before: count.fetch_add(1, SeqCst) };
    let (status, said) = answer(&asked);
    let length = said.len();
    let mut stream = stream;
    stream.write_all(format!("HTTP/1.1 {status} Said\r\ncontent-length: {length}\r\n\r\n{said}").as_bytes()).ok()
}

fn order(number: usize) -> (u16, String) {
    (200, format!(r#"{{"order_id":{number},"status":"COMPLETED"}}"#))
}

fn plan(url: String, rate_per_s: f64, duration: Duration) -> Plan {
    let arrivals = Arrivals::Constant;
    let (in_flight_max, seed) = (1000, 1);
    let duration = Some(duration);
    Plan { url, arrivals, rate_per_s, duration, seed, in_flight_max, malformed: 0.0, repeated: 0.0, retries: 2 }
}

fn run(plan: &Plan, tally: &Arc<Tally>) -> Summary {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().worker_threads(2).build().unwrap();
    let never = CancellationToken::new();
    let summary = runtime.block_on(super::run(plan, tally, &never, &never)).unwrap();
    runtime.shutdown_background();
    summary
}

#[test]
fn a_shop_that_stalls_for_a_second_shows_it_in_the_tail() {
    // No request is answered before the last one of a second has come: a client that waited for answers would never
    // send it.
    let all = Arc::new(std::sync::Barrier::new(100));
    let url = shop(move |asked| {
        all.wait();
        order(asked.before)
    });
    let summary = run(&plan(url, 100.0, Duration::from_secs(1)), &Arc::default());
    assert_eq!((summary.offered.count, summary.answered.count, summary.cut_off), (100, 100, 0));
    assert!(summary.latency_ms.p99 >= 970.0, "{:?}", summary.latency_ms);
    assert!(summary.latency_ms.p50 >= 480.0, "{:?}", summary.latency_ms);
}

#[test]
fn latency_is_counted_from_when_a_request_was_due() {
    let url = shop(|asked| order(asked.before));
    let due = Instant::now().checked_sub(Duration::from_secs(3)).unwrap();
    let tally = purchases(&url, vec![request(false)], due);
    assert!(tally.counts().latencies().percentile_ms(0.0) >= 2990.0);
}

#[test]
fn what_there_is_no_room_for_is_counted_and_not_sent_later() {
    let (came, tally) = (Arc::new(AtomicUsize::new(0)), Arc::new(Tally::default()));
    let (counted, seen) = (Arc::clone(&came), Arc::clone(&tally));
    let url = shop(move |asked| {
        counted.fetch_add(1, SeqCst);
        while seen.counts().offered < 20 {
            std::thread::yield_now();
        }
        order(asked.before)
    });
    let plan = Plan { in_flight_max: 2, ..plan(url, 200.0, Duration::from_millis(100)) };
    let summary = run(&plan, &tally);
    assert_eq!((summary.offered.count, summary.sent.count, summary.not_sent), (20, 2, 18));
    assert_eq!((summary.answered.count, came.load(SeqCst)), (2, 2));
}

#[test]
fn a_request_is_sent_again_under_its_key_until_it_is_answered() {
    let keys = Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = Arc::clone(&keys);
    let url = shop(move |asked| {
        seen.lock().unwrap().push((asked.key.clone(), asked.body.clone()));
        match asked.before {
            0 => (503, String::new()),
            1 => (504, String::new()),
            _ => order(1),
        }
    });
    let counts = purchases(&url, vec![request(false)], Instant::now()).counts();
    let keys = keys.lock().unwrap();
    assert_eq!((counts.retries, counts.answered, counts.failed), (2, 1, 0));
    assert!(keys.len() == 3 && keys.iter().all(|key| *key == keys[0]), "{keys:?}");
}

#[test]
fn promises_are_held_to() {
    for (repeated, malformed, answers, promise) in [
        (true, false, [order(1), order(1)], None),
        (true, false, [order(1), order(2)], Some(Promise::RepeatDiffers)),
        (true, false, [order(1), (500, String::new())], Some(Promise::RepeatDiffers)),
        (true, false, [order(1), (503, String::new())], None),
        (false, true, [(422, String::new()), order(1)], None),
        (false, true, [order(1), order(1)], Some(Promise::MalformedTaken)),
        (false, true, [(500, String::new()), order(1)], Some(Promise::MalformedTaken)),
    ] {
        let said = answers.clone();
        let url = shop(move |asked| said[asked.before.min(1)].clone());
        let request = if malformed { Mix::new(1, 1.0, 0.0).next().unwrap() } else { request(repeated) };
        let counts = purchases(&url, vec![request], Instant::now()).counts();
        assert_eq!(counts.broken.first().map(|broken| broken.promise), promise, "{answers:?}");
        assert_eq!(counts.repeats, u64::from(repeated), "{answers:?}");
        assert_eq!(counts.malformed_refused, u64::from(malformed && promise.is_none()), "{answers:?}");
    }
}

fn request(repeated: bool) -> Request {
    Request { repeated, ..Mix::new(1, 0.0, 0.0).next().unwrap() }
}

/// Makes the purchases one after the other, all due at `due`.
fn purchases(url: &str, requests: Vec<Request>, due: Instant) -> Arc<Tally> {
    let (shop, tally) = (Arc::new(Shop::new(url, 1).unwrap()), Arc::new(Tally::default()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        for (number, request) in requests.into_iter().enumerate() {
            let purchase = Purchase { request, key: format!("key-{number}"), due };
            purchase.carry_out(Arc::clone(&shop), 2, Arc::clone(&tally)).await;
        }
    });
    tally
}
