//! A running function of `till:plugin`, whose time doesn't count as the guest's.
//!
//! All functions of Till's own interfaces go through this. WASI's don't: nothing else counts a guest's WASI calls, so
//! their time is the guest's ([`GuestTime`](super::GuestTime)).

use std::ops::{Deref, DerefMut};

use wasmtime::component::HasData;

use super::CallState;

/// The state of the guest's call, until the host call ends.
#[derive(Debug)]
pub struct HostCall<'a>(&'a mut CallState);

impl<'a> HostCall<'a> {
    pub(super) fn begin(state: &'a mut CallState) -> Self {
        state.time.host_call_begins();
        Self(state)
    }
}

impl Drop for HostCall<'_> {
    fn drop(&mut self) {
        self.time.host_call_ends();
    }
}

impl Deref for HostCall<'_> {
    type Target = CallState;

    fn deref(&self) -> &CallState {
        self.0
    }
}

impl DerefMut for HostCall<'_> {
    fn deref_mut(&mut self) -> &mut CallState {
        self.0
    }
}

/// Tells the linker to pass a [`HostCall`] to the interfaces' functions.
#[derive(Debug)]
pub struct HostCalls;

impl HasData for HostCalls {
    type Data<'a> = HostCall<'a>;
}
