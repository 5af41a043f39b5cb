//! Rehearsals: one call of a plugin in its real sandbox, in a shop of its own that is gone afterwards.
//!
//! The call is the one that a host makes (`call.rs`): the same limits, doors, spans and checks of the answer. The shop is a
//! real order store in a temporary folder, so a shortage is a real one. What differs: the code counts fuel, a figure that
//! is the same on every machine, and what the plugin logs is kept beside its spans instead of being written.

mod case;
mod differences;
mod notes;
mod tree;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use anyhow::Context;
use opentelemetry::trace::SpanKind;
use tempfile::TempDir;

use case::{Asked, InventoryAnswer};
pub use case::{BadCase, Case, Expected, OUTCOMES};
pub use differences::{Difference, differences, receipt_lines};
pub use notes::notes;
pub use tree::{Node, tree};

use super::{
    Admitted, Candidate, Compiler, Engine, Failure, Identity, Kind, Plugin, Plugins, Snapshot,
    admission::{compile_only, examine},
    call::{self, Placed},
    embedded,
    registry::Published,
    shelf::Shelf,
};
use crate::{
    config::{Limits, Settings},
    imports::{
        inventory::{self, Deducted, Place},
        stock,
    },
    order::{Cart, Item, Receipt, Reference, StockLine, sum_by_item},
    store::{self, Durability, Inventory, NewOrder, OrderId, StockLevel, Store, Taker},
    telemetry::{
        self, LogFormat, Telemetry,
        names::span,
        recent::{self, Kept},
        traces::Span,
        unwritten,
    },
};

/// What is kept of the spans and lines of a rehearsal: more than the limits of its calls let through.
const KEPT: recent::Limits = recent::Limits { bytes_max: 64 << 20, slow: Duration::from_secs(1) };

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

/// What came of a call.
#[derive(Debug)]
pub struct Played {
    pub decided: Decided,
    /// Pieces that it asked of the stock, by item.
    pub asked: BTreeMap<Item, u64>,
    /// Its spans and log lines.
    pub trace: Kept,
}

/// What a plugin decided.
#[derive(Debug)]
pub enum Decided {
    Receipt(Receipt),
    Levels(Vec<StockLevel>),
    Failed(Failure),
}

impl Decided {
    /// Returns the decision's word, `ok` or that of the failure.
    #[must_use]
    pub const fn outcome(&self) -> &'static str {
        match self {
            Self::Receipt(_) | Self::Levels(_) => "ok",
            Self::Failed(failure) => failure.code(),
        }
    }
}

impl Stage {
    /// Compiles the plugin, or loads its code from where `compiler` keeps it; beside a checkout plugin stands `inventory`,
    /// or the built-in one.
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
        let compiled_mib = settings.limits.compiled_mib;
        let limits = Limits { guest_fuel: true, ..settings.limits.of_one_call() };
        let engine = Arc::new(Engine::with(&limits, compiler)?);
        let examined = examine(plugin, &settings.limits).await?;
        let kind = examined.identity.kind;
        let mut plugins = vec![compile_only(&engine, examined, compiled_mib).await?];
        for other in inventory.into_iter().chain(embedded()) {
            let examined = examine(other, &settings.limits).await?;
            if plugins.iter().all(|plugin| plugin.identity().kind != examined.identity.kind) {
                plugins.push(compile_only(&engine, examined, compiled_mib).await?);
            }
        }
        let telemetry = start_telemetry(&settings)?;
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

    /// Makes one call. Nothing of it lasts.
    ///
    /// # Errors
    /// When the shop can't be set up. A plugin's fault is none.
    pub async fn play(&self, case: &Case) -> anyhow::Result<Played> {
        let shop = Shop::open(&self.of_store, case).await?;
        let plugins = self.plugins(case, &shop.store)?;
        let span = plugins.tracer().start(self.span_name(), SpanKind::Internal, None, Vec::new());
        let trace_id = span.context().trace_id();
        let (decided, asked) = unwritten(async {
            match &case.asked {
                Asked::Checkout { cart, inventory } => {
                    self.checkout(&plugins, &shop, span, cart, inventory.as_ref()).await
                }
                Asked::Inventory(lines) => Ok(deduct(&plugins, &shop, span, lines).await),
            }
        })
        .await?;
        shop.store.close().await;
        let trace = self.telemetry.recent().and_then(|recent| recent.trace(trace_id));
        let trace = trace.context("the call's spans weren't recorded")?;
        Ok(Played { decided, asked: sum_by_item(&asked), trace })
    }

