//! What a signature says: which component, of which hook, name and version, and when that was said.
//!
//! It is written as an in-toto statement, version 1, so that other tools for provenance read it:
//! <https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md>.

use chrono::{DateTime, SecondsFormat};
use serde::{Deserialize, Serialize};

use crate::hooks::Kind;

const STATEMENT: &str = "https://in-toto.io/Statement/v1";
/// The type of the statements about plugins.
const PLUGIN: &str = "urn:till:plugin:v1";

/// A statement about a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The SHA-256 of the component without its signatures, lower-case hex.
    pub sha256: String,
    pub hook: Kind,
    pub name: String,
    pub version: String,
    /// When it was signed: Unix time, milliseconds.
    pub at_ms: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "_type")]
    form: String,
    subject: [Subject; 1],
    #[serde(rename = "predicateType")]
    predicate_type: String,
    predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Subject {
    name: String,
    digest: Digest,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digest {
    sha256: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Predicate {
    hook: String,
    name: String,
    version: String,
    /// RFC 3339.
    time: String,
}

impl Statement {
    /// Writes it as JSON.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let Self { sha256, hook, name, version, at_ms } = self;
        let at = i64::try_from(*at_ms).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default();
        let written = Written {
            form: STATEMENT.into(),
            subject: [Subject { name: format!("{name}@{version}"), digest: Digest { sha256: sha256.clone() } }],
            predicate_type: PLUGIN.into(),
            predicate: Predicate {
                hook: hook.to_string(),
                name: name.clone(),
                version: version.clone(),
                time: at.to_rfc3339_opts(SecondsFormat::Millis, true),
            },
        };
        // Texts and structures of texts are always written.
        serde_json::to_vec(&written).unwrap_or_default()
    }

    /// Reads one.
    ///
    /// # Errors
    /// Says what it is instead.
    pub fn of_json(json: &[u8]) -> Result<Self, String> {
        let Written { form, subject: [subject], predicate_type, predicate } =
            serde_json::from_slice(json).map_err(|error| format!("it isn't a statement about one plugin: {error}"))?;
        if form != STATEMENT || predicate_type != PLUGIN {
            return Err(format!("it is a {form} of {predicate_type:?}, wanted a {STATEMENT} of {PLUGIN:?}"));
        }
        let Predicate { hook, name, version, time } = predicate;
        let hook = Kind::parse(&hook).ok_or_else(|| format!("this host has no hook {hook:?}"))?;
        let at = DateTime::parse_from_rfc3339(&time).map_err(|error| format!("its time {time:?}: {error}"))?;
        let at_ms = u64::try_from(at.timestamp_millis()).map_err(|_| format!("its time {time} is before 1970"))?;
        Ok(Self { sha256: subject.digest.sha256, hook, name, version, at_ms })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        Statement {
            sha256: "ab".repeat(32),
            hook: Kind::Discounts,
            name: "spring".into(),
            version: "1.2.0".into(),
            at_ms: 1_700_000_000_007,
        }
    }

    #[test]
    fn a_statement_is_read_as_it_was_written() {
        let json = statement().to_json();
        assert_eq!(Statement::of_json(&json), Ok(statement()));
        let written: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!(written["predicate"]["time"], "2023-11-14T22:13:20.007Z");
        assert_eq!(written["subject"][0]["name"], "spring@1.2.0");
    }

    #[test]
    fn another_statement_counts_for_nothing() {
        let json = String::from_utf8(statement().to_json()).expect("UTF-8");
        for (part, other, expected) in [
            ("Statement/v1", "Statement/v0.1", "wanted a https://in-toto.io/Statement/v1"),
            ("urn:till:plugin:v1", "https://slsa.dev/provenance/v1", "wanted"),
            ("discounts", "discount", "no hook"),
            ("2023-11-14T22", "yesterday", "its time"),
            ("2023-", "1923-", "before 1970"),
            ("\"hook\"", "\"until\":1,\"hook\"", "unknown field"),
            ("\"subject\":[", "\"subject\":[{\"name\":\"\",\"digest\":{\"sha256\":\"\"}},", "trailing characters"),
        ] {
            let error = Statement::of_json(json.replace(part, other).as_bytes()).expect_err(other);
            assert!(error.contains(expected) || part == "\"subject\":[", "{other}: {error}");
        }
    }
}
