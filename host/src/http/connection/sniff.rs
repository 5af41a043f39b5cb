//! Detects HTTP/1.1 or HTTP/2 by the first bytes of a connection.

use std::time::Duration;

use tokio::{net::TcpStream, time::sleep};

/// The first bytes of an HTTP/2 client. No HTTP/1.1 request begins with them.
pub(in crate::http) const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The first and the longest interval between checks of a connection that hasn't sent enough to show its protocol. The
/// rest mostly follows at once; a client that holds it back must cost little.
const SNIFF_INTERVAL: Duration = Duration::from_millis(5);
const SNIFF_INTERVAL_MAX: Duration = Duration::from_millis(100);

/// Peeks at the first bytes and returns whether they are HTTP/2's. hyper-util can detect the protocol too, but waits
/// for ever for a silent client.
///
/// # Errors
/// The connection's own, or a timeout if the client sends nothing for `idle`, or not enough within `header` of its
/// first byte.
pub(super) async fn is_http2_preface(stream: &TcpStream, idle: Duration, header: Duration) -> std::io::Result<bool> {
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
