//! Changing settings of a live plugin, and which settings a plugin has.
//!
//! The interface has no list of a plugin's settings. A plugin counts as knowing each name that it asks for in the calls
//! of a trial, and each other name that its file contains, since it may ask for some on one path only. Any other name
//! is taken for a typing error.

use std::collections::{BTreeMap, BTreeSet};

use memchr::memmem;

use super::{Author, How, Plugins, SwapError, Swapped};
use crate::{
    config::{GRANTS, ON_FAILURE, REUSE, Settings, did_you_mean, reused_calls},
    hooks::{self, Installation, Kind},
    store::{PluginVersion, SwapAction, VersionText},
    versions::{
        CatalogueError, Plugin,
        admission::{Admitted, Configured, Trial},
        plugin::{SKIP, grants_of},
    },
};

/// Settings to change: a value, or `None` for what the host's settings say.
pub type Changes = BTreeMap<String, Option<String>>;

/// The longest key and value of a plugin's setting, bytes.
pub(super) const SETTING_BYTES_MAX: usize = 1024;
/// The most settings of one plugin.
pub(super) const SETTINGS_MAX: usize = 64;

/// A setting that the plugin doesn't ask for, as far as can be told.
#[derive(Debug, thiserror::Error)]
#[error(
    "{plugin} has no setting {key:?}{hint} It asks for {listed}. If it puts the name together, --force sets it all the same"
)]
pub struct UnknownSetting {
    plugin: String,
    key: String,
    hint: String,
    listed: String,
}

impl Plugins {
    /// Changes settings of the live plugin, or tries it with them.
    ///
    /// # Errors
    /// When the settings are too many or too long, or the plugin fails with them.
    pub async fn set(
        &self,
        at: Installation,
        changes: Changes,
        how: How,
        author: impl Into<Author<'_>> + Send,
    ) -> Result<Swapped, SwapError> {
        let author = author.into();
        let swapped = self.set_live(at, changes, how, author).await;
        self.record_result(Some(at), author.by, swapped).await
    }

    async fn set_live(
        &self,
        at: Installation,
        changes: Changes,
        how: How,
        author: Author<'_>,
    ) -> Result<Swapped, SwapError> {
        let mut live = self.live_version(at).await?;
        let mut next = self.with_settings(&live, &changes, how.forced).await?;
        let _turn = self.changing.lock().await;
        let now = self.live_version(at).await?;
        if now.id != live.id {
            next = self.with_settings(&now, &changes, how.forced).await?;
            live = now;
        }
        let (plugin, text) = next;
        let keys = changes.into_keys().collect::<Vec<_>>().join(", ");
        self.change(live, plugin, text, SwapAction::Set, how.when, (author.by, author.detail(keys))).await
    }

    /// Returns the live plugin with other settings, if it can be called with them.
    async fn with_settings(
        &self,
        live: &PluginVersion,
        changes: &Changes,
        forced: bool,
    ) -> Result<(Plugin, VersionText), SwapError> {
        let mut settings = live.text.settings.clone();
        for (key, value) in changes {
            match value {
                Some(value) => settings.insert(key.clone(), value.clone()),
                None => settings.remove(key),
            };
        }
        check(live.text.at, &settings)?;
        let admitted = self.installed(live.text.at)?.admitted();
        if !forced {
            let given = changes.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| key);
            self.known(given, &admitted, &settings).await?;
        }
        let trial = Trial::Anew { live: Some(Configured { plugin: &admitted, set: &live.text.settings }), forced };
        self.catalogue.probe(&admitted, &settings, trial).await?;
        let plugin = self.catalogue.plugin(admitted, &settings);
        Ok((plugin, VersionText { settings, ..live.text.clone() }))
    }

    /// Returns the settings that a version asks for in the calls of a trial, with what is set for it.
    ///
    /// # Errors
    /// When the version can't be loaded any more.
    pub async fn asked_settings(&self, version: &VersionText) -> Result<BTreeSet<String>, CatalogueError> {
        let admitted = self.catalogue.version(version).await?.admitted();
        Ok(self.catalogue.asked_settings(&admitted, &version.settings).await)
    }

    /// Warns of the host's settings for a live plugin that the plugin doesn't have, if one that it has is named alike.
    /// Others may be for a plugin that is deployed later. A name that stands in the plugin's file costs no trial.
    pub(in super::super) async fn warn_of_mistyped(&self, settings: &Settings) {
        for kind in Kind::REQUIRED {
            let mut unknown: Vec<_> = settings.of_plugins.of(kind).keys().filter(|key| *key != REUSE).collect();
            if unknown.is_empty() {
                continue;
            }
            let Ok(plugin) = self.installed(Installation::of(kind)) else { continue };
            let identity = plugin.identity();
            // A start doesn't fail for what is only a warning.
            let Ok(file) = self.catalogue.file(&identity.digest).await else { continue };
            unknown.retain(|key| !stands_in(key, &file, &BTreeSet::new()));
            if unknown.is_empty() {
                continue;
            }
            let asked = self.catalogue.asked_settings(&plugin.admitted(), &BTreeMap::new()).await;
            for key in unknown.into_iter().filter(|key| !asked.contains(*key)) {
                let hint = did_you_mean(key, asked.iter().map(String::as_str).chain([REUSE]));
                if !hint.is_empty() {
                    tracing::warn!("{kind}.{key} is set, but {identity} has no such setting{hint}");
                }
            }
        }
    }

    /// Checks that the plugin knows settings of these names.
    pub(super) async fn known(
        &self,
        keys: impl Iterator<Item = &String>,
        plugin: &Admitted,
        settings: &BTreeMap<String, String>,
    ) -> Result<(), SwapError> {
        let mut asked = self.catalogue.asked_settings(plugin, settings).await;
        asked.extend([REUSE, ON_FAILURE, GRANTS].map(str::to_owned));
        let file = self.catalogue.file(&plugin.identity().digest).await.map_err(CatalogueError::from)?;
        let unknown = |key: &&String| !asked.contains(*key) && !stands_in(key, &file, &asked);
        keys.into_iter().find(unknown).map_or(Ok(()), |key| {
            let hint = did_you_mean(key, asked.iter().map(String::as_str));
            let hint = if hint.is_empty() { ".".to_owned() } else { hint };
            let listed = asked.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            Err(UnknownSetting { plugin: plugin.identity().to_string(), key: key.clone(), hint, listed }.into())
        })
    }
}

