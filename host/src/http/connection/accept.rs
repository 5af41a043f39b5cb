//! The beginning of a connection: which protocol it speaks, and its TLS handshake on a listener with a certificate.
//!
//! Without TLS the first bytes tell HTTP/1.1 from HTTP/2; within TLS the client names its protocol in the handshake (ALPN).

use std::{io, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::sniff::is_http2_preface;
use crate::{
    http::socket::Socket,
    tls::{HTTP2, ServerTls},
};

/// The type of the record that a TLS client begins with (RFC 8446, 5.1). No HTTP request begins with it.
const HANDSHAKE: u8 = 22;
/// The answer to a client that speaks HTTP without TLS.
const PLAIN_REFUSED: &str = "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: 56\r\n\
                             connection: close\r\n\r\nThis port speaks TLS: ask for the same address by https\n";

/// How long the beginning may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Within {
    /// Until the first byte.
    pub(super) idle: Duration,
    /// For the handshake, and for enough bytes to tell the protocol.
    pub(super) header: Duration,
    /// For a refused client to read its answer.
    pub(super) linger: Duration,
}

/// Returns the connection's socket, and whether it speaks HTTP/2.
///
/// # Errors
/// The connection's own, a timeout, or a failed handshake. Nothing was requested yet.
pub(super) async fn accept(
    mut stream: TcpStream,
    tls: Option<&ServerTls>,
    within: Within,
) -> io::Result<(Socket, bool)> {
    let Some(tls) = tls else {
        let http2 = is_http2_preface(&stream, within.idle, within.header).await?;
        return Ok((Socket::Plain(stream), http2));
    };
    let mut first = [0];
    if timeout(within.idle, stream.peek(&mut first)).await?? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if first != [HANDSHAKE] {
        _ = timeout(within.linger, refuse(&mut stream)).await;
        return Err(io::ErrorKind::InvalidData.into());
    }
    let stream = timeout(within.header, tls.acceptor().accept(stream)).await??;
    let http2 = stream.get_ref().1.alpn_protocol() == Some(HTTP2);
    Ok((Socket::Secured(Box::new(stream)), http2))
}

/// Answers, and reads on until the client has closed: a connection that is closed with unread bytes may lose its answer.
async fn refuse(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(PLAIN_REFUSED.as_bytes()).await?;
    stream.shutdown().await?;
    let mut discarded = [0; 4096];
    while stream.read(&mut discarded).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::PLAIN_REFUSED;

    #[test]
    fn the_refusal_is_as_long_as_it_says() {
        let (head, body) = PLAIN_REFUSED.split_once("\r\n\r\n").expect("a head and a body");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
    }
}
