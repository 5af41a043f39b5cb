//! An answer on its way to its client: how much of all answers waits to be taken, and since when nothing of one was.
//!
//! hyper holds an answer until its client takes it, and HTTP/2 lets a client ask for many and take none. So an answer counts
//! from when it is given to hyper until the last byte of it is in the socket:
//!
//! - All answers that wait may have `limits.answers_mib` together. Past that the connection that has the most waiting is
//!   ended, and the next, until the rest has room. A connection that is alone with one answer is left alone.
//! - A stream of HTTP/2 whose client takes nothing of its answer for `limits.write_ms` is reset, and its connection takes no
//!   more requests. What hyper has handed on to h2 can't be reset any more: then the connection ends at once. (On HTTP/1 the
//!   socket itself is waited for, by `wire`.)

use std::{
    collections::HashMap,
    convert::Infallible,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Buf, Bytes};
use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// What an answer takes in memory besides its bytes: its headers, its stream's state in h2, its task.
const ANSWER_BYTES: usize = 4096;
/// How much of an answer HTTP/2 is given at once. Of what it was given it can't be made to forget anything.
const PIECE_BYTES: usize = 16 * 1024;

/// The answers of all connections that wait to be taken.
#[derive(Debug)]
pub struct Answers {
    bytes_max: usize,
    waiting: Mutex<Waiting>,
    given_up: GivenUp,
}

#[derive(Debug, Default)]
struct Waiting {
    bytes: usize,
    /// Of connections that have some, by their numbers.
    backlogs: HashMap<u64, Backlog>,
    connections: u64,
}

/// What waits on one connection.
#[derive(Debug)]
struct Backlog {
    bytes: usize,
    answers: usize,
    given_up: CancellationToken,
}

/// Why a connection was ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// Its client took nothing of an answer for too long.
    Stalled,
    /// Its answers that wait took the most room when there was none.
    NoRoom,
    /// Its client sent too much of which nothing comes.
    Flood,
    /// Its client took back too many requests.
    TakenBack,
}

#[derive(Debug, Default)]
struct GivenUp {
    stalled: AtomicU64,
    no_room: AtomicU64,
    flood: AtomicU64,
    taken_back: AtomicU64,
}

impl GivenUp {
    const fn of(&self, cause: Cause) -> &AtomicU64 {
        match cause {
            Cause::Stalled => &self.stalled,
            Cause::NoRoom => &self.no_room,
            Cause::Flood => &self.flood,
            Cause::TakenBack => &self.taken_back,
        }
    }
}

impl Answers {
    #[must_use]
    pub fn new(mib_max: usize) -> Arc<Self> {
        let bytes_max = mib_max.saturating_mul(1 << 20);
        Arc::new(Self { bytes_max, waiting: Mutex::default(), given_up: GivenUp::default() })
    }

    /// Returns how many bytes wait to be taken.
    #[must_use]
    pub fn waiting_bytes(&self) -> u64 {
        u64::try_from(self.lock().bytes).unwrap_or(u64::MAX)
    }

