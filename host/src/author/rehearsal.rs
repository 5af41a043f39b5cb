//! Rehearsals: one call of a plugin in its real sandbox, in a shop of its own that is deleted afterwards.
//!
//! The call is the one that a host makes (`call.rs`): the same limits, imports, spans and checks of the answer. The
//! shop is a real order store in a temporary folder, so a shortage is a real one. Two things differ: the code counts
//! fuel, a number that is the same on every machine, and what the plugin logs is kept beside its spans instead of being
//! written.

mod differences;
mod notes;
mod profiled;
mod repeated;
mod tree;

use std::{borrow::Borrow, collections::BTreeMap, pin::Pin, sync::Arc, time::Duration};

use anyhow::Context;
use opentelemetry::trace::SpanKind;
use serde_json::value::RawValue;
use tempfile::TempDir;

pub use differences::{Difference, differences};
pub use notes::notes;
pub use profiled::Profile;
pub use repeated::{Repeated, Repeating};
pub use tree::{Node, tree};

pub use crate::versions::{BadCase, Case, Expected, OUTCOMES, Recorded};
use crate::{
    clock::now_ms,
    config::{Limits, Settings},
    facts::Facts,
    failure::Failure,
    hooks::{self, Hook, Installation, Kind, Placed, RealStock, Shown, Visitor},
    imports::{
        Moment,
        inventory::{Deduct, Deducted, Repeat},
    },
    order::{Item, Reference, StockLine, sum_by_item},
    recordings::{Body, Cost},
    runtime::{Call, Compiler, Done, Engine, Identity, Time},
    shop::{OfSnapshot, Place},
    store::{self, Durability, Inventory, NewOrder, OrderId, Store, Taker},
    telemetry::{
        self, LogFormat, Telemetry,
        recent::{self, KeptTrace},
        traces::Span,
        unwritten,
    },
    trust::Trust,
    units::MIB,
    versions::{Admitted, Candidate, Catalogue, Plugins, Snapshot, built_in, compile_only, examine},
};

/// The space for a rehearsal's spans and log lines: more than the limits of its calls let through.
const KEPT: recent::Limits = recent::Limits { bytes_max: 64 * MIB, line_bytes_max: 0, slow: Duration::from_secs(1) };

/// A plugin that is to be rehearsed, compiled, and the plugin of the other kind beside it.
pub struct Stage {
    kind: Kind,
    engine: Arc<Engine>,
    plugins: Vec<Admitted>,
    settings: Settings,
    of_store: store::Settings,
    telemetry: Telemetry,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Stage").field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// The result of a call.
#[derive(Debug)]
pub struct Played {
    /// The name of its kind's decision in a case.
    pub decision: &'static str,
    pub decided: Result<Shown, Failure>,
    /// What a receipt comes to, minor units.
    pub total: Option<u64>,
    /// Pieces that the plugin asked the stock for, by item.
    pub asked: BTreeMap<Item, u64>,
    pub cost: Cost,
    /// Its spans and log lines.
    pub trace: KeptTrace,
    /// What a case has to expect to be met by it; `None` if the host ended the call.
    pub expect: Option<Box<RawValue>>,
}

impl Played {
    /// Returns the outcome: `ok`, or the failure's code.
    #[must_use]
    pub fn outcome(&self) -> &'static str {
        differences::word(&self.decided)
    }
}

impl Stage {
    /// Compiles the plugin, or loads its code from the cache of `compiler`. A checkout plugin calls `inventory`, or the
    /// built-in inventory plugin.
    ///
    /// # Errors
    /// What is wrong with one of the files.
    pub async fn set(
        plugin: Candidate,
        inventory: Option<Candidate>,
        settings: Settings,
        of_store: store::Settings,
        compiler: Compiler,
    ) -> anyhow::Result<Self> {
        // An author sees what the plugin says, as it says it.
        let shown = Limits { guest_telemetry_masked: false, ..settings.limits.clone() };
        let settings = Settings { limits: shown, ..settings };
        let limits = Limits { guest_fuel: true, ..settings.limits.of_one_call() };
        let telemetry = start_telemetry(&settings)?;
        Self::of(plugin, inventory, (settings, of_store), (limits, compiler), telemetry).await
    }

