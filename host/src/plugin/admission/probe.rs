//! Calling a candidate once, off to the side, under the limits of a call: only then is it known that its functions have
//! the world's types, that its start functions end, and that it answers an order with something that can be believed.
//!
//! It is asked for one piece of an item named `probe`, with doors behind which nothing is: no stock is taken, no order
//! written. Settings, random numbers and sleep are those of any call; its spans and its log go nowhere.
//! A "no" of the shop's is as good an answer as a receipt.

use std::collections::BTreeMap;

use opentelemetry::trace::SpanKind;
use tokio::time::{Instant, error::Elapsed, timeout_at};
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};
use wasmtime::{
    Store,
    component::{Instance, InstancePre},
};

use super::{
    Admitted, Engine, Identity, Kind, Reason,
    refusal::{Said, advice},
};
use crate::{
    config::Settings,
    imports::{
        CallState, Chance, HasCallState,
        bindings::{CheckoutPlugin, CheckoutPluginPre, InventoryPlugin, InventoryPluginPre},
        inventory, stock, stock_line_to_guest,
        telemetry::CallSpans,
    },
    order::{Cart, Item, Line, MinorUnits, Quantity},
    plugin::{
        Failure, MemoryPool,
        call::{Deadline, GuestCall, Placed, Time, believed, guarded_store, now_ms, order_to_guest},
        loaded::settings_of,
    },
    store::OrderId,
    telemetry::traces::Tracer,
};

/// What a candidate is asked for one piece of.
const ITEM: &str = "probe";
const UNIT_PRICE: u64 = 1_000;
/// A guest's clock goes on while it waits for a core, and the machine may be busy: to be out of CPU once is no proof.
const TRIES_MAX: u32 = 3;
/// How much of what it prints and logs before its fault is passed on, bytes of each.
const SAID_BYTES_MAX: usize = 300;

/// # Errors
/// What keeps it from being instantiated, how its types differ, or how its call ended.
pub(super) async fn call(
    engine: &Engine,
    plugin: &Admitted,
    settings: &Settings,
    set: &BTreeMap<String, String>,
) -> Result<Spent, Reason> {
    let _turn = engine.probe_turn().await;
    let mut tries = 1;
    loop {
        // What it logs is no event of the shop's.
        let trial = Trial::new(engine, plugin.identity(), settings, set);
        let result = once(trial, plugin).with_subscriber(NoSubscriber::default()).await;
        match &result {
            Err(Reason::Instantiate { failure, .. } | Reason::Probe { failure, .. })
                if failure.is_out_of_cpu() && tries < TRIES_MAX =>
            {
                tries += 1;
            }
            _ => return result,
        }
    }
}

/// What the call took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    pub(super) memory_bytes: u64,
    pub(super) host_calls: u32,
}

async fn once(trial: Trial<'_>, plugin: &Admitted) -> Result<Spent, Reason> {
    match plugin {
        Admitted::Checkout(_, pre) => checkout(trial, pre).await,
        Admitted::Inventory(_, pre) => inventory(trial, pre).await,
    }
}

async fn checkout(mut trial: Trial<'_>, pre: &CheckoutPluginPre<GuestCall>) -> Result<Spent, Reason> {
    let instance = trial.instantiate(pre.instance_pre()).await?;
    let guest = CheckoutPlugin::new(&mut trial.store, &instance).map_err(|error| trial.link(&error))?;
    trial.imports().inventory = Some(inventory::Door::repeating(None));
    let (cart, id) = probing_order();
    let placed = Placed { id, placed_at_ms: now_ms(), currency: trial.settings.shop.currency, cart: &cart };
    let (ctx, offered) = (trial.imports().telemetry.own_context(), order_to_guest(&placed));
    let answering = guest.till_plugin_checkout().call_checkout(&mut trial.store, &ctx, &offered);
    let answered = timeout_at(trial.ends, answering).await;
    let answer = trial.answer(answered);
    let discount_max_percent = trial.settings.checkout.discount_max_percent;
    let result = believed::receipt(&cart, answer, trial.imports(), discount_max_percent);
    trial.judge(result)
}

async fn inventory(mut trial: Trial<'_>, pre: &InventoryPluginPre<GuestCall>) -> Result<Spent, Reason> {
    let instance = trial.instantiate(pre.instance_pre()).await?;
    let guest = InventoryPlugin::new(&mut trial.store, &instance).map_err(|error| trial.link(&error))?;
    trial.imports().stock = Some(stock::Door::stand_in());
    let lines = probing_order().0.stock_lines();
    let offered: Vec<_> = lines.iter().map(stock_line_to_guest).collect();
    let ctx = trial.imports().telemetry.own_context();
    let answering = guest.till_plugin_inventory().call_deduct(&mut trial.store, &ctx, &offered);
    let answered = timeout_at(trial.ends, answering).await;
    let answer = trial.answer(answered);
    let result = believed::levels(&lines, answer, trial.imports());
    trial.judge(result)
}

#[expect(clippy::expect_used, reason = "constants, within the rules of their types")]
fn probing_order() -> (Cart, OrderId) {
    let line = Line {
        item: Item::parse(ITEM).expect("a name"),
        quantity: Quantity::new(1).expect("a quantity"),
        unit_price: MinorUnits::new(UNIT_PRICE).expect("an amount"),
        attributes: Vec::new(),
    };
    (Cart::new(vec![line], Vec::new()).expect("a line"), OrderId::new(1).expect("a number"))
}

/// Returns the text on one line, and cut.
fn line(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.get(..text.floor_char_boundary(SAID_BYTES_MAX)).unwrap_or_default();
    text.replace(char::is_control, "\u{fffd}")
}

/// The one call of a candidate.
struct Trial<'a> {
    store: Store<GuestCall>,
    kind: Kind,
    language: &'a str,
    settings: &'a Settings,
    deadline: Deadline,
    ends: Instant,
}

impl<'a> Trial<'a> {
    fn new(engine: &Engine, identity: &'a Identity, settings: &'a Settings, set: &BTreeMap<String, String>) -> Self {
        let limits = &settings.limits;
        let tracer = Tracer::off();
        let span = tracer.start("probe", SpanKind::Internal, None, Vec::new());
        let telemetry = CallSpans::new(tracer, span, identity.to_string().into(), limits);
        let imports = CallState::new(telemetry, settings_of(identity.kind, settings, set), &Chance::Free, limits);
        let store = guarded_store(engine, imports, &MemoryPool::new(limits), limits);
        let deadline = Deadline::of(identity.kind, Time::Whole, limits);
        let language = &identity.language;
        Self { store, kind: identity.kind, language, settings, deadline, ends: Instant::now() + deadline.duration() }
    }

    fn imports(&mut self) -> &mut CallState {
        self.store.data_mut().call_state()
    }

    /// Instantiates it, with no door open: what runs now runs before every call, and is to depend on nothing.
    async fn instantiate(&mut self, pre: &InstancePre<GuestCall>) -> Result<Instance, Reason> {
        let answered = timeout_at(self.ends, pre.instantiate_async(&mut self.store)).await;
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

    fn judge<T>(mut self, result: Result<T, Failure>) -> Result<Spent, Reason> {
        let (kind, said) = (self.kind, self.said());
        let memory_bytes = self.store.data().memory_bytes();
        let spent = Spent { memory_bytes, host_calls: self.imports().host_calls() };
        match result {
            Err(failure) if failure.is_of_host() => Err(Reason::Probe {
                advice: advice(kind, self.language, &failure, said.is_nothing()).into(),
                failure,
                said,
            }),
            // A receipt, or a "no".
            _ => Ok(spent),
        }
    }
}