/// Checks how many settings there are, how long, and those that are the host's to read.
pub(super) fn check(at: Installation, settings: &BTreeMap<String, String>) -> Result<(), SwapError> {
    let too_long = |(key, value): (&String, &String)| key.len().max(value.len()) > SETTING_BYTES_MAX;
    if settings.len() > SETTINGS_MAX || settings.iter().any(too_long) {
        return Err(SwapError::Settings);
    }
    let asks_others = hooks::info(at.kind).doors.contains(&hooks::HTTP);
    if settings.contains_key(GRANTS) && !asks_others {
        return Err(SwapError::NotOfHook { key: GRANTS, kind: at.kind, why: "its plugins can't ask others" });
    }
    grants_of(at, settings).map_err(SwapError::Grant)?;
    match settings.get(ON_FAILURE).map(String::as_str) {
        None | Some("closed") => {}
        Some(SKIP) if hooks::info(at.kind).may_be_skipped => {}
        Some(SKIP) => {
            let why = "a request without it would sell what the shop doesn't";
            return Err(SwapError::NotOfHook { key: "on_failure=skip", kind: at.kind, why });
        }
        Some(_) => return Err(SwapError::OnFailure),
    }
    settings.get(REUSE).map_or(Ok(()), |reuse| reused_calls(reuse).map(drop).map_err(SwapError::Reuse))
}

/// Returns whether a component contains the text in UTF-8 or UTF-16, as its languages store texts, and not only as a
/// part of a longer known name.
fn stands_in(text: &str, component: &[u8], known: &BTreeSet<String>) -> bool {
    let utf_8 = |text: &str| text.as_bytes().to_vec();
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    [utf_8, utf_16].iter().any(|encoded: &fn(&str) -> Vec<u8>| {
        let name = encoded(text);
        let longer: Vec<_> = known
            .iter()
            .filter(|known| known.contains(text) && known.len() > text.len())
            .map(|known| encoded(known))
            .collect();
        memmem::find_iter(component, &name).any(|at| !longer.iter().any(|longer| is_part(component, at, &name, longer)))
    })
}

/// Returns whether the name at that place is a part of the longer one.
fn is_part(component: &[u8], at: usize, name: &[u8], longer: &[u8]) -> bool {
    memmem::find_iter(longer, name).any(|offset| {
        let begins = at.checked_sub(offset);
        begins.and_then(|begins| component.get(begins..)).is_some_and(|rest| rest.starts_with(longer))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_in_a_file_unless_it_is_only_a_part_of_one_that_is_known() {
        let known = BTreeSet::from(["shipping".to_owned()]);
        let utf_16: Vec<u8> = "coupon".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for (name, file, expected) in [
            ("rate", &b"..ratefree.."[..], true),
            ("rate", b"..rat..", false),
            ("shipping", b"..shipping..", true),
            ("shippin", b"..shipping..", false),
            ("hip", b"..shipping..", false),
            ("hip", b"..shipping..hip", true),
            ("ship", b"ship", true),
            ("coupon", &utf_16, true),
        ] {
            assert_eq!(stands_in(name, file, &known), expected, "{name} in {file:?}");
        }
    }
}
