//! The functions that a guest may call, one file for each interface of `wit/v0.1`.
//!
//! Everything from a guest is untrusted: each host call and its bytes are counted, and its texts are parsed into the
//! types of [`crate::order`] before they are used. If a guest breaks a rule for which the interface has no error, its
//! call is stopped with a [`Misuse`].

pub mod bindings;
mod budget;
mod convert;
mod guest_time;
mod host;
mod host_call;
pub mod inventory;
mod moment;
pub mod stock;
pub mod telemetry;
pub mod v0_2;
pub mod wasi;

use std::{collections::BTreeMap, sync::Arc};

use budget::Budget;
pub use budget::Misuse;
pub use convert::{
    attribute_bytes, attribute_to_guest, attributes_from_guest, currency_to_guest, line_to_guest, stock_line_to_guest,
};
pub use guest_time::GuestTime;
use host::Random;
pub use host::{AskedSettings, Chance, Overslept, Seed, Sleep};
pub use host_call::{HostCall, HostCalls};
use moment::Clock;
pub use moment::Moment;
use tokio::time::Instant;
pub(crate) use v0_2::is_setting_of_host;
use wasmtime::component::Linker;

use crate::{
    config::Limits,
    facts::Facts,
    hooks::Installation,
    order::{Form, check_text, fitted_text},
};

/// The state behind one call's imports. It is made for the call and dropped with it, except for the handles of an
/// instance that is called again.
#[derive(Debug)]
pub struct CallState {
    pub telemetry: telemetry::CallSpans,
    /// Present in a checkout plugin's call only.
    pub inventory: Option<inventory::Door>,
    /// Present in an inventory plugin's call only.
    pub stock: Option<stock::Door>,
    /// Present in the calls of track 0.2 only.
    pub facts: Option<Facts>,
    /// Present in the calls of track 0.2 only; worlds without `http` can't use it.
    pub http: Option<v0_2::http::Door>,
    /// The installation of the plugin that is called.
    at: Installation,
    /// When the call has to have answered.
    ends: Instant,
    pub(crate) wasi: wasi::Virtual,
    settings: Arc<BTreeMap<String, String>>,
    /// Records the settings that the guest reads, if somebody wants to know.
    asked: Option<AskedSettings>,
    budget: Budget,
    time: GuestTime,
    random: Random,
    moment: Moment,
    clock: Clock,
    sleep: Sleep,
}

impl CallState {
    #[must_use]
    pub fn new(
        at: Installation,
        telemetry: telemetry::CallSpans,
        settings: Arc<BTreeMap<String, String>>,
        chance: &Chance,
        moment: Moment,
        limits: &Limits,
    ) -> Self {
        Self {
            facts: None,
            http: None,
            at,
            ends: Instant::now(),
            wasi: wasi::Virtual::new(telemetry.prints(), limits),
            telemetry,
            inventory: None,
            stock: None,
            settings,
            asked: None,
            budget: Budget::new(limits),
            time: GuestTime::default(),
            random: chance.random(moment.seed()),
            moment,
            clock: moment.clock(),
            sleep: Sleep::Real,
        }
    }

    /// Replaces the state of the instance's previous call, and returns that.
    #[must_use]
    pub fn succeed(mut self, before: &mut Self) -> Self {
        std::mem::swap(&mut self.wasi, &mut before.wasi);
        self.wasi.begin_call();
        self.telemetry.take_over_prints(&mut before.telemetry);
        std::mem::replace(before, self)
    }

    /// Has the guest, which hasn't started yet, sleep like this.
    pub fn sleep_as(&mut self, sleep: Sleep) {
        self.sleep = sleep;
    }

    /// Returns the installation of the plugin that is called.
    #[must_use]
    pub const fn at(&self) -> Installation {
        self.at
    }

    /// Has what the guest waits for end by then.
    pub const fn set_end(&mut self, ends: Instant) {
        self.ends = ends;
    }

