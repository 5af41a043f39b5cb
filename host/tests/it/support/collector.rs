//! An OTLP collector that fails as a test wants it to, on one address all the time.

use std::{
    collections::HashMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Request, Response,
    body::{Bytes, Incoming},
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    logs::v1::LogRecord,
    trace::v1::Span,
};
use prost::Message;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    runtime::Runtime,
    sync::watch,
    task::JoinSet,
};

use super::Protocol;

/// What a collector does instead of its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing listens.
    Refuses,
    /// The kernel answers no SYN: the queue of connections that nobody accepts is full.
    Unreachable,
    /// Takes connections and says nothing.
    Silent,
    /// Receives, and says so after 3 s.
    Slow,
    /// Answers with the status, and with `Retry-After` if it is a 503.
    Answers(u16),
    /// Closes the connection once a request begins.
    HangsUp,
    /// Speaks something else.
    Garbage,
}

/// Receives spans until it is told to fail, and again once it is repaired.
#[derive(Debug)]
pub(crate) struct Collector {
    address: SocketAddr,
    fault: watch::Sender<Option<Fault>>,
    received: Arc<Received>,
    _runtime: Runtime,
}

/// What reached a collector.
#[derive(Debug, Default)]
struct Received {
    /// Of spans and of metrics, answered in whatever way.
    requests: AtomicUsize,
    spans: AtomicUsize,
    /// By trace id, in hex.
    traces: Mutex<HashMap<String, Vec<Span>>>,
    records: Mutex<Vec<LogRecord>>,
}

impl Collector {
    pub(crate) fn start(protocol: Protocol) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let socket = runtime.block_on(async { bound(SocketAddr::from(([127, 0, 0, 1], 0))) });
        let address = socket.local_addr().expect("it is bound");
        let (fault, faults) = watch::channel(None);
        let received = Arc::default();
        runtime.spawn(run(socket, address, protocol, faults, Arc::clone(&received)));
        Self { address, fault, received, _runtime: runtime }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Drops all connections, and fails new ones in the same way.
    pub(crate) fn fail(&self, fault: Fault) {
        self.fault.send_replace(Some(fault));
    }

    /// Drops all connections, and serves new ones.
    pub(crate) fn repair(&self) {
        self.fault.send_replace(None);
    }

    /// Returns how many spans were received, and that was confirmed.
    pub(crate) fn received(&self) -> usize {
        self.received.spans.load(Ordering::SeqCst)
    }

    /// Returns the spans that were received, by trace id.
    pub(crate) fn traces(&self) -> HashMap<String, Vec<Span>> {
        self.received.traces.lock().expect("nobody panicked").clone()
    }

    /// Returns the log lines that were received.
    pub(crate) fn records(&self) -> Vec<LogRecord> {
        self.received.records.lock().expect("nobody panicked").clone()
    }

    /// Returns how many requests were read, whatever came of them.
    pub(crate) fn requests(&self) -> usize {
        self.received.requests.load(Ordering::SeqCst)
    }
}

fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option");
    socket.bind(address).expect("a port of our own");
    socket
}

async fn run(
    mut socket: TcpSocket,
    address: SocketAddr,
    protocol: Protocol,
    mut faults: watch::Receiver<Option<Fault>>,
    received: Arc<Received>,
) {
    loop {
        let fault = *faults.borrow_and_update();
        tokio::select! {
            () = behave(socket, address, protocol, fault, &received) => unreachable!("it never ends"),
            changed = faults.changed() => if changed.is_err() { return },
        }
        socket = bound(address);
    }
}

