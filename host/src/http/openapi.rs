//! `GET /openapi.json`: one document that describes both listeners. `document` makes it from types, routes and written
//! text.

#[cfg(test)]
mod document;
#[cfg(test)]
mod schemas;

#[cfg(test)]
pub(crate) use schemas::Schemas;

use super::answer::Reply;

const DOCUMENT: &str = include_str!("openapi.json");

/// Answers with the document.
#[must_use]
pub fn show() -> Reply {
    Reply::text("application/json", DOCUMENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_what_routes_types_and_people_say() {
        let now = document::text();
        if std::env::var_os("TILL_BLESS").is_some_and(|bless| bless == "1") {
            let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/http/openapi.json");
            return std::fs::write(file, now).expect("the document is written");
        }
        let differs = DOCUMENT.lines().zip(now.lines()).position(|(was, is)| was != is);
        let line = differs.unwrap_or_else(|| DOCUMENT.lines().count().min(now.lines().count()));
        assert!(DOCUMENT == now, "openapi.json differs from line {} on; write it with TILL_BLESS=1", line + 1);
    }
}
