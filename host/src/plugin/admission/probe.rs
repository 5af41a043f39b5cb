//! Calling a candidate off to the side, under the limits of a call: only then is it known that its functions have
//! the world's types, that its start functions end, and that it answers an order with something that can be believed.
//!
//! It is asked for a handful of orders ([`super::trial`]), with doors behind which nothing is: no stock is taken, no order
//! written. Settings, random numbers and sleep are those of any call; its spans and its log go nowhere. A "no" of the
//! shop's is as good an answer as a receipt. An answer that is neither is a fault where the live version decides.

use std::collections::{BTreeMap, BTreeSet};

use opentelemetry::trace::SpanKind;
use tokio::time::{Instant, error::Elapsed, timeout_at};
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};
use wasmtime::{
    Store,
    component::{Instance, InstancePre},
};

use super::{
    Admitted, Engine, Kind, Live, Reason, Trial,
    refusal::{Said, advice},
    trial::{self, TriedOrder},
};
use crate::{
    config::{Limits, Settings},
    imports::{
        AskedSettings, CallState, Chance, GuestTime, HasCallState,
        bindings::{CheckoutPlugin, CheckoutPluginPre, InventoryPlugin, InventoryPluginPre},
        inventory, stock, stock_line_to_guest,
        telemetry::{CallSpans, GuestLog},
    },
    plugin::{
        Failure, MemoryPool,
        call::{Deadline, GuestCall, Placed, Time, believed, guarded_store, now_ms, order_to_guest, within_cpu},
        loaded::settings_of,
    },
    store::OrderId,
    telemetry::traces::Tracer,
};

/// How much of what it prints and logs before its fault is passed on, bytes of each.
const SAID_BYTES_MAX: usize = 300;

/// Tries the candidate with what is `set` for it, and returns what the call for the simple order took.
///
/// # Errors
/// What keeps it from being instantiated, how its types differ, how a call ended, or where it comes to no decision.
pub(super) async fn call(
    engine: &Engine,
    plugin: &Admitted,
    settings: &Settings,
    set: &BTreeMap<String, String>,
    trial: Trial<'_>,
) -> Result<Spent, Reason> {
    let _turn = engine.probe_turn().await;
    let orders = match trial {
        Trial::Again => vec![trial::simple()],
        Trial::Anew { .. } => trial::all(plugin.cases(), plugin.identity().kind, settings.shop.currency)?,
    };
    let mut spent = None;
    for order in &orders {
        let tried = tried(engine, plugin, settings, set, order).await?;
        if let (Some(undecided), Trial::Anew { live: Some(live), forced: false }) = (tried.undecided, trial)
            && decides(engine, live, settings, order).await
        {
            let (failure, said) = undecided;
            return Err(Reason::Undecided { order: order.what.as_str().into(), failure, said });
        }
        spent.get_or_insert(tried.spent);
    }
    spent.ok_or_else(|| Reason::Compile("there was no order to try it with".to_owned()))
}

/// Returns the settings that the plugin asks for in the calls of a trial, whatever these come to.
pub(in crate::plugin) async fn asked_settings(
    engine: &Engine,
    plugin: &Admitted,
    settings: &Settings,
    set: &BTreeMap<String, String>,
) -> BTreeSet<String> {
    let _turn = engine.probe_turn().await;
    // Cases that can't be read would have kept the plugin out.
    let orders = trial::all(plugin.cases(), plugin.identity().kind, settings.shop.currency);
    let asked = AskedSettings::default();
    for order in &orders.unwrap_or_else(|_| vec![trial::simple()]) {
        let mut call = Call::new(engine, plugin, settings, set, order);
        call.imports().note_settings(asked.clone());
        _ = once(call, plugin).with_subscriber(NoSubscriber::default()).await;
    }
    asked.keys()
}

/// Returns whether the live version comes to a decision about the order.
async fn decides(engine: &Engine, live: Live<'_>, settings: &Settings, order: &TriedOrder) -> bool {
    let tried = tried(engine, live.plugin, settings, live.set, order).await;
    tried.is_ok_and(|tried| tried.undecided.is_none())
}

async fn tried(
    engine: &Engine,
    plugin: &Admitted,
    settings: &Settings,
    set: &BTreeMap<String, String>,
    order: &TriedOrder,
) -> Result<Tried, Reason> {
    // What it logs is no event of the shop's.
    let call = Call::new(engine, plugin, settings, set, order);
    once(call, plugin).with_subscriber(NoSubscriber::default()).await
}

/// A call that ended in a decision, or in none that is the plugin's to make.
struct Tried {
    spent: Spent,
    /// What it answered that is neither a receipt nor a "no", and what it said before.
    undecided: Option<(Box<Failure>, Box<Said>)>,
}

/// What the call took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    pub(super) memory_bytes: u64,
    pub(super) host_calls: u32,
}

async fn once(call: Call<'_>, plugin: &Admitted) -> Result<Tried, Reason> {
    match plugin {
        Admitted::Checkout(_, pre, _) => checkout(call, pre).await,
        Admitted::Inventory(_, pre, _) => inventory(call, pre).await,
    }
}

async fn checkout(mut call: Call<'_>, pre: &CheckoutPluginPre<GuestCall>) -> Result<Tried, Reason> {
    let instance = call.instantiate(pre.instance_pre()).await?;
    let guest = CheckoutPlugin::new(&mut call.store, &instance).map_err(|error| call.link(&error))?;
    call.imports().inventory = Some(inventory::Door::repeating(None));
    let cart = &call.order.cart;
    let placed = Placed { id: order_id(), placed_at_ms: now_ms(), currency: call.settings.shop.currency, cart };
    let (ctx, offered) = (call.imports().telemetry.own_context(), order_to_guest(&placed));
    let (engine, time, limits) = call.bounds();
    let answering = guest.till_plugin_checkout().call_checkout(&mut call.store, &ctx, &offered);
    let answered = timeout_at(call.ends, within_cpu(engine.turns(), (&time, limits), answering)).await;
    let answer = call.answer(answered);
    let discount_max_percent = call.settings.checkout.discount_max_percent;
    let result = believed::receipt(cart, answer, call.imports(), discount_max_percent);
    call.judge(result)
}

