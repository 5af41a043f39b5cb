//! The functions that a guest of track 0.2 may call, one file for each interface of `wit/v0.2`.

mod facts;
pub mod http;
mod settings;
mod telemetry;

pub(crate) use settings::is_of_host as is_setting_of_host;

use wasmtime::component::Linker;

use super::{
    HasCallState, HostCall, HostCalls,
    bindings::v0_2::till::plugin::{
        facts as facts_import, http as http_import, menus, offers, settings as settings_import,
        telemetry as telemetry_import, types,
    },
};

impl types::Host for HostCall<'_> {}
impl offers::Host for HostCall<'_> {}
impl menus::Host for HostCall<'_> {}

/// Adds all interfaces of the track.
///
/// # Errors
/// If an interface is added twice.
pub(super) fn add_to_linker<T: HasCallState>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    types::add_to_linker::<T, HostCalls>(linker, T::host_call)?;
    offers::add_to_linker::<T, HostCalls>(linker, T::host_call)?;
    menus::add_to_linker::<T, HostCalls>(linker, T::host_call)?;
    settings_import::add_to_linker::<T, HostCalls>(linker, T::host_call)?;
    facts_import::add_to_linker::<T, HostCalls>(linker, T::host_call)?;
    http_import::add_to_linker::<T, HostCalls>(linker, T::host_call)?;
    telemetry_import::add_to_linker::<T, HostCalls>(linker, T::host_call)
}
