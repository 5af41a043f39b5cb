//! HTTP/2, frame by frame.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use super::ORDER;
use crate::support::{Host, PATIENCE};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const PRIORITY: u8 = 2;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
const CANCEL: [u8; 4] = [0, 0, 0, 8];
/// A SETTINGS value: the client's initial window, 0.
const NO_WINDOW: [u8; 6] = [0, 4, 0, 0, 0, 0];
/// The static table's `:status: 400`.
const STATUS_400: u8 = 0x8c;
const STATUS_200: u8 = 0x88;

/// What became of a stream, or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// The first byte of the answer's headers.
    Answered(u8),
    Reset,
    GoneAway(u32),
    Closed,
}

struct Connection(TcpStream);

impl Connection {
    fn open(host: &Host) -> Self {
        Self::open_with(host, &[])
    }

    fn open_with(host: &Host, settings: &[u8]) -> Self {
        let stream = TcpStream::connect(&host.shop.address).expect("the host listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut connection = Self(stream);
        connection.send(PREFACE);
        connection.frame(SETTINGS, 0, 0, settings);
        connection
    }

    fn ask(&mut self, stream: u32, path: &str) {
        let fields = [(":method", "GET"), (":scheme", "http"), (":path", path), (":authority", "127.0.0.1")];
        self.frame(HEADERS, END_HEADERS | END_STREAM, stream, &block(&fields));
    }

    /// Reads to the end and answers PINGs; returns `false` if the PINGs never end.
    fn is_closed(&mut self) -> bool {
        let mut asked = 0;
        while let Some((kind, flags, _, payload)) = self.next() {
            if (kind, flags) == (PING, 0) {
                self.frame(PING, ACK, 0, &payload);
                asked += 1;
            }
            if asked == 500 {
                return false;
            }
        }
        true
    }

    fn send(&mut self, bytes: &[u8]) {
        // A host that has already closed shows that by not answering.
        _ = self.0.write_all(bytes);
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        self.send(&frame(kind, flags, stream, payload));
    }

    /// Returns the next frame's kind, flags, stream and payload.
    fn next(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        let mut head = [0; 9];
        self.0.read_exact(&mut head).ok()?;
        let [high, middle, low, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low)];
        self.0.read_exact(&mut payload).ok()?;
        let stream = u32::from_be_bytes(stream);
        Some((kind, flags, stream, payload))
    }

    /// Returns what becomes of the stream.
    fn fate(&mut self, of: u32) -> Fate {
        loop {
            match self.next() {
                None => return Fate::Closed,
                Some((HEADERS, _, stream, block)) if stream == of => return Fate::Answered(block[0]),
                Some((RST_STREAM, _, stream, _)) if stream == of => return Fate::Reset,
                Some((GOAWAY, _, _, payload)) => {
                    return Fate::GoneAway(u32::from_be_bytes(payload[4..8].try_into().expect("four bytes")));
                }
                Some((SETTINGS, 0, ..)) => self.frame(SETTINGS, ACK, 0, &[]),
                Some((PING, 0, _, payload)) => self.frame(PING, ACK, 0, &payload),
                Some(_) => {}
            }
        }
    }

