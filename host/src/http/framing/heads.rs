//! Reads an HTTP/1 connection's heads as they were sent, next to hyper, which shows only its own interpretation.

use tokio::time::Instant;

/// The longest announced body that is counted, bytes. No server accepts so much, and sums with it don't overflow.
const LENGTH_MAX: u64 = i64::MAX as u64;

/// What makes a head ambiguous or invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(in crate::http) enum HeadFault {
    #[error("nobody can tell where this request ends: it has content-length twice")]
    TwoLengths,
    #[error("nobody can tell where this request ends: it has both content-length and transfer-encoding")]
    LengthAndEncoding,
    #[error("nobody can tell where this request ends: a line of it ends in a bare line feed")]
    BareLineFeed,
    #[error("a body of that length is more than anybody takes")]
    EndlessBody,
    #[error("the target has a fragment, which is for the client alone; leave out `#` and what is behind it")]
    Fragment,
}

/// Finds the heads in an HTTP/1 connection's bytes, whatever pieces they come in, and their faults.
///
/// The connection is followed by lengths alone. After a chunked body or a faulty head nothing more is checked: the
/// connection has to be closed after that request.
#[derive(Debug, Default)]
pub(in crate::http) struct Heads {
    at: At,
    /// When the latest head began.
    began: Option<Instant>,
    ended: u64,
    doubtful: Option<(u64, HeadFault)>,
    head: Head,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum At {
    /// Before a request, where empty lines are ignored.
    #[default]
    Between,
    Line,
    Body {
        bytes_left: u64,
    },
    /// After the point up to which the connection can be followed.
    Beyond,
}

/// The state of the head that is being read.
#[derive(Debug, Default)]
struct Head {
    is_request_line: bool,
    /// Whether the target has begun.
    in_target: bool,
    line_bytes: usize,
    previous: u8,
    name: Name,
    length: u64,
    /// Whether the announced length is past the longest.
    endless: bool,
    fragment: bool,
    lengths: u32,
    encodings: u32,
    bare_line_feed: bool,
}

/// How much of a line matches a header that determines a request's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Name {
    #[default]
    Unread,
    MayBe(&'static [u8], usize),
    Length,
    Other,
}

impl Heads {
    /// Follows the connection through these bytes, received `now`. Replaces surplus digits of a length with blanks:
    /// hyper would refuse them with the wrong status.
    pub(in crate::http) fn see(&mut self, bytes: &mut [u8], now: Instant) {
        let mut seen = 0;
        while let Some(byte) = bytes.get_mut(seen) {
            match self.at {
                At::Beyond => return,
                At::Between if matches!(byte, b'\r' | b'\n') => seen += 1,
                At::Between => {
                    self.head = Head { is_request_line: true, ..Head::default() };
                    self.at = At::Line;
                    self.began = Some(now);
                }
                At::Line => {
                    if self.head.see(byte) {
                        self.end_head();
                    }
                    seen += 1;
                }
                At::Body { bytes_left } => {
                    let here = usize::try_from(bytes_left).unwrap_or(usize::MAX).min(bytes.len() - seen);
                    let left = bytes_left - here as u64;
                    self.at = if left == 0 { At::Between } else { At::Body { bytes_left: left } };
                    seen += here;
                }
            }
        }
    }

    /// Returns the fault on the connection up to the given request, counted from 1.
    pub(in crate::http) fn doubt_up_to(&self, request: u64) -> Option<HeadFault> {
        self.doubtful.filter(|(number, _)| *number <= request).map(|(_, doubt)| doubt)
    }

    /// Returns whether all received bytes belong to complete requests.
    pub(in crate::http) fn is_between(&self) -> bool {
        self.at == At::Between
    }

    /// Returns when the incomplete request began; `None` between requests.
    pub(in crate::http) fn coming_since(&self) -> Option<Instant> {
        self.began.filter(|_| !self.is_between())
    }

