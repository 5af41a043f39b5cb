//! The store's settings, of the host's; and the store that they say.

use std::time::Duration;

use crate::{
    config::Settings,
    store::{self, Opened, PostgresSettings, Store},
    units::MIB,
};

/// How much older than a request's deadline an order may become before it counts as forgotten.
const ORDER_AGE_SPARE: Duration = Duration::from_secs(10);

/// Opens the store where the settings say: in a file, or in a database that several hosts share.
pub(super) async fn open_store(settings: &Settings) -> anyhow::Result<(Store, Opened)> {
    if let Some(shared) = postgres_settings(settings) {
        return Ok(Store::connect(&shared).await?);
    }
    let of_store = store_settings(settings);
    Ok(tokio::task::spawn_blocking(move || Store::open(&of_store)).await??)
}

/// Returns the settings of a shared store; `None` if the store is in a file.
#[must_use]
pub fn postgres_settings(settings: &Settings) -> Option<PostgresSettings> {
    let url = settings.store.url.as_deref()?.to_owned();
    Some(PostgresSettings {
        url,
        password_file: settings.store.password_file.clone(),
        ca_file: settings.store.ca_file.clone(),
        require_synchronous: settings.store.require_synchronous,
        folder: settings.server.data.clone(),
        host_name: host_name(settings),
        queue_commands_max: settings.store.queue_commands_max,
        batch_commands_max: settings.store.batch_commands_max,
        linger: Duration::from_millis(settings.store.linger_ms),
        readers: settings.store.readers,
        wait_max: Duration::from_millis(settings.store.busy_timeout_ms),
        order_age_max: Duration::from_millis(settings.limits.request_ms) + ORDER_AGE_SPARE,
    })
}

/// Returns what this host is called among those of a shop: the machine's name and where it listens.
pub(super) fn host_name(settings: &Settings) -> String {
    let machine = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{}:{}", machine.trim(), settings.server.listen.port())
}

/// Returns the store's part of the settings.
#[must_use]
pub fn store_settings(settings: &Settings) -> store::Settings {
    store::Settings {
        folder: settings.server.data.clone(),
        queue_commands_max: settings.store.queue_commands_max,
        batch_commands_max: settings.store.batch_commands_max,
        linger: Duration::from_millis(settings.store.linger_ms),
        readers: settings.store.readers,
        busy_timeout: Duration::from_millis(settings.store.busy_timeout_ms),
        look_within: Duration::from_millis(settings.store.look_ms),
        log_bytes_warn: (settings.store.wal_warn_mib * MIB) as u64,
    }
}
