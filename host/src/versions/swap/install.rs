//! Installing plugins at the hooks that may have several, taking them off, and their order.

use std::collections::BTreeMap;

use super::{Author, Became, Candidate, Plugin, Plugins, Published, SwapError, Swapped, settings::check, text_of};
use crate::{
    config::did_you_mean,
    hooks::{self, Installation, InstallationName, Kind},
    store::{ApprovalRow, Audited, HookChange, HookOrder, SwapAction, VersionText},
    versions::{Snapshot, admission::Trial, vetting::Arrival},
};

/// Why a plugin isn't installed, or an order isn't one.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("a shop has exactly one {0} plugin; replace it with: till plugin deploy FILE")]
    Required(Kind),
    #[error("{0} is installed already; a new version of it goes live with: till plugin deploy FILE --kind {0}")]
    Taken(Installation),
    #[error(
        "{kind} has {max} plugins already, which is the most; take one off first: till plugin uninstall {kind}/NAME"
    )]
    Full { kind: Kind, max: usize },
    #[error("{at} isn't installed{hint}; --before names an installation of the same hook")]
    NoSuchNeighbour { at: Installation, hint: String },
    #[error(
        "the live checkout plugin decides about money, and so does {kind}; only the built-in checkout plugin leaves that to hooks: till plugin rollback checkout"
    )]
    TwoOwners { kind: Kind },
    #[error("an order of {kind} names each installation once: {}", .installed.join(" "))]
    Order { kind: Kind, installed: Vec<String> },
}

/// Where a plugin is installed, and how.
#[derive(Debug)]
pub struct Placed {
    pub at: Installation,
    /// The installation before which it is asked; the last one if `None`.
    pub before: Option<InstallationName>,
    /// The plugin's own settings.
    pub set: BTreeMap<String, String>,
    /// Whether to accept a setting that the plugin doesn't seem to know.
    pub forced: bool,
}

impl Plugins {
    /// Makes the candidate live where nothing was, or asks for another person's approval (`plugins.approval`).
    ///
    /// # Errors
    /// Says what is wrong with the candidate, its settings or its place. Nothing is changed.
    pub async fn install(
        &self,
        candidate: Candidate,
        placed: Placed,
        author: impl Into<Author<'_>> + Send,
    ) -> Result<Swapped, SwapError> {
        let (at, author) = (placed.at, author.into());
        let installed = self.install_unrecorded(candidate, placed, author).await;
        self.record_result(Some(at), author.by, installed).await
    }

    async fn install_unrecorded(
        &self,
        candidate: Candidate,
        Placed { at, before, set, forced }: Placed,
        author: Author<'_>,
    ) -> Result<Swapped, SwapError> {
        self.ordered(at, before)?;
        check(at, &set)?;
        let examined = self.catalogue.examine(candidate, Arrival::New(Some(at))).await?;
        let found = examined.identity.at.kind;
        if found != at.kind {
            return Err(SwapError::OtherKind { found, wanted: at.kind });
        }
        let examined = examined.installed_at(at);
        let (bytes, origin) = (examined.bytes.len(), examined.origin());
        let source = origin.source.clone();
        let admitted = self.catalogue.admit(examined, &set, Trial::Anew { live: None, forced }).await?;
        if !forced {
            self.known(set.keys(), &admitted, &set).await?;
        }
        let text = VersionText { settings: set, ..text_of(admitted.identity(), bytes, origin) };
        let plugin = self.catalogue.plugin(admitted, &text.settings);
        self.install_plugin(plugin, text, before, Audited::new(author.by, author.detail(source))).await
    }

    /// Makes an admitted plugin live where nothing was.
    pub(super) async fn install_plugin(
        &self,
        plugin: Plugin,
        text: VersionText,
        before: Option<InstallationName>,
        audited: Audited,
    ) -> Result<Swapped, SwapError> {
        let at = text.at;
        let _turn = self.changing.lock().await;
        let order = self.ordered(at, before)?;
        let next = self.snapshot().ordered(Some(plugin.clone()), &order).map_err(SwapError::Host)?;
        next.check_owner()?;
        if self.waits(&audited) {
            return match self.ask(HookChange::Install { version: text, before }, &audited).await? {
                ApprovalRow { id, change: HookChange::Install { version, .. }, .. } => {
                    Ok(Swapped { version, became: Became::Asked(id), replaces: None })
                }
                ApprovalRow { id, .. } => Err(SwapError::NoApproval { id }),
            };
        }
        let published = Published::new(&next, self.registry.rollout()).map_err(SwapError::Host)?;
        let by = audited.by.clone();
        let version = self.store.publish_plugin(None, text, Some(order), SwapAction::Install, audited).await?;
        plugin.set_version(&version);
        self.publish(published);
        let to = plugin.identity();
        tracing::info!(kind = at.kind.as_str(), by, %to, "{to} is installed");
        Ok(Swapped { version, became: Became::Live, replaces: None })
    }

    /// Takes a plugin off its hook, or asks for another person's approval (`plugins.approval`), which is returned then.
    ///
    /// # Errors
    /// When nothing is installed there, or the store can't write it.
    pub async fn uninstall(&self, at: Installation, by: &str) -> Result<Option<ApprovalRow>, SwapError> {
        self.uninstall_audited(at, Audited::new(by, "")).await
    }

