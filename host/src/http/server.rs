//! Connections: accepting them, telling HTTP/1.1 from HTTP/2, bounding both, and closing them in order.
//!
//! A connection's permit is taken before it is accepted, so that a flood waits in the kernel's queue and not in
//! memory. Shutting down stops accepting at once and lets each connection finish what it has begun.

use std::{convert::Infallible, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{Request, Response, body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::Body;
use crate::config::Limits;

/// After accepting failed: the cause, mostly file descriptors, needs time to go away.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(50);
/// Between looks at a connection that sent less than it takes to tell its protocol.
const SNIFF_INTERVAL: Duration = Duration::from_millis(5);
/// An HTTP/2 client speaks first, and with this. No method of HTTP/1.1 starts like it.
const HTTP2_START: &[u8] = b"PRI";

/// Serves until `stopping`, then until the last connection is done. The caller bounds that wait.
pub async fn serve<H, F>(listener: TcpListener, limits: Limits, stopping: CancellationToken, handler: H)
where
    H: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let permits = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stopping.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("a connection can't be accepted: {error}");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
                continue;
            }
        };
        let (limits, stopping, handler) = (limits.clone(), stopping.clone(), handler.clone());
        connections.spawn(async move {
            let _permit = permit;
            connection(stream, peer, &limits, &stopping, handler).await;
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}

async fn connection<H, F>(
    stream: TcpStream,
    peer: SocketAddr,
    limits: &Limits,
    stopping: &CancellationToken,
    handler: H,
) where
    H: Fn(Request<Incoming>, SocketAddr) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    // Answers are small and whole: waiting for more to send would only delay them.
    _ = stream.set_nodelay(true);
    let header = Duration::from_millis(limits.header_ms);
    let speaks_http2 = tokio::select! {
        // Nothing was asked yet, so nothing is owed.
        () = stopping.cancelled() => return,
        sniffed = tokio::time::timeout(header, starts_as_http2(&stream)) => match sniffed {
            Ok(Ok(http2)) => http2,
            Ok(Err(_)) | Err(_) => return,
        },
    };
    let service = service_fn(move |request| {
        let answer = handler(request, peer);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let io = TokioIo::new(stream);
    // What a connection dies of (a reset, a torn request) is the client's business, and in its span if it got that far.
    if speaks_http2 {
        let mut builder = conn::http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(limits.http2_streams)
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .max_pending_accept_reset_streams(20)
            .max_local_error_reset_streams(1024)
            .max_send_buf_size(64 * 1024)
            .keep_alive_interval(header)
            .keep_alive_timeout(header);
        let serving = std::pin::pin!(builder.serve_connection(io, service));
        finish(serving, stopping, |serving| serving.graceful_shutdown()).await;
    } else {
        let mut builder = conn::http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(header)
            .max_headers(limits.headers)
            .max_header_size(limits.header_bytes)
            .max_buf_size((4 * limits.header_bytes).max(8192))
            .half_close(false);
        let serving = std::pin::pin!(builder.serve_connection(io, service));
        finish(serving, stopping, |serving| serving.graceful_shutdown()).await;
    }
}

/// Runs a connection to its end, which a shutdown brings nearer: no further request is read.
async fn finish<C: Future>(
    mut serving: std::pin::Pin<&mut C>,
    stopping: &CancellationToken,
    close: impl FnOnce(std::pin::Pin<&mut C>),
) {
    tokio::select! {
        _ = serving.as_mut() => return,
        () = stopping.cancelled() => close(serving.as_mut()),
    }
    serving.await;
}

/// Looks at the first bytes without taking them. hyper-util can tell the protocols apart too, but waits for ever for
/// a client that says nothing.
async fn starts_as_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut start = [0; HTTP2_START.len()];
    loop {
        let seen = stream.peek(&mut start).await?;
        let seen = start.get(..seen).unwrap_or_default();
        if seen.is_empty() {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if !HTTP2_START.starts_with(seen) {
            return Ok(false);
        }
        if seen.len() == HTTP2_START.len() {
            return Ok(true);
        }
        tokio::time::sleep(SNIFF_INTERVAL).await;
    }
}
