//! One connection, of HTTP/1.1 or HTTP/2: limits what its client may do, and closes in order.
//!
//! An answer on HTTP/1 says `connection: close` if the connection can't go on: the head was ambiguous, a part of the
//! body is unread, the end of the body isn't followed ([`Heads`](super::framing::Heads)), or the connection is old.
//! HTTP/2 separates its streams by itself; a connection that is old, or on which an answer isn't read, ends with a
//! GOAWAY.

mod accept;
mod sniff;

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use accept::{Within, accept};
use http_body_util::BodyExt as _;
use hyper::{
    Method, Request, Response,
    body::Incoming,
    header::{CONNECTION, CONTENT_LENGTH, HOST, HeaderValue, TRANSFER_ENCODING},
    rt::Executor,
    server::conn,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
pub(super) use sniff::HTTP2_PREFACE;
use tokio::{
    net::TcpStream,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{
    Body,
    arrival::{Arrival, Inbound},
    frames::Frames,
    framing,
    server::{Counted, Listening},
    waiting_answers::{AnswerBody, Cause, Outbox, Progress, StreamEnd},
    wire::{ClientTimeouts, Link, Wire},
};
use crate::{config::Limits, units::KIB};

/// How long a new connection may send nothing, or any connection take over a head, while others wait for its place.
const SILENCE_ALLOWED: Duration = Duration::from_millis(200);
/// The most that hyper buffers of a request, bytes. More than the longest target that it reads, so that a too long
/// target gets its own status.
const BUFFER_BYTES: usize = 80 * KIB;
/// The largest head that hyper reads, bytes. `framing` checks the finer limits once the head is complete.
const HEAD_BYTES: usize = 72 * KIB;

/// Serves a connection to its end.
pub(super) async fn serve<H, F>(
    listening: &Arc<Listening>,
    stream: TcpStream,
    peer: SocketAddr,
    crowded: bool,
    handler: H,
) where
    H: Fn(Arrival) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    // Answers are small and complete, so waiting for more data would only delay them.
    _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else { return };
    let limits = &listening.limits;
    let millis = Duration::from_millis;
    let within = |limit_ms| millis(if crowded { limits.refusal_ms } else { limit_ms });
    let (idle, header) = (within(limits.idle_ms), within(limits.header_ms));
    let within = Within { idle, header, linger: millis(limits.linger_ms) };
    let (socket, http2) = tokio::select! {
        // Nothing was requested yet, so no answer is owed.
        () = listening.stopping.cancelled() => return,
        _leaving = silent_too_long(listening), if !crowded => return,
        accepted = accept(stream, listening.tls.as_deref(), within) => match accepted {
            Ok(accepted) => accepted,
            Err(_) => return,
        },
    };
    let given_up = CancellationToken::new();
    let connection = Arc::new(Connection {
        listening: Arc::clone(listening),
        link: Link::default(),
        peer,
        local,
        scheme: socket.scheme(),
        http2,
        crowded,
        since: Instant::now(),
        requests: AtomicU64::new(0),
        resets: AtomicU64::new(0),
        outbox: listening.answers.outbox(given_up.clone()),
        leaving: CancellationToken::new(),
        given_up,
    });
    let timeouts = ClientTimeouts { idle, header, write: millis(limits.write_ms), linger: millis(limits.linger_ms) };
    let frames = http2.then(|| Frames::new(limits.http2_frames));
    let wire = Wire::new(socket, connection.link.clone(), Arc::clone(&listening.answers), frames, timeouts);
    let io = TokioIo::new(wire);
    let answering = Arc::clone(&connection);
    let service = service_fn(move |request| answering.answer(request, &handler));
    // A connection's error (a reset, a request that ends early) is the client's doing, and is in the request's span if
    // there is one.
    if http2 {
        let serving = pin!(over_http2(&connection, header).serve_connection(io, service));
        connection.serve_until_closed(serving, |serving| serving.graceful_shutdown()).await;
    } else {
        let serving = pin!(over_http1(limits).serve_connection(io, service));
        connection.serve_until_closed(serving, |serving| serving.graceful_shutdown()).await;
    }
}

/// Returns what serves HTTP/2, within its limits.
fn over_http2(connection: &Arc<Connection>, header: Duration) -> conn::http2::Builder<Streams> {
    let limits = &connection.listening.limits;
    let (quiet, unanswered) = silence(header);
    let mut builder = conn::http2::Builder::new(Streams(Arc::clone(connection)));
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(256 * 1024)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(1024)
        .max_send_buf_size(64 * KIB)
        .keep_alive_interval(quiet)
        .keep_alive_timeout(unanswered);
    builder
}

/// Returns what serves HTTP/1.1, within its limits.
fn over_http1(limits: &Limits) -> conn::http1::Builder {
    let mut builder = conn::http1::Builder::new();
    builder
        // hyper has one timeout for an idle connection and for a head under way; `wire` has one for each.
        .header_read_timeout(None)
        .max_headers(limits.headers)
        .max_header_size(HEAD_BYTES)
        .max_buf_size(BUFFER_BYTES)
        .half_close(false);
    builder
}

/// The state that one connection's requests share.
struct Connection {
    listening: Arc<Listening>,
    link: Link,
    peer: SocketAddr,
    local: SocketAddr,
    scheme: &'static str,
    http2: bool,
    crowded: bool,
    since: Instant,
    requests: AtomicU64,
    /// Requests that the client reset before they were answered.
    resets: AtomicU64,
    outbox: Outbox,
    /// Cancelled when the connection takes no further request.
    leaving: CancellationToken,
    /// Cancelled when the connection has to end at once.
    given_up: CancellationToken,
}

impl Connection {
    fn answer<H, F>(
        self: &Arc<Self>,
        request: Request<Incoming>,
        handler: &H,
    ) -> impl Future<Output = Result<Response<AnswerBody>, Infallible>> + Send + use<H, F>
    where
        H: Fn(Arrival) -> F + Clone + Send + 'static,
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let underway = Underway::enter(self);
        let counted = self.outbox.request(request.headers());
        let number = self.requests.fetch_add(1, Relaxed) + 1;
        let (mut head, incoming) = request.into_parts();
        let doubt = self.link.lock().heads.doubt_up_to(number);
        let fit = framing::check(&head, doubt, self.local, &self.listening.limits);
        if let Some(authority) = head.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
            // In HTTP/2, and if the target names a host, this is the host, whatever the header says.
            head.headers.insert(HOST, authority);
        }
        let announced = head.headers.contains_key(CONTENT_LENGTH);
        // Bytes after a POST without a length may be meant as its body, and would be read as the next request.
        let unclear = head.headers.contains_key(TRANSFER_ENCODING) || head.method == Method::POST && !announced;
        let last = fit.is_err() || self.crowded || unclear;
        let (body, rest) = Inbound::new(incoming, Arc::clone(&self.listening.bodies));
        let request = Request::from_parts(head, body);
        let arrival = Arrival { request, peer: self.peer, scheme: self.scheme, fit, crowded: self.crowded };
        let handler = handler.clone();
        async move {
            // Boxed only when its turn has come, because a running request takes more memory than a waiting one.
            let mut response = Box::pin(handler(arrival)).await;
            let connection = underway.done();
            if rest.is_torn() {
                connection.count_reset();
            }
            if !connection.http2 && (last || rest.is_unread() || connection.is_old()) {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                connection.link.lock().closing = true;
            }
            let (head, body) = response.into_parts();
            let Ok(body) = body.collect().await;
            Ok(Response::from_parts(head, counted.answer(body.to_bytes(), Progress::of_stream())))
        }
    }

    /// Runs the connection to its end. At its maximum age, at a shutdown or in a crowd it reads no further request.
    async fn serve_until_closed<C: Future>(&self, mut serving: Pin<&mut C>, close: impl Fn(Pin<&mut C>)) {
        let limits = &self.listening.limits;
        let answered_within = Duration::from_millis(limits.body_ms + limits.request_ms + limits.write_ms);
        let mut end = pin!(sleep(self.age_max()));
        let mut is_last = self.crowded;
        let mut leaving = None;
        loop {
            tokio::select! {
                // Received bytes are read before the check whether the connection is idle.
                biased;
                _ = serving.as_mut() => return,
                () = self.given_up.cancelled() => return,
                () = self.listening.stopping.cancelled() => {
                    if self.is_quiet() {
                        return;
                    }
                    break;
                }
                () = self.leaving.cancelled() => break,
                () = self.listening.asked_for_room(), if !self.crowded => {
                    leaving = if self.is_idle() { self.listening.leave() } else { None };
                    match (&leaving, self.is_quiet()) {
                        (None, _) => {}
                        (Some(_), true) => return,
                        (Some(_), false) => break,
                    }
                }
                () = end.as_mut() => {
                    if is_last {
                        return;
                    }
                    // On HTTP/1 the next answer closes the connection; without a request it is idle and ends after
                    // `idle_ms`.
                    if self.http2 {
                        close(serving.as_mut());
                    }
                    is_last = true;
                    end.as_mut().reset(Instant::now() + answered_within);
                }
            }
        }
        close(serving.as_mut());
        // An HTTP/2 client that doesn't read its answers would keep the connection open for ever, and its place with
        // it.
        tokio::select! {
            _ = tokio::time::timeout(answered_within, serving) => {}
            () = self.given_up.cancelled() => {}
        }
        drop(leaving);
    }

    fn age_max(&self) -> Duration {
        let limits = &self.listening.limits;
        Duration::from_millis(if self.crowded { limits.refusal_ms } else { limits.connection_age_ms })
    }

    fn is_old(&self) -> bool {
        self.since.elapsed() >= self.age_max()
    }

    /// Returns whether an HTTP/1 connection can end now without loss: no request and no answer is under way. hyper
    /// itself would wait for the end of a head that has begun.
    fn is_quiet(&self) -> bool {
        let known = self.link.lock();
        !self.http2 && known.underway() == 0 && !known.writing
    }

    /// Returns whether the connection may be closed in a crowd: no request is under way or just being sent. A slow head
    /// doesn't count as a request.
    fn is_idle(&self) -> bool {
        let known = self.link.lock();
        let asks_nothing = known.heads.coming_since().is_none_or(|since| since.elapsed() > SILENCE_ALLOWED);
        known.underway() == 0 && !known.writing && asks_nothing
    }

    /// Counts a request that its client reset. A client that resets requests at once makes the server work at almost no
    /// cost (CVE-2023-44487); h2 itself counts only those reset before it has passed them on.
    fn count_reset(&self) {
        if self.http2 && self.resets.fetch_add(1, Relaxed) >= self.listening.limits.http2_resets {
            self.give_up(Cause::RapidReset);
        }
    }

    /// Records the end of an HTTP/2 stream. If its answer wasn't read, the connection takes no more requests, or ends.
    fn ended(&self, stream: StreamEnd) {
        match stream {
            StreamEnd::Done => {}
            StreamEnd::Reset if self.leaving.is_cancelled() => {}
            StreamEnd::Reset => {
                self.listening.answers.count(Cause::Stalled);
                self.leaving.cancel();
            }
            StreamEnd::Stuck => self.give_up(Cause::Stalled),
        }
    }

    fn give_up(&self, cause: Cause) {
        if !self.given_up.is_cancelled() {
            self.listening.answers.count(cause);
            self.given_up.cancel();
        }
    }
}

