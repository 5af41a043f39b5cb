//! A plugin that may be called: which one, its code, its role, and what its calls share.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, OnceLock},
    time::Duration,
};

use sha2::{Digest, Sha256};
use wasmtime::component::{ComponentExportIndex, InstancePre};

use super::{
    CallLimits, GuestCall,
    breaker::Breaker,
    idle::{self, IdleInstances, IdlePlaces},
};
use crate::{
    config::Limits,
    hooks::Installation,
    imports::telemetry::GuestLog,
    store::{PluginVersion, VersionId},
    telemetry::{metrics::PluginInfo, names::attribute, traces::Span},
    units::{hex, i64_of},
};

/// Identifies a plugin in spans, metrics, answers and messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub at: Installation,
    pub name: String,
    pub version: String,
    /// The language that it was written in, as its toolchain says, or `unknown`.
    pub language: String,
    /// The file's sha256, lower-case hex.
    pub digest: String,
    /// The sha256 of what was set for this version over the host's settings, if anything was.
    pub settings_digest: Option<String>,
}

impl Identity {
    /// Returns the start of the file's digest, followed by a dot and the start of the settings' digest if there is one.
    #[must_use]
    pub fn short_digest(&self) -> String {
        let start = |digest: &str, digits| digest.get(..digits).unwrap_or(digest).to_owned();
        let settings = self.settings_digest.as_ref().map(|digest| format!(".{}", start(digest, 8)));
        start(&self.digest, 12) + settings.as_deref().unwrap_or_default()
    }

    #[must_use]
    pub fn to_metric(&self, role: Role) -> PluginInfo {
        PluginInfo {
            kind: self.at.kind.as_str(),
            rollout: role.as_str(),
            plugin: self.name.clone(),
            version: self.version.clone(),
            digest: self.short_digest(),
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, name, version, .. } = self;
        // An installed plugin has the installation's name before its own.
        let installed = at.name.map(|installed| format!("{installed}:")).unwrap_or_default();
        write!(out, "{}/{installed}{name}@{version}+{}", at.kind, self.short_digest())
    }
}

/// How a plugin takes part in a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    Live,
    /// It serves some of the requests in place of the live version.
    Canary,
    /// It repeats the live version's calls afterwards. Its answers are discarded.
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

/// Which version of the store a plugin is. A file is tried before it becomes one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbered {
    pub number: VersionId,
    /// The first version with the same file, if this isn't it. The two differ in their settings only.
    pub same_file_as: Option<VersionId>,
}

/// A component's code in the pool of an engine, with the one function that is called.
#[derive(Clone)]
pub struct Code {
    pub instance_pre: InstancePre<GuestCall>,
    pub function: ComponentExportIndex,
}

impl fmt::Debug for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Code").finish_non_exhaustive()
    }
}

impl Code {
    /// Returns the engine of the pool that it was compiled for.
    #[must_use]
    pub fn wasmtime(&self) -> &wasmtime::Engine {
        self.instance_pre.engine()
    }
}

/// A plugin ready to be called.
pub struct Loaded {
    pub identity: Identity,
    numbered: Arc<OnceLock<Numbered>>,
    pub role: Role,
    pub code: Code,
    /// What `host.setting` answers. Part of the snapshot, so that a call never sees two versions of it.
    pub settings: Arc<BTreeMap<String, String>>,
    pub(super) call_limits: CallLimits,
    /// Where its guests log.
    pub(super) log: Arc<GuestLog>,
    pub breaker: Arc<Breaker>,
    pub(super) idle: Arc<IdleInstances>,
}

/// What a plugin needs besides its code.
#[derive(Debug)]
pub struct Setup<'a> {
    /// What was set for this version over the host's settings.
    pub set: &'a BTreeMap<String, String>,
    /// What `host.setting` answers.
    pub settings: BTreeMap<String, String>,
    /// Whether its code is the host's own.
    pub is_built_in: bool,
    pub call_limits: CallLimits,
    pub limits: &'a Limits,
    pub idle_places: &'a Arc<IdlePlaces>,
}

