//! The members of a case, written one after the other while a call is recorded.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;

/// What most bodies have room in, bytes.
const ROOM: usize = 768;

/// Members of a JSON object, without its braces.
#[derive(Debug)]
pub struct Body(Vec<u8>);

impl Default for Body {
    fn default() -> Self {
        Self(Vec::with_capacity(ROOM))
    }
}

impl Body {
    /// Adds a member. A value that JSON doesn't have isn't added; the host has none.
    pub fn member(&mut self, name: &str, value: &(impl Serialize + ?Sized)) {
        let before = self.0.len();
        if before > 0 {
            self.0.push(b',');
        }
        self.0.push(b'"');
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(b"\":");
        if serde_json::to_writer(&mut self.0, value).is_err() {
            self.0.truncate(before);
        }
    }

    /// Returns the member of that name; `None` if there is none.
    #[must_use]
    pub fn taken(self, name: &str) -> Option<Box<RawValue>> {
        let members: BTreeMap<String, Box<RawValue>> =
            serde_json::from_str(&format!("{{{}}}", self.into_members())).ok()?;
        members.into_iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }

    /// Returns the members as text.
    pub(super) fn into_members(self) -> String {
        // serde_json writes UTF-8.
        String::from_utf8(self.0).unwrap_or_default()
    }
}
