//! The whole host: built from its settings, with bound sockets; then run; then stopped in order.
//!
//! Stopping: no new connection → requests under way end (`limits.drain_ms`) → the store commits and closes → telemetry
//! is flushed (`limits.telemetry_flush_ms`). Everything acknowledged is already in the store when this begins.

mod background;
mod figures;
mod open_files;
mod scarce;
mod stores;
mod timeline;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{
    net::{TcpListener, TcpSocket},
    task::JoinError,
};
use tokio_util::sync::CancellationToken;

use crate::{
    admin::{self, Admin},
    catalogue::LiveCatalogue,
    config::{Limits, Settings},
    facts::Customers,
    http::{self, Answers, Edge, TraceLinks, Watch},
    runtime::{self, Room},
    shop::Shop,
    store::{Opened, Store},
    telemetry::{self, TailLimits, Telemetry, charts::Charts, recent},
    tls::ServerTls,
    tokens::AdminTokens,
    units::{KIB, MIB},
    versions::{Plugins, TagWatcher, Tags, Watcher},
};

use background::Background;
use figures::{watch, watch_answers, watch_traces};
use stores::open_store;
pub use stores::{postgres_settings, store_settings};

/// The kernel's queue of connections that aren't accepted yet; the same as `TcpListener::bind`'s.
const BACKLOG: u32 = 1024;
/// How often the host checks whether its store is where it was opened. Each commit checks as well.
const PLACE_LOOKED_AT: Duration = Duration::from_secs(1);

/// A host that is ready to serve.
#[derive(Debug)]
pub struct App {
    settings: Settings,
    telemetry: Telemetry,
    store: Store,
    plugins: Arc<Plugins>,
    tags: Option<Tags>,
    catalogue: Arc<LiveCatalogue>,
    customers: Arc<Customers>,
    /// `None` if the admin listener takes none.
    tokens: Option<Arc<AdminTokens>>,
    shop: Arc<Shop>,
    edge: Arc<Edge>,
    admin: Arc<Admin>,
    charts: Arc<Charts>,
    public_listener: TcpListener,
    admin_listener: TcpListener,
    /// `None` if a listener speaks HTTP without TLS.
    public_tls: Option<Arc<ServerTls>>,
    admin_tls: Option<Arc<ServerTls>>,
    links: Option<TraceLinks>,
    stopping: CancellationToken,
    opened: Opened,
}

impl App {
    /// Starts telemetry, opens the store and settles what a crash left, compiles the plugins, binds the sockets.
    ///
    /// # Errors
    /// Names what can't be used.
    pub async fn build(settings: Settings) -> anyhow::Result<Self> {
        let telemetry = start_telemetry(&settings)?;
        Self::build_with(settings, telemetry).await
    }