impl Loaded {
    /// Returns the plugin as the live one, with the breaker that its identity has.
    pub fn new(
        mut identity: Identity,
        code: Code,
        Setup { set, settings, is_built_in, call_limits, limits, idle_places }: Setup<'_>,
        breaker: impl FnOnce(&Identity) -> Arc<Breaker>,
    ) -> Self {
        identity.settings_digest = digest_of_settings(set);
        let log = GuestLog::new(label(&identity, Role::Live), limits);
        let breaker = breaker(&identity);
        let calls_max = idle::calls_max(&identity.language, is_built_in, &settings);
        let idle = Arc::new(IdleInstances::new(calls_max, Arc::clone(idle_places)));
        let (numbered, role, settings) = (Arc::default(), Role::Live, Arc::new(settings));
        Self { identity, numbered, role, code, settings, call_limits, log, breaker, idle }
    }

    /// Returns the same plugin with its code loaded into another pool, without idle instances.
    #[must_use]
    pub fn moved(&self, code: Code) -> Self {
        Self { code, idle: Arc::new(self.idle.emptied()), ..self.in_role(self.role) }
    }

    /// Returns the same plugin in another role.
    #[must_use]
    pub fn in_role(&self, role: Role) -> Self {
        Self {
            identity: self.identity.clone(),
            numbered: Arc::clone(&self.numbered),
            role,
            code: self.code.clone(),
            settings: Arc::clone(&self.settings),
            call_limits: self.call_limits,
            log: self.log.of(label(&self.identity, role)),
            breaker: Arc::clone(&self.breaker),
            idle: Arc::clone(&self.idle),
        }
    }

    /// Sets which version of the store this is. Only the first call counts: a version keeps its number.
    pub fn set_version(&self, version: &PluginVersion) {
        _ = self.numbered.set(Numbered { number: version.id, same_file_as: version.same_file_as });
    }

    /// Returns which version of the store this is, `None` if the store doesn't have it.
    #[must_use]
    pub fn numbered(&self) -> Option<Numbered> {
        self.numbered.get().copied()
    }

    /// Drops idle instances that weren't called for `rest`, as long as all idle ones hold more than `bytes_max` bytes.
    pub fn drop_idle(&self, rest: Duration, bytes_max: u64) {
        self.idle.drop_idle(rest, bytes_max);
    }

    /// Sets the attributes on a call's span that say which plugin is called.
    pub(super) fn describe(&self, span: &mut Span) {
        let Identity { at, name, version, .. } = &self.identity;
        span.set(attribute::PLUGIN_KIND, at.kind.as_str());
        if let Some(installed) = at.name {
            span.set(attribute::PLUGIN_INSTALLATION, installed.to_string());
        }
        span.set(attribute::PLUGIN_NAME, name.clone());
        span.set(attribute::PLUGIN_VERSION, version.clone());
        span.set(attribute::PLUGIN_DIGEST, self.identity.short_digest());
        span.set(attribute::PLUGIN_ROLLOUT, self.role.as_str());
        let number = |id: VersionId| i64_of(id.number());
        if let Some(Numbered { number: own, same_file_as }) = self.numbered.get() {
            span.set(attribute::PLUGIN_NUMBER, number(*own));
            if let Some(first) = same_file_as {
                span.set(attribute::PLUGIN_SAME_FILE_AS, number(*first));
            }
        }
    }
}

impl fmt::Debug for Loaded {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.identity)
    }
}

fn label(identity: &Identity, role: Role) -> String {
    let role = if role == Role::Live { String::new() } else { format!(" ({})", role.as_str()) };
    let Identity { at, name, version, .. } = identity;
    let installed = at.name.map(|installed| format!("{installed}:")).unwrap_or_default();
    format!("{}/{installed}{name}@{version}{role}", at.kind)
}

/// Returns the sha256 of what is set for a version over the host's settings; `None` if nothing is.
#[must_use]
pub fn digest_of_settings(set: &BTreeMap<String, String>) -> Option<String> {
    (!set.is_empty()).then(|| digest_of(format!("{set:?}").as_bytes()))
}

/// Returns the sha256, lower-case hex.
#[must_use]
pub fn digest_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}
