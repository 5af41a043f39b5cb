//! An inventory service controlled by a test, in place of another till.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use serde_json::Value;

use super::PATIENCE;

/// Listens; each request waits until the test takes and answers it.
#[derive(Debug)]
pub(crate) struct InventoryService {
    pub(crate) url: String,
    requests: mpsc::Receiver<Asked>,
}

/// A request that waits for its answer.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) path: String,
    /// By name in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Value,
    stream: TcpStream,
}

impl InventoryService {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let (asked, requests) = mpsc::channel();
        // Ends with the test process: a thread that waits for connections costs nothing.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let asked = asked.clone();
                std::thread::spawn(move || read(stream).map(|request| asked.send(request)));
            }
        });
        Self { url, requests }
    }

    /// Returns the next request.
    pub(crate) fn asked(&self) -> Asked {
        self.requests.recv_timeout(PATIENCE).expect("the host asks the inventory service")
    }
}

impl Asked {
    /// Answers with raw bytes and hangs up.
    pub(crate) fn answer_raw(mut self, bytes: &[u8]) {
        // The host may have given up on it, which is for the test to notice.
        _ = self.stream.write_all(bytes);
    }

    pub(crate) fn answer(self, status: u16, content_type: &str, body: &Value) {
        let body = body.to_string();
        let length = body.len();
        self.answer_raw(
            format!(
                "HTTP/1.1 {status} Said\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\
                 connection: close\r\n\r\n{body}"
            )
            .as_bytes(),
        );
    }
}

fn read(stream: TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let path = lines.first()?.split(' ').nth(1)?.to_owned();
    let headers: BTreeMap<_, _> = lines
        .iter()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
        .collect();
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { path, headers, body: serde_json::from_slice(&body).ok()?, stream })
}
