//! Recorded calls repeated with a plugin, many at the same time: what each decides, and how that differs from its recording.
//!
//! Nothing of a call has an effect, so all share one empty store: a call is answered what the recorded one was answered. There are no
//! spans, and no fuel is counted, which would cost time.

use std::{collections::BTreeMap, sync::Arc};

use anyhow::Context;
use opentelemetry::trace::SpanKind;
use parking_lot::Mutex;

use super::{
    Case, Difference, OneCall, OrderOfCase, Recorded, Shop, Stage,
    differences::{differences_of, word},
};
use crate::{
    config::{Limits, Settings},
    hooks,
    imports::Moment,
    order::sum_by_item,
    recordings::Cost,
    runtime::{Compiler, Identity},
    store::{self, OrderId},
    telemetry::{self, LogFormat, Telemetry, unwritten},
    versions::{Candidate, Plugins},
};

/// How many sets of settings are kept ready; a host's recordings have some few.
const PLUGINS_MAX: usize = 64;

/// A plugin that recorded calls are repeated with.
#[derive(Debug)]
pub struct Repeating {
    stage: Stage,
    shop: Shop,
    /// By the shop's rules and the plugin's settings.
    plugins: Mutex<BTreeMap<String, Arc<Plugins>>>,
}

/// The result of a repeated call.
#[derive(Debug)]
pub struct Repeated {
    pub outcome: &'static str,
    /// What a receipt comes to, minor units.
    pub total: Option<u64>,
    pub cost: Cost,
    /// How it differs from the recording.
    pub differences: Vec<Difference>,
}

impl Repeating {
    /// Compiles the plugin for so many calls `at_once`, or loads its code from the cache of `compiler`.
    ///
    /// # Errors
    /// What is wrong with the file.
    pub async fn set(
        plugin: Candidate,
        settings: Settings,
        of_store: store::Settings,
        compiler: Compiler,
        at_once: usize,
    ) -> anyhow::Result<Self> {
        let limits = Limits { concurrent_requests: at_once, guest_fuel: false, ..settings.limits.of_one_call() };
        // Every call has a fresh instance, and none rests in the pool's places.
        let settings = Settings { limits: Limits { reused_instances: 0, ..settings.limits.clone() }, ..settings };
        let currency = settings.shop.currency.code();
        let off = |name: &str| (name == "OTEL_SDK_DISABLED").then(|| "true".to_owned());
        let telemetry = telemetry::Settings::from_environment(off, LogFormat::Json, "off", currency)?;
        let telemetry = Telemetry::start(&telemetry)?;
        let shop = Shop::open(&of_store, &BTreeMap::new()).await?;
        let stage = Stage::of(plugin, None, (settings, of_store), (limits, compiler), telemetry).await?;
        Ok(Self { stage, shop, plugins: Mutex::default() })
    }

    /// Returns the plugin that is repeated with.
    #[must_use]
    pub fn identity(&self) -> Option<&Identity> {
        self.stage.identity()
    }

    /// Returns the stage's kind and currency, which a case is read with.
    #[must_use]
    pub const fn stage(&self) -> &Stage {
        &self.stage
    }

    /// Repeats a recorded call.
    ///
    /// # Errors
    /// When the case isn't of a recording, or this process has no room for the call. A plugin's fault is a result, not an error.
    pub async fn repeat(&self, case: &Case) -> anyhow::Result<Repeated> {
        let plugins = self.plugins(case)?;
        let call = OneCall {
            plugins: &plugins,
            store: &self.shop.store,
            case,
            order: self.order(case)?,
            span: plugins.tracer().start(hooks::info(self.stage.kind).span, SpanKind::Internal, None, Vec::new()),
            body: None,
        };
        let decided = unwritten(hooks::visit(self.stage.kind, call)).await?;
        if let Err(failure) = &decided.decided
            && failure.is_of_host()
            && failure.at_fault().is_none()
        {
            anyhow::bail!("the call wasn't carried out: {failure}");
        }
        let (asked, name) = (sum_by_item(&decided.asked), hooks::info(self.stage.kind).decision);
        let differences = case.expected.iter().flat_map(|of| differences_of(of, name, &decided.decided, &asked));
        let differences = differences.collect();
        Ok(Repeated { outcome: word(&decided.decided), total: decided.total, cost: decided.cost, differences })
    }

    fn order(&self, case: &Case) -> anyhow::Result<OrderOfCase> {
        let Recorded { placed_at_ms, .. } = case.recorded.as_ref().context("the case is no recording")?;
        let id = OrderId::new(1).context("number an order")?;
        let (currency, cart) = (case.currency, Arc::clone(&case.cart));
        let placed = hooks::Placed { id, placed_at_ms: *placed_at_ms, currency, cart, case: case.question.clone() };
        Ok(OrderOfCase { id, placed, moment: Moment::NONE }.with_recorded(case, self.stage.kind))
    }

    fn plugins(&self, case: &Case) -> anyhow::Result<Arc<Plugins>> {
        let key = format!("{:?} {:?}", case.shop, case.set);
        let mut known = self.plugins.lock();
        if let Some(plugins) = known.get(&key) {
            return Ok(Arc::clone(plugins));
        }
        let plugins = self.stage.plugins(case, &self.shop.store)?;
        if known.len() >= PLUGINS_MAX {
            known.clear();
        }
        known.insert(key, Arc::clone(&plugins));
        Ok(plugins)
    }
}