    /// Builds the host with telemetry that already runs.
    ///
    /// # Errors
    /// As [`App::build`].
    pub async fn build_with(settings: Settings, telemetry: Telemetry) -> anyhow::Result<Self> {
        let (limits, shrunk) = runtime::fitted(&settings.limits, Room::of_process());
        if let Some(shrunk) = shrunk {
            tracing::info!("{shrunk}");
        }
        let settings = Settings { limits, ..settings };
        let customers = Arc::new(Customers::new(&settings.customers)?);
        let tokens = AdminTokens::new(&settings.server)?;
        let public_tls = settings.server.tls().map(ServerTls::new).transpose()?;
        let admin_tls = settings.server.admin_tls().map(ServerTls::new).transpose()?;
        let public = Reserved::new(settings.server.listen, "--listen")?;
        let admin = Reserved::new(settings.server.admin, "--admin")?;
        let (store, opened) = open_store(&settings).await?;
        let opening: Vec<_> = settings.stock.iter().map(|(item, on_hand)| (item.clone(), *on_hand)).collect();
        store.seed_stock(&opening).await.context("write the opening stock")?;
        let catalogue = LiveCatalogue::open(&settings, store.clone()).await?;
        watch(telemetry.metrics(), &store);
        if let Some(recent) = telemetry.recent() {
            watch_traces(telemetry.metrics(), recent);
        }

        let plugins = Plugins::load(&settings, store.clone(), &telemetry).await?;
        let tags = Tags::of(&plugins, &settings).context("watch the tags of plugins.watch")?;
        let memory = plugins.memory();
        let used = move || memory.used_bytes() as u64;
        telemetry.metrics().gauge("plugin.memory.used", "By", "Linear memory of the plugin calls at work.", used);
        let memory = plugins.memory();
        let kept = move || memory.kept_bytes() as u64;
        let what = "Memory of plugin calls that have ended, kept for the next ones.";
        telemetry.metrics().gauge("plugin.memory.kept", "By", what, kept);
        // A weak reference, because the plugins hold the metrics.
        let breakers = Arc::downgrade(&plugins);
        telemetry
            .metrics()
            .watch_breakers(move || breakers.upgrade().map(|plugins| plugins.breakers_open()).unwrap_or_default());

        let (public_listener, admin_listener) = (public.listen()?, admin.listen()?);
        let links = match telemetry.recent() {
            Some(_) => {
                let (url, scheme) = (settings.traces.url.as_deref(), scheme(admin_tls.as_ref()));
                Some(TraceLinks::new(url, scheme, admin_listener.local_addr()?)?)
            }
            None => None,
        };

        let stopping = CancellationToken::new();
        let ready_within = Duration::from_millis(settings.limits.ready_ms);
        let watch = Watch::new(store.clone(), telemetry.metrics().clone(), stopping.clone(), ready_within);
        let charts = Arc::<Charts>::default();
        let recent = telemetry.recent().cloned();
        let (metrics, held) = (telemetry.metrics().clone(), Arc::clone(&charts));
        let parts = (Arc::clone(&plugins), store.clone(), Arc::clone(&catalogue));
        let of_shop = (Arc::clone(&plugins), store.clone());
        let shop = Shop::new(&settings, of_shop, &telemetry, http::failed, stopping.clone())?;
        let of_edge = (Arc::clone(&shop), Arc::clone(&catalogue), Arc::clone(&customers));
        let edge = Edge::new(&settings, of_edge, watch.clone(), links.clone(), &telemetry)?;
        let admin = Admin::new(&settings, parts, watch, metrics, held, (recent, Arc::clone(&edge)), tokens.clone())?;
        let (limits, fewer) = open_files::fitted(&settings.limits, open_files::allowed_and_open())?;
        if let Some(fewer) = fewer {
            tracing::info!("{fewer}");
        }
        let settings = Settings { limits, ..settings };
        Ok(Self {
            settings,
            telemetry,
            store,
            plugins,
            tags,
            catalogue,
            customers,
            tokens,
            shop,
            edge,
            admin,
            charts,
            public_listener,
            admin_listener,
            public_tls,
            admin_tls,
            links,
            stopping,
            opened,
        })
    }

    /// Returns the beginning of the shop listener's address, `http://127.0.0.1:8000`.
    ///
    /// # Errors
    /// If the system doesn't return it.
    pub fn public_url(&self) -> std::io::Result<String> {
        Ok(format!("{}://{}", scheme(self.public_tls.as_ref()), self.public_address()?))
    }

    /// Returns the beginning of the admin listener's address, as [`public_url`](Self::public_url).
    ///
    /// # Errors
    /// If the system doesn't return it.
    pub fn admin_url(&self) -> std::io::Result<String> {
        Ok(format!("{}://{}", scheme(self.admin_tls.as_ref()), self.admin_address()?))
    }

    /// Returns the shop listener's address.
    ///
    /// # Errors
    /// If the system doesn't return it.
    pub fn public_address(&self) -> std::io::Result<SocketAddr> {
        self.public_listener.local_addr()
    }

    /// Returns the admin listener's address.
    ///
    /// # Errors
    /// If the system doesn't return it.
    pub fn admin_address(&self) -> std::io::Result<SocketAddr> {
        self.admin_listener.local_addr()
    }

