//! A version that may be called, with the tally and the shadow that a rollout gives it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    Plugins,
    admission::{Admitted, Cases},
    rollout::{Followed, Shadow, Tally},
    source,
};
use crate::{
    config::{GRANTS, ON_FAILURE, Settings},
    failure::Failure,
    hooks::{self, Answered, Hook, Installation},
    imports::{Moment, Seed, is_setting_of_host},
    outbound::{Grants, UnusableGrant},
    recordings::{Body, Ended, Outcome, RecordedVersion, Recordings},
    runtime::{Breaker, Call, Counts, Done, Identity, IdlePlaces, Loaded, Numbered, Role, Setup, Time},
    store::PluginVersion,
    telemetry::{metrics::PluginInfo, traces::Span},
};

/// The value of [`ON_FAILURE`] with which a request goes on without the plugin.
pub(super) const SKIP: &str = "skip";

/// Returns what an installation may send, by its settings: grants with `;` between them.
///
/// # Errors
/// Names the grant that can't be used.
pub(super) fn grants_of(at: Installation, set: &BTreeMap<String, String>) -> Result<Grants, UnusableGrant> {
    let texts = set.get(GRANTS).map(String::as_str).unwrap_or_default();
    let grants = texts.split(';').map(str::trim).filter(|text| !text.is_empty()).map(str::parse);
    Grants::new(at.to_string(), grants.collect::<Result<_, _>>()?)
}

/// A version of a plugin, of whichever kind.
#[derive(Debug, Clone)]
pub struct Plugin {
    loaded: Arc<Loaded>,
    /// Its author's cases, which it is tried with.
    cases: Cases,
    /// Where its calls are counted, while there is a rollout of its kind.
    tally: Option<Arc<Tally>>,
    /// Repeats its calls with a rollout's candidate.
    shadow: Option<Arc<Shadow>>,
    /// What it may send to others.
    grants: Arc<Grants>,
    /// What recordings of its calls say of it.
    recorded_as: Arc<RecordedVersion>,
}

