//! Why a file is refused: what was expected, what was found, and what to change.

use std::fmt;

use wasmparser::BinaryReaderError;

use super::cases::BadCases;
use crate::{
    failure::{Cause, Failure},
    hooks::{self, Installation, Kind, Track},
    runtime::CompileError,
    trust::Untrusted,
};

/// Why a file doesn't become a plugin. The text says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{source_name} is refused: {reason}")]
pub struct Refused {
    source_name: String,
    reason: Reason,
}

impl Refused {
    pub(in crate::versions) const fn new(source_name: String, reason: Reason) -> Self {
        Self { source_name, reason }
    }
}

/// The first thing that is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    #[error(transparent)]
    Untrusted(#[from] Untrusted),
    #[error("it has {bytes} bytes, a plugin may have {bytes_max} (limits.component_mib)")]
    TooLarge { bytes: usize, bytes_max: usize },
    #[error(
        "it is no WebAssembly file: it starts with {start:?}. Hand in the component that the plugin's build leaves"
    )]
    NotWasm { start: String },
    #[error(
        "it is a core module, wanted a component. Build Rust with --target wasm32-wasip2; of any other language run: till plugin pack FILE {}",
        kinds_to_pack()
    )]
    CoreModule,
    #[error("it is precompiled code. Hand in the component that it was made from: the host compiles by itself")]
    Precompiled,
    #[error("it can't be read as a component: {0}. It is cut off or damaged: build it anew, or copy it again")]
    Malformed(String),
    #[error(
        "it is past what WebAssembly tools agree to read: {0}. Have the build leave less in one place: shorter names, smaller functions, fewer parameters"
    )]
    PastFormat(String),
    #[error("it uses async functions: {0}. The interface has plain ones: build it without async")]
    Async(String),
    #[error(
        "it breaks a rule of the format: {0}. If it isn't damaged (copy it again), its tool makes what this host doesn't know: wit/README.md names tools and versions that do"
    )]
    Invalid(String),
    #[error("it has {found} {what}, a plugin may have {max} (limits.{setting})")]
    Cap { what: &'static str, found: u64, max: u64, setting: &'static str },
    #[error(
        "it exports {found}, wanted one of {}. Name the world where the bindings are generated, in Rust: {}. Elsewhere the tool's --world names it, of the WIT that till plugin wit prints",
        Kind::ALL.map(|kind| hooks::info(kind).interface(kind)).join(", "),
        worlds_in_rust()
    )]
    NoWorld { found: String },
    #[error("it exports both {first} and {second}; a plugin fills one world. Split it into two components")]
    BothWorlds { first: Kind, second: Kind },
    #[error(
        "it exports {found}, this host runs {}. Generate the bindings from WIT that begins with one of these packages, as the host's own does: printed by till plugin wit",
        Track::ALL.map(Track::package).join(" and ")
    )]
    OtherVersion { found: String },
    #[error(transparent)]
    Types(Box<OtherType>),
    #[error(
        "it exports {interface} without the function {function}. Generate the bindings from the host's own WIT: {line}"
    )]
    NoFunction { interface: String, function: String, line: String },
    #[error("it imports {import}, which the {kind}-plugin world doesn't have. {hint}")]
    ForeignImport { import: String, kind: Kind, hint: &'static str },
    #[error(transparent)]
    Compile(#[from] CompileError),
    #[error(
        "it can't be instantiated: {failure}{said}. What runs then runs before every call and counts against its limits; leave it out"
    )]
    Instantiate { failure: Failure, said: Box<Said> },
    #[error(
        "it calls the host while it is instantiated, which is before it is asked anything. Make that call where {} is asked",
        function(*.kind)
    )]
    StartHostCall { kind: Kind },
    #[error("asked on trial for {order}, {failure}{said}. {advice}")]
    Probe { order: Box<str>, failure: Box<Failure>, said: Box<Said>, advice: Box<str> },
    #[error(
        "asked on trial for {order}, it answers {}, which a customer sees as an error of the shop: {failure}{said}. The live version decides about the same order. Mend the plugin or its settings, or say --force if that is as it should be",
        failure.code()
    )]
    Undecided { order: Box<str>, failure: Box<Failure>, said: Box<Said> },
    #[error("{0}")]
    Cases(#[from] BadCases),
    #[error("its case {name} can't be read: {reason}")]
    Case { name: String, reason: String },
    #[error(
        "it doesn't link as {}, world {kind}-plugin: {detail}. Generate the bindings from the host's own WIT: {}, printed by till plugin wit",
        hooks::info(*.kind).track.package(),
        hooks::info(*.kind).track.folder()
    )]
    Link { kind: Kind, detail: String },
}

/// How tools that read WebAssembly report that a file exceeds one of their limits.
const PAST_FORMAT: [&str; 8] = [
    "exceeds limit",
    "exceeds the limit",
    "implementation limit",
    "size is out of bounds",
    "size out of bounds",
    "too many",
    "too deep",
    "index too large",
];

impl Reason {
    /// Returns the reason for a validator's error in a file that can be read.
    pub(super) fn of_validator(error: &BinaryReaderError) -> Self {
        let text = error.to_string();
        if text.starts_with("malformed") || text.starts_with("unexpected end") {
            Self::Malformed(text)
        } else if PAST_FORMAT.iter().any(|words| text.contains(words)) {
            Self::PastFormat(text)
        } else if text.contains("async") {
            Self::Async(text)
        } else {
            Self::Invalid(text)
        }
    }
}

