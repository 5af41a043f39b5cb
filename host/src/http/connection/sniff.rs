//! Telling HTTP/2 from HTTP/1.1 by the first bytes of a connection.

use std::time::Duration;

use tokio::{net::TcpStream, time::sleep};

/// An HTTP/2 client speaks first, and with this. No request of HTTP/1.1 is like it.
pub(in crate::http) const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Between looks at a connection that sent less than it takes to tell its protocol: the first time, and at most. The rest is
/// mostly right behind; a client that holds it back is to cost little.
const SNIFF_INTERVAL: Duration = Duration::from_millis(5);
const SNIFF_INTERVAL_MAX: Duration = Duration::from_millis(100);

/// Looks at the first bytes without taking them. hyper-util can tell the protocols apart too, but waits for ever for
/// a client that says nothing.
///
/// # Errors
/// The connection's own; a client that says nothing for `idle`, or not enough within `header` of its first byte.
pub(super) async fn starts_as_http2(stream: &TcpStream, idle: Duration, header: Duration) -> std::io::Result<bool> {
    let mut start = [0; HTTP2_PREFACE.len()];
    tokio::time::timeout(idle, stream.peek(&mut start)).await??;
    let mut interval = SNIFF_INTERVAL;
    let told = async {
        loop {
            let seen = stream.peek(&mut start).await?;
            let seen = start.get(..seen).unwrap_or_default();
            if seen.is_empty() {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if !HTTP2_PREFACE.starts_with(seen) {
                return Ok(false);
            }
            if seen.len() == HTTP2_PREFACE.len() {
                return Ok(true);
            }
            sleep(interval).await;
            interval = SNIFF_INTERVAL_MAX.min(interval * 2);
        }
    };
    tokio::time::timeout(header, told).await?
}