/// Never ends; dropped, it drops its connections.
async fn behave(
    socket: TcpSocket,
    address: SocketAddr,
    protocol: Protocol,
    fault: Option<Fault>,
    received: &Arc<Received>,
) {
    match fault {
        // Bound, so that no other program gets the port, but not listening.
        Some(Fault::Refuses) => std::future::pending().await,
        Some(Fault::Unreachable) => {
            let _listener = socket.listen(1).expect("it listens");
            let mut queued = Vec::new();
            // The first connections find room in the queue. The one that doesn't is given up.
            let moment = Duration::from_millis(200);
            while let Ok(connected) = tokio::time::timeout(moment, TcpStream::connect(address)).await {
                queued.push(connected.expect("a connection"));
            }
            std::future::pending::<()>().await;
        }
        fault => {
            let listener = socket.listen(64).expect("it listens");
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                connections.spawn(connection(stream, protocol, fault, Arc::clone(received)));
            }
        }
    }
}

async fn connection(mut stream: TcpStream, protocol: Protocol, fault: Option<Fault>, received: Arc<Received>) {
    let mut start = [0; 16];
    match fault {
        Some(Fault::Silent) => std::future::pending().await,
        Some(Fault::HangsUp) => _ = stream.read(&mut start).await,
        Some(Fault::Garbage) => {
            _ = stream.read(&mut start).await;
            _ = stream.write_all(b"\0\x01\x02 what? \xff\xfe\r\n\r\n").await;
        }
        _ => {
            let service = service_fn(move |request| answer(request, protocol, fault, Arc::clone(&received)));
            // What a connection dies of is the host's business.
            match protocol {
                Protocol::Grpc => {
                    let server = http2::Builder::new(TokioExecutor::new());
                    _ = server.serve_connection(TokioIo::new(stream), service).await;
                }
                Protocol::Http => _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await,
            }
        }
    }
}

async fn answer(
    request: Request<Incoming>,
    protocol: Protocol,
    fault: Option<Fault>,
    received: Arc<Received>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>>, hyper::Error> {
    // "/v1/traces", or a method of "TraceService"; likewise of logs
    let path = request.uri().path().to_lowercase();
    let body = request.into_body().collect().await?.to_bytes();
    received.requests.fetch_add(1, Ordering::SeqCst);
    let mut answer = Response::builder();
    // gRPC's message has 5 bytes before it: not compressed, and a length of 0 in the answer.
    let (message, empty) = match protocol {
        Protocol::Grpc => (body.slice(5..), &[0; 5][..]),
        Protocol::Http => (body, &[][..]),
    };
    let mut trailers = HeaderMap::new();
    if let Some(Fault::Answers(status)) = fault {
        answer = answer.status(status);
        if status == 503 {
            answer = answer.header("retry-after", "1");
        }
    } else {
        if fault == Some(Fault::Slow) {
            tokio::time::sleep(Duration::from_secs(3)).await;
        }
        if path.contains("trace") {
            received.take_spans(message);
        } else if path.contains("log") {
            received.take_records(message);
        }
        trailers.insert("grpc-status", "0".parse().expect("a value"));
        answer = answer.header(
            "content-type",
            if protocol == Protocol::Grpc { "application/grpc" } else { "application/x-protobuf" },
        );
    }
    let body = Full::new(Bytes::from_static(empty));
    let trailers = (protocol == Protocol::Grpc).then_some(Ok(trailers));
    Ok(answer.body(body.with_trailers(std::future::ready(trailers))).expect("an answer"))
}

impl Received {
    fn take_spans(&self, request: Bytes) {
        let request = ExportTraceServiceRequest::decode(request).expect("a request as of OTLP");
        let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
        let mut traces = self.traces.lock().expect("nobody panicked");
        for span in scopes.flat_map(|scope| scope.spans) {
            self.spans.fetch_add(1, Ordering::SeqCst);
            traces.entry(hex(&span.trace_id)).or_default().push(span);
        }
    }

    fn take_records(&self, request: Bytes) {
        let request = ExportLogsServiceRequest::decode(request).expect("a request as of OTLP");
        let scopes = request.resource_logs.into_iter().flat_map(|resource| resource.scope_logs);
        self.records.lock().expect("nobody panicked").extend(scopes.flat_map(|scope| scope.log_records));
    }
}

/// Returns an id as headers and answers show it.
pub(crate) fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}
