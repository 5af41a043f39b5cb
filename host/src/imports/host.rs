//! `till:plugin/host`: settings, sleep and random for guests that have no WASI.

use std::time::Duration;

use super::{CallState, bindings::host};

impl host::Host for CallState {
    fn setting(&mut self, key: String) -> wasmtime::Result<Option<String>> {
        self.budget.host_call(key.len())?;
        Ok(self.settings.get(&key).cloned())
    }

    /// Never blocks a thread. Past the call's wall deadline it is dropped midway.
    async fn sleep(&mut self, duration_ms: u32) -> wasmtime::Result<()> {
        self.budget.host_call(0)?;
        tokio::time::sleep(Duration::from_millis(duration_ms.into())).await;
        Ok(())
    }

    fn random(&mut self) -> wasmtime::Result<f64> {
        self.budget.host_call(0)?;
        Ok(rand::random())
    }
}
