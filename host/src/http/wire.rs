//! A connection's socket for hyper, with checks of the received bytes and a timeout for every wait.
//!
//! - Each HTTP/1 head is checked as it was sent ([`Heads`]).
//! - Between two HTTP/1 requests a connection may be idle for `limits.idle_ms`, and a head may take `limits.header_ms`.
//!   The limits differ, because load balancers keep connections for a minute, but a slow head is an attack.
//! - A client that doesn't read its answer is given up after `limits.write_ms`.
//! - An HTTP/2 client that floods the connection with frames without requests is given up ([`Frames`]).
//! - A connection that ends with unread bytes of the client lingers: if it closed at once, the kernel would send a
//!   reset, which can destroy the answer on its way (RFC 9112, 9.6).

use std::{
    future::Future,
    io::{self, IoSlice},
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use parking_lot::{Mutex, MutexGuard};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep_until},
};

use super::{
    frames::Frames,
    framing::Heads,
    socket::Socket,
    waiting_answers::{Answers, Cause},
};

/// The state shared by the socket and its requests.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) heads: Heads,
    /// Whether the last answer announced the end of the connection.
    pub(super) closing: bool,
    /// Whether a part of an answer waits for the client to read it.
    pub(super) writing: bool,
    /// Requests that were read but aren't answered yet.
    underway: usize,
    /// When the last request was answered.
    answered: Option<Instant>,
}

impl Known {
    pub(super) const fn underway(&self) -> usize {
        self.underway
    }

    pub(super) const fn request_began(&mut self) {
        self.underway += 1;
    }

    pub(super) fn request_ended(&mut self) {
        self.underway -= 1;
        self.answered = Some(Instant::now());
    }

    /// Returns the deadline for the next request's bytes; `None` while a request is under way.
    fn read_until(&self, since: Instant, timeouts: ClientTimeouts) -> Option<Instant> {
        let rest = self.answered.unwrap_or(since);
        match (self.underway, self.heads.head_began()) {
            (1.., _) => None,
            // For bytes that came early, during another request, the wait begins only after that one's answer.
            (0, Some(began)) => Some(began.max(rest) + timeouts.header),
            (0, None) => Some(rest + timeouts.idle),
        }
    }
}

/// [`Known`], shared by both sides.
#[derive(Debug, Clone, Default)]
pub(super) struct Link(Arc<Mutex<Known>>);

impl Link {
    pub(super) fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock()
    }
}

/// The timeouts for a client.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientTimeouts {
    /// For a request, after the previous one was answered.
    pub(super) idle: Duration,
    /// For the rest of a head.
    pub(super) header: Duration,
    /// For reading a part of an answer.
    pub(super) write: Duration,
    /// For the end of the client's bytes after a last answer.
    pub(super) linger: Duration,
}

/// The socket of one connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: Socket,
    link: Link,
    answers: Arc<Answers>,
    /// On HTTP/2; on HTTP/1 heads are checked instead.
    frames: Option<Frames>,
    timeouts: ClientTimeouts,
    since: Instant,
    /// The timer of the wait for a request.
    reading: Option<Pin<Box<Sleep>>>,
    /// The timer of a waiting write.
    stuck: Option<Pin<Box<Sleep>>>,
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    /// Returns the socket; `frames` is for HTTP/2.
    pub(super) fn new(
        stream: Socket,
        link: Link,
        answers: Arc<Answers>,
        frames: Option<Frames>,
        timeouts: ClientTimeouts,
    ) -> Self {
        let since = Instant::now();
        Self { stream, link, answers, frames, timeouts, since, reading: None, stuck: None, lingering: None }
    }

    /// Returns ready if the next request's bytes took too long.
    fn waited_too_long(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.link.lock().read_until(self.since, self.timeouts) else { return Poll::Pending };
        let reading = self.reading.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if reading.deadline() != until {
            reading.as_mut().reset(until);
        }
        reading.as_mut().poll(context)
    }

    fn wrote(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            if self.stuck.take().is_some() {
                self.link.lock().writing = false;
            }
            if let (Some(frames), Poll::Ready(Ok(bytes))) = (&mut self.frames, &written) {
                frames.taken(*bytes);
            }
            return written;
        }
        self.link.lock().writing = true;
        let deadline = Instant::now() + self.timeouts.write;
        let stuck = self.stuck.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        ready!(stuck.as_mut().poll(context));
        self.answers.count(Cause::Stalled);
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.stream).poll_read(context, buffer) else {
            if self.frames.is_none() {
                ready!(self.waited_too_long(context));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            return Poll::Pending;
        };
        read?;
        let came = buffer.filled_mut().get_mut(before..).unwrap_or_default();
        let Some(frames) = &mut self.frames else {
            self.link.lock().heads.see(came, Instant::now());
            return Poll::Ready(Ok(()));
        };
        frames.see(came);
        if frames.is_flood() {
            self.answers.count(Cause::Flood);
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.wrote(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.wrote(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        // Within TLS what was written may still wait here for the client to read it.
        if self.stream.is_secured() { self.wrote(context, flushed.map_ok(|()| 0)).map_ok(drop) } else { flushed }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            let shut = Pin::new(&mut self.stream).poll_shutdown(context);
            ready!(self.wrote(context, shut.map_ok(|()| 0)))?;
            let owes_nothing = {
                let known = self.link.lock();
                known.heads.is_between() && !known.closing
            };
            if owes_nothing {
                return Poll::Ready(Ok(()));
            }
        }
        let until = Instant::now() + self.timeouts.linger;
        let lingering = self.lingering.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if lingering.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut discarded = [MaybeUninit::uninit(); 4096];
        loop {
            let mut buffer = ReadBuf::uninit(&mut discarded);
            match ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                Ok(()) | Err(_) => return Poll::Ready(Ok(())),
            }
        }
    }
}
