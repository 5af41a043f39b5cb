//! A connection's socket, as hyper reads and writes it: with an eye on what comes in, and no patience without end.
//!
//! - Each HTTP/1 head is looked at as it was sent ([`Heads`]).
//! - Between two requests of HTTP/1 a connection may rest for `limits.idle_ms`, and a head that has begun may take
//!   `limits.header_ms`: two limits, for balancers keep connections for a minute, and a slow head is an attack.
//! - A client that doesn't take its answer is given up after `limits.write_ms`.
//! - A client of HTTP/2 that floods the connection with what no request comes of is given up ([`Frames`]).
//! - A connection that ends with something of the client's unread lingers: closing at once would have the kernel send a
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
    net::TcpStream,
    time::{Instant, Sleep, sleep_until},
};

use super::{
    frames::Frames,
    framing::Heads,
    waiting_answers::{Answers, Cause},
};

/// What the socket and the requests on it know of each other.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) heads: Heads,
    /// Whether the answer that was given says that the connection ends with it.
    pub(super) closing: bool,
    /// Whether something of an answer waits for the client to take it.
    pub(super) writing: bool,
    /// Requests that were read and aren't answered yet.
    underway: usize,
    /// When the last of them was answered.
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

    /// Returns until when something of the next request has to come, `None` while one is under way.
    fn read_until(&self, since: Instant, patience: Patience) -> Option<Instant> {
        let rest = self.answered.unwrap_or(since);
        match (self.underway, self.heads.head_began()) {
            (1.., _) => None,
            // What came early, behind a request under way, wasn't waited for until that was answered.
            (0, Some(began)) => Some(began.max(rest) + patience.header),
            (0, None) => Some(rest + patience.idle),
        }
    }
}

/// [`Known`], for both of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Link(Arc<Mutex<Known>>);

impl Link {
    pub(super) fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock()
    }
}

/// How long a client is waited for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// For a request, after the one before was answered.
    pub(super) idle: Duration,
    /// For the rest of a head.
    pub(super) header: Duration,
    /// For taking something of an answer.
    pub(super) write: Duration,
    /// For the end of what it sends after a last answer.
    pub(super) linger: Duration,
}

/// The socket of one connection.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    link: Link,
    answers: Arc<Answers>,
    /// On HTTP/2; on HTTP/1 heads are looked at.
    frames: Option<Frames>,
    patience: Patience,
    since: Instant,
    /// What ends the wait for a request.
    reading: Option<Pin<Box<Sleep>>>,
    /// Since a write has been waiting, until when it may.
    stuck: Option<Pin<Box<Sleep>>>,
    lingering: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    /// Returns the socket; `frames` are followed on HTTP/2.
    pub(super) fn new(
        stream: TcpStream,
        link: Link,
        answers: Arc<Answers>,
        frames: Option<Frames>,
        patience: Patience,
    ) -> Self {
        let since = Instant::now();
        Self { stream, link, answers, frames, patience, since, reading: None, stuck: None, lingering: None }
    }

    /// Returns ready when nothing came of the next request for too long.
    fn waited_too_long(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.link.lock().read_until(self.since, self.patience) else { return Poll::Pending };
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
        let deadline = Instant::now() + self.patience.write;
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
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingering.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(context))?;
            let owes_nothing = {
                let known = self.link.lock();
                known.heads.is_between() && !known.closing
            };
            if owes_nothing {
                return Poll::Ready(Ok(()));
            }
        }
        let until = Instant::now() + self.patience.linger;
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
