//! `GET /recent/keys`: the keys of a query, with the values that are kept.

use std::collections::HashMap;

use serde::Serialize;

use super::super::{Admin, Asked, query, searched};
use crate::{
    http::{Answer, Reply},
    telemetry::{
        Recent,
        recent::query::{KEYS, Known, Seen, written},
    },
};

/// The most values that are counted of a key, and that are told.
const VALUES_MAX: usize = 500;
const VALUES_TOLD: usize = 50;

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "QueryKeys"))]
pub(in super::super) struct KeysJson {
    keys: Vec<KeyJson>,
}

/// A key of a query.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "QueryKey"))]
struct KeyJson {
    name: &'static str,
    /// What its values are, for people.
    takes: &'static str,
    /// A term with it.
    example: &'static str,
    /// Whether `group` takes it.
    groups: bool,
    /// The values that most kept traces have, the most frequent first.
    #[cfg_attr(test, schemars(length(max = VALUES_TOLD)))]
    values: Vec<ValueJson>,
}

/// A value of a key.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(rename = "QueryValue"))]
struct ValueJson {
    /// As it stands in a query, in quotes if it needs them.
    value: String,
    /// What people read instead of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// How many kept traces have it.
    traces: u64,
}

/// # Errors
/// 404 if no traces are kept, 422 for any parameter.
pub(in super::super) async fn list(admin: &Admin, asked: Asked) -> Answer {
    let recent = admin.recent()?.clone();
    if let Some((name, _)) = query::parameters(&asked.query)?.first() {
        return Err(query::unknown("parameter", name, []));
    }
    searched(move || Reply::json(&KeysJson { keys: keys(&recent) })).await
}

fn keys(recent: &Recent) -> Vec<KeyJson> {
    let mut counted: Vec<HashMap<String, (Option<String>, u64)>> = KEYS.iter().map(|_| HashMap::new()).collect();
    recent.each(|trace| {
        Seen::read(trace, |seen| {
            for (key, values) in KEYS.iter().zip(&mut counted) {
                for Known { value, label } in key.known(&seen) {
                    if values.len() < VALUES_MAX || values.contains_key(&value) {
                        values.entry(value).or_insert((label, 0)).1 += 1;
                    }
                }
            }
            Some(())
        });
    });
    let told = |values: HashMap<String, (Option<String>, u64)>| {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(|(one, (_, ones)), (other, (_, others))| others.cmp(ones).then_with(|| one.cmp(other)));
        values.truncate(VALUES_TOLD);
        let value = |(value, (label, traces)): (String, _)| ValueJson { value: written(&value), label, traces };
        values.into_iter().map(value).collect()
    };
    let row = |(key, values)| {
        let key: &crate::telemetry::recent::query::Key = key;
        KeyJson {
            name: key.name,
            takes: key.takes,
            example: key.example,
            groups: key.is_of_few(),
            values: told(values),
        }
    };
    KEYS.iter().zip(counted).map(row).collect()
}
