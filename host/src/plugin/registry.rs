//! What is live: one snapshot of plugins, published with one atomic store.

use std::{collections::BTreeMap, fmt, sync::Arc};

use arc_swap::ArcSwap;
use hyper::header::HeaderValue;

use super::{
    Kind,
    admission::{Admitted, digest_of},
    call::GuestCall,
};
use crate::{
    config::Settings,
    imports::bindings::{CheckoutPluginPre, InventoryPluginPre},
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
    /// Writes the identity on the span of a call.
    pub fn describe(&self, span: &mut Span) {
        span.set(attribute::PLUGIN_KIND, self.kind.as_str());
        span.set(attribute::PLUGIN_NAME, self.name.clone());
        span.set(attribute::PLUGIN_VERSION, self.version.clone());
        span.set(attribute::PLUGIN_DIGEST, self.short_digest());
    }

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

/// A plugin ready to be called.
pub struct Loaded<Pre> {
    pub identity: Identity,
    pub(super) pre: Pre,
    /// What `host.setting` answers. Part of the snapshot, so that a call never sees two versions of it.
    pub(super) settings: Arc<BTreeMap<String, String>>,
    /// `kind/name@version`, on the guest's log lines.
    pub(super) label: Arc<str>,
}

impl<Pre> fmt::Debug for Loaded<Pre> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.identity)
    }
}

impl<Pre: Clone> Loaded<Pre> {
    fn new(mut identity: Identity, pre: Pre, set: &BTreeMap<String, String>, base: &BTreeMap<String, String>) -> Self {
        identity.settings_digest = (!set.is_empty()).then(|| digest_of(format!("{set:?}").as_bytes()));
        let label = format!("{}/{}@{}", identity.kind, identity.name, identity.version).into();
        let settings = base.iter().chain(set).map(|(key, value)| (key.clone(), value.clone())).collect();
        Self { identity, pre, settings: Arc::new(settings), label }
    }
}

/// A plugin of either kind.
#[derive(Debug, Clone)]
pub enum Plugin {
    Checkout(Arc<Loaded<CheckoutPluginPre<GuestCall>>>),
    Inventory(Arc<Loaded<InventoryPluginPre<GuestCall>>>),
}

impl Plugin {
    /// Returns the plugin with what was set for it, over what the host's settings say.
    pub(super) fn new(admitted: Admitted, set: &BTreeMap<String, String>, settings: &Settings) -> Self {
        let Settings { checkout_plugin, inventory_plugin, .. } = settings;
        match admitted {
            Admitted::Checkout(identity, pre) => {
                Self::Checkout(Arc::new(Loaded::new(identity, pre, set, checkout_plugin)))
            }
            Admitted::Inventory(identity, pre) => {
                Self::Inventory(Arc::new(Loaded::new(identity, pre, set, inventory_plugin)))
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

/// The live snapshot.
#[derive(Debug)]
pub struct Registry {
    live: ArcSwap<Snapshot>,
}

impl Registry {
    #[must_use]
    pub fn new(snapshot: Snapshot) -> Self {
        Self { live: ArcSwap::from_pointee(snapshot) }
    }

    #[must_use]
    pub fn live(&self) -> Arc<Snapshot> {
        self.live.load_full()
    }

    /// Makes the snapshot live, for every request that begins from now on.
    pub(super) fn publish(&self, snapshot: Snapshot) {
        self.live.store(Arc::new(snapshot));
    }
}
