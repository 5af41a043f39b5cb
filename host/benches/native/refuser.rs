//! A plain hyper server that refuses everything: what any refusal costs at least.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, StatusCode, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use rustix::time::{ClockId, clock_gettime};
use tokio::{net::TcpListener, sync::oneshot};

use super::cores::pin;

/// A plain hyper server on the host's core that reads each request to its end and refuses it.
pub(crate) struct Refuser {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: std::thread::JoinHandle<anyhow::Result<Duration>>,
}

impl Refuser {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let serving = std::thread::spawn(move || {
            pin(0)?;
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener)?;
                tokio::select! {
                    refused = refuse_all(listener) => refused?,
                    _ = stopped => {}
                }
                anyhow::Ok(())
            })?;
            let spent = clock_gettime(ClockId::ThreadCPUTime);
            Ok(Duration::new(u64::try_from(spent.tv_sec)?, u32::try_from(spent.tv_nsec)?))
        });
        Ok(Self { address, stop, serving })
    }

    /// Returns the core's time that it took.
    pub(crate) fn stop(self) -> anyhow::Result<Duration> {
        drop(self.stop);
        self.serving.join().map_err(|_| anyhow::anyhow!("the plain server panicked"))?
    }
}

async fn refuse_all(listener: TcpListener) -> anyhow::Result<()> {
    const PROBLEM: &str = r#"{"type":"urn:till:problem:overloaded","title":"Overloaded","status":503}"#;
    loop {
        let (stream, _peer) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let refuse = |request: Request<Incoming>| async move {
            request.into_body().collect().await?;
            let mut response = Response::new(Full::new(Bytes::from_static(PROBLEM.as_bytes())));
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            Ok::<_, hyper::Error>(response)
        };
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(refuse)));
    }
}