    async fn of(
        plugin: Candidate,
        inventory: Option<Candidate>,
        (settings, of_store): (Settings, store::Settings),
        (limits, compiler): (Limits, Compiler),
        telemetry: Telemetry,
    ) -> anyhow::Result<Self> {
        let compiled_mib = settings.limits.compiled_mib;
        let engine = Arc::new(Engine::with(&limits, compiler)?);
        let examined = examine(plugin, &settings.limits).await?;
        let kind = examined.identity.at.kind;
        let mut plugins = vec![compile_only(&engine, examined, compiled_mib).await?];
        for other in inventory.into_iter().chain(built_in()) {
            let examined = examine(other, &settings.limits).await?;
            if plugins.iter().all(|plugin| plugin.identity().at.kind != examined.identity.at.kind) {
                plugins.push(compile_only(&engine, examined, compiled_mib).await?);
            }
        }
        Ok(Self { kind, engine, plugins, settings, of_store, telemetry })
    }

    /// Returns the kind of the plugin that is rehearsed.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the plugin that is rehearsed.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.plugins.first().map(Admitted::identity)
    }

    /// Makes one call, without a lasting effect.
    ///
    /// # Errors
    /// When the shop can't be set up. A plugin's fault is a result, not an error.
    pub async fn play(&self, case: &Case) -> anyhow::Result<Played> {
        let shop = Shop::open(&self.of_store, &case.stock).await?;
        let plugins = self.plugins(case, &shop.store)?;
        let span = hooks::info(self.kind).span;
        let span = plugins.tracer().start(span, SpanKind::Internal, None, Vec::new());
        let trace_id = span.context().trace_id();
        let order = self.place(&shop.store, case, &span, &plugins.snapshot()).await?;
        let body = Some(Body::default());
        let call = OneCall { plugins: &plugins, store: &shop.store, case, order, span, body };
        let Decided { decided, total, asked, cost, expect } = unwritten(hooks::visit(self.kind, call)).await?;
        shop.store.close().await;
        let trace = self.telemetry.recent().and_then(|recent| recent.trace(trace_id));
        let trace = trace.context("the call's spans weren't recorded")?;
        let decision = hooks::info(self.kind).decision;
        Ok(Played { decision, decided, total, asked: sum_by_item(&asked), cost, trace, expect })
    }

    /// Writes the case's order, as a checkout does before its plugin decides.
    async fn place(&self, store: &Store, case: &Case, span: &Span, snapshot: &Snapshot) -> anyhow::Result<OrderOfCase> {
        let (reference, currency, placed_at_ms) = (Reference::random(), case.currency, now_ms());
        let order = NewOrder {
            reference: reference.clone(),
            inventory: Inventory::Local,
            currency,
            cart: (*case.cart).clone(),
            trace_id: span.context().trace_id().to_string(),
            plugins: snapshot.header().to_owned(),
            placed_at_ms,
            keyed: None,
        };
        let id = store.create_order(order, Durability::Queued).await?;
        let moment = Moment::of(&reference, placed_at_ms);
        let question = case.question.clone();
        let placed_at_ms = question.as_ref().map_or(placed_at_ms, |question| question.at_ms());
        let placed = Placed { id, placed_at_ms, currency, cart: Arc::clone(&case.cart), case: question };
        Ok(OrderOfCase { id, placed, moment }.with_recorded(case, self.kind))
    }

    fn plugins(&self, case: &Case, store: &Store) -> anyhow::Result<Arc<Plugins>> {
        let catalogue = Catalogue::new(&self.settings, Arc::clone(&self.engine), store, Arc::new(Trust::everybody()));
        let none = BTreeMap::new();
        let mut plugins: Vec<_> = self.plugins.iter().collect();
        plugins.sort_by_key(|admitted| admitted.identity().at);
        let plugin = |admitted: &Admitted| {
            let is_rehearsed = admitted.identity().at.kind == self.kind;
            catalogue.plugin(admitted.clone(), if is_rehearsed { &case.set } else { &none })
        };
        let snapshot = Snapshot::new(plugins.into_iter().map(plugin).collect())?;
        Plugins::of_snapshot(
            &case.shop.over(&self.settings),
            catalogue,
            &snapshot,
            case.chance.clone(),
            store.clone(),
            &self.telemetry,
        )
    }
}

/// A case's order.
struct OrderOfCase {
    /// Its number in the rehearsal's store.
    id: OrderId,
    placed: Placed,
    moment: Moment,
}

impl OrderOfCase {
    /// Returns the order with the number, the time and the chance of the recorded call that the case repeats, if it does.
    fn with_recorded(self, case: &Case, kind: Kind) -> Self {
        let Some(Recorded { order_id, placed_at_ms, seed, .. }) = case.recorded else { return self };
        let id = order_id.and_then(OrderId::new).unwrap_or(self.placed.id);
        let moment = Moment::recorded(placed_at_ms, seed, Installation::of(kind));
        Self { placed: Placed { id, placed_at_ms, ..self.placed }, moment, ..self }
    }
}