impl Plugin {
    /// Returns the plugin with what is `set` for it over the host's settings.
    pub(super) fn new(
        admitted: Admitted,
        set: &BTreeMap<String, String>,
        settings: &Settings,
        idle_places: &Arc<IdlePlaces>,
        breaker: impl FnOnce(&Identity) -> Arc<Breaker>,
    ) -> Self {
        let Admitted { identity, code, cases } = admitted;
        // They were checked when they were set.
        let grants = Arc::new(grants_of(identity.at, set).unwrap_or_else(|_| Grants::none(identity.at.to_string())));
        let setup = Setup {
            set,
            settings: hooks::settings_of(identity.at.kind, settings, set),
            is_built_in: source::is_built_in(&identity),
            call_limits: (hooks::info(identity.at.kind).call_limits)(&settings.limits),
            limits: &settings.limits,
            idle_places,
        };
        let loaded = Arc::new(Loaded::new(identity, code, setup, breaker));
        let recorded_as = Arc::new(recorded_as(&loaded));
        Self { loaded, cases, tally: None, shadow: None, grants, recorded_as }
    }

    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.loaded.identity
    }

    #[must_use]
    pub fn role(&self) -> Role {
        self.loaded.role
    }

    /// Sets which version of the store this is. Only the first call counts: a version keeps its number.
    pub(super) fn set_version(&self, version: &PluginVersion) {
        self.loaded.set_version(version);
    }

    /// Returns which version of the store this is, `None` if the store doesn't have it.
    #[must_use]
    pub fn numbered(&self) -> Option<Numbered> {
        self.loaded.numbered()
    }

    pub(super) fn to_metric(&self) -> PluginInfo {
        self.loaded.identity.to_metric(self.loaded.role)
    }

    pub(super) fn breaker(&self) -> &Arc<Breaker> {
        &self.loaded.breaker
    }

    /// Returns how its calls ended in the last minutes.
    #[must_use]
    pub fn recent_outcomes(&self) -> Counts {
        self.loaded.breaker.recent_outcomes()
    }

    /// Returns whether its breaker lets a call through now, whatever the order.
    #[must_use]
    pub fn is_let_through(&self) -> bool {
        self.loaded.breaker.is_open().is_none()
    }

    /// Returns the plugin in a role, with a rollout's tally and shadow if there are any.
    pub(super) fn tried(&self, role: Role, tally: Option<Arc<Tally>>, shadow: Option<Arc<Shadow>>) -> Self {
        Self {
            loaded: Arc::new(self.loaded.in_role(role)),
            cases: self.cases.clone(),
            tally,
            shadow,
            grants: Arc::clone(&self.grants),
            recorded_as: Arc::clone(&self.recorded_as),
        }
    }

    /// Returns the plugin with its code loaded into another pool.
    pub(super) fn moved(&self, code: Admitted) -> Self {
        Self { loaded: Arc::new(self.loaded.moved(code.code)), ..self.clone() }
    }

    /// Returns the engine of the pool that holds its instances.
    pub(super) fn wasmtime(&self) -> &wasmtime::Engine {
        self.loaded.code.wasmtime()
    }

    /// Drops idle instances that weren't called for `rest`, as long as all idle ones hold more than `bytes_max` bytes.
    pub(super) fn drop_idle(&self, rest: Duration, bytes_max: u64) {
        self.loaded.drop_idle(rest, bytes_max);
    }

    /// Returns what was admitted, without what is set for it.
    pub(super) fn admitted(&self) -> Admitted {
        let Loaded { identity, code, .. } = &*self.loaded;
        Admitted { identity: identity.clone(), code: code.clone(), cases: self.cases.clone() }
    }

    /// Returns what the plugin may send to others.
    #[must_use]
    pub const fn grants(&self) -> &Arc<Grants> {
        &self.grants
    }

    /// Returns whether the operator has requests go on without the plugin if it fails.
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        let may_be_skipped = hooks::info(self.identity().at.kind).may_be_skipped;
        may_be_skipped && self.loaded.settings.get(ON_FAILURE).is_some_and(|word| word == SKIP)
    }

    /// Returns whether its code is the host's own.
    #[must_use]
    pub fn is_built_in(&self) -> bool {
        source::is_built_in(self.identity())
    }

    /// Returns the code and everything else that a call begins with.
    #[must_use]
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// Counts a call that has ended, and returns its span.
    pub(super) fn count<T>(&self, done: Done, result: &Result<T, Failure>) -> Span {
        if let (Some(tally), Some(took)) = (&self.tally, done.took) {
            tally.count(self.loaded.identity.at, result, took);
        }
        done.span
    }

    /// Keeps a call that has ended.
    fn keep(&self, recordings: &Recordings, done: &Done, called: Called) {
        let Called { moment, seed, outcome, body } = called;
        recordings.keep(Ended {
            version: &self.recorded_as,
            number: self.numbered().map(|numbered| numbered.number.number()),
            role: self.role().as_str(),
            trace_id: done.span.context().trace_id().to_bytes(),
            order_seed: moment.seed(),
            seed,
            outcome,
            cost: done.cost,
            body,
        });
    }

    /// Calls the plugin, with access to what its world imports, unless its breaker is open. Returns the span for what
    /// the host still does under it. A shadow repeats the call afterwards.
    ///
    /// If the future is dropped, so are the guest and the span. Stock that the plugin has taken stays taken.
    ///
    /// # Errors
    /// The plugin's rejection or fault, or a failure that others caused. Stock may have been taken before each of them.
    pub async fn call<H: Hook>(
        &self,
        plugins: &Arc<Plugins>,
        span: Span,
        asked: &H::Asked,
        door: H::Door,
        moment: Moment,
        time: Time,
    ) -> (Span, Result<H::Decided, Failure>) {
        let permit = match self.loaded.breaker.enter(H::likeness(asked)) {
            Ok(permit) => permit,
            Err(open) => return (span, Err(open.failure(self.loaded.identity.at))),
        };
        let mut call = Call::start(plugins.runtime(), &self.loaded, span, moment, time);
        let parent = self.shadow.as_ref().map(|_| call.span_context().clone());
        let mut body = plugins.recordings().map(|_| Body::default());
        let (is_compared, rules) = (parent.is_some(), plugins.rules());
        let answered = hooks::decide::<H>(call.guest(), asked, door, rules, is_compared, body.as_mut()).await;
        let Answered { result, met, asked: asked_stock, outcome } = answered;
        let seed = call.guest().imports().seed();
        if let (Some(shadow), Some(parent)) = (&self.shadow, parent) {
            shadow.follow::<H>(plugins, parent, asked, Followed { moment, met, asked_stock }, &result);
        }
        let done = call.end(Some(permit), &result);
        if let (Some(recordings), Some((body, outcome))) = (plugins.recordings(), body.zip(outcome)) {
            self.keep(recordings, &done, Called { moment, seed, outcome, body });
        }
        let span = self.count(done, &result);
        (span, result)
    }
}

/// What a recording says of a call besides its plugin and its cost.
struct Called {
    moment: Moment,
    seed: Seed,
    outcome: Outcome,
    body: Body,
}

fn recorded_as(Loaded { identity, settings, .. }: &Loaded) -> RecordedVersion {
    // What the host itself reads doesn't repeat a call.
    let told = settings.iter().filter(|(key, _)| !is_setting_of_host(key));
    let told = told.map(|(key, value)| (key.clone(), value.clone())).collect();
    let Identity { at, name, version, digest, .. } = identity;
    RecordedVersion::new(*at, name.clone(), version.clone(), digest.clone(), told)
}
