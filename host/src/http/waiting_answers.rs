//! Limits the answers that wait for their clients: how much memory all of them take.
//!
//! hyper holds an answer until its client reads it, and an HTTP/2 client can request many answers and read none. So a
//! request counts from the end of its head until the last byte of its answer is in the socket. All requests together may
//! have `limits.answers_mib`. Past that the connection with the most is ended, and the next, until the rest has room. A
//! connection isn't ended if it is the only one and has one request.
//!
//! [`progress`] limits how long one answer may wait.

mod progress;

use std::{
    collections::HashMap,
    convert::Infallible,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use hyper::{
    HeaderMap,
    body::{Body, Frame, SizeHint},
};
use parking_lot::{Mutex, MutexGuard};
pub(super) use progress::{Progress, StreamEnd};
use tokio_util::sync::CancellationToken;

use crate::units::{KIB, MIB};

/// The memory of a request and its answer besides head and body, bytes: the stream's state in h2, the task, headers,
/// and unused parts of buffers. Measured with 3,840 requests.
const REQUEST_BYTES: usize = 8192;
/// How much of an answer h2 gets at once, bytes. What h2 has can't be taken back.
const PIECE_BYTES: usize = 16 * KIB;

/// The requests under way on all connections, and the answers that wait for their clients.
#[derive(Debug)]
pub struct Answers {
    bytes_max: usize,
    waiting: Mutex<Waiting>,
    given_up: GivenUp,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: usize,
    /// The backlogs of connections, by the connection's number.
    backlogs: HashMap<u64, Backlog>,
    connections: u64,
}

/// The requests and waiting answers of one connection.
#[derive(Debug)]
struct Backlog {
    bytes: usize,
    requests: usize,
    given_up: CancellationToken,
}

/// Why a connection was ended early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Its client read nothing of an answer for too long.
    Stalled,
    /// Its requests and answers took the most memory when there was too little.
    NoRoom,
    /// Its client sent too many frames without a request.
    Flood,
    /// Its client reset too many requests.
    RapidReset,
}

#[derive(Debug, Default)]
struct GivenUp {
    stalled: AtomicU64,
    no_room: AtomicU64,
    flood: AtomicU64,
    rapid_reset: AtomicU64,
}

impl GivenUp {
    const fn of(&self, cause: Cause) -> &AtomicU64 {
        match cause {
            Cause::Stalled => &self.stalled,
            Cause::NoRoom => &self.no_room,
            Cause::Flood => &self.flood,
            Cause::RapidReset => &self.rapid_reset,
        }
    }
}

impl Answers {
    #[must_use]
    pub fn new(mib_max: usize) -> Arc<Self> {
        Arc::new(Self { bytes_max: mib_max * MIB, waiting: Mutex::default(), given_up: GivenUp::default() })
    }

    /// Returns how many bytes wait for their clients.
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        self.lock().bytes as u64
    }

    /// Returns how many connections were ended early, by reason.
    #[must_use]
    pub fn given_up(&self) -> [(&'static str, u64); 4] {
        [
            ("stalled", Cause::Stalled),
            ("no_room", Cause::NoRoom),
            ("flood", Cause::Flood),
            ("rapid_reset", Cause::RapidReset),
        ]
        .map(|(reason, cause)| (reason, self.given_up.of(cause).load(Relaxed)))
    }

    pub(super) fn count(&self, cause: Cause) {
        self.given_up.of(cause).fetch_add(1, Relaxed);
    }

    /// Returns a new connection's part of the count; `given_up` is the token that ends the connection.
    pub(super) fn outbox(self: &Arc<Self>, given_up: CancellationToken) -> Outbox {
        let mut waiting = self.lock();
        waiting.connections += 1;
        Outbox { answers: Arc::clone(self), connection: waiting.connections, given_up }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock()
    }
}

