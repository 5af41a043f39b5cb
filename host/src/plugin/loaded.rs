//! A plugin that may be called: which one, as what, and what hangs on its calls.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{
    Kind,
    admission::{Admitted, Cases, digest_of},
    breaker::Breaker,
    call::GuestCall,
    outcomes::Counts,
    reuse::{self, Resting, RestingPlaces, World},
    rollout::Tally,
    shadow::Shadow,
};
use crate::{
    config::{Limits, Settings},
    imports::{
        bindings::{CheckoutPluginPre, InventoryPluginPre},
        telemetry::GuestLog,
    },
    store::{PluginVersion, VersionId},
    telemetry::{metrics::PluginInfo, names::attribute, traces::Span},
};

/// Which plugin it is, for spans, metrics, answers and people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub kind: Kind,
    pub name: String,
    pub version: String,
    /// In which it was written, as its toolchain has it, or `unknown`.
    pub language: String,
    /// The file's sha256, lower-case hex.
    pub digest: String,
    /// The same of what was set for this version over the host's settings, if anything was.
    pub settings_digest: Option<String>,
}

impl Identity {
    /// Returns the start of the file's digest, and of the settings' behind a dot.
    #[must_use]
    pub fn short_digest(&self) -> String {
        let start = |digest: &str, digits| digest.get(..digits).unwrap_or(digest).to_owned();
        let settings = self.settings_digest.as_ref().map(|digest| format!(".{}", start(digest, 8)));
        start(&self.digest, 12) + settings.as_deref().unwrap_or_default()
    }

    #[must_use]
    pub fn to_metric(&self, role: Role) -> PluginInfo {
        PluginInfo {
            kind: self.kind.as_str(),
            rollout: role.as_str(),
            plugin: self.name.clone(),
            version: self.version.clone(),
            digest: self.short_digest(),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}@{}+{}", self.kind, self.name, self.version, self.short_digest())
    }
}

/// As what a plugin is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Live,
    /// In the live one's place, for some of the requests.
    Canary,
    /// After the live one, on what that was asked; nobody gets its answer.
    Shadow,
}

impl Role {
    /// Returns the role's word in metrics and span attributes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Canary => "canary",
            Self::Shadow => "shadow",
        }
    }
}

/// Which version it is in the store, once it is there: a file is tried before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    pub number: VersionId,
    /// The first version of the same file, if this isn't it: of that it differs by its settings only.
    pub same_file_as: Option<VersionId>,
}

/// A plugin ready to be called.
pub struct Loaded<Pre: World> {
    pub identity: Identity,
    numbered: Arc<OnceLock<Numbered>>,
    pub role: Role,
    pub(super) pre: Pre,
    /// What its author has it tried with.
    cases: Cases,
    /// What `host.setting` answers. Part of the snapshot, so that a call never sees two versions of it.
    pub(super) settings: Arc<BTreeMap<String, String>>,
    /// Where its guests log.
    pub(super) log: Arc<GuestLog>,
    pub(super) breaker: Arc<Breaker>,
    pub(super) resting: Arc<Resting<Pre::Instance>>,
    /// Where its calls are counted, while there is a rollout of its kind.
    pub(super) tally: Option<Arc<Tally>>,
    /// What follows its calls.
    pub(super) shadow: Option<Arc<Shadow>>,
}

impl<Pre: World> Loaded<Pre> {
    /// Writes on the span of a call whose it is.
    pub(super) fn describe(&self, span: &mut Span) {
        let Identity { kind, name, version, .. } = &self.identity;
        span.set(attribute::PLUGIN_KIND, kind.as_str());
        span.set(attribute::PLUGIN_NAME, name.clone());
        span.set(attribute::PLUGIN_VERSION, version.clone());
        span.set(attribute::PLUGIN_DIGEST, self.identity.short_digest());
        span.set(attribute::PLUGIN_ROLLOUT, self.role.as_str());
        let number = |id: VersionId| i64::try_from(id.number()).unwrap_or(i64::MAX);
        if let Some(Numbered { number: own, same_file_as }) = self.numbered.get() {
            span.set(attribute::PLUGIN_NUMBER, number(*own));
            if let Some(first) = same_file_as {
                span.set(attribute::PLUGIN_SAME_FILE_AS, number(*first));
            }
        }
    }

