//! What requests are served with: one snapshot of plugins, and what is tried beside it, published with one atomic store.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use arc_swap::ArcSwap;
use hyper::header::HeaderValue;

use super::{
    Failure, Kind,
    admission::{Admitted, digest_of},
    breaker::Breaker,
    call::GuestCall,
    rollout::{Rollout, Tally},
    shadow::Shadow,
};
use crate::{
    imports::bindings::{CheckoutPluginPre, InventoryPluginPre},
    telemetry::{metrics::PluginInfo, names::attribute, traces::Span},
};

/// Which plugin it is, for spans, metrics, answers and people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub kind: Kind,
    pub name: String,
    pub version: String,
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
    pub fn to_metric(&self) -> PluginInfo {
        PluginInfo {
            kind: self.kind.as_str(),
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

/// A plugin ready to be called.
#[derive(Clone)]
pub struct Loaded<Pre> {
    pub identity: Identity,
    pub role: Role,
    pub(super) pre: Pre,
    /// What `host.setting` answers. Part of the snapshot, so that a call never sees two versions of it.
    pub(super) settings: Arc<BTreeMap<String, String>>,
    /// `kind/name@version`, on the guest's log lines.
    pub(super) label: Arc<str>,
    pub(super) breaker: Arc<Breaker>,
    /// Where its calls are counted, while there is a rollout of its kind.
    pub(super) tally: Option<Arc<Tally>>,
    /// What follows its calls.
    pub(super) shadow: Option<Arc<Shadow>>,
}

impl<Pre> Loaded<Pre> {
    /// Writes on the span of a call whose it is.
    pub(super) fn describe(&self, span: &mut Span) {
        let Identity { kind, name, version, .. } = &self.identity;
        span.set(attribute::PLUGIN_KIND, kind.as_str());
        span.set(attribute::PLUGIN_NAME, name.clone());
        span.set(attribute::PLUGIN_VERSION, version.clone());
        span.set(attribute::PLUGIN_DIGEST, self.identity.short_digest());
        span.set(attribute::PLUGIN_ROLLOUT, self.role.as_str());
    }

    /// Returns whether what its calls do is compared with what another's do.
    pub(super) fn is_compared(&self) -> bool {
        self.shadow.is_some() || self.role == Role::Shadow
    }
}

impl<Pre> fmt::Debug for Loaded<Pre> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.identity)
    }
}

impl<Pre: Clone> Loaded<Pre> {
    fn new(
        mut identity: Identity,
        pre: Pre,
        set: &BTreeMap<String, String>,
        base: &BTreeMap<String, String>,
        breaker: impl FnOnce(&Identity) -> Arc<Breaker>,
    ) -> Self {
        identity.settings_digest = (!set.is_empty()).then(|| digest_of(format!("{set:?}").as_bytes()));
        let label = label(&identity, Role::Live);
        let settings = base.iter().chain(set).map(|(key, value)| (key.clone(), value.clone())).collect();
        let breaker = breaker(&identity);
        Self {
            identity,
            role: Role::Live,
            pre,
            settings: Arc::new(settings),
            label,
            breaker,
            tally: None,
            shadow: None,
        }
    }

    fn tried(&self, role: Role, tally: Option<Arc<Tally>>, shadow: Option<Arc<Shadow>>) -> Self {
        Self { role, label: label(&self.identity, role), tally, shadow, ..self.clone() }
    }
}

fn label(identity: &Identity, role: Role) -> Arc<str> {
    let role = if role == Role::Live { String::new() } else { format!(" ({})", role.as_str()) };
    format!("{}/{}@{}{role}", identity.kind, identity.name, identity.version).into()
}

/// A plugin of either kind.
#[derive(Debug, Clone)]
pub enum Plugin {
    Checkout(Arc<Loaded<CheckoutPluginPre<GuestCall>>>),
    Inventory(Arc<Loaded<InventoryPluginPre<GuestCall>>>),
}

