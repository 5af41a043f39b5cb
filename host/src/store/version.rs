//! The store's records of plugins: versions, their states, and the audit of changes.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::ApprovalId;
use crate::hooks::{Installation, InstallationName, Kind};

/// A version's number: ascending in the order in which versions were first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct VersionId(pub(super) i64);

impl VersionId {
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0.unsigned_abs()
    }

    /// Returns the id of that number, `None` past 2^63.
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        i64::try_from(number).ok().map(Self)
    }
}

/// The state of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionState {
    /// In a rollout, beside the live version.
    Candidate,
    Live,
    /// It was live and was replaced by another. A rollback may return to it.
    Former,
    /// It was live or in a rollout, and was rolled back. It becomes live again only if somebody names it.
    Withdrawn,
}

impl VersionState {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Live => "live",
            Self::Former => "former",
            Self::Withdrawn => "withdrawn",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Candidate, Self::Live, Self::Former, Self::Withdrawn].into_iter().find(|state| state.as_str() == text)
    }
}

/// What identifies and describes a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionText {
    /// Where it is or was live.
    pub at: Installation,
    pub name: String,
    pub version: String,
    /// The file's sha256, lower-case hex.
    pub digest: String,
    pub bytes: u64,
    /// The plugin's language, from the file's own metadata.
    pub language: String,
    /// The version's own settings, which override the host's.
    pub settings: BTreeMap<String, String>,
    pub origin: Origin,
}

/// Where a version's file came from, and who signed it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The file's name, the folder's file, or a registry's reference with its digest; empty for a version of a till that
    /// didn't note it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// Whose signature counted when it was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Signer>,
}

/// Who signed a file, as the host's trust file names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signer {
    /// The name of the entry in the trust file.
    pub by: String,
    /// The identity in the certificate of a Sigstore bundle, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<String>,
    /// When: Unix time, milliseconds; by the signer's clock, or by a log's or timestamp authority's. `None` for a bundle
    /// whose time nobody vouches for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_ms: Option<u64>,
}

impl Origin {
    pub(super) fn to_json(&self) -> String {
        // Texts and numbers are always written.
        serde_json::to_string(self).unwrap_or_else(|_| "{}".into())
    }

    /// Reads one; what a newer till wrote otherwise counts as nothing known.
    pub(super) fn of_json(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }
}

/// The order in which the plugins of a hook are asked, or in which their answers count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookOrder {
    pub kind: Kind,
    /// The installations, the first one first.
    pub names: Vec<InstallationName>,
}

impl HookOrder {
    /// Returns the names that stand in a text, as [`fmt::Display`] writes them.
    pub(super) fn names_of(text: &str) -> Vec<InstallationName> {
        text.split(' ').filter_map(InstallationName::parse).collect()
    }

    /// Returns what the audit says of the change to this order.
    pub(super) fn audited(&self, detail: &str) -> String {
        if detail.is_empty() { self.to_string() } else { format!("{self}: {detail}") }
    }
}

impl fmt::Display for HookOrder {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.names.iter().map(InstallationName::as_str).collect();
        out.write_str(&names.join(" "))
    }
}

/// A version that is, was or may become live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginVersion {
    pub id: VersionId,
    pub text: VersionText,
    pub state: VersionState,
    /// What made it live or a candidate.
    pub action: SwapAction,
    /// Who last changed its state.
    pub changed_by: String,
    /// When its state last changed, Unix time in ms.
    pub changed_at_ms: u64,
    /// The first version of the same file; `None` if this is the first. The two differ by their settings only.
    pub same_file_as: Option<VersionId>,
}

/// Why another version became live or a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapAction {
    /// The host started with the version that its settings name.
    Start,
    Deploy,
    /// A plugin became live where there was none.
    Install,
    /// The previous version is live again; the replaced one is withdrawn.
    Rollback,
    /// Settings of a plugin were changed.
    Set,
    /// A rollout of the version began.
    Rollout,
    /// Its rollout was promoted.
    Promote,
}

impl SwapAction {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Deploy => "deploy",
            Self::Install => "install",
            Self::Rollback => "rollback",
            Self::Set => "set",
            Self::Rollout => "rollout",
            Self::Promote => "promote",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Start, Self::Deploy, Self::Install, Self::Rollback, Self::Set, Self::Rollout, Self::Promote];
        all.into_iter().find(|action| action.as_str() == text)
    }
}

/// Who changes something, and what the audit says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    pub by: String,
    pub detail: String,
    /// The approval that the change ends, if it waited for one.
    pub approval: Option<ApprovalId>,
}

impl Audited {
    /// Returns a change that waited for nobody.
    #[must_use]
    pub fn new(by: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { by: by.into(), detail: detail.into(), approval: None }
    }
}

/// Who is named in the audit if a file in the plugin folder changes a plugin.
pub const BY_FOLDER: &str = "folder";
/// Who is named in the audit if a watched tag of a registry leads to another version.
pub const BY_WATCH: &str = "watch";

/// One line of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginEvent {
    pub id: u64,
    /// Unix time in ms.
    pub at_ms: u64,
    pub changed_by: String,
    pub action: String,
    /// The hook, with the installation's name; `None` for a file that was refused before its hook was known.
    pub at: Option<String>,
    /// `None` for a file that was refused.
    pub version: Option<VersionId>,
    pub detail: String,
}
