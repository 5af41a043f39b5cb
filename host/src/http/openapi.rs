//! `GET /openapi.json`: what both listeners say of themselves, in one document that is written by hand.

use super::answer::Reply;

const DOCUMENT: &str = include_str!("openapi.json");

/// Answers with the document.
#[must_use]
pub fn show() -> Reply {
    Reply::text("application/json", DOCUMENT)
}

/// Who answers a path. A path says so in its `servers`; without, it is the shop's.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listener {
    Shop,
    Admin,
}

/// Returns the documented operations of a listener, by path and method, with their names.
#[cfg(test)]
pub(crate) fn documented(listener: Listener) -> std::collections::BTreeMap<(String, String), String> {
    let document: serde_json::Value = serde_json::from_str(DOCUMENT).expect("JSON");
    let of = |item: &serde_json::Value| {
        let servers = item["servers"].as_array().or(document["servers"].as_array()).expect("servers");
        servers.iter().any(|server| (server["url"] == "http://127.0.0.1:8001") == (listener == Listener::Admin))
    };
    let operations = |(path, item): (&String, &serde_json::Value)| {
        let operations = item.as_object().expect("an object").iter();
        let operation = |(method, operation): (&String, &serde_json::Value)| {
            let name = operation["operationId"].as_str()?.to_owned();
            Some(((path.clone(), method.clone()), name))
        };
        operations.filter_map(operation).collect::<Vec<_>>()
    };
    let paths = document["paths"].as_object().expect("paths").iter();
    paths.filter(|(_, item)| of(item)).flat_map(operations).collect()
}
