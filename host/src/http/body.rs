//! Reads a request's body, and checks its type, size, time and JSON.

use std::{pin::pin, time::Duration};

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    HeaderMap,
    body::Body,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::error::Category;

use super::{
    arrival::{Inbound, Unread},
    problem::{Code, Problem},
};
use crate::{config::Limits, order::written::Object, units::MIB};

/// U+FEFF in UTF-8. JSON must not begin with one (RFC 8259, 8.1).
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// The type of a plugin's file.
const COMPONENT: &str = "application/wasm";

/// Reads a complete JSON body.
///
/// # Errors
/// 415 for another type or an encoding, 413 past the limit (by the announced length before anything is read), 408 if it
/// takes too long, 400 if it ends early, 503 if all bodies under way take too much memory.
pub async fn read_json(headers: &HeaderMap, body: Inbound, limits: &Limits) -> Result<Bytes, Problem> {
    check_type(headers)?;
    read(body, limits.request_body_bytes, limits.body_ms).await
}

/// Returns whether the body is said to be a plugin's file.
#[must_use]
pub fn is_component(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|sent| sent == COMPONENT)
}

/// Reads the bytes of a plugin's file.
///
/// # Errors
/// As [`read_json`].
pub async fn read_component(headers: &HeaderMap, body: Inbound, limits: &Limits) -> Result<Bytes, Problem> {
    if !is_component(headers) || headers.contains_key(CONTENT_ENCODING) {
        return Err(Problem::unsupported_media("send content-type: application/wasm, not encoded"));
    }
    read(body, limits.component_mib * MIB, limits.upload_ms).await
}

/// Reads the bytes of a catalogue's file.
///
/// # Errors
/// As [`read_json`], except for the type.
pub async fn read_catalogue(body: Inbound, limits: &Limits) -> Result<Bytes, Problem> {
    read(body, limits.catalogue_mib * MIB, limits.upload_ms).await
}

async fn read(body: Inbound, bytes_max: usize, within_ms: u64) -> Result<Bytes, Problem> {
    let too_large = || Problem::too_large(format!("a body may have {bytes_max} bytes"));
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large());
    }
    let reading = Limited::new(body, bytes_max).collect();
    match tokio::time::timeout(Duration::from_millis(within_ms), reading).await {
        Err(_) => {
            let detail = format!("the body was not there within {within_ms} ms");
            Err(Problem::new(Code::BodyTimeout, detail))
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) if matches!(error.downcast_ref(), Some(Unread::NoRoom)) => Err(Problem::shed()),
        Ok(Err(error)) => Err(Problem::malformed(format!("the body can't be read: {error}"))),
        Ok(Ok(body)) => Ok(body.to_bytes()),
    }
}

/// Reads a body to its end and discards it, within the usual limits of size and time.
pub(super) async fn pass_over(body: Inbound, limits: &Limits) {
    let mut reading = pin!(Limited::new(body, limits.request_body_bytes));
    let passing = async { while let Some(Ok(_)) = reading.frame().await {} };
    // If a part stays unread, the connection is closed.
    _ = tokio::time::timeout(Duration::from_millis(limits.body_ms), passing).await;
}

fn check_type(headers: &HeaderMap) -> Result<(), Problem> {
    let wanted = || Problem::unsupported_media("send content-type: application/json, in UTF-8, not encoded");
    if headers.get_all(CONTENT_ENCODING).iter().any(|encoding| encoding != "identity") {
        return Err(wanted());
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    let content_type = types.next().and_then(|value| value.to_str().ok()).ok_or_else(wanted)?;
    if types.next().is_some() {
        return Err(wanted());
    }
    let mut parts = content_type.split(';').map(str::trim);
    let json = parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    let mut charsets = parts.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    });
    if json && charsets.all(|charset| charset.eq_ignore_ascii_case("utf-8")) { Ok(()) } else { Err(wanted()) }
}

/// Parses a JSON object.
///
/// # Errors
/// 400 for malformed JSON or a repeated key; 422 for JSON of another shape.
pub fn parse_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Err(Problem::malformed(
            "the body begins with a byte order mark, which JSON has none of (RFC 8259); remove the byte order mark",
        ));
    }
    let parsed = serde_json::from_slice(bytes).map(|Object(value)| value);
    parsed.map_err(|error| match error.classify() {
        // serde reports a repeated key as a data error, but the body is malformed, because it is ambiguous which value
        // counts.
        Category::Data if error.to_string().starts_with("duplicate") => Problem::malformed(error.to_string()),
        // serde stops at the first wrong value, and the rest may not even be JSON.
        Category::Data => no_json(bytes).unwrap_or_else(|| Problem::unacceptable(error.to_string())),
        Category::Syntax | Category::Eof | Category::Io => Problem::malformed(error.to_string()),
    })
}

/// Returns a problem if the bytes aren't JSON at all; otherwise `None`.
fn no_json(bytes: &[u8]) -> Option<Problem> {
    let syntax = serde_json::from_slice::<IgnoredAny>(bytes).err();
    // Skipping accepts any depth and half a surrogate pair; only building a value checks them. A number outside a
    // float's range is still JSON.
    let built = || {
        let error = serde_json::from_slice::<serde_json::Value>(bytes).err()?;
        (!error.to_string().starts_with("number out of range")).then_some(error)
    };
    syntax.or_else(built).map(|error| Problem::malformed(error.to_string()))
}

/// Reads a field that is an object, and refuses an array.
///
/// # Errors
/// For a value that isn't an object, and one that `T` doesn't accept.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Object::deserialize(deserializer).map(|Object(value)| value)
}

/// Reads a field that may be absent but not `null`.
///
/// # Errors
/// For a value that `T` doesn't accept.
pub fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Outer {
        number: u32,
        #[serde(deserialize_with = "object")]
        inner: Inner,
    }

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Inner {
        number: Option<u32>,
    }

    #[test]
    fn an_array_is_no_object() {
        let check = |json: &str, wanted: Result<Outer, &str>| {
            let parsed = parse_json::<Outer>(json.as_bytes()).map_err(|problem| problem.code());
            assert_eq!(parsed, wanted, "{json}");
        };
        let outer = |number, inner| Ok(Outer { number, inner: Inner { number: inner } });
        check("{}", outer(0, None));
        check(r#" {"number": 1, "inner": {"number": 2}}"#, outer(1, Some(2)));
        for json in ["[]", "[1]", r#"[1, {"number": 2}]"#, r#"{"inner": []}"#, r#"{"inner": [2]}"#, "null", "1"] {
            check(json, Err("unacceptable"));
        }
        for json in ["", "[", "[1", r#"{"number": 1, "number": 1}"#, r#"{"inner": {"number": 1, "number": 1}}"#] {
            check(json, Err("malformed"));
        }
        let marked = parse_json::<Outer>("\u{feff}{}".as_bytes()).expect_err("refused");
        assert!(marked.detail().contains("remove the byte order mark"), "{}", marked.detail());
    }
}