impl Waiting {
    /// Counts a request and returns true; returns false on a connection that was given up, where none counts any more.
    fn enter(&mut self, outbox: &Outbox, bytes: usize) -> bool {
        if outbox.given_up.is_cancelled() {
            return false;
        }
        let backlog = self.backlogs.entry(outbox.connection).or_insert_with(|| Backlog {
            bytes: 0,
            requests: 0,
            given_up: outbox.given_up.clone(),
        });
        backlog.requests += 1;
        self.grow(outbox, bytes);
        true
    }

    /// Counts more bytes of a counted request, and ends connections until all fit.
    fn grow(&mut self, outbox: &Outbox, bytes: usize) {
        let Some(backlog) = self.backlogs.get_mut(&outbox.connection) else { return };
        backlog.bytes += bytes;
        self.bytes += bytes;
        while self.bytes > outbox.answers.bytes_max
            && let Some(largest) = self.largest()
            && let Some(backlog) = self.backlogs.remove(&largest)
        {
            self.bytes -= backlog.bytes;
            outbox.answers.count(Cause::NoRoom);
            backlog.given_up.cancel();
        }
    }

    fn leave(&mut self, connection: u64, bytes: usize) {
        let Some(backlog) = self.backlogs.get_mut(&connection) else { return };
        backlog.bytes -= bytes;
        backlog.requests -= 1;
        self.bytes -= bytes;
        if backlog.requests == 0 {
            self.backlogs.remove(&connection);
        }
    }

    fn largest(&self) -> Option<u64> {
        let (connection, backlog) = self.backlogs.iter().max_by_key(|(_, backlog)| backlog.bytes)?;
        (self.backlogs.len() > 1 || backlog.requests > 1).then_some(*connection)
    }
}

/// One connection's part of [`Answers`].
#[derive(Debug, Clone)]
pub(super) struct Outbox {
    answers: Arc<Answers>,
    connection: u64,
    given_up: CancellationToken,
}

impl Outbox {
    /// Counts a request with such a head, until it is dropped unanswered or its answer is read.
    pub(super) fn request(&self, headers: &HeaderMap) -> Counted {
        let head: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
        let bytes = REQUEST_BYTES + head;
        let counts = self.answers.lock().enter(self, bytes);
        Counted { outbox: self.clone(), bytes: counts.then_some(bytes), progress: None }
    }
}

/// A counted request with its answer. Dropping this ends the count.
#[derive(Debug)]
pub(super) struct Counted {
    outbox: Outbox,
    bytes: Option<usize>,
    progress: Option<Arc<Progress>>,
}

impl Counted {
    /// Returns the answer's body for hyper. The body counts until hyper has dropped its last piece.
    pub(super) fn answer(mut self, body: Bytes, progress: Option<Arc<Progress>>) -> AnswerBody {
        let piece_bytes = if progress.is_some() { PIECE_BYTES } else { usize::MAX };
        if body.is_empty() {
            return AnswerBody { rest: body, piece_bytes, counted: None };
        }
        if let Some(bytes) = &mut self.bytes {
            *bytes += body.len();
            self.outbox.answers.lock().grow(&self.outbox, body.len());
        }
        if let Some(progress) = &progress {
            progress.begin();
        }
        self.progress = progress;
        AnswerBody { rest: body, piece_bytes, counted: Some(Arc::new(self)) }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Some(bytes) = self.bytes {
            self.outbox.answers.lock().leave(self.outbox.connection, bytes);
        }
        if let Some(progress) = &self.progress {
            progress.end();
        }
    }
}

/// An answer's body, as hyper sends it.
#[derive(Debug)]
pub(super) struct AnswerBody {
    rest: Bytes,
    piece_bytes: usize,
    counted: Option<Arc<Counted>>,
}

