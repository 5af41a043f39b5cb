//! Connections to registries: TLS, the proxies that the environment names, and one request at a time with a bounded answer.

use std::{fmt, path::Path, pin::Pin, sync::Arc, task};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Request, Response, Uri, body::Incoming, header::USER_AGENT};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::{
        legacy::{
            self,
            connect::{HttpConnector, proxy::Tunnel},
        },
        proxy::matcher::Matcher,
    },
    rt::{TokioExecutor, TokioIo},
};
use rustls::RootCertStore;
use tokio::net::TcpStream;
use tower_service::Service;

use crate::tls;

const AGENT: &str = concat!("till/", env!("CARGO_PKG_VERSION"));

/// Makes requests.
pub(super) struct Wire {
    client: legacy::Client<HttpsConnector<Route>, Full<Bytes>>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Wire")
    }
}

impl Wire {
    /// Reads the certificates of the system's authorities, and those in the file.
    pub(super) fn new(ca_file: Option<&Path>) -> anyhow::Result<Self> {
        let of_file = match ca_file {
            Some(file) => tls::authorities(file).context("oci.ca_file")?,
            None => RootCertStore::empty(),
        };
        let tls = tls::client_trusting(tls::with_systems(of_file))?;
        let mut direct = HttpConnector::new();
        direct.enforce_http(false);
        direct.set_nodelay(true);
        let route = Route { direct, proxies: Arc::new(Matcher::from_env()) };
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(route);
        Ok(Self { client: legacy::Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// Returns the answer to a request, whose body isn't read yet.
    ///
    /// # Errors
    /// Says why there is none, with all causes.
    pub(super) async fn send(&self, mut request: Request<Full<Bytes>>) -> Result<Response<Incoming>, String> {
        request.headers_mut().insert(USER_AGENT, hyper::header::HeaderValue::from_static(AGENT));
        self.client.request(request).await.map_err(|error| causes(&error))
    }
}

/// Returns an answer's body, `None` if it has more bytes, whatever its headers say.
///
/// # Errors
/// Says why it ended early.
pub(super) async fn read(body: Incoming, bytes_max: usize) -> Result<Option<Bytes>, String> {
    match Limited::new(body, bytes_max).collect().await {
        Ok(read) => Ok(Some(read.to_bytes())),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => Ok(None),
        Err(error) => Err(causes(&*error)),
    }
}

fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let mut said: Vec<String> = Vec::new();
    for cause in chain.map(ToString::to_string) {
        // Some errors repeat their cause.
        if !said.last().is_some_and(|last| last.contains(&cause)) {
            said.push(cause);
        }
    }
    said.join(": ").chars().filter(|letter| !letter.is_control()).take(300).collect()
}

/// Connects to a host, through the proxy that `HTTPS_PROXY` names for it unless `NO_PROXY` has it. What is spoken to without TLS is
/// near, and is connected to directly.
#[derive(Clone)]
struct Route {
    direct: HttpConnector,
    proxies: Arc<Matcher>,
}

type Connecting =
    Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, Box<dyn std::error::Error + Send + Sync>>> + Send>>;

impl Service<Uri> for Route {
    type Response = TokioIo<TcpStream>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Connecting;

    fn poll_ready(&mut self, context: &mut task::Context<'_>) -> task::Poll<Result<(), Self::Error>> {
        self.direct.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Connecting {
        let proxy = self.proxies.intercept(&to).filter(|_| to.scheme_str() == Some("https"));
        match proxy {
            None => {
                let connecting = self.direct.call(to);
                Box::pin(async move { Ok(connecting.await?) })
            }
            Some(proxy) => {
                let mut tunnel = Tunnel::new(proxy.uri().clone(), self.direct.clone());
                if let Some(authorization) = proxy.basic_auth() {
                    tunnel = tunnel.with_auth(authorization.clone());
                }
                let connecting = tunnel.call(to);
                Box::pin(async move { Ok(connecting.await?) })
            }
        }
    }
}