    /// Returns when the host has seen all that was sent, `false` if it closes before.
    fn sync(&mut self) -> bool {
        self.frame(PING, 0, 0, b"in order");
        loop {
            match self.next() {
                None | Some((GOAWAY, ..)) => return false,
                Some((PING, ACK, _, payload)) if payload == b"in order" => return true,
                Some((SETTINGS, 0, ..)) => self.frame(SETTINGS, ACK, 0, &[]),
                Some(_) => {}
            }
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("small").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// Returns a header block, each field as a literal that isn't indexed.
fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    let text = |text: &str| [&[u8::try_from(text.len()).expect("short")], text.as_bytes()].concat();
    fields.iter().flat_map(|(name, value)| [vec![0], text(name), text(value)].concat()).collect()
}

const POST: [(&str, &str); 5] = [
    (":method", "POST"),
    (":scheme", "http"),
    (":path", "/checkout"),
    (":authority", "127.0.0.1"),
    ("content-type", "application/json"),
];

/// Sends a checkout with these fields on stream 1 and returns what becomes of it.
fn checkout(host: &Host, fields: &[(&str, &str)]) -> Fate {
    let mut connection = Connection::open(host);
    connection.frame(HEADERS, END_HEADERS, 1, &block(fields));
    connection.frame(DATA, END_STREAM, 1, ORDER.as_bytes());
    connection.fate(1)
}

#[test]
fn a_malformed_request_is_refused() {
    let host = Host::start();
    let length = ORDER.len().to_string();
    let with = |field: (&'static str, &str)| {
        let field = (field.0.to_owned(), field.1.to_owned());
        POST.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).chain([field]).collect::<Vec<_>>()
    };
    let check = |name: &str, fields: &[(String, String)], expected: Fate| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(checkout(&host, &fields), expected, "{name}");
    };
    let unanswered = |name: &str, fields: &[(String, String)]| {
        let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let fate = checkout(&host, &fields);
        assert!(!matches!(fate, Fate::Answered(_)), "{name}: {fate:?}");
    };
    let without = |absent: &str| {
        let fields = with(("x", "y")).into_iter();
        fields.filter(|(name, _)| name != absent).collect::<Vec<_>>()
    };
    check("sound", &with(("content-length", &length)), Fate::Answered(STATUS_200));
    check("sound, its host twice", &with(("host", "127.0.0.1")), Fate::Answered(STATUS_200));
    check("a host that isn't the authority", &with(("host", "other.example")), Fate::Answered(STATUS_400));
    check("no authority", &without(":authority"), Fate::Answered(STATUS_400));
    for (name, value) in [
        ("connection", "close"),
        ("transfer-encoding", "chunked"),
        ("keep-alive", "timeout=5"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("X-Capital", "x"),
        (":path", "/livez"),
        (":status", "200"),
        ("content-length", "1"),
        ("content-length", "-1"),
    ] {
        unanswered(&format!("{name}: {value}"), &with((name, value)));
    }
    for absent in [":method", ":path"] {
        unanswered(&format!("no {absent}"), &without(absent));
    }
    let twice = [with(("content-length", &length)), vec![("content-length".into(), length.clone())]].concat();
    check("one length twice", &twice, Fate::Answered(STATUS_400));
    assert_eq!(host.orders().len(), 2, "the sound ones");
    host.stop();
}

#[test]
fn requests_taken_back_in_one_go_end_the_connection() {
    let host = Host::start();
    let mut connection = Connection::open(&host);
    let reset = |stream: u32| {
        let head = frame(HEADERS, END_HEADERS, stream, &block(&POST));
        [head, frame(RST_STREAM, 0, stream, &CANCEL)].concat()
    };
    let burst: Vec<u8> = (0..1_000).flat_map(|number| reset(2 * number + 1)).collect();
    connection.send(&burst);
    let fate = connection.fate(u32::MAX);
    assert!(matches!(fate, Fate::GoneAway(11) | Fate::Closed), "calm down: {fate:?}");
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    assert_eq!(host.orders().len(), 1);
    host.stop();
}

#[test]
fn requests_taken_back_one_by_one_end_the_connection_too() {
    let host = Host::plan().set("limits.http2_resets=10").start();
    let mut connection = Connection::open(&host);
    let mut requests = 0;
    loop {
        let stream = 2 * requests + 1;
        connection.frame(HEADERS, END_HEADERS, stream, &block(&POST));
        // It is at work, and then it isn't wanted any more.
        let served = connection.sync();
        connection.frame(RST_STREAM, 0, stream, &CANCEL);
        if !served || !connection.sync() {
            break;
        }
        requests += 1;
        assert!(requests < 1_000, "it goes on for ever");
    }
    assert!(requests >= 9, "ended after {requests}");
    assert!(host.orders().is_empty());
    host.stop();
}

#[test]
fn an_old_connection_goes_away_and_no_more_than_64_streams_are_taken() {
    let host = Host::plan().set("limits.connection_age_ms=300").start();
    let mut connection = Connection::open(&host);
    let Some((SETTINGS, 0, _, settings)) = connection.next() else { panic!("settings come first") };
    let streams_max = settings.chunks(6).find(|setting| setting[..2] == [0, 3]).map(|setting| &setting[2..]);
    assert_eq!(streams_max, Some(&[0, 0, 0, 64][..]));
    assert_eq!(connection.fate(u32::MAX), Fate::GoneAway(0));
    loop {
        if connection.fate(u32::MAX) == Fate::Closed {
            break;
        }
    }
    host.stop();
}

/// Returns a host that doesn't wait for clients to read answers, sends PINGs often, and never counts a connection as
/// old.
fn waiting_for_nobody() -> Host {
    let limits = ["write_ms=300", "header_ms=200", "connection_age_ms=1000000000"];
    limits.into_iter().fold(Host::plan(), |plan, limit| plan.set(format!("limits.{limit}"))).start()
}

/// Issue 15.11: the client's window is zero, and its answers were held until the connection was too old.
#[test]
fn a_stream_that_isnt_taken_ends_and_its_connection_with_it() {
    let host = waiting_for_nobody();
    let mut connection = Connection::open_with(&host, &NO_WINDOW);
    connection.ask(1, "/metrics");
    assert_eq!(connection.fate(1), Fate::Answered(STATUS_200));
    assert_eq!(connection.fate(1), Fate::Reset);
    assert_eq!(connection.fate(u32::MAX), Fate::GoneAway(0));
    assert!(connection.is_closed());
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    host.stop();
}

#[test]
fn a_stream_that_isnt_taken_to_its_end_ends_too() {
    let host = waiting_for_nobody();
    for path in ["/livez", "/metrics", "/openapi.json"] {
        let mut connection = Connection::open_with(&host, &NO_WINDOW);
        connection.ask(1, path);
        assert_eq!(connection.fate(1), Fate::Answered(STATUS_200));
        connection.frame(WINDOW_UPDATE, 0, 1, &[0, 0, 0, 1]);
        assert!(connection.is_closed(), "{path}");
    }
    host.stop();
}

#[test]
fn answers_that_nobody_takes_have_a_bound_over_all_connections() {
    let host = Host::plan().set("limits.answers_mib=2").set("limits.write_ms=100000").start();
    let waiting = || {
        let metrics = host.shop.get("/metrics").text();
        let figure = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)).expect("a figure").trim();
            line.parse::<u64>().expect("a number")
        };
        let ended = figure(r#"http_server_connections_given_up_total{reason="no_room"}"#);
        (figure("http_server_answers_waiting_bytes"), ended)
    };
    // Each has too little for the bound to be about it alone.
    let mut connections: Vec<Connection> = Vec::new();
    while waiting().1 < 8 {
        let mut connection = Connection::open_with(&host, &NO_WINDOW);
        (0..64).for_each(|number| connection.ask(2 * number + 1, "/livez"));
        connection.sync();
        connections.push(connection);
        assert!(waiting().0 <= 2 << 20);
        assert!(connections.len() < 100, "no connection is ended: {:?}", waiting());
    }
    assert!(connections.len() > 8, "{} connections", connections.len());
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    host.stop();
}

