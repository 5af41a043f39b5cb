//! `GET /settings`: every setting with its value, source, default and reason.

use serde::Serialize;

use super::Admin;
use crate::{
    config::{self, Listed, Origin},
    http::{Answer, Reply},
};

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Settings"))]
pub(super) struct SettingsJson {
    settings: Vec<SettingJson>,
}

/// A setting. Those of plugins have no default and no unit.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "Setting"))]
struct SettingJson {
    /// `section.name`, as in `till.toml` and `--set`.
    key: String,
    /// An address is without its password.
    value: String,
    /// Where the value is from, such as `till.toml`, `environment TILL_LIMITS_CALL_MS` or `default`.
    source: String,
    is_default: bool,
    default: &'static str,
    unit: &'static str,
    /// What the setting is for.
    reason: &'static str,
    /// What happens past a limit; empty if the reason says so.
    past: &'static str,
}

pub(super) fn list(admin: &Admin) -> Answer {
    Reply::json(&SettingsJson { settings: admin.listed.iter().map(SettingJson::of).collect() })
}

impl SettingJson {
    fn of(Listed { key, value, origin }: &Listed) -> Self {
        let row = config::row(key);
        Self {
            key: key.clone(),
            value: value.clone(),
            source: origin.to_string(),
            is_default: *origin == Origin::Default,
            default: row.map_or("", |row| row.default),
            unit: row.map_or("", |row| row.unit),
            reason: row.map_or("a setting of the plugin", |row| row.reason),
            past: row.map_or("", |row| row.past),
        }
    }
}