    pub(super) async fn uninstall_audited(
        &self,
        at: Installation,
        audited: Audited,
    ) -> Result<Option<ApprovalRow>, SwapError> {
        if at.kind.is_required() {
            return Err(InstallError::Required(at.kind).into());
        }
        let _turn = self.changing.lock().await;
        let gone = self.installed(at)?;
        if self.waits(&audited) {
            return self.ask(HookChange::Uninstall { at }, &audited).await.map(Some);
        }
        let names = self.names(at.kind).filter(|name| Some(*name) != at.name).collect();
        let order = HookOrder { kind: at.kind, names };
        let next = self.snapshot().ordered(None, &order).map_err(SwapError::Host)?;
        let (ended, kept) = match self.registry.rollout() {
            Some(rollout) if rollout.at() == at => (Some(rollout), None),
            kept => (None, kept),
        };
        let published = Published::new(&next, kept).map_err(SwapError::Host)?;
        let live = self.live_version(at).await?;
        let by = audited.by.clone();
        self.store.uninstall_plugin(live, order, audited).await?;
        self.publish(published);
        if let Some(rollout) = ended {
            rollout.pause();
            self.ended.store(Some(rollout));
        }
        let gone = gone.identity();
        tracing::info!(kind = at.kind.as_str(), by, from = %gone, "{gone} isn't installed any more");
        Ok(None)
    }

    /// Changes the order of a hook's plugins, or asks for another person's approval (`plugins.approval`), which is returned then.
    ///
    /// # Errors
    /// When the names aren't those that are installed, or the store can't write it.
    pub async fn reorder(&self, order: HookOrder, by: &str) -> Result<Option<ApprovalRow>, SwapError> {
        self.reorder_audited(order, Audited::new(by, "")).await
    }

    pub(super) async fn reorder_audited(
        &self,
        order: HookOrder,
        audited: Audited,
    ) -> Result<Option<ApprovalRow>, SwapError> {
        let _turn = self.changing.lock().await;
        let (mut wanted, mut installed) = (order.names.clone(), self.names(order.kind).collect::<Vec<_>>());
        wanted.sort_unstable();
        installed.sort_unstable();
        if wanted != installed {
            let installed = self.names(order.kind).map(|name| name.to_string()).collect();
            return Err(InstallError::Order { kind: order.kind, installed }.into());
        }
        if self.waits(&audited) {
            return self.ask(HookChange::Order(order), &audited).await.map(Some);
        }
        let next = self.snapshot().ordered(None, &order).map_err(SwapError::Host)?;
        let published = Published::new(&next, self.registry.rollout()).map_err(SwapError::Host)?;
        let (told, by) = (format!("{} are asked in this order: {order}", order.kind), audited.by.clone());
        self.store.reorder_plugins(order, audited).await?;
        self.publish(published);
        tracing::info!(by, "{told}");
        Ok(None)
    }

    /// Returns the order of the hook with a new installation in its place.
    fn ordered(&self, at: Installation, before: Option<InstallationName>) -> Result<HookOrder, InstallError> {
        let Installation { kind, name: Some(name) } = at else { return Err(InstallError::Required(at.kind)) };
        if kind.is_required() {
            return Err(InstallError::Required(kind));
        }
        let mut names: Vec<_> = self.names(kind).collect();
        if names.contains(&name) {
            return Err(InstallError::Taken(at));
        }
        let max = hooks::info(kind).installed_max;
        if names.len() >= max {
            return Err(InstallError::Full { kind, max });
        }
        let place = match before {
            None => names.len(),
            Some(before) => {
                let found = names.iter().position(|name| *name == before);
                found.ok_or_else(|| InstallError::NoSuchNeighbour {
                    at: Installation::named(kind, before),
                    hint: did_you_mean(before.as_str(), names.iter().map(InstallationName::as_str)),
                })?
            }
        };
        names.insert(place, name);
        Ok(HookOrder { kind, names })
    }

    /// Returns the names of a hook's installations, in their order.
    fn names(&self, kind: Kind) -> impl Iterator<Item = InstallationName> {
        let names: Vec<_> = self.snapshot().of(kind).filter_map(|plugin| plugin.identity().at.name).collect();
        names.into_iter()
    }
}

impl Snapshot {
    /// Checks that not both a checkout plugin and hooks decide about money.
    ///
    /// # Errors
    /// Names the hook.
    pub(in crate::versions) fn check_owner(&self) -> Result<(), InstallError> {
        let kinds = self.plugins().map(|plugin| plugin.identity().at.kind);
        match kinds.filter(|kind| hooks::info(*kind).owns_money).last() {
            Some(kind) if !self.prices_by_hooks() => Err(InstallError::TwoOwners { kind }),
            _ => Ok(()),
        }
    }

    /// Returns the snapshot with what is installed at one hook: the plugins of that order, `new` among them.
    fn ordered(&self, new: Option<Plugin>, order: &HookOrder) -> anyhow::Result<Self> {
        let place = |plugin: &Plugin| {
            let Installation { kind, name } = plugin.identity().at;
            (kind == order.kind).then(|| order.names.iter().position(|ordered| Some(*ordered) == name))
        };
        let mut plugins: Vec<_> =
            self.plugins().chain(&new).filter(|plugin| place(plugin) != Some(None)).cloned().collect();
        // Stable: the other hooks stay as they are.
        plugins.sort_by_key(|plugin| (plugin.identity().at.kind, place(plugin)));
        Self::new(plugins)
    }
}
