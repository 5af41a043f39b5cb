//! Decides whether a file may become a plugin, and says why not.
//!
//! Every file goes through these steps in this order, each more expensive than the one before:
//!
//! ```text
//! trust.rs            whose it is, before any of this: `vetting.rs`
//! size and magic      is it a component at all
//! sha256              the name of the file from here on
//! component_limits.rs counts its parts: none so many that compiling them is known to be expensive
//! inspect.rs          its imports and exports are those of a world, by their names
//! world.rs            and by their types; if not, what to change
//! runtime/compiler.rs compiled in a child process, within limits that the system enforces
//! compiling           in this process, on a blocking thread: after the child this loads the child's code
//! probe.rs            instantiated and called for the orders of trial.rs, under the limits of a call, without effects
//! ```
//!
//! `refusal.rs` has the messages. No request uses the candidate before the last step.

pub(super) mod case;
mod cases;
mod checked;
mod component_limits;
mod inspect;
mod language;
mod probe;
mod refusal;
mod trial;
mod world;

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use bytes::Bytes;
use wasmtime::component::Component;

use super::{Candidate, built_in_bytes};
use crate::{
    config::{Limits, Settings},
    hooks::{self, Installation, Kind},
    runtime::{Code, CodeCache, CompileError, Engine, Identity, Pool, digest_of},
    store::{Origin, Signer},
    trust::Vetted,
    units::{MIB, millis},
};
pub use cases::{BadCases, Cases};
pub use checked::{Checked, check};
use inspect::Outline;
pub use inspect::sound as sound_label;
use probe::Bench;
pub(super) use probe::asked_settings;
pub(crate) use refusal::advice_on;
pub use refusal::{Reason, Refused};
pub use trial::{Configured, Trial};

/// A plugin that may be called.
#[derive(Clone)]
pub struct Admitted {
    pub(super) identity: Identity,
    pub(super) code: Code,
    pub(super) cases: Cases,
}

impl Admitted {
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Returns the same code at an installation.
    pub(super) fn installed_at(&self, at: Installation) -> Self {
        Self { identity: Identity { at, ..self.identity.clone() }, ..self.clone() }
    }

    /// Returns the same code under another name.
    pub(super) fn known_as(&self, identity: Identity) -> Self {
        Self { identity, ..self.clone() }
    }

    const fn cases(&self) -> &Cases {
        &self.cases
    }
}

impl std::fmt::Debug for Admitted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{}", self.identity())
    }
}

/// A candidate that implements a world, as far as can be told without compiling it.
#[derive(Debug)]
pub struct Examined {
    pub(super) source: String,
    pub(crate) identity: Identity,
    pub(super) bytes: Bytes,
    cases: Cases,
    signer: Option<Signer>,
}

impl Examined {
    pub(super) fn origin(&self) -> Origin {
        Origin { source: self.source.clone(), signer: self.signer.clone() }
    }

    /// Returns the candidate for an installation.
    pub(super) fn installed_at(mut self, at: Installation) -> Self {
        self.identity.at = at;
        self
    }
}

/// Identifies a candidate that nobody has to have signed, on a blocking thread.
///
/// # Errors
/// The first thing that is wrong with its file.
pub async fn examine(candidate: Candidate, limits: &Limits) -> Result<Examined, Refused> {
    examine_vetted(candidate, limits, Vetted::unsigned()).await
}

/// Identifies a candidate that is trusted, on a blocking thread.
///
/// # Errors
/// The first thing that is wrong with its file, or that it isn't the plugin that was signed.
pub async fn examine_vetted(mut candidate: Candidate, limits: &Limits, vetted: Vetted) -> Result<Examined, Refused> {
    // A component without a name of its own has the one that its signer gave it, whatever its file is called now.
    if let Some(statement) = &vetted.statement {
        candidate.stem.clone_from(&statement.name);
    }
    let (source, source_name, limits) = (candidate.source.clone(), candidate.source.clone(), limits.clone());
    let identified = blocking(move || {
        let identity = identify(&candidate, &limits)?;
        vetted.check(identity.at.kind, &identity.name, &identity.version)?;
        Ok((identity, Cases::of(&candidate.bytes)?, candidate.bytes, vetted.signer))
    });
    let (identity, cases, bytes, signer) = identified.await.map_err(|reason| Refused::new(source_name, reason))?;
    Ok(Examined { source, identity, bytes, cases, signer })
}