impl Body for AnswerBody {
    type Data = Piece;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Infallible>>> {
        if self.rest.is_empty() {
            return Poll::Ready(None);
        }
        let length = self.rest.len().min(self.piece_bytes);
        let bytes = self.rest.split_to(length);
        // The last piece takes the count with it.
        let counted = if self.rest.is_empty() { self.counted.take() } else { self.counted.clone() };
        Poll::Ready(Some(Ok(Frame::data(Piece { bytes, counted }))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}

/// A part of an answer's body.
#[derive(Debug)]
pub(super) struct Piece {
    bytes: Bytes,
    counted: Option<Arc<Counted>>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
        if let Some(progress) = self.counted.as_ref().and_then(|counted| counted.progress.as_ref()) {
            progress.took();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EACH: u64 = REQUEST_BYTES as u64;

    fn answers(bytes_max: usize) -> Arc<Answers> {
        Arc::new(Answers { bytes_max, waiting: Mutex::default(), given_up: GivenUp::default() })
    }

    fn outbox(answers: &Arc<Answers>) -> (Outbox, CancellationToken) {
        let given_up = CancellationToken::new();
        (answers.outbox(given_up.clone()), given_up)
    }

    fn answered(outbox: &Outbox, bytes: usize) -> AnswerBody {
        outbox.request(&HeaderMap::new()).answer(Bytes::from(vec![b'x'; bytes]), None)
    }

    #[test]
    fn past_the_bound_the_connection_that_has_the_most_goes() {
        let answers = answers(41_000 + 4 * REQUEST_BYTES);
        let ((large, large_given_up), (small, small_given_up)) = (outbox(&answers), outbox(&answers));
        let of_large = [answered(&large, 11_000), answered(&large, 11_000)];
        let first = answered(&small, 10_000);
        assert_eq!(answers.waiting_bytes(), 32_000 + 3 * EACH);
        let request = small.request(&HeaderMap::new());
        assert!(!large_given_up.is_cancelled(), "a request without its answer has room");
        let second = request.answer(Bytes::from(vec![b'x'; 10_000]), None);
        assert!(large_given_up.is_cancelled() && !small_given_up.is_cancelled());
        assert_eq!(answers.waiting_bytes(), 20_000 + 2 * EACH);
        // A given-up connection no longer counts, and nothing on it counts again.
        drop(of_large);
        drop(answered(&large, 1_000_000));
        assert_eq!(answers.waiting_bytes(), 20_000 + 2 * EACH);
        drop((first, second));
        assert_eq!(answers.waiting_bytes(), 0);
        assert_eq!(answers.given_up(), [("stalled", 0), ("no_room", 1), ("flood", 0), ("rapid_reset", 0)]);
    }

    #[test]
    fn a_connection_that_is_alone_with_one_request_is_left_alone() {
        let answers = answers(50_000);
        let (outbox, given_up) = outbox(&answers);
        let whole = answered(&outbox, 1_000_000);
        assert!(!given_up.is_cancelled());
        let another = outbox.request(&HeaderMap::new());
        assert!(given_up.is_cancelled(), "with two it isn't");
        drop((whole, another));
        assert_eq!(answers.waiting_bytes(), 0);
    }

    #[tokio::test]
    async fn an_answer_is_sent_in_pieces_and_counts_to_the_last_byte_of_them() {
        let answers = answers(1 << 20);
        let (outbox, _) = outbox(&answers);
        let progress = Arc::<Progress>::default();
        let body = Bytes::from(vec![b'x'; 40_000]);
        let mut outbound = outbox.request(&HeaderMap::new()).answer(body, Some(Arc::clone(&progress)));
        assert_eq!(outbound.size_hint().exact(), Some(40_000));
        let mut pieces = Vec::new();
        while let Some(piece) = http_body_util::BodyExt::frame(&mut outbound).await {
            pieces.push(piece.unwrap_or_else(|never| match never {}).into_data().expect("data"));
        }
        assert!(outbound.is_end_stream());
        drop(outbound);
        assert_eq!(pieces.iter().map(Buf::remaining).collect::<Vec<_>>(), [16_384, 16_384, 7_232]);
        pieces.truncate(1);
        assert_eq!(
            (answers.waiting_bytes(), progress.taken().is_some()),
            (40_000 + EACH, true),
            "all of it is one allocation"
        );
        pieces.clear();
        assert_eq!((answers.waiting_bytes(), progress.taken()), (0, None));
    }
}