/// Issue 15.11: h2 has no bound for them.
#[test]
fn a_flood_of_frames_of_which_nothing_comes_ends_the_connection() {
    let host = Host::start();
    for (name, flood) in [
        ("PING", frame(PING, 0, 0, b"any more")),
        ("answers to no PING", frame(PING, ACK, 0, b"any more")),
        ("SETTINGS", frame(SETTINGS, 0, 0, &[])),
        ("WINDOW_UPDATE", frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1])),
        ("PRIORITY", frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1])),
        ("a kind that nobody knows", frame(0x77, 0, 0, &[])),
    ] {
        let mut connection = Connection::open(&host);
        connection.ask(1, "/livez");
        assert_eq!(connection.fate(1), Fate::Answered(STATUS_200), "{name}");
        // Slowly enough that nothing of it is left in the kernel.
        let served = (0..200).take_while(|_| {
            connection.send(&flood.repeat(10));
            connection.sync()
        });
        assert!(served.count() < 200, "{name}: it goes on");
    }
    host.stop();
}

#[test]
fn a_client_that_gives_back_each_window_is_served_for_ever() {
    let host = Host::plan().set("limits.http2_frames=20").start();
    let mut connection = Connection::open(&host);
    for number in 0..200 {
        let stream = 2 * number + 1;
        connection.ask(stream, "/openapi.json");
        let mut taken = 0;
        loop {
            let (kind, flags, of, payload) = connection.next().expect("it goes on");
            match (kind, of == stream) {
                (DATA, true) => {
                    taken += payload.len();
                    let back = u32::try_from(payload.len()).expect("small").to_be_bytes();
                    connection.frame(WINDOW_UPDATE, 0, 0, &back);
                    if flags & END_STREAM != 0 {
                        break;
                    }
                    connection.frame(WINDOW_UPDATE, 0, stream, &back);
                }
                (SETTINGS, _) if flags == 0 => connection.frame(SETTINGS, ACK, 0, &[]),
                (PING, _) if flags == 0 => connection.frame(PING, ACK, 0, &payload),
                _ => {}
            }
        }
        assert!(taken > 10_000, "{taken}");
    }
    host.stop();
}