/// Compiles the candidate in a child process (for seconds, if it is large), then in this one, and calls it under the
/// limits of a call, with what is `set` for it over the host's settings. Has to be called inside a tokio runtime. If
/// the future is dropped midway, the candidate isn't admitted.
///
/// # Errors
/// The first thing that is wrong with it.
pub async fn admit(
    engine: &Arc<Engine>,
    examined: Examined,
    settings: &Settings,
    set: &BTreeMap<String, String>,
    trial: Trial<'_>,
) -> Result<Admitted, Refused> {
    let source_name = examined.source.clone();
    let stages = async {
        let began = Instant::now();
        let Compiled { admitted, is_loaded, .. } = compiled(engine, examined, &settings.limits).await?;
        let (bench, candidate) = (Bench { engine, settings }, Configured { plugin: &admitted, set });
        probe::call(bench, candidate, trial).await?;
        let took_ms = millis(began.elapsed());
        let how = if is_loaded { "its code was kept" } else { "compiled" };
        let identity = admitted.identity();
        tracing::info!(plugin = %identity, took_ms, loaded = is_loaded, "plugin admitted: {identity}, {how}");
        Ok(admitted)
    };
    stages.await.map_err(|reason| Refused::new(source_name, reason))
}

/// Compiles the candidate in this process, or loads its code, without calling it: a rehearsal makes the first call.
///
/// # Errors
/// What keeps it from being compiled or linked.
pub async fn compile_only(engine: &Arc<Engine>, examined: Examined, compiled_mib: usize) -> Result<Admitted, Refused> {
    let Examined { source, identity, bytes, cases, .. } = examined;
    let engine = Arc::clone(engine);
    let compiled = blocking(move || compile(&engine, identity, &bytes, cases, compiled_mib)).await;
    compiled.map(|(admitted, _)| admitted).map_err(|reason| Refused::new(source, reason))
}

/// Compiles an admitted plugin for the engine's current pool, or loads its code.
///
/// # Errors
/// What keeps it from being compiled.
pub(super) async fn again(
    engine: &Arc<Engine>,
    admitted: &Admitted,
    bytes: Bytes,
    compiled_mib: usize,
) -> Result<Admitted, Refused> {
    let (identity, cases) = (admitted.identity().clone(), admitted.cases().clone());
    let examined = Examined { source: identity.to_string(), identity, bytes, cases, signer: None };
    compile_only(engine, examined, compiled_mib).await
}

/// Tries an admitted plugin again, with other settings.
///
/// # Errors
/// Says how the plugin fails.
pub(super) async fn probe(
    engine: &Engine,
    admitted: &Admitted,
    settings: &Settings,
    set: &BTreeMap<String, String>,
    trial: Trial<'_>,
) -> Result<(), Refused> {
    let refused = |reason| Refused::new(admitted.identity().to_string(), reason);
    let (bench, candidate) = (Bench { engine, settings }, Configured { plugin: admitted, set });
    probe::call(bench, candidate, trial).await.map(|_| ()).map_err(refused)
}

/// Compiles the candidate in a child process, unless it is built in, and then in this one, or loads its code if it is
/// kept.
async fn compiled(engine: &Arc<Engine>, examined: Examined, limits: &Limits) -> Result<Compiled, Reason> {
    let Examined { identity, bytes, cases, .. } = examined;
    let compiler = engine.compiler();
    let _turn = compiler.turn().await;
    let is_trusted = bytes == built_in_bytes(identity.at.kind);
    let cpu_ms = if is_trusted { None } else { compiler.try_out(bytes.clone(), limits).await? };
    let (compiling, compiled_mib) = (Arc::clone(engine), limits.compiled_mib);
    let compiled = blocking(move || compile(&compiling, identity, &bytes, cases, compiled_mib)).await;
    compiled.map(|(admitted, is_loaded)| Compiled { admitted, is_loaded, cpu_ms })
}