    /// Returns a digest of what the guest was told by `facts`; `None` if it asked nothing.
    #[must_use]
    pub fn facts_digest(&self) -> Option<String> {
        self.facts.as_ref()?.digest().map(|digest| digest.as_str().to_owned())
    }

    /// Returns when the order of the call was placed: Unix time, milliseconds.
    #[must_use]
    pub const fn moment_ms(&self) -> u64 {
        self.moment.now_ms()
    }

    /// Returns the seed of the random numbers that the call draws.
    #[must_use]
    pub const fn seed(&self) -> Seed {
        self.random.seed()
    }

    fn note_setting(&self, key: &str) {
        if let Some(asked) = &self.asked {
            asked.note(key);
        }
    }

    /// Records from now on which settings the guest reads.
    pub fn note_settings(&mut self, asked: AskedSettings) {
        self.asked = Some(asked);
    }

    /// Returns how many host calls the guest has made.
    #[must_use]
    pub const fn host_calls(&self) -> u32 {
        self.budget.host_calls()
    }

    /// Returns how many WASI handles the guest holds.
    #[must_use]
    pub fn wasi_handles(&mut self) -> usize {
        self.wasi.handles()
    }

    /// Returns the processor time that the guest has used.
    #[must_use]
    pub const fn guest_time(&self) -> &GuestTime {
        &self.time
    }

    /// Counts bytes that a guest passes outside a host call, in its result.
    ///
    /// # Errors
    /// [`Misuse::Bytes`] past the limits.
    pub fn count_bytes(&mut self, bytes: usize) -> Result<(), Misuse> {
        self.budget.bytes(bytes)
    }

    /// Checks how many adjustments and attributes the guest's receipt has.
    ///
    /// # Errors
    /// [`Misuse::Receipt`] past the limits.
    pub fn check_receipt(&self, adjustments: usize, attributes: usize) -> Result<(), Misuse> {
        self.budget.receipt(adjustments, attributes)
    }

    /// Checks a text of the guest's answer; `what` names the text.
    ///
    /// # Errors
    /// [`Misuse::Text`] for a text that is too long, has control characters, or is empty although the form is a word.
    pub fn check_text(&self, what: &'static str, text: &str, form: Form) -> Result<(), Misuse> {
        check_text(text, form, self.budget.text_bytes_max()).map_err(|bad| Misuse::Text { what, bad })
    }

    /// Returns a text that quotes the guest's answer, cut to the longest text that an answer may have.
    #[must_use]
    pub fn fitted(&self, text: &str) -> String {
        fitted_text(text, Form::Lines, self.budget.text_bytes_max())
    }
}

impl bindings::types::Host for HostCall<'_> {}

/// An interface without a door in this call: the guest's world doesn't import it, and admission refuses a plugin that
/// does.
#[derive(Debug, thiserror::Error)]
#[error("this call has no {0}")]
struct NoDoor(&'static str);

/// The data of a store whose guests can call the host.
pub trait HasCallState: Send + 'static {
    fn call_state(&mut self) -> &mut CallState;

    /// Begins a host call, which ends when the result is dropped.
    fn host_call(&mut self) -> HostCall<'_> {
        HostCall::begin(self.call_state())
    }
}

/// Adds all interfaces and the virtual WASI. Admission checks by name which of them a world may import; an interface
/// without a door answers no call.
///
/// # Errors
/// If an interface is added twice.
pub fn add_to_linker<T: HasCallState>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    bindings::types::add_to_linker::<T, HostCalls>(linker, T::host_call)?;
    bindings::telemetry::add_to_linker::<T, HostCalls>(linker, T::host_call)?;
    bindings::host::add_to_linker::<T, HostCalls>(linker, T::host_call)?;
    bindings::inventory_import::add_to_linker::<T, HostCalls>(linker, T::host_call)?;
    bindings::stock::add_to_linker::<T, HostCalls>(linker, T::host_call)?;
    v0_2::add_to_linker(linker)?;
    wasi::add_to_linker(linker)
}
