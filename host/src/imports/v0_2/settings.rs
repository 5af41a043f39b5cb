//! `till:plugin/settings`: what the operator has set for this installation.

use crate::{
    config::{GRANTS, ON_FAILURE, REUSE},
    imports::{HostCall, bindings::v0_2::till::plugin::settings},
};

impl settings::Host for HostCall<'_> {
    fn get(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        self.budget.host_call(key.len())?;
        self.note_setting(&key);
        Ok(self.settings.get(&key).cloned())
    }

    /// What the host itself reads isn't among them, so that a plugin may refuse a key that it doesn't know.
    fn keys(&mut self) -> wasmtime::Result<Vec<String>> {
        self.budget.host_call(0)?;
        Ok(self.settings.keys().filter(|key| !is_of_host(key)).cloned().collect())
    }
}

/// Returns whether the host reads a plugin's setting of that key.
pub(crate) fn is_of_host(key: &str) -> bool {
    [REUSE, ON_FAILURE, GRANTS].contains(&key)
}
