//! What requests are served with: the live snapshot and the rollout beside it, published with one atomic store.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use arc_swap::ArcSwap;
use hyper::header::HeaderValue;

use super::{Plugin, rollout::Rollout};
use crate::{
    failure::Failure,
    hooks::{self, Checkout, Hook, Installation, Kind, Visitor},
    order::Cart,
    runtime::{Identity, Likeness, Role},
};

/// The plugins that one request uses from beginning to end.
#[derive(Debug)]
pub struct Snapshot {
    /// Checkout and inventory, then the installed ones by hook and place.
    plugins: Vec<Plugin>,
    header: String,
    header_value: HeaderValue,
}

impl Snapshot {
    /// # Errors
    /// When a plugin's name can't stand in a header; admission lets no such name through.
    pub fn new(plugins: Vec<Plugin>) -> anyhow::Result<Self> {
        let kinds = plugins.iter().map(|plugin| plugin.identity().at.kind);
        anyhow::ensure!(kinds.clone().is_sorted(), "plugins are listed by hook");
        let lacking = Kind::REQUIRED.into_iter().find(|required| !kinds.clone().any(|kind| kind == *required));
        if let Some(kind) = lacking {
            anyhow::bail!("there is no {kind} plugin");
        }
        let identities: Vec<_> = plugins.iter().map(|plugin| plugin.identity().to_string()).collect();
        let header = identities.join(", ");
        let header_value = HeaderValue::from_str(&header)?;
        Ok(Self { plugins, header, header_value })
    }

    /// Returns the snapshot with this plugin in place of the one at the same installation.
    ///
    /// # Errors
    /// As [`Snapshot::new`].
    pub(super) fn with(&self, plugin: Plugin) -> anyhow::Result<Self> {
        let at = plugin.identity().at;
        let replaced = |before: &Plugin| if before.identity().at == at { plugin.clone() } else { before.clone() };
        Self::new(self.plugins.iter().map(replaced).collect())
    }

    /// Returns the plugin of a hook that has exactly one.
    ///
    /// # Panics
    /// For any other hook.
    #[must_use]
    #[expect(clippy::expect_used, reason = "no snapshot is made without a required plugin")]
    pub fn required(&self, kind: Kind) -> &Plugin {
        self.of(kind).next().expect("a required plugin")
    }

    /// Returns the plugins of a hook, in the order in which they are asked.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Plugin> {
        self.plugins.iter().filter(move |plugin| plugin.identity().at.kind == kind)
    }

    /// Returns the plugin at an installation, `None` if nothing is installed there.
    #[must_use]
    pub fn at(&self, at: Installation) -> Option<&Plugin> {
        self.plugins.iter().find(|plugin| plugin.identity().at == at)
    }

    /// Returns whether a plugin of track 0.2 is installed.
    #[must_use]
    pub fn has_hooks(&self) -> bool {
        self.plugins.len() > Kind::REQUIRED.len()
    }

    /// Returns whether the hooks of track 0.2 and the host decide what the customer pays. A checkout plugin other than the built-in one
    /// decides it by itself.
    #[must_use]
    pub fn prices_by_hooks(&self) -> bool {
        self.has_hooks() && self.required(Checkout::KIND).is_built_in()
    }

    /// Returns all identities as the `till-plugins` header has them.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }

    /// Returns [`header`](Self::header), ready to be sent.
    #[must_use]
    pub const fn header_value(&self) -> &HeaderValue {
        &self.header_value
    }

    /// Returns all plugins.
    pub fn plugins(&self) -> impl Iterator<Item = &Plugin> {
        self.plugins.iter()
    }

    pub fn identities(&self) -> impl Iterator<Item = &Identity> {
        self.plugins().map(Plugin::identity)
    }
}

/// The snapshot that one request uses; with a canary, also the live one that takes over if the canary is at fault.
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

    /// Returns the snapshot that takes over if that plugin is at fault: the live one, once, from a canary.
    #[must_use]
    pub fn stand_in(&self, at_fault: Installation) -> Option<&Arc<Snapshot>> {
        let is_canary = self.snapshot.at(at_fault).is_some_and(|plugin| plugin.role() == Role::Canary);
        self.live.as_ref().filter(|_| is_canary && !self.taken_over.load(Ordering::Acquire))
    }

    /// Returns why an order with this cart isn't begun with these plugins: a breaker is open for the cart, and no live
    /// version can take over.
    #[must_use]
    pub fn refusal(&self, cart: &Cart) -> Option<Failure> {
        self.snapshot().plugins().find_map(|plugin| {
            let (at, breaker) = (plugin.identity().at, plugin.breaker());
            // Breakers are rarely open, and this check is cheaper than the next.
            breaker.is_open()?;
            let open = breaker.is_open_for(hooks::visit(at.kind, LikenessIn(cart)))?;
            self.stand_in(at).is_none().then(|| open.failure(at))
        })
    }

    /// Lets the live plugins take over.
    pub fn take_over(&self) {
        self.taken_over.store(true, Ordering::Release);
    }
}

/// Computes the likeness of the call that a kind gets in a checkout of that cart.
struct LikenessIn<'a>(&'a Cart);

impl Visitor for LikenessIn<'_> {
    type Output = Likeness;

    fn visit<H: Hook>(self) -> Likeness {
        H::likeness_in(self.0)
    }
}

/// What is published: the live snapshot, and the rollout beside it.
#[derive(Debug)]
pub(super) struct Published {
    /// The live plugins, with the rollout's tally and shadow while the rollout runs.
    live: Arc<Snapshot>,
    rollout: Option<Arc<Rollout>>,
    /// The live plugins with the canary in place of its kind's, while the canary runs.
    canary: Option<Arc<Snapshot>>,
}

impl Published {
    /// # Errors
    /// As [`Snapshot::new`].
    pub(super) fn new(live: &Snapshot, rollout: Option<Arc<Rollout>>) -> anyhow::Result<Self> {
        let bare = live.plugins().map(|plugin| plugin.tried(Role::Live, None, None)).collect();
        let mut of_live = Snapshot::new(bare)?;
        let mut canary = None;
        if let Some(rollout) = rollout.as_deref().filter(|rollout| rollout.is_running())
            && let Some(beside) = of_live.at(rollout.at())
        {
            let watched = beside.tried(Role::Live, Some(rollout.live_tally()), rollout.shadow());
            of_live = of_live.with(watched)?;
            canary = rollout.canary().map(|plugin| of_live.with(plugin)).transpose()?.map(Arc::new);
        }
        Ok(Self { live: Arc::new(of_live), rollout, canary })
    }
}

/// Holds what is published.
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

    /// Returns the plugins for the request with this key. The same key gets the same plugins until something is
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

    /// Serves every request that begins from now on with this.
    pub(super) fn publish(&self, published: Published) {
        self.published.store(Arc::new(published));
    }
}