    /// Returns the address of the trace page; `None` if no traces are kept.
    #[must_use]
    pub fn traces_page(&self) -> Option<String> {
        self.links.as_ref().map(TraceLinks::page)
    }

    #[must_use]
    pub const fn plugins(&self) -> &Arc<Plugins> {
        &self.plugins
    }

    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Returns what opening the store settled.
    #[must_use]
    pub const fn opened(&self) -> Opened {
        self.opened
    }

    /// Returns the token that stops the host when it is cancelled.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stopping.clone()
    }

    /// Serves until [`stopping`](Self::stopping), then stops in order.
    ///
    /// # Errors
    /// If the host stopped because an essential task had ended.
    pub async fn run(self) -> anyhow::Result<()> {
        let limits = &self.settings.limits;
        let background = Background::new(self.stopping.clone());
        let edge = Arc::clone(&self.edge);
        let shops = limits.clone();
        let operators = Limits { connections: limits.admin_connections, ..limits.clone() };
        let answers = Answers::new(limits.answers_mib);
        watch_answers(self.telemetry.metrics(), &answers);
        let public = move |arrival| http::handle(Arc::clone(&edge), arrival);
        let (waiting, stopping) = (Arc::clone(&answers), self.stopping.clone());
        for tls in [&self.public_tls, &self.admin_tls].into_iter().flatten() {
            background.spawn("the watch over a listener's certificate", Arc::clone(tls).watch(self.stopping.clone()));
        }
        let listener = (self.public_listener, self.public_tls);
        let serving = http::server::serve(listener, shops, waiting, stopping, public);
        background.spawn("the shop's listener", serving);
        let admin = Arc::clone(&self.admin);
        let for_operators = move |arrival| admin::handle(Arc::clone(&admin), arrival);
        let listener = (self.admin_listener, self.admin_tls);
        let serving = http::server::serve(listener, operators, answers, self.stopping.clone(), for_operators);
        background.spawn("the admin listener", serving);
        background.spawn("the release of orders", Arc::clone(&self.shop).resolve_releases());
        background.spawn("the watch over the store", watch_place(self.store.clone(), self.stopping.clone()));
        if self.store.is_shared() {
            let following = Arc::clone(&self.catalogue).follow(self.stopping.clone());
            background.spawn("the watch over the catalogue", following);
        }
        background.spawn("the watch over the trust file", self.plugins.trust().watch(self.stopping.clone()));
        let watching = Arc::clone(&self.customers).watch(self.stopping.clone());
        background.spawn("the watch over the keys of customers' tokens", watching);
        if let Some(tokens) = self.tokens.clone() {
            background.spawn("the watch over the admin listener's tokens", tokens.watch(self.stopping.clone()));
        }
        background.spawn("the pruning of answers", Arc::clone(&self.shop).prune_answers());
        background.spawn("the supervision of plugins", Arc::clone(&self.plugins).supervise(self.stopping.clone()));
        let (metrics, store) = (self.telemetry.metrics().clone(), self.store.clone());
        background.spawn("the charts", admin::charts::keep(self.charts, metrics, store, self.stopping.clone()));
        let noted = timeline::Noted::new(&self.settings, self.store.clone(), Arc::clone(&self.plugins));
        background.spawn("the timeline", noted.clone().keep(self.stopping.clone()));
        if self.settings.server.inventory_url.is_none() {
            let (metrics, store) = (self.telemetry.metrics().clone(), self.store.clone());
            background.spawn("the figures of scarce stock", scarce::watch(metrics, store, self.stopping.clone()));
        }
        // A shutdown doesn't wait for this task: a plugin may take longer to compile than a shutdown may take.
        let mut watcher = Watcher::start(Arc::clone(&self.plugins), &self.settings);
        let mut tags = self.tags.map(|tags| TagWatcher::start(Arc::clone(&self.plugins), tags));

        tokio::select! {
            () = self.stopping.cancelled() => {}
            ended = ended(watcher.as_mut().map(Watcher::ended)) => background.ended("the watch over the plugin folder", ended),
            ended = ended(tags.as_mut().map(TagWatcher::ended)) => background.ended("the watch over the tags", ended),
            () = self.store.ended() => background.ended("the order store's writer", Ok(())),
        }
        drop((watcher, tags));
        tracing::info!("stopping: no new connections");
        let drained = async {
            background.wait().await;
            self.shop.drained().await;
        };
        let drain = Duration::from_millis(limits.drain_ms);
        if tokio::time::timeout(drain, drained).await.is_err() {
            tracing::warn!(
                "requests were still under way after {} ms (limits.drain_ms); they are cut off",
                limits.drain_ms
            );
        }
        if let Some(recordings) = self.plugins.recordings().cloned() {
            // What can't be written is lost, as it would be without a disk.
            _ = tokio::task::spawn_blocking(move || recordings.close()).await;
        }
        noted.stopped().await;
        self.store.close().await;
        tracing::info!("stopped: every acknowledged order is in the store");
        self.telemetry.shutdown(Duration::from_millis(limits.telemetry_flush_ms)).await;
        Ok(background.outcome()?)
    }
}

