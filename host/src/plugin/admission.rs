//! Whether a file may become a plugin, and in which words not.
//!
//! The file's own imports and exports are read before anything is compiled, so that an author whose world doesn't
//! match is told what was expected, what was found and what to change.

mod inspect;
mod probe;

use std::sync::Arc;

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use super::{Candidate, Engine, Identity, Kind, call::GuestCall};
use crate::{
    config::Limits,
    imports::bindings::{CheckoutPluginPre, InventoryPluginPre},
};
use inspect::Outline;

/// The release of the interface that this host runs.
pub(super) const PACKAGE: &str = "till:plugin";
pub(super) const VERSION: &str = "0.1.0";

/// A plugin that may be called.
#[derive(Clone)]
pub enum Admitted {
    Checkout(Identity, CheckoutPluginPre<GuestCall>),
    Inventory(Identity, InventoryPluginPre<GuestCall>),
}

impl Admitted {
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        match self {
            Self::Checkout(identity, _) | Self::Inventory(identity, _) => identity,
        }
    }
}

impl std::fmt::Debug for Admitted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.identity())
    }
}

/// Why a file doesn't become a plugin. The text says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{source_name} is refused: {reason}")]
pub struct Refused {
    source_name: String,
    reason: Reason,
}

/// The first thing that is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    #[error("it has {bytes} bytes, a plugin may have {bytes_max} (limits.component_mib)")]
    TooLarge { bytes: usize, bytes_max: u64 },
    #[error(
        "it is no WebAssembly file: it starts with {start:?}. Build the plugin with --target wasm32-wasip2, or run wasm-tools component new on it"
    )]
    NotWasm { start: String },
    #[error(
        "it is a core module, wanted a component. Build with --target wasm32-wasip2, or run: wasm-tools component new FILE -o component.wasm"
    )]
    CoreModule,
    #[error("it can't be read as a component: {0}")]
    Malformed(String),
    #[error(
        "it exports {found}, wanted either {PACKAGE}/checkout@{VERSION} (world checkout-plugin) or {PACKAGE}/inventory@{VERSION} (world inventory-plugin). Name one of these worlds where the bindings are generated"
    )]
    NoWorld { found: String },
    #[error("it exports both checkout and inventory; a plugin fills one world. Split it into two components")]
    BothWorlds,
    #[error(
        "it exports {found}, this host runs {PACKAGE}@{VERSION}. Generate the bindings from the host's own WIT: wit/v0.1"
    )]
    OtherVersion { found: String },
    #[error("it imports {import}, which the {kind}-plugin world doesn't have. {hint}")]
    ForeignImport { import: String, kind: Kind, hint: &'static str },
    #[error("it doesn't compile: {0}")]
    Compile(String),
    #[error("it can't be instantiated: {0}")]
    Instantiate(String),
    #[error(
        "its types differ from those of {PACKAGE}@{VERSION}, world {kind}-plugin: {detail}. Generate the bindings from the host's own WIT: wit/v0.1"
    )]
    Types { kind: Kind, detail: String },
}

/// Returns which world the candidate fills.
///
/// # Errors
/// When that can't be told: it is no plugin.
pub(super) fn kind_of(candidate: &Candidate) -> Result<Kind, Refused> {
    let kind = Outline::of(&candidate.bytes).and_then(|outline| outline.kind());
    kind.map_err(|reason| Refused { source_name: candidate.source.clone(), reason })
}

/// Checks the candidate, compiles it on a thread of its own (for seconds, with a large one), and instantiates it once
/// under the limits of a call. Has to be called inside a tokio runtime.
///
/// # Errors
/// The first thing that is wrong with it.
pub async fn admit(engine: &Arc<Engine>, candidate: Candidate, limits: &Limits) -> Result<Admitted, Refused> {
    let source_name = candidate.source.clone();
    let compiling = {
        let (engine, limits) = (Arc::clone(engine), limits.clone());
        tokio::task::spawn_blocking(move || compile(&engine, &candidate, &limits))
    };
    let admitted = match compiling.await {
        Ok(Ok(admitted)) => probe::instantiate(engine, &admitted, limits).await.map(|()| admitted),
        Ok(Err(reason)) => Err(reason),
        Err(panicked) => Err(Reason::Compile(panicked.to_string())),
    };
    admitted.map_err(|reason| Refused { source_name, reason })
}

fn compile(engine: &Engine, candidate: &Candidate, limits: &Limits) -> Result<Admitted, Reason> {
    let bytes = candidate.bytes.len();
    let bytes_max = limits.component_mib.saturating_mul(1024 * 1024);
    if u64::try_from(bytes).is_ok_and(|bytes| bytes > bytes_max) {
        return Err(Reason::TooLarge { bytes, bytes_max });
    }
    let outline = Outline::of(&candidate.bytes)?;
    let kind = outline.kind()?;
    let identity = Identity {
        kind,
        name: outline.name.or_else(|| inspect::sound(&candidate.stem)).unwrap_or_else(|| kind.to_string()),
        version: outline.version.unwrap_or_else(|| "0.0.0".into()),
        digest: digest_of(&candidate.bytes),
        settings_digest: None,
    };
    // from_binary, not new: nothing that comes from outside is ever taken for text or for compiled code.
    let component = Component::from_binary(engine.wasmtime(), &candidate.bytes)
        .map_err(|error| Reason::Compile(format!("{error:#}")))?;
    let types = |error: wasmtime::Error| Reason::Types { kind, detail: format!("{error:#}") };
    Ok(match kind {
        Kind::Checkout => {
            let pre = engine.checkout_linker().instantiate_pre(&component).map_err(types)?;
            Admitted::Checkout(identity, CheckoutPluginPre::new(pre).map_err(types)?)
        }
        Kind::Inventory => {
            let pre = engine.inventory_linker().instantiate_pre(&component).map_err(types)?;
            Admitted::Inventory(identity, InventoryPluginPre::new(pre).map_err(types)?)
        }
    })
}

/// Returns the sha256, lower-case hex.
pub(super) fn digest_of(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String can't fail.
        _ = write!(text, "{byte:02x}");
        text
    })
}