/// A function with another type than the world's.
#[derive(Debug, thiserror::Error)]
#[error(
    "its {function} isn't that of {interface}{place}: wanted was {wanted}, found was {found}. Generate the bindings from the host's own WIT: {line}"
)]
pub struct OtherType {
    pub(super) interface: String,
    pub(super) function: String,
    /// Where in it the types differ, as a part of a sentence.
    pub(super) place: String,
    pub(super) wanted: String,
    pub(super) found: String,
    pub(super) line: String,
}

/// What a plugin said before its fault; shown as a part of a sentence.
#[derive(Debug)]
pub struct Said {
    pub(super) printed: String,
    pub(super) logged: String,
}

impl Said {
    /// Returns whether no error was logged. What a language's engine prints before it traps says nothing about the
    /// fault.
    pub(super) fn is_silent(&self) -> bool {
        self.logged.is_empty()
    }
}

impl fmt::Display for Said {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (how, text) in [("printed", &self.printed), ("logged", &self.logged)] {
            if !text.is_empty() {
                write!(out, "; it {how}: {text}")?;
            }
        }
        Ok(())
    }
}

/// Returns the one function that a plugin of that kind exports.
fn function(kind: Kind) -> String {
    format!("{kind}.{}", hooks::info(kind).function)
}

/// Returns what an author has to change about a plugin after a call that ended like this, `None` if the plugin isn't at
/// fault. `silent` says that it logged no error, whatever its language's engine printed.
pub(crate) fn advice_on(at: Installation, language: &str, failure: &Failure, silent: bool) -> Option<String> {
    (failure.at_fault() == Some(at)).then(|| advice(at.kind, language, failure, silent))
}

/// Returns what to change about a plugin whose call ended like this.
pub(super) fn advice(kind: Kind, language: &str, failure: &Failure, silent: bool) -> String {
    let Failure::Fault(fault) = failure else { return "Try again".to_owned() };
    match fault.cause {
        Cause::Trap { .. } => match shape(kind, language).filter(|_| silent) {
            Some(shape) => {
                format!("If an export or an answer has another shape than the world's: {shape}")
            }
            None => format!("Where it can't decide, it has to answer an error: {}", error_type(kind)),
        },
        Cause::BadOutput { .. } => {
            format!("What an answer has to hold: {}/{kind}.wit", hooks::info(kind).track.folder())
        }
        Cause::Cpu { .. } | Cause::Deadline { .. } | Cause::Memory { .. } | Cause::HostCalls { .. } => {
            "Make it do with less, or raise the limit".to_owned()
        }
    }
}

/// Returns the type of a hook's errors, with its place.
fn error_type(kind: Kind) -> String {
    let folder = hooks::info(kind).track.folder();
    if kind.is_required() {
        format!("{kind}-error in {folder}/{kind}.wit")
    } else {
        format!("hook-error in {folder}/types.wit")
    }
}

/// Returns what a plugin of that kind looks like in a language whose toolchain doesn't check it.
fn shape(kind: Kind, language: &str) -> Option<String> {
    let hooks::HookInfo { function, parameter, track, .. } = hooks::info(kind);
    let (class, module, folder) = (class(kind), kind.as_str().replace('-', "_"), track.folder());
    match language {
        "JavaScript" => Some(format!(
            "wanted is export const {} = {{ {function}: (ctx, {parameter}) => … }} in {kind}.js, answering what \
             {folder}/{kind}.wit says, names in camelCase and numbers as numbers",
            camel(kind)
        )),
        "Python" => Some(format!(
            "wanted is class {class}(exports.{class}) with def {function}(self, ctx, {parameter}) in {module}.py, answering \
             the dataclasses of wit_world"
        )),
        _ => None,
    }
}

/// Returns the flags with which a core module is packed as a plugin of one of the kinds.
fn kinds_to_pack() -> String {
    let [first, others @ ..] = Kind::ALL.map(|kind| format!("--kind {kind}"));
    let others: String = others.iter().map(|other| format!(", or {other}")).collect();
    format!("{first} --out component.wasm{others}")
}

/// Returns how a Rust plugin names the world of one of the kinds.
fn worlds_in_rust() -> String {
    let [first, others @ ..] = Kind::ALL;
    let macro_of = |kind: &Kind| format!("{}_plugin", kind.as_str().replace('-', "_"));
    let other = |other: &Kind| format!("; likewise {}, {other}-plugin", macro_of(other));
    let others: String = others.iter().map(other).collect();
    let (named, folder) = (macro_of(&first), hooks::info(first).track.folder());
    format!(
        "till_sdk::{named}!(Type), or wit_bindgen::generate!({{ path: \"{folder}\", world: \"{first}-plugin\" }}){others}"
    )
}

/// Returns the kind's name as a class is named.
fn class(kind: Kind) -> String {
    kind.as_str().split('-').map(with_capital).collect()
}

/// Returns the kind's name as a value is named in JavaScript.
fn camel(kind: Kind) -> String {
    let mut words = kind.as_str().split('-');
    words.next().map(str::to_owned).into_iter().chain(words.map(with_capital)).collect()
}

fn with_capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}
