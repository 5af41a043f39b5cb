//! What the store says of plugins: which versions there are, how each stands, and what was done about it.

use std::collections::BTreeMap;

use crate::hooks::Kind;

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

/// How a version stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VersionState {
    /// It is tried beside the live one, in a rollout.
    Candidate,
    Live,
    /// It was live, and was replaced by another: a rollback comes back to it.
    Former,
    /// It was live or tried, and was rolled back: only who names it gets it again.
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

/// What makes a version what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionText {
    pub kind: Kind,
    pub name: String,
    pub version: String,
    /// The file's sha256, lower-case hex.
    pub digest: String,
    pub bytes: u64,
    /// What it was written in, as the file's own metadata has it.
    pub language: String,
    /// What was set for this version, over what the host's settings say.
    pub settings: BTreeMap<String, String>,
}

/// A version that is, was or may become live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginVersion {
    pub id: VersionId,
    pub text: VersionText,
    pub state: VersionState,
    /// What made it live, or a candidate.
    pub action: SwapAction,
    /// By whom its state last changed.
    pub changed_by: String,
    /// When. Unix time in ms.
    pub changed_at_ms: u64,
    /// The first version of the same file, if this isn't it: of that it differs by its settings only.
    pub same_file_as: Option<VersionId>,
}

/// Why something else is live now, or tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwapAction {
    /// The host started with what its settings name.
    Start,
    Deploy,
    /// The one before comes back; the one that goes is withdrawn.
    Rollback,
    /// Settings of a plugin were changed.
    Set,
    /// It is tried beside the live one.
    Rollout,
    /// Its rollout ended well.
    Promote,
}

impl SwapAction {
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Deploy => "deploy",
            Self::Rollback => "rollback",
            Self::Set => "set",
            Self::Rollout => "rollout",
            Self::Promote => "promote",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let all = [Self::Start, Self::Deploy, Self::Rollback, Self::Set, Self::Rollout, Self::Promote];
        all.into_iter().find(|action| action.as_str() == text)
    }
}

/// Who changes a plugin when a file in the plugin folder does.
pub const BY_FOLDER: &str = "folder";

/// One line of the audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginEvent {
    pub id: u64,
    /// Unix time in ms.
    pub at_ms: u64,
    pub changed_by: String,
    pub action: String,
    /// `None` for a file that was refused before it was known.
    pub kind: Option<String>,
    /// `None` for a file that was refused.
    pub version: Option<VersionId>,
    pub detail: String,
}