    /// Returns when the incomplete head began; `None` if there is none.
    pub(in crate::http) fn head_began(&self) -> Option<Instant> {
        self.began.filter(|_| self.at == At::Line)
    }

    fn end_head(&mut self) {
        self.ended += 1;
        let head = &self.head;
        let doubt = match (head.lengths, head.encodings) {
            (1.., 1..) => Some(HeadFault::LengthAndEncoding),
            (2.., 0) => Some(HeadFault::TwoLengths),
            _ if head.bare_line_feed => Some(HeadFault::BareLineFeed),
            _ if head.endless => Some(HeadFault::EndlessBody),
            _ if head.fragment => Some(HeadFault::Fragment),
            _ => None,
        };
        self.doubtful = doubt.map(|doubt| (self.ended, doubt));
        self.at = match (doubt, head.encodings, head.length) {
            (Some(_), ..) | (None, 1.., _) => At::Beyond,
            (None, 0, 0) => At::Between,
            (None, 0, bytes_left) => At::Body { bytes_left },
        };
    }
}

impl Head {
    /// Returns whether the head ends with this byte.
    fn see(&mut self, byte: &mut u8) -> bool {
        let previous = std::mem::replace(&mut self.previous, *byte);
        match byte {
            b'\r' => false,
            b'\n' => {
                self.bare_line_feed |= previous != b'\r';
                let empty = self.line_bytes == 0;
                *self = Self { is_request_line: false, line_bytes: 0, name: Name::Unread, ..std::mem::take(self) };
                empty
            }
            _ => {
                self.line_bytes += 1;
                if self.is_request_line {
                    self.fragment |= self.in_target && *byte == b'#';
                    self.in_target |= *byte == b' ';
                } else {
                    self.see_header(byte);
                }
                false
            }
        }
    }