    /// Returns how many connections were ended before their time, by the reason.
    #[must_use]
    pub fn given_up(&self) -> [(&'static str, u64); 4] {
        [
            ("stalled", Cause::Stalled),
            ("no_room", Cause::NoRoom),
            ("flood", Cause::Flood),
            ("taken_back", Cause::TakenBack),
        ]
        .map(|(reason, cause)| (reason, self.given_up.of(cause).load(Relaxed)))
    }

    pub(super) fn count(&self, cause: Cause) {
        self.given_up.of(cause).fetch_add(1, Relaxed);
    }

    /// Returns what the answers of a new connection are counted under; `given_up` is what ends the connection.
    pub(super) fn outbox(self: &Arc<Self>, given_up: CancellationToken) -> Outbox {
        let mut waiting = self.lock();
        waiting.connections += 1;
        Outbox { answers: Arc::clone(self), connection: waiting.connections, given_up }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Counts the answer, and ends connections until all that wait have room. Returns whether it counts: on a connection
    /// that was given up none does any more.
    fn enter(&mut self, outbox: &Outbox, bytes: usize) -> bool {
        if outbox.given_up.is_cancelled() {
            return false;
        }
        let backlog = self.backlogs.entry(outbox.connection).or_insert_with(|| Backlog {
            bytes: 0,
            answers: 0,
            given_up: outbox.given_up.clone(),
        });
        backlog.bytes += bytes;
        backlog.answers += 1;
        self.bytes += bytes;
        while self.bytes > outbox.answers.bytes_max
            && let Some(largest) = self.largest()
            && let Some(backlog) = self.backlogs.remove(&largest)
        {
            self.bytes -= backlog.bytes;
            outbox.answers.count(Cause::NoRoom);
            backlog.given_up.cancel();
        }
        true
    }

    fn leave(&mut self, connection: u64, bytes: usize) {
        let Some(backlog) = self.backlogs.get_mut(&connection) else { return };
        backlog.bytes -= bytes;
        backlog.answers -= 1;
        self.bytes -= bytes;
        if backlog.answers == 0 {
            self.backlogs.remove(&connection);
        }
    }

    fn largest(&self) -> Option<u64> {
        let (connection, backlog) = self.backlogs.iter().max_by_key(|(_, backlog)| backlog.bytes)?;
        (self.backlogs.len() > 1 || backlog.answers > 1).then_some(*connection)
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
    /// Returns the answer's body for hyper. It counts until hyper has dropped the last of it.
    pub(super) fn outbound(&self, body: Bytes, progress: Option<Arc<Progress>>) -> Outbound {
        let piece_bytes = if progress.is_some() { PIECE_BYTES } else { usize::MAX };
        let counted = (!body.is_empty()).then(|| {
            let bytes = body.len() + ANSWER_BYTES;
            let counts = self.answers.lock().enter(self, bytes);
            if let Some(progress) = &progress {
                progress.begin();
            }
            Arc::new(Counted { outbox: self.clone(), bytes: counts.then_some(bytes), progress })
        });
        Outbound { rest: body, piece_bytes, counted }
    }
}

/// An answer that counts, until it is dropped.
#[derive(Debug)]
struct Counted {
    outbox: Outbox,
    bytes: Option<usize>,
    progress: Option<Arc<Progress>>,
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
pub(super) struct Outbound {
    rest: Bytes,
    piece_bytes: usize,
    counted: Option<Arc<Counted>>,
}

impl Body for Outbound {
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
        // The last piece takes the count along.
        let counted = if self.rest.is_empty() { self.counted.take() } else { self.counted.clone() };
        Poll::Ready(Some(Ok(Frame::data(Piece { bytes, counted }))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(u64::try_from(self.rest.len()).unwrap_or(u64::MAX))
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

tokio::task_local! {
    /// Of the stream that a task of hyper's carries out.
    static PROGRESS: Arc<Progress>;
}

/// When something of a stream's answer was taken last.
#[derive(Debug, Default)]
pub(super) struct Progress {
    /// `None` while nothing waits.
    taken: Mutex<Option<Instant>>,
    changed: Notify,
}

/// How a stream went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Course {
    Done,
    /// Nothing was taken for too long, and its reset is on the way.
    Reset,
    /// The same, and nothing but its connection's end ends it.
    Stuck,
}

impl Progress {
    /// Returns the progress of the stream that is being carried out; `None` on HTTP/1.
    pub(super) fn of_stream() -> Option<Arc<Self>> {
        PROGRESS.try_with(Arc::clone).ok()
    }

    /// Carries out a stream of hyper's until its answer is taken, or nothing is for so long.
    pub(super) async fn see_out(stream: impl Future<Output = ()>, patience: Duration) -> Course {
        let progress = Arc::<Self>::default();
        let mut stream = Box::pin(PROGRESS.scope(Arc::clone(&progress), stream));
        let mut stalled = pin!(progress.stalled(patience));
        tokio::select! {
            biased;
            () = stream.as_mut() => {}
            // Dropping the stream resets it.
            () = stalled.as_mut() => return Course::Reset,
        }
        drop(stream);
        tokio::select! {
            biased;
            () = progress.gone() => Course::Done,
            () = stalled => Course::Stuck,
        }
    }

    fn begin(&self) {
        self.set(Some(Instant::now()));
        self.changed.notify_one();
    }

    fn took(&self) {
        self.set(Some(Instant::now()));
    }

    fn end(&self) {
        self.set(None);
        self.changed.notify_one();
    }

    fn set(&self, taken: Option<Instant>) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = taken;
    }

    fn taken(&self) -> Option<Instant> {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when nothing of an answer that waits was taken for so long.
    async fn stalled(&self, patience: Duration) {
        loop {
            let Some(taken) = self.taken() else {
                self.changed.notified().await;
                continue;
            };
            let until = taken + patience;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// Returns when nothing waits.
    async fn gone(&self) {
        while self.taken().is_some() {
            self.changed.notified().await;
        }
    }
}