    async fn checkout(
        &self,
        plugins: &Arc<Plugins>,
        shop: &Shop,
        span: Span,
        cart: &Cart,
        answer: Option<&InventoryAnswer>,
    ) -> anyhow::Result<(Decided, Vec<StockLine>)> {
        let snapshot = plugins.snapshot();
        let placed_at_ms = call::now_ms();
        let order = NewOrder {
            reference: Reference::random(),
            inventory: Inventory::Local,
            currency: self.settings.shop.currency,
            cart: cart.clone(),
            trace_id: span.context().trace_id().to_string(),
            plugins: snapshot.header().to_owned(),
            placed_at_ms,
            keyed: None,
        };
        let id = shop.store.create_order(order, Durability::Queued).await?;
        let placed = Placed { id, placed_at_ms, currency: self.settings.shop.currency, cart };
        let door = door(plugins, &snapshot, id, answer);
        let (span, result, asked) = call::rehearse_checkout(plugins, &snapshot.checkout, span, &placed, door).await;
        Ok((ended(span, result, Decided::Receipt), asked))
    }

    const fn span_name(&self) -> &'static str {
        match self.kind {
            Kind::Checkout => span::CHECKOUT,
            Kind::Inventory => span::INVENTORY,
        }
    }

    fn plugins(&self, case: &Case, store: &Store) -> anyhow::Result<Arc<Plugins>> {
        let shelf = Shelf::new(&self.settings, Arc::clone(&self.engine));
        let none = BTreeMap::new();
        let plugin = |admitted: &Admitted| {
            let set = if admitted.identity().kind == self.kind { &case.set } else { &none };
            shelf.plugin(admitted.clone(), set)
        };
        let mut checkout_and_inventory = (None, None);
        for admitted in &self.plugins {
            match plugin(admitted) {
                Plugin::Checkout(checkout) => checkout_and_inventory.0 = Some(checkout),
                Plugin::Inventory(inventory) => checkout_and_inventory.1 = Some(inventory),
            }
        }
        let (Some(checkout), Some(inventory)) = checkout_and_inventory else {
            anyhow::bail!("there is no plugin of the other kind");
        };
        let published = Published::new(&Snapshot::new(checkout, inventory)?, None)?;
        let chance = case.chance.clone();
        Ok(Arc::new(Plugins::of(&self.settings, shelf, published, chance, store.clone(), &self.telemetry)))
    }
}

async fn deduct(plugins: &Arc<Plugins>, shop: &Shop, span: Span, lines: &[StockLine]) -> (Decided, Vec<StockLine>) {
    let door = stock::Door::new(shop.store.clone(), Taker::Deduct(Reference::random()));
    let snapshot = plugins.snapshot();
    let (span, result, asked) = call::rehearse_deduct(plugins, &snapshot.inventory, span, lines, door).await;
    (ended(span, result, Decided::Levels), asked)
}

fn door(
    plugins: &Arc<Plugins>,
    snapshot: &Arc<Snapshot>,
    id: OrderId,
    answer: Option<&InventoryAnswer>,
) -> inventory::Door {
    match answer {
        Some(answer) => inventory::Door::repeating(Some(Deducted { lines: Vec::new(), result: Err(answer.failure()) })),
        None => inventory::Door::new(Arc::clone(plugins), Arc::clone(snapshot), Place::Here(Taker::Order(id))),
    }
}

fn ended<T>(mut span: Span, result: Result<T, Failure>, decided: impl FnOnce(T) -> Decided) -> Decided {
    match result {
        Ok(answer) => decided(answer),
        Err(failure) => {
            failure.mark(&mut span);
            Decided::Failed(failure)
        }
    }
}

/// Nothing of the environment's: a rehearsal's spans go nowhere else.
fn start_telemetry(settings: &Settings) -> anyhow::Result<Telemetry> {
    let currency = settings.shop.currency.code();
    let of_telemetry = telemetry::Settings::from_environment(|_| None, LogFormat::Json, "off", currency)?;
    Telemetry::start(&of_telemetry.keeping(KEPT))
}

/// The order store of one rehearsal.
struct Shop {
    store: Store,
    _folder: TempDir,
}

impl Shop {
    async fn open(of_store: &store::Settings, case: &Case) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for the shop")?;
        let of_store = store::Settings { folder: folder.path().to_owned(), ..of_store.clone() };
        let (store, _) = tokio::task::spawn_blocking(move || Store::open(&of_store)).await??;
        let stock: Vec<_> = case.stock.iter().map(|(item, on_hand)| (item.clone(), *on_hand)).collect();
        store.seed_stock(&stock).await.context("write the case's stock")?;
        Ok(Self { store, _folder: folder })
    }
}