const fn scheme(tls: Option<&Arc<ServerTls>>) -> &'static str {
    if tls.is_some() { "https" } else { "http" }
}

/// Checks now and then whether the store is where it was opened, in case there are no commits that do.
async fn watch_place(store: Store, stopping: CancellationToken) {
    while stopping.run_until_cancelled(tokio::time::sleep(PLACE_LOOKED_AT)).await.is_some() {
        store.look_at_place().await;
    }
}

/// Waits for the end of a watcher; for ever if there is none.
async fn ended(watcher: Option<impl Future<Output = Result<(), JoinError>>>) -> Result<(), JoinError> {
    match watcher {
        Some(ended) => ended.await,
        None => std::future::pending().await,
    }
}

/// Starts telemetry according to OpenTelemetry's variables and the settings.
///
/// # Errors
/// Names the variable that can't be used.
pub fn start_telemetry(settings: &Settings) -> anyhow::Result<Telemetry> {
    let variable = |name: &str| std::env::var(name).ok();
    let currency = settings.shop.currency.code();
    let kept = recent::Limits {
        bytes_max: settings.traces.kept_mib * MIB,
        line_bytes_max: settings.log.kept_kib * KIB,
        slow: Duration::from_millis(settings.traces.slow_ms),
    };
    let sent = TailLimits {
        share: settings.traces.sent_percent.share(),
        slow: kept.slow,
        spans_max: settings.traces.held_spans,
        bytes_max: settings.traces.held_mib * MIB,
    };
    let queued = settings.traces.queued_mib * MIB;
    let settings = telemetry::Settings::from_environment(variable, settings.log.format, &settings.log.level, currency)?;
    Telemetry::start(&settings.keeping(kept).sending(sent).queueing(queued))
}

/// A bound address that doesn't listen yet: no other process can take it, and connections to it are refused.
struct Reserved {
    socket: TcpSocket,
    address: SocketAddr,
    flag: &'static str,
}

impl Reserved {
    /// Binds the address before anything is made or changed on the disk.
    fn new(address: SocketAddr, flag: &'static str) -> anyhow::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        // As in `TcpListener::bind`: without this, closed connections of the previous host would keep the address for a
        // minute.
        let bound = socket.set_reuseaddr(true).and_then(|()| socket.bind(address));
        bound.with_context(|| advice(address, flag))?;
        Ok(Self { socket, address, flag })
    }

    fn listen(self) -> anyhow::Result<TcpListener> {
        let Self { socket, address, flag } = self;
        socket.listen(BACKLOG).with_context(|| advice(address, flag))
    }
}

fn advice(address: SocketAddr, flag: &str) -> String {
    format!("listen on {address}; choose another address with {flag}")
}