/// The call of a rehearsal.
struct OneCall<'a> {
    plugins: &'a Arc<Plugins>,
    store: &'a Store,
    case: &'a Case,
    order: OrderOfCase,
    span: Span,
    /// Gets the call's recording, where somebody asks for what a case has to expect.
    body: Option<Body>,
}

/// What the plugin decided, and the lines that it asked the stock for.
struct Decided {
    decided: Result<Shown, Failure>,
    total: Option<u64>,
    asked: Vec<StockLine>,
    cost: Cost,
    expect: Option<Box<RawValue>>,
}

impl<'a> Visitor for OneCall<'a> {
    type Output = Pin<Box<dyn Future<Output = anyhow::Result<Decided>> + Send + 'a>>;

    fn visit<H: Hook>(self) -> Self::Output {
        Box::pin(self.make::<H>())
    }
}

impl OneCall<'_> {
    async fn make<H: Hook>(self) -> anyhow::Result<Decided> {
        let Self { plugins, store, case, order: OrderOfCase { id, placed, moment }, span, mut body } = self;
        let snapshot = plugins.snapshot();
        let taker = Taker::Order(id);
        let deduct = deduct(plugins, &snapshot, (id, moment), case);
        let (facts, http) = match &case.question {
            Some(question) => (question.facts.of_call(), question.http.clone()),
            None => (Facts::all_known(), Vec::new()),
        };
        let seen = case.recorded.as_ref().and_then(|recorded| recorded.seen.clone());
        let door = H::real(RealStock { deduct, store: store.clone(), taker, seen, facts, http });
        let plugin = snapshot.of(H::KIND).next().context("the plugin isn't set")?;
        let mut call = match case.recorded {
            // The recorded call has slept already.
            Some(_) => Call::repeating(plugins.runtime(), plugin.loaded(), span, moment),
            None => Call::fresh(plugins.runtime(), plugin.loaded(), span, moment, Time::Whole),
        };
        let asked = H::asked(&placed);
        let answered =
            hooks::decide::<H>(call.guest(), asked.borrow(), door, plugins.rules(), true, body.as_mut()).await;
        let Done { mut span, cost, .. } = call.end(None, &answered.result);
        if let Err(failure) = &answered.result {
            failure.mark(&mut span);
        }
        drop(span);
        let total = answered.result.as_ref().ok().and_then(H::total);
        let decided = answered.result.map(|decided| H::shown(&decided, placed.currency));
        Ok(Decided { decided, total, asked: answered.asked, cost, expect: body.and_then(|body| body.taken("expect")) })
    }
}

/// Returns what the plugin's deduct does: what the case says, or a call of the other plugin.
fn deduct(
    plugins: &Arc<Plugins>,
    snapshot: &Arc<Snapshot>,
    (id, moment): (OrderId, Moment),
    case: &Case,
) -> Box<dyn Deduct> {
    match &case.inventory {
        Some(answer) => Box::new(Repeat(Some(Deducted { lines: Vec::new(), result: answer.result() }))),
        None => Box::new(OfSnapshot {
            plugins: Arc::clone(plugins),
            snapshot: Arc::clone(snapshot),
            place: Place::Here(Taker::Order(id)),
            moment,
        }),
    }
}

/// Starts telemetry without the environment's settings: a rehearsal's spans aren't sent anywhere.
fn start_telemetry(settings: &Settings) -> anyhow::Result<Telemetry> {
    let currency = settings.shop.currency.code();
    let of_telemetry = telemetry::Settings::from_environment(|_| None, LogFormat::Json, "off", currency)?;
    Telemetry::start(&of_telemetry.keeping(KEPT))
}

/// The order store of one rehearsal.
#[derive(Debug)]
struct Shop {
    store: Store,
    _folder: TempDir,
}

impl Shop {
    async fn open(of_store: &store::Settings, stock: &BTreeMap<Item, u32>) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for the shop")?;
        let of_store = store::Settings { folder: folder.path().to_owned(), ..of_store.clone() };
        let (store, _) = tokio::task::spawn_blocking(move || Store::open(&of_store)).await??;
        let stock: Vec<_> = stock.iter().map(|(item, on_hand)| (item.clone(), *on_hand)).collect();
        store.seed_stock(&stock).await.context("write the case's stock")?;
        Ok(Self { store, _folder: folder })
    }
}
