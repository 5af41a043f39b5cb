//! A connection that knows whether anything of a request was written to it, and how much may be read from it.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is known about a connection from outside.
#[derive(Debug, Default)]
pub(super) struct Wire {
    written: AtomicBool,
    is_over: AtomicBool,
}

impl Wire {
    /// Tells whether a byte of the request was taken by the connection, or may have been: a write that failed counts,
    /// since TLS may have sent a part of what it was given.
    pub(super) fn is_written(&self) -> bool {
        self.written.load(Relaxed)
    }

    /// Tells whether more was sent than may be read.
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Relaxed)
    }
}

/// Any connection.
pub(super) trait Link: AsyncRead + AsyncWrite + Send {}

impl<T: AsyncRead + AsyncWrite + Send> Link for T {}

/// A connection, watched.
pub(super) struct Watched {
    link: Pin<Box<dyn Link>>,
    wire: Arc<Wire>,
    /// Bytes that may still be read. The limits of heads and bodies don't count chunk sizes, trailers and interim
    /// answers, which a server could send for as long as it is listened to.
    left: usize,
}

impl Watched {
    pub(super) fn new(link: Pin<Box<dyn Link>>, wire: Arc<Wire>, read_bytes_max: usize) -> Self {
        Self { link, wire, left: read_bytes_max }
    }
}

impl AsyncRead for Watched {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(self.link.as_mut().poll_read(cx, buffer))?;
        match self.left.checked_sub(buffer.filled().len() - before) {
            Some(left) => {
                self.left = left;
                Poll::Ready(Ok(()))
            }
            None => {
                self.wire.is_over.store(true, Relaxed);
                Poll::Ready(Err(io::Error::other("more was sent than may be read")))
            }
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(self.link.as_mut().poll_write(cx, bytes));
        self.wire.written.store(true, Relaxed);
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.as_mut().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.link.as_mut().poll_shutdown(cx)
    }
}