impl Plugin {
    /// Returns the plugin with what was set for it, over `base`.
    pub(super) fn new(
        admitted: Admitted,
        set: &BTreeMap<String, String>,
        base: &BTreeMap<String, String>,
        breaker: impl FnOnce(&Identity) -> Arc<Breaker>,
    ) -> Self {
        match admitted {
            Admitted::Checkout(identity, pre) => {
                Self::Checkout(Arc::new(Loaded::new(identity, pre, set, base, breaker)))
            }
            Admitted::Inventory(identity, pre) => {
                Self::Inventory(Arc::new(Loaded::new(identity, pre, set, base, breaker)))
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

    pub(super) fn breaker(&self) -> &Arc<Breaker> {
        match self {
            Self::Checkout(loaded) => &loaded.breaker,
            Self::Inventory(loaded) => &loaded.breaker,
        }
    }

    /// Returns whether it would be called now: its breaker is closed.
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

    /// Returns what was admitted, without what was set for it.
    pub(super) fn admitted(&self) -> Admitted {
        match self {
            Self::Checkout(loaded) => Admitted::Checkout(loaded.identity.clone(), loaded.pre.clone()),
            Self::Inventory(loaded) => Admitted::Inventory(loaded.identity.clone(), loaded.pre.clone()),
        }
    }
}

/// The plugins that one request uses, all of it.
#[derive(Debug)]
pub struct Snapshot {
    pub checkout: Arc<Loaded<CheckoutPluginPre<GuestCall>>>,
    pub inventory: Arc<Loaded<InventoryPluginPre<GuestCall>>>,
    header: String,
    header_value: HeaderValue,
}

impl Snapshot {
    /// # Errors
    /// When a name can't stand in a header, which admission sees to.
    pub(super) fn new(
        checkout: Arc<Loaded<CheckoutPluginPre<GuestCall>>>,
        inventory: Arc<Loaded<InventoryPluginPre<GuestCall>>>,
    ) -> anyhow::Result<Self> {
        let header = format!("{}, {}", checkout.identity, inventory.identity);
        let header_value = HeaderValue::from_str(&header)?;
        Ok(Self { checkout, inventory, header, header_value })
    }

    /// Returns the snapshot with that plugin in the place of its kind's.
    ///
    /// # Errors
    /// As [`Snapshot::new`].
    pub(super) fn with(&self, plugin: Plugin) -> anyhow::Result<Self> {
        match plugin {
            Plugin::Checkout(checkout) => Self::new(checkout, Arc::clone(&self.inventory)),
            Plugin::Inventory(inventory) => Self::new(Arc::clone(&self.checkout), inventory),
        }
    }

    /// Returns the plugin of that kind.
    #[must_use]
    pub fn plugin(&self, kind: Kind) -> Plugin {
        match kind {
            Kind::Checkout => Plugin::Checkout(Arc::clone(&self.checkout)),
            Kind::Inventory => Plugin::Inventory(Arc::clone(&self.inventory)),
        }
    }

    /// Returns as what the plugin of that kind is called.
    #[must_use]
    pub fn role(&self, kind: Kind) -> Role {
        match kind {
            Kind::Checkout => self.checkout.role,
            Kind::Inventory => self.inventory.role,
        }
    }

    /// Returns both identities as the `till-plugins` header has them.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }

    /// Returns [`header`](Self::header), ready to be sent.
    #[must_use]
    pub const fn header_value(&self) -> &HeaderValue {
        &self.header_value
    }

    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        [&self.checkout.identity, &self.inventory.identity].into_iter()
    }
}

/// The snapshot that one request uses, and who takes over if that has a canary which is at fault.
#[derive(Debug)]
pub struct Pinned {
    snapshot: Arc<Snapshot>,
    live: Option<Arc<Snapshot>>,
    taken_over: AtomicBool,
}

impl Pinned {
    const fn new(snapshot: Arc<Snapshot>, live: Option<Arc<Snapshot>>) -> Self {
        Self { snapshot, live, taken_over: AtomicBool::new(false) }
    }

    /// Returns the plugins that the request runs: those it began with, or the live ones that took over.
    #[must_use]
    pub fn snapshot(&self) -> &Arc<Snapshot> {
        match &self.live {
            Some(live) if self.taken_over.load(Ordering::Acquire) => live,
            _ => &self.snapshot,
        }
    }

    /// Returns who can take over from a plugin of that kind that is at fault: the live one, from a canary, once.
    #[must_use]
    pub fn stand_in(&self, at_fault: Kind) -> Option<&Arc<Snapshot>> {
        let of_canary = self.snapshot.role(at_fault) == Role::Canary && !self.taken_over.load(Ordering::Acquire);
        self.live.as_ref().filter(|_| of_canary)
    }

    /// Returns why no request is to be begun with these plugins: the breaker of one is open, and nobody can take over.
    #[must_use]
    pub fn refusal(&self) -> Option<Failure> {
        let Snapshot { checkout, inventory, .. } = &**self.snapshot();
        let open = |breaker: &Breaker, kind| breaker.is_open().map(|open| (kind, open));
        let refused = open(&checkout.breaker, Kind::Checkout).or_else(|| open(&inventory.breaker, Kind::Inventory));
        refused.filter(|(kind, _)| self.stand_in(*kind).is_none()).map(|(kind, open)| Failure::breaker(kind, open))
    }

    /// Lets the live plugins take over.
    pub fn take_over(&self) {
        self.taken_over.store(true, Ordering::Release);
    }
}

/// What is published: the live snapshot, and the rollout beside it.
#[derive(Debug)]
pub(super) struct Published {
    /// Counted and followed, if the rollout wants that.
    live: Arc<Snapshot>,
    rollout: Option<Arc<Rollout>>,
    /// The live snapshot with the canary in its place, while it runs.
    canary: Option<Arc<Snapshot>>,
}

impl Published {
    /// # Errors
    /// As [`Snapshot::new`].
    pub(super) fn new(live: &Snapshot, rollout: Option<Arc<Rollout>>) -> anyhow::Result<Self> {
        let bare = |kind| live.plugin(kind).tried(Role::Live, None, None);
        let mut of_live = live.with(bare(Kind::Checkout))?.with(bare(Kind::Inventory))?;
        let mut canary = None;
        if let Some(rollout) = rollout.as_deref().filter(|rollout| rollout.is_running()) {
            let watched =
                of_live.plugin(rollout.kind()).tried(Role::Live, Some(rollout.live_tally()), rollout.shadow());
            of_live = of_live.with(watched)?;
            canary = rollout.canary().map(|plugin| of_live.with(plugin)).transpose()?.map(Arc::new);
        }
        Ok(Self { live: Arc::new(of_live), rollout, canary })
    }
}

/// What is live, and what is tried beside it.
#[derive(Debug)]
pub struct Registry {
    published: ArcSwap<Published>,
}

impl Registry {
    #[must_use]
    pub(super) fn new(published: Published) -> Self {
        Self { published: ArcSwap::from_pointee(published) }
    }

    #[must_use]
    pub fn live(&self) -> Arc<Snapshot> {
        Arc::clone(&self.published.load().live)
    }

    /// Returns the rollout that isn't over.
    #[must_use]
    pub fn rollout(&self) -> Option<Arc<Rollout>> {
        self.published.load().rollout.clone()
    }

    /// Returns the plugins of a request that is known by this key: the same for the same key, as long as nothing is
    /// published.
    #[must_use]
    pub fn pin(&self, key: &[u8]) -> Pinned {
        let published = self.published.load();
        match (&published.canary, &published.rollout) {
            (Some(canary), Some(rollout)) if rollout.picks(key) => {
                Pinned::new(Arc::clone(canary), Some(Arc::clone(&published.live)))
            }
            _ => Pinned::new(Arc::clone(&published.live), None),
        }
    }

    #[must_use]
    pub fn pin_live(&self) -> Pinned {
        Pinned::new(self.live(), None)
    }

    /// Makes it what every request that begins from now on is served with.
    pub(super) fn publish(&self, published: Published) {
        self.published.store(Arc::new(published));
    }
}
