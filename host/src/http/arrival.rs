//! A request as it comes from a connection.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use hyper::{
    Request,
    body::{Body, Frame, Incoming, SizeHint},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::problem::Problem;
use crate::units::micros;

/// The memory of a piece of a body besides its bytes: its handle, and the framing in the same buffer. A body sent byte
/// by byte has a piece for each byte.
const PIECE_BYTES: usize = 64;

/// A request with what its connection knows about it.
#[derive(Debug)]
pub struct Arrival {
    pub request: Request<Inbound>,
    pub peer: SocketAddr,
    /// `https` within TLS, else `http`.
    pub scheme: &'static str,
    /// Why the request must not be carried out, if it mustn't.
    pub fit: Result<(), Problem>,
    /// The connection is past the limit: only the watch routes are answered.
    pub crowded: bool,
}

/// Why a body can't be read.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    #[error(transparent)]
    Torn(#[from] hyper::Error),
    #[error("no room for another body")]
    NoRoom,
}

/// A request's body. The bytes read from it count towards the limit of all bodies under way, until it is dropped.
#[derive(Debug)]
pub struct Inbound {
    incoming: Incoming,
    room: Arc<Semaphore>,
    taken: Option<OwnedSemaphorePermit>,
    /// Since when the host has been waiting for more of it.
    waiting: Option<Instant>,
    rest: Rest,
}

/// The state of a body, for after it was read or dropped.
#[derive(Debug, Clone, Default)]
pub(super) struct Rest(Arc<Became>);

#[derive(Debug, Default)]
struct Became {
    unread: AtomicBool,
    torn: AtomicBool,
    waited_us: AtomicU64,
}

impl Rest {
    /// Returns whether a part of the body is still unread.
    pub(super) fn is_unread(&self) -> bool {
        self.0.unread.load(Relaxed)
    }

    /// Returns whether the body ended early; on HTTP/2, whether the client reset the request.
    pub(super) fn is_torn(&self) -> bool {
        self.0.torn.load(Relaxed)
    }

    /// Returns how long the host waited for the client.
    pub(super) fn waited(&self) -> Duration {
        Duration::from_micros(self.0.waited_us.load(Relaxed))
    }
}

impl Inbound {
    /// Returns the body and its state; `room` has a permit for each byte that all bodies together may have in memory.
    pub(super) fn new(incoming: Incoming, room: Arc<Semaphore>) -> (Self, Rest) {
        let rest = Rest::default();
        rest.0.unread.store(!incoming.is_end_stream(), Relaxed);
        (Self { incoming, room, taken: None, waiting: None, rest: rest.clone() }, rest)
    }

    /// Returns the body's state.
    pub(super) fn rest(&self) -> Rest {
        self.rest.clone()
    }

    fn waited(&mut self) {
        if let Some(since) = self.waiting.take() {
            self.rest.0.waited_us.fetch_add(micros(since.elapsed()), Relaxed);
        }
    }

    fn take_room(&mut self, bytes: usize) -> Result<(), Unread> {
        let bytes = u32::try_from(bytes).map_err(|_| Unread::NoRoom)?;
        let more = Arc::clone(&self.room).try_acquire_many_owned(bytes).map_err(|_| Unread::NoRoom)?;
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            none => *none = Some(more),
        }
        Ok(())
    }
}

impl Drop for Inbound {
    fn drop(&mut self) {
        self.waited();
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = Unread;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(context) else {
            self.waiting.get_or_insert_with(Instant::now);
            return Poll::Pending;
        };
        self.waited();
        let frame = match frame {
            Some(Ok(frame)) => match self.take_room(PIECE_BYTES + frame.data_ref().map_or(0, Bytes::len)) {
                Ok(()) => Some(Ok(frame)),
                Err(full) => Some(Err(full)),
            },
            Some(Err(torn)) => {
                self.rest.0.torn.store(true, Relaxed);
                Some(Err(torn.into()))
            }
            None => None,
        };
        if frame.is_none() || matches!(frame, Some(Ok(_))) && self.incoming.is_end_stream() {
            self.rest.0.unread.store(false, Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