    fn see_header(&mut self, byte: &mut u8) {
        const LENGTH: &[u8] = b"content-length:";
        const ENCODING: &[u8] = b"transfer-encoding:";
        self.name = match (self.name, byte.to_ascii_lowercase()) {
            (Name::Unread, b'c') => Name::MayBe(LENGTH, 1),
            (Name::Unread, b't') => Name::MayBe(ENCODING, 1),
            (Name::MayBe(name, seen), byte) if name.get(seen) == Some(&byte) => match seen + 1 == name.len() {
                false => Name::MayBe(name, seen + 1),
                true if name == LENGTH => {
                    self.lengths += 1;
                    self.length = 0;
                    Name::Length
                }
                true => {
                    self.encodings += 1;
                    Name::Other
                }
            },
            // hyper refuses a value that isn't a number.
            (Name::Length, digit @ b'0'..=b'9') => {
                let longer = self.length.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
                self.endless |= longer > LENGTH_MAX;
                if self.endless {
                    *byte = b' ';
                } else {
                    self.length = longer;
                }
                Name::Length
            }
            (Name::Length, _) => Name::Length,
            _ => Name::Other,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubtful_heads_are_found_in_pieces_of_any_size() {
        let check = |connection: &str, expected: &[Option<HeadFault>], between: bool| {
            for size in [1, 2, 3, 7, 64, 10_000] {
                let mut heads = Heads::default();
                let mut sent = connection.as_bytes().to_vec();
                sent.chunks_mut(size).for_each(|piece| heads.see(piece, Instant::now()));
                let doubts: Vec<_> = (1..=heads.ended).map(|number| heads.doubt_up_to(number)).collect();
                assert_eq!((doubts.as_slice(), heads.is_between()), (expected, between), "{connection:?} by {size}");
            }
        };
        let plain = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
        let body = "POST / HTTP/1.1\r\nContent-Length: 12\r\nx: transfer-encoding:\r\n\r\n\r\n\r\n12345678";
        check("", &[], true);
        check(plain, &[None], true);
        check(&format!("\r\n{body}\r\n{plain}{body}"), &[None, None, None], true);
        check(&body[..body.len() - 1], &[None], false);
        check("GET / HTTP/1.1\r\nhost: a\r\n", &[], false);
        check("POST / HTTP/1.1\r\ncontent-length: 0\r\n\r\n", &[None], true);
        check("GET content-length: HTTP/1.1\r\ncontent-length-x: 3\r\ncontent-length: 0\r\n\r\n", &[None], true);

        let lengths = "POST / HTTP/1.1\r\ncontent-length: 1\r\nCONTENT-LENGTH: 1\r\n\r\n";
        check(lengths, &[Some(HeadFault::TwoLengths)], false);
        check(&format!("{body}{plain}{lengths}x{plain}"), &[None, None, Some(HeadFault::TwoLengths)], false);
        let chunked = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        check(&format!("{chunked}{plain}"), &[None], false);
        for both in ["Content-Length: 0\r\nTransfer-Encoding: x", "Transfer-Encoding: x\r\nContent-Length: 1"] {
            check(&format!("POST / HTTP/1.1\r\n{both}\r\n\r\n"), &[Some(HeadFault::LengthAndEncoding)], false);
        }
        for bare in [plain.replace("\r\n", "\n"), plain.replacen("\r\n", "\n", 1), plain.replace("a\r\n", "a\n")] {
            check(&bare, &[Some(HeadFault::BareLineFeed)], false);
        }
        for target in ["/#", "/livez#x", "/a?b#c", "#", "http://a/#"] {
            let fragment = format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n");
            check(&fragment, &[Some(HeadFault::Fragment)], false);
        }
        check("G#T / HTTP/1.1\r\nhost: a#b\r\n\r\n", &[None], true);
        for length in ["9223372036854775808", "18446744073709551615", "18446744073709551616", &"9".repeat(200)] {
            let endless = format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\nx");
            check(&endless, &[Some(HeadFault::EndlessBody)], false);
        }
        for length in ["0000000000000000000000001", "9223372036854775807"] {
            let long = format!("POST / HTTP/1.1\r\ncontent-length: {length}\r\n\r\nx");
            check(&long, &[None], length.ends_with('1'));
        }
    }

    /// However long the sent length is, hyper reads a number that it accepts.
    #[test]
    fn a_length_past_all_numbers_is_shortened_and_nothing_else_is_changed() {
        let check = |sent: &str, read: &str| {
            for size in [1, 3, 10_000] {
                let mut bytes = sent.as_bytes().to_vec();
                let mut heads = Heads::default();
                bytes.chunks_mut(size).for_each(|piece| heads.see(piece, Instant::now()));
                assert_eq!(String::from_utf8_lossy(&bytes), read, "by {size}");
            }
        };
        let head =
            |length: &str, rest: &str| format!("POST /9 HTTP/1.1\r\nContent-Length: {length}\r\nx: {rest}\r\n\r\n");
        let long = "99999999999999999999999";
        check(&head(long, long), &head("999999999999999999     ", long));
        check(&head("9223372036854775808", "1"), &head("922337203685477580 ", "1"));
        check(&head("9223372036854775807", long), &head("9223372036854775807", long));
    }

    #[test]
    fn a_request_is_coming_from_its_first_byte_to_its_last() {
        let (first, second) = (Instant::now(), Instant::now() + std::time::Duration::from_secs(7));
        let mut heads = Heads::default();
        assert_eq!(heads.coming_since(), None);
        heads.see(&mut b"POST / HTTP/1.1\r\ncontent-length: 2\r\n".to_owned(), first);
        heads.see(&mut b"\r\nx".to_owned(), second);
        assert_eq!(heads.coming_since(), Some(first));
        heads.see(&mut b"x\r\n".to_owned(), second);
        assert_eq!(heads.coming_since(), None);
        heads.see(&mut b"G".to_owned(), second);
        assert_eq!(heads.coming_since(), Some(second));
    }
}