    /// Returns whether what its calls do is compared with what another's do.
    pub(super) fn is_compared(&self) -> bool {
        self.shadow.is_some() || self.role == Role::Shadow
    }
}

impl<Pre: World> fmt::Debug for Loaded<Pre> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.identity)
    }
}

impl<Pre: World + Clone> Loaded<Pre> {
    fn new(
        mut identity: Identity,
        (pre, cases): (Pre, Cases),
        set: &BTreeMap<String, String>,
        settings: Arc<BTreeMap<String, String>>,
        (limits, places): (&Limits, &Arc<RestingPlaces>),
        breaker: impl FnOnce(&Identity) -> Arc<Breaker>,
    ) -> Self {
        identity.settings_digest = (!set.is_empty()).then(|| digest_of(format!("{set:?}").as_bytes()));
        let log = GuestLog::new(label(&identity, Role::Live), limits);
        let breaker = breaker(&identity);
        let calls_max = reuse::calls_max(&identity.language, &settings);
        let resting = Arc::new(Resting::new(calls_max, Arc::clone(places)));
        let (numbered, role) = (Arc::default(), Role::Live);
        Self { identity, numbered, role, pre, cases, settings, log, breaker, resting, tally: None, shadow: None }
    }

    /// Returns the same plugin with the same code, compiled for another pool; none of its instances rest there yet.
    fn moved(&self, pre: Pre) -> Self {
        Self {
            pre,
            resting: Arc::new(self.resting.emptied()),
            ..self.tried(self.role, self.tally.clone(), self.shadow.clone())
        }
    }

    fn tried(&self, role: Role, tally: Option<Arc<Tally>>, shadow: Option<Arc<Shadow>>) -> Self {
        Self {
            identity: self.identity.clone(),
            numbered: Arc::clone(&self.numbered),
            role,
            pre: self.pre.clone(),
            cases: self.cases.clone(),
            settings: Arc::clone(&self.settings),
            log: self.log.of(label(&self.identity, role)),
            breaker: Arc::clone(&self.breaker),
            resting: Arc::clone(&self.resting),
            tally,
            shadow,
        }
    }
}

/// Returns what `host.setting` answers a plugin: what the host's settings say, and over it what was `set`.
pub(super) fn settings_of(
    kind: Kind,
    settings: &Settings,
    set: &BTreeMap<String, String>,
) -> Arc<BTreeMap<String, String>> {
    let base = match kind {
        Kind::Checkout => &settings.checkout_plugin,
        Kind::Inventory => &settings.inventory_plugin,
    };
    Arc::new(base.iter().chain(set).map(|(key, value)| (key.clone(), value.clone())).collect())
}

fn label(identity: &Identity, role: Role) -> String {
    let role = if role == Role::Live { String::new() } else { format!(" ({})", role.as_str()) };
    format!("{}/{}@{}{role}", identity.kind, identity.name, identity.version)
}

/// A plugin of either kind.
#[derive(Debug, Clone)]
pub enum Plugin {
    Checkout(Arc<Loaded<CheckoutPluginPre<GuestCall>>>),
    Inventory(Arc<Loaded<InventoryPluginPre<GuestCall>>>),
}

impl Plugin {
    /// Returns the plugin with what was `set` for it over the host's settings.
    pub(super) fn new(
        admitted: Admitted,
        set: &BTreeMap<String, String>,
        settings: &Settings,
        places: &Arc<RestingPlaces>,
        breaker: impl FnOnce(&Identity) -> Arc<Breaker>,
    ) -> Self {
        let bounds = (&settings.limits, places);
        let settings = settings_of(admitted.identity().kind, settings, set);
        match admitted {
            Admitted::Checkout(identity, pre, cases) => {
                Self::Checkout(Arc::new(Loaded::new(identity, (pre, cases), set, settings, bounds, breaker)))
            }
            Admitted::Inventory(identity, pre, cases) => {
                Self::Inventory(Arc::new(Loaded::new(identity, (pre, cases), set, settings, bounds, breaker)))
            }
        }
    }