/// Runs hyper's tasks for a connection's HTTP/2 streams.
#[derive(Clone)]
struct Streams(Arc<Connection>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Streams {
    fn execute(&self, stream: F) {
        let connection = Arc::clone(&self.0);
        let stream = Progress::run_until_read(stream, Duration::from_millis(connection.listening.limits.write_ms));
        tokio::spawn(async move {
            // Many streams of one connection may wait together. If the connection was given up meanwhile, nobody reads
            // their answers: their memory is freed at once, and no work is done for them.
            if !connection.given_up.is_cancelled() {
                connection.ended(stream.await);
            }
        });
    }
}

/// A request under way. If it is dropped unanswered, the client has reset it.
struct Underway {
    connection: Arc<Connection>,
    answered: bool,
}

impl Underway {
    fn enter(connection: &Arc<Connection>) -> Self {
        connection.link.lock().request_began();
        Self { connection: Arc::clone(connection), answered: false }
    }

    fn done(mut self) -> Arc<Connection> {
        self.answered = true;
        Arc::clone(&self.connection)
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        self.connection.link.lock().request_ended();
        if !self.answered {
            self.connection.count_reset();
        }
    }
}

/// Returns how long an HTTP/2 client may be silent before it gets a PING, and how long it may take to answer that.
/// Together they are the limit for a head, after which HTTP/1 gives up such a client, too.
fn silence(header: Duration) -> (Duration, Duration) {
    let quiet = header / 2;
    (quiet, header.saturating_sub(quiet))
}

/// Returns when a connection that has sent nothing has to make room for another.
async fn silent_too_long(listening: &Listening) -> Counted<'_> {
    sleep(SILENCE_ALLOWED).await;
    loop {
        listening.asked_for_room().await;
        if let Some(leaving) = listening.leave() {
            return leaving;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue 15.18: the interval and the answer had the full `limits.header_ms` each.
    #[test]
    fn a_client_of_http2_may_say_nothing_for_as_long_as_a_head_may_take() {
        for header in [5000, 5001, 1, 0].map(Duration::from_millis) {
            let (quiet, unanswered) = silence(header);
            assert_eq!(quiet + unanswered, header);
        }
    }
}
