//! What is live: one snapshot of plugins, published with one atomic store.

use std::{collections::BTreeMap, fmt, sync::Arc};

use arc_swap::ArcSwap;
use hyper::header::HeaderValue;

use super::{Candidate, Engine, admit};
use super::{admission::Admitted, call::GuestCall};
use crate::{
    config::Settings,
    imports::bindings::{CheckoutPluginPre, InventoryPluginPre},
    telemetry::{metrics::PluginInfo, names::attribute, traces::Span},
};

/// Which world a plugin fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Checkout,
    Inventory,
}

impl Kind {
    pub const ALL: [Self; 2] = [Self::Checkout, Self::Inventory];

    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Inventory => "inventory",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// Which plugin it is, for spans, metrics, answers and people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub kind: Kind,
    pub name: String,
    pub version: String,
    /// The file's sha256, lower-case hex.
    pub digest: String,
}

impl Identity {
    /// Writes the identity on the span of a call.
    pub fn describe(&self, span: &mut Span) {
        span.set(attribute::PLUGIN_KIND, self.kind.as_str());
        span.set(attribute::PLUGIN_NAME, self.name.clone());
        span.set(attribute::PLUGIN_VERSION, self.version.clone());
        span.set(attribute::PLUGIN_DIGEST, self.short_digest().to_owned());
    }

    #[must_use]
    pub fn short_digest(&self) -> &str {
        self.digest.get(..12).unwrap_or(&self.digest)
    }

    #[must_use]
    pub fn to_metric(&self) -> PluginInfo {
        PluginInfo {
            kind: self.kind.as_str(),
            plugin: self.name.clone(),
            version: self.version.clone(),
            digest: self.short_digest().to_owned(),
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

impl<Pre> Loaded<Pre> {
    fn new(identity: Identity, pre: Pre, settings: &BTreeMap<String, String>) -> Self {
        let label = format!("{}/{}@{}", identity.kind, identity.name, identity.version).into();
        Self { identity, pre, settings: Arc::new(settings.clone()), label }
    }
}

/// The plugins that one request uses, all of it.
#[derive(Debug)]
pub struct Snapshot {
    pub checkout: Loaded<CheckoutPluginPre<GuestCall>>,
    pub inventory: Loaded<InventoryPluginPre<GuestCall>>,
    header: String,
    header_value: HeaderValue,
}

impl Snapshot {
    /// Admits the candidates: one of each kind.
    ///
    /// # Errors
    /// Says which is refused and why, or which kind is missing or there twice.
    pub async fn of_candidates(
        engine: &Arc<Engine>,
        candidates: Vec<Candidate>,
        settings: &Settings,
    ) -> anyhow::Result<Self> {
        let (mut checkout, mut inventory) = (None, None);
        for candidate in candidates {
            let source = candidate.source.clone();
            let twice = match admit(engine, candidate, &settings.limits).await? {
                Admitted::Checkout(identity, pre) => {
                    checkout.replace(Loaded::new(identity, pre, &settings.checkout_plugin)).is_some()
                }
                Admitted::Inventory(identity, pre) => {
                    inventory.replace(Loaded::new(identity, pre, &settings.inventory_plugin)).is_some()
                }
            };
            anyhow::ensure!(!twice, "{source} is a second plugin of its kind; leave one of each in the folder");
        }
        let missing = |kind: Kind| {
            anyhow::anyhow!(
                "there is no {kind} plugin; put one into the folder, for example the built-in one: \
                 till plugin export {kind} FILE"
            )
        };
        let checkout = checkout.ok_or_else(|| missing(Kind::Checkout))?;
        let inventory = inventory.ok_or_else(|| missing(Kind::Inventory))?;
        let header = format!("{}, {}", checkout.identity, inventory.identity);
        let header_value = HeaderValue::from_str(&header)?;
        Ok(Self { checkout, inventory, header, header_value })
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
}
