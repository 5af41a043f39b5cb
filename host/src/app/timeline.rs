//! Notes in the store what happens to this host: its start, its stop, other settings, its breakers.
//!
//! What can't be noted is logged and left out: a host serves without it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::stores::host_name;
use crate::{
    config::{Listed, Origin, Settings},
    runtime::Identity,
    store::{HostChange, Store, StoreError},
    versions::Plugins,
};

/// How often the breakers are looked at.
const LOOKED_AT: Duration = Duration::from_secs(1);
/// The most changed settings that a start tells one by one.
const CHANGES_TOLD: usize = 20;

/// What notes it. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Noted {
    host: String,
    /// The settings that aren't defaults, a line each.
    settings: String,
    store: Store,
    plugins: Arc<Plugins>,
}

impl Noted {
    pub(super) fn new(settings: &Settings, store: Store, plugins: Arc<Plugins>) -> Self {
        Self { host: host_name(settings), settings: set(&settings.listed), store, plugins }
    }

    /// Notes the start, and what the breakers do until the host stops.
    pub(super) async fn keep(self, stopping: CancellationToken) {
        if let Err(error) = self.started().await {
            tracing::warn!(%error, "the start isn't in the timeline: {error}");
        }
        let mut open = BTreeMap::new();
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                () = tokio::time::sleep(LOOKED_AT) => {}
            }
            let now = self.breakers();
            for (plugin, is_open) in &now {
                let was_open = open.get(plugin).copied().unwrap_or(false);
                if was_open != *is_open {
                    let what = if *is_open { HostChange::BreakerOpened } else { HostChange::BreakerClosed };
                    self.note(what, plugin.clone()).await;
                }
            }
            open = now;
        }
    }

    /// Notes the stop.
    pub(super) async fn stopped(&self) {
        self.note(HostChange::Stopped, format!("till {}", env!("CARGO_PKG_VERSION"))).await;
    }

    async fn started(&self) -> Result<(), StoreError> {
        let before = self.store.last_settings(&self.host).await?;
        let mut detail = format!("till {}", env!("CARGO_PKG_VERSION"));
        if let Some(before) = &before
            && *before != self.settings
        {
            detail = format!("{detail}, with other settings than before: {}", changes(before, &self.settings));
        }
        self.store.note_host(&self.host, HostChange::Started, detail).await?;
        if before.as_ref() != Some(&self.settings) {
            self.store.note_host(&self.host, HostChange::Settings, self.settings.clone()).await?;
        }
        Ok(())
    }

    /// Returns the live plugins by their hooks, names and versions, and whether their breakers are open.
    fn breakers(&self) -> BTreeMap<String, bool> {
        let snapshot = self.plugins.snapshot();
        let state = snapshot.plugins().map(|plugin| {
            let Identity { at, name, version, .. } = plugin.identity();
            (format!("{at} {name}@{version}"), !plugin.is_let_through())
        });
        state.collect()
    }

    async fn note(&self, what: HostChange, detail: String) {
        if let Err(error) = self.store.note_host(&self.host, what, detail).await {
            tracing::warn!(%error, "the timeline lacks that: {} ({error})", what.as_str());
        }
    }
}

/// Returns the settings that aren't defaults, a line each.
fn set(listed: &[Listed]) -> String {
    let set = listed.iter().filter(|setting| setting.origin != Origin::Default);
    set.map(|Listed { key, value, .. }| format!("{key} = {}\n", value.replace('\n', " "))).collect()
}

/// Returns what differs between two such texts, for people.
fn changes(before: &str, now: &str) -> String {
    let read = |text: &str| -> BTreeMap<String, String> {
        text.lines().filter_map(|line| line.split_once(" = ")).map(|(key, value)| (key.into(), value.into())).collect()
    };
    let (before, now) = (read(before), read(now));
    let changed = now.iter().filter(|(key, value)| before.get(*key) != Some(value)).map(|(key, value)| {
        let was = before.get(key).map_or("the default", String::as_str);
        format!("{key} = {value} (was {was})")
    });
    let unset = before.keys().filter(|key| !now.contains_key(*key)).map(|key| format!("{key} is the default again"));
    let mut told: Vec<_> = changed.chain(unset).collect();
    let more = told.len().saturating_sub(CHANGES_TOLD);
    told.truncate(CHANGES_TOLD);
    if more > 0 {
        told.push(format!("{more} more"));
    }
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_start_tells_which_settings_are_others_than_before() {
        let check = |before: &str, now: &str, expected: &str| assert_eq!(changes(before, now), expected);
        check("a.b = 1\n", "a.b = 2\n", "a.b = 2 (was 1)");
        check("", "a.b = 2\n", "a.b = 2 (was the default)");
        check("a.b = 1\nc.d = x = y\n", "c.d = x = y\n", "a.b is the default again");
        let many: String = (0..25).map(|number| format!("a.b{number:02} = 1\n")).collect();
        assert!(changes("", &many).ends_with(", 5 more"));
    }
}