async fn inventory(mut call: Call<'_>, pre: &InventoryPluginPre<GuestCall>) -> Result<Tried, Reason> {
    let instance = call.instantiate(pre.instance_pre()).await?;
    let guest = InventoryPlugin::new(&mut call.store, &instance).map_err(|error| call.link(&error))?;
    call.imports().stock = Some(stock::Door::stand_in());
    let lines = call.order.cart.stock_lines();
    let offered: Vec<_> = lines.iter().map(stock_line_to_guest).collect();
    let ctx = call.imports().telemetry.own_context();
    let (engine, time, limits) = call.bounds();
    let answering = guest.till_plugin_inventory().call_deduct(&mut call.store, &ctx, &offered);
    let answered = timeout_at(call.ends, within_cpu(engine.turns(), (&time, limits), answering)).await;
    let answer = call.answer(answered);
    let result = believed::levels(&lines, answer, call.imports());
    call.judge(result)
}

/// The first order's, for none is written.
#[expect(clippy::expect_used, reason = "1 is a number that an order can have")]
fn order_id() -> OrderId {
    OrderId::new(1).expect("a number")
}

/// Returns the text on one line, and cut.
fn line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.get(..text.floor_char_boundary(SAID_BYTES_MAX)).unwrap_or_default();
    text.replace(char::is_control, "\u{fffd}")
}

/// One call of a candidate.
struct Call<'a> {
    engine: &'a Engine,
    store: Store<GuestCall>,
    kind: Kind,
    language: &'a str,
    settings: &'a Settings,
    order: &'a TriedOrder,
    deadline: Deadline,
    ends: Instant,
}

impl<'a> Call<'a> {
    fn new(
        engine: &'a Engine,
        plugin: &'a Admitted,
        settings: &'a Settings,
        set: &BTreeMap<String, String>,
        order: &'a TriedOrder,
    ) -> Self {
        let (identity, limits) = (plugin.identity(), &settings.limits);
        let tracer = Tracer::off();
        let span = tracer.start("probe", SpanKind::Internal, None, Vec::new());
        let telemetry = CallSpans::new(tracer, span, GuestLog::new(identity.to_string(), limits), limits);
        let imports = CallState::new(telemetry, settings_of(identity.kind, settings, set), &Chance::Free, limits);
        let store = guarded_store((engine, plugin.wasmtime()), imports, &MemoryPool::new(limits), limits);
        let deadline = Deadline::of(identity.kind, Time::Whole, limits);
        let language = &identity.language;
        let ends = Instant::now() + deadline.duration();
        Self { engine, store, kind: identity.kind, language, settings, order, deadline, ends }
    }

    fn imports(&mut self) -> &mut CallState {
        self.store.data_mut().call_state()
    }

    fn bounds(&mut self) -> (&'a Engine, GuestTime, &'a Limits) {
        (self.engine, self.imports().guest_time().clone(), &self.settings.limits)
    }

    /// Instantiates it, with no door open: what runs now runs before every call, and is to depend on nothing.
    async fn instantiate(&mut self, pre: &InstancePre<GuestCall>) -> Result<Instance, Reason> {
        let (engine, time, limits) = self.bounds();
        let instantiating = pre.instantiate_async(&mut self.store);
        let answered = timeout_at(self.ends, within_cpu(engine.turns(), (&time, limits), instantiating)).await;
        let instance = self.answer(answered);
        if self.imports().host_calls() > 0 {
            return Err(Reason::StartHostCall { kind: self.kind });
        }
        instance.map_err(|failure| Reason::Instantiate { failure, said: self.said() })
    }

    fn link(&self, error: &wasmtime::Error) -> Reason {
        Reason::Link { kind: self.kind, detail: format!("{error:#}") }
    }

    fn answer<T>(&self, answered: Result<wasmtime::Result<T>, Elapsed>) -> Result<T, Failure> {
        let answered = answered.map_err(|_| self.deadline.failure(self.kind))?;
        answered.map_err(|error| Failure::of_guest(self.kind, &error, self.settings.limits.guest_cpu_ms))
    }

    /// Returns what the guest has printed, and the error that it logged last.
    fn said(&mut self) -> Box<Said> {
        let telemetry = &self.imports().telemetry;
        let logged = line(telemetry.logged_error().unwrap_or_default());
        Box::new(Said { printed: line(&telemetry.printed()), logged })
    }

    fn judge<T>(mut self, result: Result<T, Failure>) -> Result<Tried, Reason> {
        let (kind, said) = (self.kind, self.said());
        let memory_bytes = self.store.data().memory_bytes();
        let spent = Spent { memory_bytes, host_calls: self.imports().host_calls() };
        match result {
            Err(failure) if failure.is_of_host() => Err(Reason::Probe {
                order: self.order.what.as_str().into(),
                advice: advice(kind, self.language, &failure, said.is_silent()).into(),
                failure: Box::new(failure),
                said,
            }),
            Err(failure) if failure.at_fault() == Some(kind) => {
                Ok(Tried { spent, undecided: Some((Box::new(failure), said)) })
            }
            // A receipt, or a "no".
            _ => Ok(Tried { spent, undecided: None }),
        }
    }
}
