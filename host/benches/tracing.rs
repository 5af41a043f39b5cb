//! What tracing costs a shop: `till serve` with every request recorded and sampled at its end beside one whose OpenTelemetry
//! is off, in pairs, with Debian's `wrk`.
//!
//! Two hosts record everything and send 5 % by OTLP to a receiver in this process: one also keeps recent traces for its
//! page, as it does unless told otherwise, the other keeps none. The third has `OTEL_SDK_DISABLED=true`. They run beside each
//! other and are loaded in turn, for 2 s at a time and each round in another order, so that a machine that slows down favours
//! none. `TILL_BENCH_SECONDS` is how long each is loaded for a figure (10). It fails when a request failed or nothing was
//! received, never for being slow.

#[path = "shop/cpu.rs"]
mod cpu;
#[path = "shop/done.rs"]
mod done;
#[path = "shop/host.rs"]
mod host;
#[path = "shop/wrk.rs"]
mod wrk;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use done::Done;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::{Bytes, Incoming},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use tempfile::TempDir;
use tokio::net::TcpListener;

const CONNECTIONS: u32 = 64;
const PAIRS: usize = 5;
const WARM_UP: Duration = Duration::from_secs(2);
/// For how long one of them is loaded before the next is.
const TURN: Duration = Duration::from_secs(2);

/// How a host traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Contender {
    /// Recorded, sampled at the end, and kept for the page.
    Kept,
    /// The same without the last.
    Sampled,
    Off,
}

impl Contender {
    const ALL: [Self; 3] = [Self::Kept, Self::Sampled, Self::Off];

    const fn name(self) -> &'static str {
        match self {
            Self::Kept => "traced, kept",
            Self::Sampled => "traced",
            Self::Off => "off",
        }
    }

    const fn settings(self) -> &'static [&'static str] {
        match self {
            Self::Kept | Self::Off => &["traces.sent_percent=5"],
            Self::Sampled => &["traces.sent_percent=5", "traces.kept_mib=0"],
        }
    }
}

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(compare(wrk::duration()?))
}

#[expect(clippy::print_stdout, reason = "the table is what it is for")]
async fn compare(duration: Duration) -> anyhow::Result<()> {
    let receiver = Receiver::start().await?;
    let mut shops = Vec::new();
    for contender in Contender::ALL {
        let shop = Shop::start(contender, &receiver)?;
        shop.load(WARM_UP).await?;
        shops.push(shop);
    }
    let turns = duration.as_secs().div_ceil(TURN.as_secs()).max(1);
    println!("{:>6} {:>14} {:>12} {:>8} {:>8}", "pair", "", "checkouts/s", "cpu us", "of off");
    for pair in 1..=PAIRS {
        let mut done = [Done::default(); 3];
        for _ in 0..turns {
            for (shop, done) in shops.iter().zip(&mut done) {
                done.add(shop.load(TURN).await?);
            }
            shops.rotate_left(1);
            done.rotate_left(1);
        }
        let off = shops.iter().zip(done).find(|(shop, _)| shop.contender == Contender::Off);
        let off = off.map(|(_, done)| done.rate()).unwrap_or_default();
        for contender in Contender::ALL {
            for (_, done) in shops.iter().zip(done).filter(|(shop, _)| shop.contender == contender) {
                let (rate, of_off) = (done.rate(), done.rate() / off);
                println!("{pair:>6} {:>14} {rate:>12.0} {:>8.0} {of_off:>8.3}", contender.name(), done.cpu_us());
            }
        }
    }
    for shop in shops {
        shop.host.stop()?;
    }
    let received = receiver.bytes.load(Ordering::Relaxed);
    println!("{} MiB of spans received", received >> 20);
    anyhow::ensure!(received > 0, "no spans were received");
    Ok(())
}

/// A `till serve` with a fresh store.
struct Shop {
    contender: Contender,
    host: host::Host,
    _folder: TempDir,
}

impl Shop {
    fn start(contender: Contender, receiver: &Receiver) -> anyhow::Result<Self> {
        // Not the system's: that one is often in memory, where an fsync costs nothing.
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", receiver.address)),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "16384".to_owned()),
            ("OTEL_SDK_DISABLED", (contender == Contender::Off).to_string()),
        ];
        let host = host::Host::start_in(folder.path(), contender.settings(), &variables)?;
        Ok(Self { contender, host, _folder: folder })
    }

    /// # Errors
    /// When a request failed.
    async fn load(&self, duration: Duration) -> anyhow::Result<Done> {
        Done::under_load(self.host.shop, CONNECTIONS, &self.host.process_id(), duration).await
    }
}

/// Takes what is sent by OTLP over HTTP, and looks at none of it.
struct Receiver {
    address: SocketAddr,
    bytes: Arc<AtomicUsize>,
}

impl Receiver {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let (address, bytes) = (listener.local_addr()?, Arc::<AtomicUsize>::default());
        let received = Arc::clone(&bytes);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let received = Arc::clone(&received);
                let service = service_fn(move |request: Request<Incoming>| {
                    let received = Arc::clone(&received);
                    async move {
                        if let Ok(body) = request.into_body().collect().await {
                            received.fetch_add(body.to_bytes().len(), Ordering::Relaxed);
                        }
                        Ok::<_, Infallible>(Response::new(Full::<Bytes>::default()))
                    }
                });
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        Ok(Self { address, bytes })
    }
}
