//! A client that speaks TLS, and says what the host showed.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, client::conn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::certificates::Issued;

/// The protocols of a client, as ALPN names them.
pub(crate) const HTTP1: &[u8] = b"http/1.1";
pub(crate) const HTTP2: &[u8] = b"h2";

#[derive(Clone)]
pub(crate) struct Secured {
    address: String,
    connector: TlsConnector,
}

/// A connection, and the certificate that the host showed.
pub(crate) struct Connection {
    requests: Requests,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) protocol: Vec<u8>,
}

enum Requests {
    Http1(conn::http1::SendRequest<Full<Bytes>>),
    Http2(conn::http2::SendRequest<Full<Bytes>>),
}

impl Secured {
    /// Returns a client that trusts the authority in the file; `identity` is what it shows a host which asks.
    pub(crate) fn new(address: &str, authority: &Path, identity: Option<&Issued>, protocols: &[&[u8]]) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(authority).expect("a certificate")).expect("an authority");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.expect("versions").with_root_certificates(roots);
        let mut config = match identity {
            None => config.with_no_client_auth(),
            Some(Issued { certificate, key }) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate");
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
                config.with_client_auth_cert(vec![certificate], key).expect("a usable key")
            }
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Self { address: address.to_owned(), connector: TlsConnector::from(Arc::new(config)) }
    }

    /// Opens a connection in the best protocol that both speak.
    pub(crate) async fn connect(&self) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(&self.address).await?;
        let name = ServerName::try_from("127.0.0.1").expect("an address");
        let stream: TlsStream<TcpStream> = self.connector.connect(name, stream).await?;
        let (_, session) = stream.get_ref();
        let shown = session.peer_certificates().and_then(<[_]>::first).cloned().expect("the host shows a certificate");
        let protocol = session.alpn_protocol().unwrap_or_default().to_vec();
        let requests = if protocol == HTTP2 {
            let (requests, connection) = conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            Requests::Http2(requests)
        } else {
            let (requests, connection) = conn::http1::handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            Requests::Http1(requests)
        };
        Ok(Connection { requests, certificate: shown.into_owned(), protocol })
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn once(&self, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, String)> {
        self.connect().await?.send(method, path, body).await
    }
}

impl Connection {
    pub(crate) async fn send(&mut self, method: &str, path: &str, body: &str) -> anyhow::Result<(u16, String)> {
        let uri = if matches!(self.requests, Requests::Http2(_)) {
            format!("https://127.0.0.1{path}")
        } else {
            path.to_owned()
        };
        let mut request = Request::builder().method(method).uri(uri).header("content-type", "application/json");
        if matches!(self.requests, Requests::Http1(_)) {
            request = request.header("host", "127.0.0.1");
        }
        let request = request.body(Full::from(body.to_owned()))?;
        let answer = match &mut self.requests {
            Requests::Http1(requests) => {
                requests.ready().await?;
                requests.send_request(request).await?
            }
            Requests::Http2(requests) => {
                requests.ready().await?;
                requests.send_request(request).await?
            }
        };
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8(body.to_vec())?))
    }
}