/// A candidate that compiles, and how it was compiled.
struct Compiled {
    admitted: Admitted,
    /// Whether its code was loaded instead of compiled.
    is_loaded: bool,
    /// Processor time of the child that compiled it, if there was one.
    cpu_ms: Option<u64>,
}

/// Runs the work on a blocking thread. A panic there counts as the candidate's fault.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Reason> + Send + 'static) -> Result<T, Reason> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|panicked| Err(does_not_compile(&panicked)))
}

/// Returns the hook of a component, by what it exports.
///
/// # Errors
/// When it is no component, or exports no hook's interface.
pub fn kind_of(bytes: &[u8]) -> Result<Kind, Reason> {
    inspect::magic(bytes)?;
    Outline::of(bytes)?.kind()
}

/// The interfaces of a component, by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interfaces {
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

/// Returns the interfaces that a component imports and exports.
///
/// # Errors
/// When it is no component.
pub fn interfaces(bytes: &[u8]) -> Result<Interfaces, Reason> {
    inspect::magic(bytes)?;
    Outline::of(bytes).map(Outline::into_interfaces)
}

/// Identifies the candidate, without compiling anything.
fn identify(candidate: &Candidate, limits: &Limits) -> Result<Identity, Reason> {
    let bytes = candidate.bytes.len();
    let bytes_max = limits.component_mib * MIB;
    if bytes > bytes_max {
        return Err(Reason::TooLarge { bytes, bytes_max });
    }
    inspect::magic(&candidate.bytes)?;
    let digest = digest_of(&candidate.bytes);
    component_limits::check(&candidate.bytes, limits)?;
    let outline = Outline::of(&candidate.bytes)?;
    let kind = outline.kind()?;
    world::check(&candidate.bytes, kind)?;
    let name = outline.name.or_else(|| inspect::sound(&candidate.stem)).unwrap_or_else(|| kind.to_string());
    Ok(Identity {
        at: Installation::of(kind),
        name,
        version: outline.version.unwrap_or_else(|| "0.0.0".into()),
        language: language::of(&candidate.bytes).to_owned(),
        digest,
        settings_digest: None,
    })
}

/// Compiles the component in this process, or loads its code; says which of the two.
fn compile(
    engine: &Engine,
    identity: Identity,
    bytes: &[u8],
    cases: Cases,
    compiled_mib: usize,
) -> Result<(Admitted, bool), Reason> {
    let (kind, pool) = (identity.at.kind, engine.pool());
    let kept = engine.compiler().kept();
    let loads = kept.map(CodeCache::loads);
    // from_binary, not new: nothing that comes from outside is ever taken for text or for compiled code.
    let component =
        Component::from_binary(&pool.engine, bytes).map_err(|error| does_not_compile(&format_args!("{error:#}")))?;
    // Admissions take turns, so a new hit is this component's, unless a pool is being replaced at the same time.
    let loaded = kept.map(CodeCache::loads) > loads;
    if let Some(kept) = kept {
        kept.make_room(compiled_mib);
        kept.seal();
    }
    let code = link(&pool, kind, &component).map_err(|error| Reason::Link { kind, detail: format!("{error:#}") })?;
    Ok((Admitted { identity, code, cases }, loaded))
}

/// Links the component's imports to the host's, and finds the function that a plugin of the kind exports.
fn link(pool: &Pool, kind: Kind, component: &Component) -> wasmtime::Result<Code> {
    let instance_pre = pool.linker.instantiate_pre(component)?;
    let interface = component.get_export_index(None, hooks::info(kind).interface(kind));
    let function = hooks::info(kind).function;
    let function = interface.and_then(|interface| component.get_export_index(Some(&interface), function));
    let function = function.ok_or_else(|| wasmtime::Error::msg(format!("it exports no {kind}")))?;
    Ok(Code { instance_pre, function })
}

fn does_not_compile(error: &dyn std::fmt::Display) -> Reason {
    CompileError::Refused(error.to_string()).into()
}
