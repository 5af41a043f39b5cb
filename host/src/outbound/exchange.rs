//! One HTTP/1.1 request and its answer over a connection that is for them alone.

use std::pin::pin;

use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap,
    body::{Body, Incoming},
    client::conn::http1,
    header::{CONNECTION, HeaderName, HeaderValue, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
};
use hyper_util::rt::TokioIo;

use super::{
    error::HttpError,
    message::Response,
    prepared::Prepared,
    wire::{Watched, Wire},
};

/// The most of an answer that is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct AnswerLimits {
    pub(super) headers: usize,
    pub(super) header_bytes: usize,
    pub(super) body_bytes: usize,
}

impl AnswerLimits {
    /// Returns the most bytes read from a connection: those of the answer, of interim answers before it, and of the sizes
    /// between a body's chunks. A server that sends chunks of a byte costs the host more than it costs the server.
    pub(super) const fn read_bytes(&self) -> usize {
        self.body_bytes.saturating_mul(2).saturating_add(self.header_bytes.saturating_mul(4))
    }
}

/// Sends the request and reads its answer. Dropping this closes the connection.
///
/// # Errors
/// [`HttpError::NotSent`] while nothing was written, then [`HttpError::Unknown`]; [`HttpError::TooLarge`].
pub(super) async fn exchange(
    connection: Watched,
    prepared: Prepared,
    limits: AnswerLimits,
    wire: &Wire,
) -> Result<Response, HttpError> {
    let mut builder = http1::Builder::new();
    // A head has to fit into the buffer, of which hyper demands 8 KiB or more.
    builder.max_headers(limits.headers).max_buf_size(limits.header_bytes.max(8_192));
    let handshake = builder.handshake(TokioIo::new(connection)).await;
    let (mut sender, connection) = handshake.map_err(|error| failed(wire, error))?;
    let mut connection = pin!(connection);
    let mut answered = pin!(async move {
        let response = sender.send_request(request(prepared)?).await.map_err(|error| failed(wire, error))?;
        read(response, limits, wire).await
    });
    let mut is_open = true;
    loop {
        // The connection does the work while the answer is waited for; its own end is no answer.
        tokio::select! {
            biased;
            answer = &mut answered => return answer,
            _ = &mut connection, if is_open => is_open = false,
        }
    }
}

fn request(prepared: Prepared) -> Result<hyper::Request<Full<Bytes>>, HttpError> {
    let target = prepared.target.parse();
    let mut request = hyper::Request::new(Full::from(prepared.body));
    *request.method_mut() = prepared.method;
    *request.uri_mut() =
        target.map_err(|_| HttpError::NotGranted("the URL's path can't be sent; percent-encode it".to_owned()))?;
    *request.headers_mut() = prepared.headers;
    Ok(request)
}

async fn read(response: hyper::Response<Incoming>, limits: AnswerLimits, wire: &Wire) -> Result<Response, HttpError> {
    let (head, body) = response.into_parts();
    if head.status.is_informational() {
        // hyper skips the others itself.
        return Err(HttpError::Unknown("the answer is 101, another protocol, which wasn't asked for".to_owned()));
    }
    let body = read_body(body, limits.body_bytes, wire).await?;
    Ok(Response { status: head.status.as_u16(), headers: headers(&head.headers), body })
}

async fn read_body(mut body: Incoming, bytes_max: usize, wire: &Wire) -> Result<Bytes, HttpError> {
    // What Content-Length announces needn't be waited for, nor is it believed and reserved.
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(HttpError::TooLarge);
    }
    let mut read = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // Trailers aren't handed over: nothing says that they are of the answer's head.
        let Ok(part) = frame.map_err(|error| failed(wire, error))?.into_data() else { continue };
        if read.len() + part.len() > bytes_max {
            return Err(HttpError::TooLarge);
        }
        read.extend_from_slice(&part);
    }
    Ok(read.freeze())
}

/// Returns the headers that plugins are told.
fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let told = headers.iter().filter(|(name, _)| !is_of_connection(name));
    told.filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?))).collect()
}

fn text(value: &HeaderValue) -> Option<String> {
    str::from_utf8(value.as_bytes()).ok().map(str::to_owned)
}

fn is_of_connection(name: &HeaderName) -> bool {
    [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE].contains(name)
        || matches!(name.as_str(), "keep-alive" | "proxy-connection")
}

/// Says what an error of the connection means. hyper's and the system's texts repeat nothing of what was sent or received.
fn failed(wire: &Wire, error: hyper::Error) -> HttpError {
    if error.is_parse_too_large() || wire.is_over() {
        return HttpError::TooLarge;
    }
    let reason = format!("{:#}", anyhow::Error::new(error));
    if wire.is_written() { HttpError::Unknown(reason) } else { HttpError::NotSent(reason) }
}
