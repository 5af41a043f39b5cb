//! Where plugin files come from: the binary itself, a folder, or a registry.

use std::path::Path;

use anyhow::Context;
use bytes::Bytes;

use super::folder;
use crate::{
    config::Limits,
    hooks::{self, Kind},
    oci::Pulled,
    runtime::{Identity, digest_of},
    trust::attach_bundle,
    units::MIB,
};

/// A file that may become a plugin.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// Where it comes from, for messages.
    pub source: String,
    /// The file's name without its ending: the plugin's name, if its metadata has none.
    pub stem: String,
    pub bytes: Bytes,
}

impl Candidate {
    /// Reads a file.
    ///
    /// # Errors
    /// When it can't be read or is larger than a component may be.
    pub fn read(path: &Path, limits: &Limits) -> anyhow::Result<Self> {
        let source = path.display().to_string();
        let bytes_max = (limits.component_mib * MIB) as u64;
        let size = std::fs::metadata(path).with_context(|| format!("read {source}"))?.len();
        anyhow::ensure!(
            size <= bytes_max,
            "{source} has {size} bytes, a plugin may have {bytes_max} (limits.component_mib)"
        );
        let bytes = std::fs::read(path).with_context(|| format!("read {source}"))?;
        let stem = path.file_stem().map_or_else(|| source.clone(), |stem| stem.to_string_lossy().into_owned());
        Ok(Self { source, stem, bytes: bytes.into() })
    }
}

impl From<Pulled> for Candidate {
    /// The Sigstore bundles that the registry has about the manifest become signatures of the file, so that every host can judge
    /// it. What can't be attached counts for nothing, and is left out.
    fn from(pulled: Pulled) -> Self {
        let Pulled { mut bytes, reference, manifest, bundles } = pulled;
        for bundle in bundles.iter().filter_map(|bundle| std::str::from_utf8(bundle).ok()) {
            if let Ok(signed) = attach_bundle(&bytes, bundle, Some(&manifest)) {
                bytes = signed.into();
            }
        }
        Self { source: reference.to_string(), stem: reference.stem().to_owned(), bytes }
    }
}

/// Returns the plugin of that kind that is built into the binary; nothing if there is none.
#[must_use]
pub const fn built_in_bytes(kind: Kind) -> &'static [u8] {
    match hooks::info(kind).built_in {
        Some(bytes) => bytes,
        None => &[],
    }
}

/// Returns whether the plugin is the one of its kind that is built into the binary.
pub(super) fn is_built_in(identity: &Identity) -> bool {
    digest_of(built_in_bytes(identity.at.kind)) == identity.digest
}

/// Returns the built-in plugins.
#[must_use]
pub fn built_in() -> Vec<Candidate> {
    let candidate = |kind: Kind| Candidate {
        source: format!("the built-in {kind} plugin"),
        stem: kind.to_string(),
        bytes: Bytes::from_static(built_in_bytes(kind)),
    };
    Kind::REQUIRED.into_iter().map(candidate).collect()
}

/// Returns every `*.wasm` of the folder, in the order of their names; an error for one that can't be read or is too large.
///
/// # Errors
/// When the folder can't be read.
pub fn from_folder(folder: &Path, limits: &Limits) -> anyhow::Result<Vec<anyhow::Result<Candidate>>> {
    let listed = folder::list(folder).with_context(|| format!("read the plugin folder {}", folder.display()))?;
    let candidate = |name| {
        let path = folder.join(name);
        let source = path.display().to_string();
        let read = folder::read(&path, (limits.component_mib * MIB) as u64);
        let (_, bytes) = read.map_err(|error| anyhow::anyhow!("{source} {error}"))?;
        let stem = path.file_stem().map_or_else(|| source.clone(), |stem| stem.to_string_lossy().into_owned());
        Ok(Candidate { source, stem, bytes: bytes.into() })
    };
    Ok(listed.files.keys().map(candidate).collect())
}