    #[must_use]
    pub fn identity(&self) -> &Identity {
        match self {
            Self::Checkout(loaded) => &loaded.identity,
            Self::Inventory(loaded) => &loaded.identity,
        }
    }

    /// Says which version of the store it is. Once: a version keeps its number.
    pub(super) fn is_version(&self, version: &PluginVersion) {
        let numbered = match self {
            Self::Checkout(loaded) => &loaded.numbered,
            Self::Inventory(loaded) => &loaded.numbered,
        };
        _ = numbered.set(Numbered { number: version.id, same_file_as: version.same_file_as });
    }

    /// Returns which version of the store it is, `None` for one that isn't there.
    #[must_use]
    pub fn numbered(&self) -> Option<Numbered> {
        match self {
            Self::Checkout(loaded) => loaded.numbered.get().copied(),
            Self::Inventory(loaded) => loaded.numbered.get().copied(),
        }
    }

    pub(super) fn to_metric(&self) -> PluginInfo {
        match self {
            Self::Checkout(loaded) => loaded.identity.to_metric(loaded.role),
            Self::Inventory(loaded) => loaded.identity.to_metric(loaded.role),
        }
    }

    pub(super) fn breaker(&self) -> &Arc<Breaker> {
        match self {
            Self::Checkout(loaded) => &loaded.breaker,
            Self::Inventory(loaded) => &loaded.breaker,
        }
    }

    /// Returns what its calls came to in the last minutes.
    #[must_use]
    pub fn recent_outcomes(&self) -> Counts {
        self.breaker().outcomes.counts()
    }

    /// Returns whether it would be called now for every order: its breaker is closed.
    #[must_use]
    pub fn is_let_through(&self) -> bool {
        self.breaker().is_open().is_none()
    }

    /// Returns the plugin in a role, counted and followed as a rollout wants it.
    pub(super) fn tried(&self, role: Role, tally: Option<Arc<Tally>>, shadow: Option<Arc<Shadow>>) -> Self {
        match self {
            Self::Checkout(loaded) => Self::Checkout(Arc::new(loaded.tried(role, tally, shadow))),
            Self::Inventory(loaded) => Self::Inventory(Arc::new(loaded.tried(role, tally, shadow))),
        }
    }

    /// Returns the plugin with its code compiled anew; as it is if that is of the other kind.
    pub(super) fn moved(&self, code: Admitted) -> Self {
        match (self, code) {
            (Self::Checkout(loaded), Admitted::Checkout(_, pre, _)) => Self::Checkout(Arc::new(loaded.moved(pre))),
            (Self::Inventory(loaded), Admitted::Inventory(_, pre, _)) => Self::Inventory(Arc::new(loaded.moved(pre))),
            _ => self.clone(),
        }
    }

    /// Returns the engine of the pool in which its instances are.
    pub(super) fn wasmtime(&self) -> &wasmtime::Engine {
        match self {
            Self::Checkout(loaded) => loaded.pre.wasmtime(),
            Self::Inventory(loaded) => loaded.pre.wasmtime(),
        }
    }

    /// Frees instances that rest, as [`Resting::drop_idle`] does.
    pub(super) fn drop_idle(&self, rest: Duration, bytes_max: u64) {
        match self {
            Self::Checkout(loaded) => loaded.resting.drop_idle(rest, bytes_max),
            Self::Inventory(loaded) => loaded.resting.drop_idle(rest, bytes_max),
        }
    }

    /// Returns what was admitted, without what was set for it.
    pub(super) fn admitted(&self) -> Admitted {
        match self {
            Self::Checkout(loaded) => {
                Admitted::Checkout(loaded.identity.clone(), loaded.pre.clone(), loaded.cases.clone())
            }
            Self::Inventory(loaded) => {
                Admitted::Inventory(loaded.identity.clone(), loaded.pre.clone(), loaded.cases.clone())
            }
        }
    }
}
