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

/// Returns the documented paths of a listener with the methods that each takes, written as `Allow` has them.
#[cfg(test)]
pub(crate) fn documented(listener: Listener) -> std::collections::BTreeMap<String, String> {
    let document: serde_json::Value = serde_json::from_str(DOCUMENT).expect("JSON");
    let of = |item: &serde_json::Value| {
        let servers = item["servers"].as_array().or(document["servers"].as_array()).expect("servers");
        servers.iter().any(|server| (server["url"] == "http://127.0.0.1:8001") == (listener == Listener::Admin))
    };
    let methods = |item: &serde_json::Value| {
        let written =
            [("get", "GET, HEAD"), ("post", "POST"), ("put", "PUT"), ("patch", "PATCH"), ("delete", "DELETE")];
        let methods = written.into_iter().filter(|(method, _)| item.get(*method).is_some());
        methods.map(|(_, allowed)| allowed).collect::<Vec<_>>().join(", ")
    };
    let paths = document["paths"].as_object().expect("paths").iter();
    paths.filter(|(_, item)| of(item)).map(|(path, item)| (path.clone(), methods(item))).collect()
}
