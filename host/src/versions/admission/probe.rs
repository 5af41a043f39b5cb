//! Calls a candidate before any request does, under the limits of a call. Only this shows that its functions have the
//! world's types, that its start functions end, and that it answers an order with a valid decision.
//!
//! It is called for a handful of orders ([`super::trial`]), with a stand-in for the stock: no stock is taken, and no
//! order is written. Settings, random numbers and sleep are as in any call; its spans and its log are discarded. A
//! rejection is as good an answer as a receipt. Any other answer is a fault if the live version decides about the same
//! order.

use std::{
    borrow::Borrow,
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::Arc,
};

use opentelemetry::trace::SpanKind;
use tracing::{instrument::WithSubscriber, subscriber::NoSubscriber};

use super::{
    Admitted, Configured, Reason, Trial,
    refusal::{Said, advice},
    trial::{self, TriedOrder},
};
use crate::{
    config::Settings,
    failure::Failure,
    hooks::{self, Hook, Placed, Rules, Visitor},
    imports::{
        AskedSettings, CallState, Chance, Moment,
        telemetry::{CallSpans, GuestLog},
    },
    runtime::{Deadline, Engine, Guest, Identity, MemoryPool, Time},
    store::OrderId,
    telemetry::traces::Tracer,
};

/// How much of what a plugin printed and logged before its fault is reported, bytes of each.
const SAID_BYTES_MAX: usize = 300;

/// The engine and the settings of a trial.
#[derive(Clone, Copy)]
pub(super) struct Bench<'a> {
    pub(super) engine: &'a Engine,
    pub(super) settings: &'a Settings,
}

/// Tries the candidate, and returns what the call for the simple order took.
///
/// # Errors
/// Says why it can't be instantiated, how its types differ, how a call failed, or for which order it decides nothing.
pub(super) async fn call(bench: Bench<'_>, candidate: Configured<'_>, trial: Trial<'_>) -> Result<Spent, Reason> {
    let _turn = bench.engine.probe_turn().await;
    let Configured { plugin, .. } = candidate;
    let orders = match trial {
        Trial::Again => vec![trial::simple(bench.settings.shop.currency)],
        Trial::Anew { .. } => trial::all(plugin.cases(), plugin.identity().at.kind, bench.settings.shop.currency)?,
    };
    let mut spent = None;
    for order in &orders {
        let tried = tried(bench, candidate, order, None).await?;
        if let (Some(undecided), Trial::Anew { live: Some(live), forced: false }) = (tried.undecided, trial)
            && decides(bench, live, order).await
        {
            let (failure, said) = undecided;
            return Err(Reason::Undecided { order: order.what.as_str().into(), failure, said });
        }
        spent.get_or_insert(tried.spent);
    }
    spent.ok_or_else(|| super::does_not_compile(&"there was no order to try it with"))
}

/// Returns the settings that the plugin asks for in the calls of a trial, however those end.
pub(in crate::versions) async fn asked_settings(
    engine: &Engine,
    plugin: &Admitted,
    settings: &Settings,
    set: &BTreeMap<String, String>,
) -> BTreeSet<String> {
    let _turn = engine.probe_turn().await;
    // A plugin with cases that can't be read isn't admitted.
    let orders = trial::all(plugin.cases(), plugin.identity().at.kind, settings.shop.currency);
    let asked = AskedSettings::default();
    for order in &orders.unwrap_or_else(|_| vec![trial::simple(settings.shop.currency)]) {
        _ = tried(Bench { engine, settings }, Configured { plugin, set }, order, Some(&asked)).await;
    }
    asked.keys()
}

/// Returns whether the live version comes to a decision about the order.
async fn decides(bench: Bench<'_>, live: Configured<'_>, order: &TriedOrder) -> bool {
    let tried = tried(bench, live, order, None).await;
    tried.is_ok_and(|tried| tried.undecided.is_none())
}

/// Makes one call; notes the settings that the plugin asks for in `asked`.
async fn tried(
    bench: Bench<'_>,
    candidate: Configured<'_>,
    order: &TriedOrder,
    asked: Option<&AskedSettings>,
) -> Result<Tried, Reason> {
    let once = Once { bench, candidate, order, asked, moment: Moment::present() };
    // What a plugin logs on trial doesn't belong in the host's log.
    hooks::visit(candidate.plugin.identity().at.kind, once).with_subscriber(NoSubscriber::default()).await
}

