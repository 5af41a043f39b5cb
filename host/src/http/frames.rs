//! What comes on a connection of HTTP/2, frame by frame, and whether a request comes of it.
//!
//! A client may send PING, SETTINGS, WINDOW_UPDATE and frames that nobody knows for ever (CVE-2019-9512 and its kin), and
//! each is work. h2 bounds small and empty DATA frames, CONTINUATIONs and resets by itself (0.4.20), and none of these. Here they
//! are counted against what an honest client needs: some to begin with, some for each request, some for what it takes of its
//! answers.

use super::connection::HTTP2_PREFACE;

/// A frame's length, kind, flags and stream.
const HEAD_BYTES: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
/// For its body, its trailers, its windows and what its client asks in between.
const ALLOWED_FOR_A_REQUEST: u64 = 16;
/// A client gives the windows back as it takes an answer, in pieces of whatever size, for the stream and the connection.
const TAKEN_BYTES_FOR_A_FRAME: u64 = 1024;

/// Follows what a client sends.
#[derive(Debug)]
pub(super) struct Frames {
    preface_left: usize,
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    payload_left: usize,
    /// Frames of which nothing comes.
    idle: u64,
    allowed: u64,
    taken_bytes: u64,
}

impl Frames {
    /// Begins before the preface; `allowed` is how many frames may come of which nothing does, before any request.
    pub(super) const fn new(allowed: u64) -> Self {
        Self {
            preface_left: HTTP2_PREFACE.len(),
            head: [0; HEAD_BYTES],
            head_bytes: 0,
            payload_left: 0,
            idle: 0,
            allowed,
            taken_bytes: 0,
        }
    }

    /// Follows the connection through these bytes.
    pub(super) fn see(&mut self, bytes: &[u8]) {
        let mut bytes = pass_over(bytes, &mut self.preface_left);
        loop {
            bytes = pass_over(bytes, &mut self.payload_left);
            let Some((first, rest)) = bytes.split_first() else { return };
            if let Some(byte) = self.head.get_mut(self.head_bytes) {
                *byte = *first;
            }
            self.head_bytes += 1;
            bytes = rest;
            if self.head_bytes == HEAD_BYTES {
                self.head_bytes = 0;
                self.begin_frame();
            }
        }
    }

    /// Takes note of what the client has taken of its answers.
    pub(super) fn taken(&mut self, bytes: usize) {
        self.taken_bytes = self.taken_bytes.saturating_add(bytes as u64);
    }

    /// Returns whether more came of which nothing does than an honest client sends.
    pub(super) const fn is_flood(&self) -> bool {
        self.idle > self.allowed.saturating_add(self.taken_bytes / TAKEN_BYTES_FOR_A_FRAME)
    }

    fn begin_frame(&mut self) {
        let [high, middle, low, kind, ..] = self.head;
        self.payload_left = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        match kind {
            HEADERS => self.allowed = self.allowed.saturating_add(ALLOWED_FOR_A_REQUEST),
            DATA => {}
            _ => self.idle += 1,
        }
    }
}

/// Returns what is behind so many bytes, and counts those that are still to come.
fn pass_over<'a>(bytes: &'a [u8], left: &mut usize) -> &'a [u8] {
    let here = bytes.len().min(*left);
    *left -= here;
    bytes.get(here..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).expect("small");
        [&[0, 0, length, kind, flags, 0, 0, 0, 1], payload].concat()
    }

    #[test]
    fn frames_of_which_nothing_comes_are_counted_in_pieces_of_any_size() {
        let check = |frames: &[Vec<u8>], idle: u64, allowed: u64| {
            let sent = [HTTP2_PREFACE, &frames.concat()].concat();
            for size in [1, 2, 7, 9, 10, 10_000] {
                let mut seen = Frames::new(10);
                sent.chunks(size).for_each(|piece| seen.see(piece));
                assert_eq!((seen.idle, seen.allowed), (idle, allowed), "{frames:?} by {size}");
            }
        };
        check(&[], 0, 10);
        check(&[frame(4, 0, &[])], 1, 10);
        check(&[frame(PING, 0, b"12345678"), frame(WINDOW_UPDATE, 0, &[0, 0, 0, 1]), frame(0x77, 0, b"?")], 3, 10);
        check(&[frame(HEADERS, 4, b"block"), frame(DATA, 0, b"body"), frame(DATA, 1, &[])], 0, 26);
        // What looks like a frame within another's payload is none.
        check(&[frame(DATA, 0, &frame(PING, 0, b"12345678"))], 0, 10);
    }

    #[test]
    fn what_a_client_takes_and_asks_for_allows_more() {
        let mut frames = Frames::new(2);
        frames.see(HTTP2_PREFACE);
        let ping = frame(PING, 0, b"12345678");
        frames.see(&ping.repeat(2));
        assert!(!frames.is_flood());
        frames.see(&ping);
        assert!(frames.is_flood());
        frames.taken(1024);
        assert!(!frames.is_flood());
        frames.see(&ping);
        assert!(frames.is_flood());
        frames.see(&frame(HEADERS, 5, b"block"));
        frames.see(&ping.repeat(15));
        assert!(!frames.is_flood());
        frames.see(&ping);
        assert!(frames.is_flood());
    }
}
