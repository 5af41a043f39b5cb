//! Counts an HTTP/2 connection's frames, and detects a flood of frames that lead to no request.
//!
//! A client may send PING, SETTINGS, WINDOW_UPDATE and unknown frames for ever (CVE-2019-9512 and similar), and each
//! costs work. h2 (0.4.20) limits small and empty DATA frames, CONTINUATIONs and resets by itself, but not these. This
//! module compares their number with what an honest client needs: some at the start, some for each request, some for
//! the bytes that it reads of its answers.

use super::connection::HTTP2_PREFACE;

/// The bytes of a frame's length, kind, flags and stream.
const HEAD_BYTES: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
/// The frames allowed for each request: for its body, trailers, windows and the client's PINGs.
const ALLOWED_FOR_A_REQUEST: u64 = 16;
/// The bytes read of answers for each further allowed frame. A client that reads an answer sends window updates, in
/// pieces of any size, for the stream and the connection.
const TAKEN_BYTES_FOR_A_FRAME: u64 = 1024;

/// Follows the frames that a client sends.
#[derive(Debug)]
pub(super) struct Frames {
    preface_left: usize,
    head: [u8; HEAD_BYTES],
    head_bytes: usize,
    payload_left: usize,
    /// Frames that lead to no request.
    idle: u64,
    allowed: u64,
    taken_bytes: u64,
}

impl Frames {
    /// Begins before the preface; `allowed` is how many frames may come before any request.
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

    /// Adds bytes that the client has read of its answers.
    pub(super) fn taken(&mut self, bytes: usize) {
        self.taken_bytes = self.taken_bytes.saturating_add(bytes as u64);
    }

    /// Returns whether more frames came without a request than an honest client sends.
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

/// Returns the bytes after the first `left`, and subtracts those that were skipped from `left`.
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
        // Bytes that look like a frame within another frame's payload don't count.
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
