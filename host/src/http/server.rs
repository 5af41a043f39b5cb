//! Accepts connections, and decides about those for which there is no room.
//!
//! Every connection is accepted at once, so that none waits in the kernel's queue without an answer:
//!
//! | room | |
//! |---|---|
//! | one of `limits.connections` | served |
//! | none, but a connection without a request under way makes some | served in its stead |
//! | none, but one of `limits.refusals` | 503 with Retry-After, the watch routes excepted, and closed |
//! | none at all | closed |
//!
//! Shutting down stops accepting at once and lets each connection finish what it has begun.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use hyper::Response;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, OwnedSemaphorePermit, Semaphore},
    time::Instant,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Body, arrival::Arrival, connection, waiting_answers::Answers};
use crate::{config::Limits, tls::ServerTls, units::MIB};

/// The wait after accepting has failed: the cause, mostly too few file descriptors, needs time to pass.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
/// The time between two log lines about failed accepts.
const ACCEPT_WARNING_INTERVAL: Duration = Duration::from_secs(1);
/// How long an idle connection may take to make room; much shorter than a refusal may take.
const ROOM_WITHIN: Duration = Duration::from_millis(20);
/// How many connections may wait for room at once, for each one that may be refused at once.
pub const NEWCOMERS: usize = 4;
/// How many connections are asked to make room; a busy one stays.
const ASKED_FOR_ROOM: usize = 8;

/// Serves, within TLS if there is some, until `stopping`, then until the last connection is done. The caller bounds that wait.
pub async fn serve<H, F>(
    (listener, tls): (TcpListener, Option<Arc<ServerTls>>),
    limits: Limits,
    answers: Arc<Answers>,
    stopping: CancellationToken,
    handler: H,
) where
    H: Fn(Arrival) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let listening = Arc::new(Listening::new(limits, answers, tls, stopping));
    let connections = TaskTracker::new();
    let mut warned = None;
    loop {
        let accepted = tokio::select! {
            () = listening.stopping.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => listening.receive(stream, peer, &connections, handler.clone()),
            Err(error) => {
                if warned.is_none_or(|at: Instant| at.elapsed() >= ACCEPT_WARNING_INTERVAL) {
                    tracing::warn!("connections can't be accepted: {error}");
                    warned = Some(Instant::now());
                }
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// The state that one listener's connections share.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) limits: Limits,
    pub(super) stopping: CancellationToken,
    /// Wakes connections, to close if they are idle.
    room_asked: Notify,
    /// How many new connections wait for room, and how many idle ones are closing. No more close than wait.
    newcomers: AtomicUsize,
    leaving: AtomicUsize,
    /// A permit for each byte of a request's body in memory.
    pub(super) bodies: Arc<Semaphore>,
    /// The answers of all listeners.
    pub(super) answers: Arc<Answers>,
    /// `None` if the listener speaks HTTP without TLS.
    pub(super) tls: Option<Arc<ServerTls>>,
    places: Arc<Semaphore>,
    refusals: Semaphore,
}

impl Listening {
    fn new(limits: Limits, answers: Arc<Answers>, tls: Option<Arc<ServerTls>>, stopping: CancellationToken) -> Self {
        let permits = |count: usize| Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)));
        Self {
            room_asked: Notify::new(),
            newcomers: AtomicUsize::new(0),
            leaving: AtomicUsize::new(0),
            bodies: permits(limits.bodies_mib * MIB),
            places: permits(limits.connections),
            refusals: Semaphore::new(limits.refusals.min(Semaphore::MAX_PERMITS)),
            answers,
            tls,
            stopping,
            limits,
        }
    }

    fn receive<H, F>(self: &Arc<Self>, stream: TcpStream, peer: SocketAddr, connections: &TaskTracker, handler: H)
    where
        H: Fn(Arrival) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        if place.is_none() {
            if self.newcomers.load(SeqCst) >= self.limits.refusals.saturating_mul(NEWCOMERS) {
                return;
            }
            // Counted here, because a flood is accepted faster than its tasks run.
            self.newcomers.fetch_add(1, SeqCst);
        }
        let listening = Arc::clone(self);
        connections.spawn(async move {
            let place = match place {
                Some(place) => Some(place),
                None => {
                    let _newcomer = Counted(&listening.newcomers);
                    listening.room().await
                }
            };
            if let Some(_place) = place {
                connection::serve(&listening, stream, peer, false, handler).await;
            } else if let Ok(_refusal) = listening.refusals.try_acquire() {
                connection::serve(&listening, stream, peer, true, handler).await;
            }
        });
    }

    /// Returns a place if an idle connection makes room in time.
    async fn room(&self) -> Option<OwnedSemaphorePermit> {
        for _ in 0..ASKED_FOR_ROOM {
            self.room_asked.notify_one();
        }
        let place = tokio::time::timeout(ROOM_WITHIN, Arc::clone(&self.places).acquire_owned()).await;
        place.ok()?.ok()
    }

    /// Returns when an idle connection should check whether it has to close.
    pub(super) async fn asked_for_room(&self) {
        self.room_asked.notified().await;
    }

    /// Returns the right to close in favour of a waiting connection, to be held until this one is closed; `None` if
    /// none waits.
    pub(super) fn leave(&self) -> Option<Counted<'_>> {
        let newcomers = self.newcomers.load(SeqCst);
        let leaving = self.leaving.fetch_update(SeqCst, SeqCst, |leaving| (leaving < newcomers).then_some(leaving + 1));
        leaving.is_ok().then(|| Counted(&self.leaving))
    }
}

/// One unit of a counter, subtracted when this is dropped.
pub(super) struct Counted<'a>(&'a AtomicUsize);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}
