//! Whether a file may become a plugin, and in which words not.
//!
//! One way in for every file, in this order, each step dearer than the one before:
//!
//! ```text
//! size and magic      is it a component at all
//! sha256              under which name it is known from here on
//! caps.rs             counted: nothing in it that is known to make compiling dear
//! inspect.rs          its imports and exports are those of a world; if not, what to change
//! compile.rs          compiled in a child process, within limits of the system's
//! compiling           in this process, on a thread of its own: after the child's work a load from kept.rs
//! probe.rs            instantiated once, under the limits of a call
//! ```
//!
//! Until the last step nothing knows of the candidate but the one who handed it in.

mod caps;
mod compile;
mod inspect;
mod kept;
mod probe;

use std::{sync::Arc, time::Instant};

use sha2::{Digest, Sha256};
use wasmtime::component::Component;

use super::{Candidate, Engine, Identity, Kind, call::GuestCall, embedded_bytes};
use crate::{
    config::Limits,
    imports::bindings::{CheckoutPluginPre, InventoryPluginPre},
};
pub use compile::{Compiler, Job};
use inspect::Outline;
pub use kept::Kept;

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
    #[error("it is precompiled code. Hand in the component that it was made from: the host compiles by itself")]
    Precompiled,
    #[error("it can't be read as a component: {0}")]
    Malformed(String),
    #[error("it has {found} {what}, a plugin may have {max} (limits.{setting})")]
    Cap { what: &'static str, found: u64, max: u64, setting: &'static str },
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
    #[error("it can't be tried out, and nothing is compiled without: start a process that compiles: {0}")]
    NoChild(String),
    #[error("compiling it took more than {after_ms} ms (limits.compile_ms)")]
    CompileTime { after_ms: u64 },
    #[error("compiling it took more than {memory_mib} MiB of memory (limits.compile_memory_mib)")]
    CompileMemory { memory_mib: u64 },
    #[error("the process that compiled it died of it, {status}: {said}")]
    CompileDied { status: String, said: String },
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

/// Checks the candidate, compiles it beside the host (for seconds, with a large one), and instantiates it once under
/// the limits of a call. Has to be called inside a tokio runtime. Dropped midway, nothing is left of it.
///
/// # Errors
/// The first thing that is wrong with it.
pub async fn admit(engine: &Arc<Engine>, candidate: Candidate, limits: &Limits) -> Result<Admitted, Refused> {
    let source_name = candidate.source.clone();
    stages(engine, candidate, limits).await.map_err(|reason| Refused { source_name, reason })
}

async fn stages(engine: &Arc<Engine>, candidate: Candidate, limits: &Limits) -> Result<Admitted, Reason> {
    let of_file = limits.clone();
    let (identity, bytes) = blocking(move || Ok((identify(&candidate, &of_file)?, candidate.bytes))).await?;
    let compiler = engine.compiler();
    let turn = compiler.turn().await;
    let began = Instant::now();
    let is_trusted = bytes == embedded_bytes(identity.kind);
    if !is_trusted {
        compiler.try_out(bytes.clone(), limits).await?;
    }
    let (compiling, compiled_mib) = (Arc::clone(engine), limits.compiled_mib);
    let (admitted, loaded) = blocking(move || compile(&compiling, identity, &bytes, compiled_mib)).await?;
    drop(turn);
    probe::instantiate(engine, &admitted, limits).await?;
    let took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    let how = if loaded { "its code was kept" } else { "compiled" };
    tracing::info!(plugin = %admitted.identity(), took_ms, loaded, "plugin admitted: {}, {how}", admitted.identity());
    Ok(admitted)
}

/// Has it done on a thread that may be kept busy. A panic there is the candidate's doing.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Reason> + Send + 'static) -> Result<T, Reason> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panicked| Err(Reason::Compile(panicked.to_string())))
}

/// Says who the candidate is, without compiling anything.
fn identify(candidate: &Candidate, limits: &Limits) -> Result<Identity, Reason> {
    let bytes = candidate.bytes.len();
    let bytes_max = limits.component_mib.saturating_mul(1024 * 1024);
    if u64::try_from(bytes).is_ok_and(|bytes| bytes > bytes_max) {
        return Err(Reason::TooLarge { bytes, bytes_max });
    }
    inspect::magic(&candidate.bytes)?;
    let digest = digest_of(&candidate.bytes);
    caps::check(&candidate.bytes, limits)?;
    let outline = Outline::of(&candidate.bytes)?;
    let kind = outline.kind()?;
    let name = outline.name.or_else(|| inspect::sound(&candidate.stem)).unwrap_or_else(|| kind.to_string());
    Ok(Identity {
        kind,
        name,
        version: outline.version.unwrap_or_else(|| "0.0.0".into()),
        digest,
        settings_digest: None,
    })
}

/// Compiles the component in this process, or loads its code; says which of the two.
fn compile(engine: &Engine, identity: Identity, bytes: &[u8], compiled_mib: u64) -> Result<(Admitted, bool), Reason> {
    let kind = identity.kind;
    let kept = engine.compiler().kept();
    let loads = kept.map(Kept::loads);
    // from_binary, not new: nothing that comes from outside is ever taken for text or for compiled code.
    let component =
        Component::from_binary(engine.wasmtime(), bytes).map_err(|error| Reason::Compile(format!("{error:#}")))?;
    // Nobody else compiles meanwhile.
    let loaded = kept.map(Kept::loads) > loads;
    if let Some(kept) = kept {
        kept.make_room(compiled_mib);
        kept.seal();
    }
    let types = |error: wasmtime::Error| Reason::Types { kind, detail: format!("{error:#}") };
    let admitted = match kind {
        Kind::Checkout => {
            let pre = engine.checkout_linker().instantiate_pre(&component).map_err(types)?;
            Admitted::Checkout(identity, CheckoutPluginPre::new(pre).map_err(types)?)
        }
        Kind::Inventory => {
            let pre = engine.inventory_linker().instantiate_pre(&component).map_err(types)?;
            Admitted::Inventory(identity, InventoryPluginPre::new(pre).map_err(types)?)
        }
    };
    Ok((admitted, loaded))
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
