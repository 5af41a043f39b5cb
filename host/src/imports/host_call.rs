//! A function of `till:plugin` at work: what passes meanwhile is none of the guest's time.
//!
//! Each function of the interfaces that Till defines is reached through this. The functions of WASI aren't: nothing else
//! counts how often a guest calls them, so their work is the guest's ([`GuestTime`](super::GuestTime)).

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

/// What a linker of Till's interfaces hands to their functions.
#[derive(Debug)]
pub struct HostCalls;

impl HasData for HostCalls {
    type Data<'a> = HostCall<'a>;
}