/// A call without a fault: it ended in a decision, or in an answer that is none.
struct Tried {
    spent: Spent,
    /// An answer that is neither a receipt nor a rejection, and what the plugin printed and logged before.
    undecided: Option<(Box<Failure>, Box<Said>)>,
}

/// What the call used.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    pub(super) memory_bytes: u64,
    pub(super) host_calls: u32,
}

/// One call of a candidate.
struct Once<'a> {
    bench: Bench<'a>,
    candidate: Configured<'a>,
    order: &'a TriedOrder,
    asked: Option<&'a AskedSettings>,
    moment: Moment,
}

impl<'a> Visitor for Once<'a> {
    type Output = Pin<Box<dyn Future<Output = Result<Tried, Reason>> + Send + 'a>>;

    fn visit<H: Hook>(self) -> Self::Output {
        Box::pin(self.carry_out::<H>())
    }
}

impl<'a> Once<'a> {
    async fn carry_out<H: Hook>(self) -> Result<Tried, Reason> {
        let mut guest = self.guest::<H>();
        // Without access to its imports: start functions run before every call, and must not call the host.
        let instantiated = guest.instantiate().await;
        if guest.imports().host_calls() > 0 {
            return Err(Reason::StartHostCall { kind: H::KIND });
        }
        instantiated.map_err(|failure| Reason::Instantiate { failure, said: said(&guest) })?;
        let link = |error: wasmtime::Error| Reason::Link { kind: H::KIND, detail: format!("{error:#}") };
        guest.check_types::<H::Offered, H::Returned>().map_err(link)?;
        let cart = Arc::clone(&self.order.cart);
        let placed = Placed {
            id: order_id(),
            placed_at_ms: self.moment.now_ms(),
            currency: self.order.currency,
            cart,
            case: self.order.case.clone(),
        };
        let (asked, rules) = (H::asked(&placed), self.rules());
        let door = H::standing_in(self.order.case.as_deref());
        let answered = hooks::decide::<H>(&mut guest, asked.borrow(), door, rules, false, None).await;
        self.judge::<H>(guest, answered.result)
    }

    fn guest<H: Hook>(&self) -> Guest<'a> {
        let (Bench { engine, settings }, Configured { plugin, set }) = (self.bench, self.candidate);
        let (identity, limits) = (plugin.identity(), &settings.limits);
        let tracer = Tracer::off();
        let span = tracer.start("probe", SpanKind::Internal, None, Vec::new());
        let telemetry = CallSpans::new(tracer, span, GuestLog::new(identity.to_string(), limits), limits);
        let of_plugin = Arc::new(hooks::settings_of(H::KIND, settings, set));
        let mut imports = CallState::new(identity.at, telemetry, of_plugin, &Chance::Free, self.moment, limits);
        if let Some(asked) = self.asked {
            imports.note_settings(asked.clone());
        }
        let deadline = Deadline::of((hooks::info(H::KIND).call_limits)(limits), Time::Whole);
        Guest::fresh(identity.at, &plugin.code, imports, (engine, &MemoryPool::new(limits), limits), deadline)
    }

    fn rules(&self) -> Rules {
        let rules = Rules::of(self.bench.settings);
        if self.order.caps_what_is_added { rules } else { rules.of_made_up_prices() }
    }

    fn judge<H: Hook>(self, mut guest: Guest<'_>, result: Result<H::Decided, Failure>) -> Result<Tried, Reason> {
        let said = said(&guest);
        let spent = Spent { memory_bytes: guest.memory_bytes(), host_calls: guest.imports().host_calls() };
        let Identity { at, language, .. } = self.candidate.plugin.identity();
        match result {
            Err(failure) if failure.is_of_host() => Err(Reason::Probe {
                order: self.order.what.as_str().into(),
                advice: advice(H::KIND, language, &failure, said.is_silent()).into(),
                failure: Box::new(failure),
                said,
            }),
            Err(failure) if failure.at_fault() == Some(*at) => {
                Ok(Tried { spent, undecided: Some((Box::new(failure), said)) })
            }
            // A receipt, or a rejection.
            _ => Ok(Tried { spent, undecided: None }),
        }
    }
}

/// Returns what the guest has printed, and the error that it logged last.
fn said(guest: &Guest<'_>) -> Box<Said> {
    let telemetry = guest.telemetry();
    Box::new(Said { printed: line(&telemetry.printed()), logged: line(telemetry.logged_error().unwrap_or_default()) })
}

/// Returns the first order's number: no order is written.
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
