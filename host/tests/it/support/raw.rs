//! A connection that sends given bytes, valid or not.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
};

use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use super::{Answer, PATIENCE};

#[derive(Debug)]
pub(crate) struct Raw {
    stream: TcpStream,
    /// What came and isn't part of an answer that was returned.
    unread: Vec<u8>,
}

impl Raw {
    pub(crate) fn connect(address: &str) -> Self {
        Self::of(TcpStream::connect(address).expect("the host listens"))
    }

    /// Returns a connection; `None` if nobody listens.
    pub(crate) fn connect_if_listening(address: &str) -> Option<Self> {
        TcpStream::connect(address).ok().map(Self::of)
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        Self { stream, unread: Vec::new() }
    }

    /// Sends the bytes. A host that has closed already is no failure: its answer, or none, tells.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        _ = self.stream.write_all(bytes.as_ref());
    }

    /// Sends the bytes, all of which the host is to take.
    pub(crate) fn send_whole(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the host reads on");
    }

    /// Sends the bytes again and again, without reading, until the host has closed.
    pub(crate) fn send_until_closed(&mut self, bytes: impl AsRef<[u8]>) {
        let closed = std::iter::repeat_with(|| self.stream.write_all(bytes.as_ref())).find_map(Result::err);
        let kind = closed.map(|error| error.kind());
        assert!(matches!(kind, Some(ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)), "the host waits: {kind:?}");
    }

    /// Says that nothing more is sent.
    pub(crate) fn finish(&self) {
        _ = self.stream.shutdown(Shutdown::Write);
    }

    /// Returns the next answer, interim ones apart; `None` when the connection ends without one.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        self.next_answer().map(|answer| answer.unwrap_or_else(|half| panic!("half an answer: {half}")))
    }

    /// Returns the next answer, `None` when the connection ends, be it in the middle of one.
    pub(crate) fn answer_if_whole(&mut self) -> Option<Answer> {
        self.next_answer()?.ok()
    }

    /// Returns whether the host asks for the body, having read a head with `Expect: 100-continue`. The answer it gives
    /// instead is still to be read.
    pub(crate) fn is_asked_for_the_body(&mut self) -> bool {
        const ASKED: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
        while self.unread.len() < ASKED.len() && self.read() {}
        let asked = self.unread.starts_with(ASKED);
        if asked {
            self.unread.drain(..ASKED.len());
        }
        asked
    }

    fn next_answer(&mut self) -> Option<Result<Answer, String>> {
        loop {
            let end = loop {
                match self.unread.windows(4).position(|window| window == b"\r\n\r\n") {
                    Some(end) => break end + 4,
                    None if self.read() => {}
                    None if self.unread.is_empty() => return None,
                    None => return Some(Err(String::from_utf8_lossy(&self.unread).into_owned())),
                }
            };
            let head = String::from_utf8(self.unread.drain(..end).collect()).expect("an answer's head is ASCII");
            let mut lines = head.trim_end().split("\r\n");
            let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
            let status: u16 = status.unwrap_or_else(|| panic!("no status: {head}"));
            if status < 200 {
                continue;
            }
            let mut headers = HeaderMap::new();
            for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
                let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
                headers.append(name, HeaderValue::from_str(value).expect("a value"));
            }
            let length = headers.get("content-length").and_then(|length| length.to_str().ok());
            let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
            while self.unread.len() < length {
                if !self.read() {
                    return Some(Err(head));
                }
            }
            return Some(Ok(Answer { status, headers, body: self.unread.drain(..length).collect() }));
        }
    }

    /// Returns whether the host has closed, or closes now, with nothing more to say.
    pub(crate) fn is_closed(&mut self) -> bool {
        self.unread.is_empty() && !self.read()
    }

    /// Reads on; `false` at the end.
    fn read(&mut self) -> bool {
        let mut piece = [0; 4096];
        match self.stream.read(&mut piece) {
            Ok(0) => false,
            Ok(length) => {
                self.unread.extend_from_slice(&piece[..length]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            Err(error) => panic!("the host neither answers nor closes: {error}"),
        }
    }
}

/// Returns a request's bytes.
pub(crate) fn request(line: &str, headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = format!("{line}\r\n").into_bytes();
    for header in headers {
        bytes.extend_from_slice(header.as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body.as_ref());
    bytes
}

/// Returns a checkout with that body, right in everything else, and with more headers.
pub(crate) fn checkout_with(headers: &[&str], body: impl AsRef<[u8]>) -> Vec<u8> {
    let length = format!("content-length: {}", body.as_ref().len());
    let headers = [&["host: 127.0.0.1", "content-type: application/json", &length], headers].concat();
    request("POST /checkout HTTP/1.1", &headers, body)
}

/// Returns a checkout with that body, right in everything else.
pub(crate) fn checkout(body: impl AsRef<[u8]>) -> Vec<u8> {
    checkout_with(&[], body)
}
