//! Compresses answers with gzip if the client accepts it: traces are very repetitive text.
//!
//! Only a complete answer is compressed, so its size is as bounded as the answer's.

use std::io::Write as _;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Response,
    header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, VARY},
};

use crate::{http::Body, units::KIB};

/// A larger answer takes longer, so it is compressed on a blocking thread.
const AT_ONCE_BYTES_MAX: usize = 64 * KIB;

/// Returns whether the client accepts gzip: its header names gzip or `*`, without `q=0`.
pub(super) fn is_accepted(headers: &HeaderMap) -> bool {
    let mut any = false;
    for value in headers.get_all(ACCEPT_ENCODING) {
        for coding in value.to_str().unwrap_or_default().split(',') {
            let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
            let weight = parameters.split(';').find_map(|parameter| {
                let (name, value) = parameter.split_once('=')?;
                name.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse::<f64>().unwrap_or(0.0))
            });
            let wanted = weight.is_none_or(|weight| weight > 0.0);
            match name.trim().to_ascii_lowercase().as_str() {
                "gzip" | "x-gzip" => return wanted,
                "*" => any = wanted,
                _ => {}
            }
        }
    }
    any
}

/// Returns the answer, compressed if it is JSON and the client accepts gzip.
pub(super) async fn packed(mut response: Response<Body>, is_accepted: bool) -> Response<Body> {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !matches!(content_type, "application/json" | "application/problem+json") {
        return response;
    }
    response.headers_mut().insert(VARY, HeaderValue::from_static("accept-encoding"));
    if !is_accepted {
        return response;
    }
    let (mut head, body) = response.into_parts();
    let Ok(plain) = body.collect().await.map(http_body_util::Collected::to_bytes);
    let copy = plain.clone();
    let packed = if plain.len() <= AT_ONCE_BYTES_MAX {
        pack(&plain)
    } else {
        tokio::task::spawn_blocking(move || pack(&copy)).await.ok().flatten()
    };
    let body = match packed {
        Some(packed) => {
            head.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            packed
        }
        None => plain,
    };
    Response::from_parts(head, Full::new(body))
}

/// Returns the bytes compressed; `None` if that fails.
fn pack(plain: &[u8]) -> Option<Bytes> {
    let mut packing = GzEncoder::new(Vec::with_capacity(plain.len() / 8), Compression::fast());
    packing.write_all(plain).ok()?;
    packing.finish().ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn gzip_is_for_who_asks_for_it() {
        let check = |values: &[&str], expected: bool| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(ACCEPT_ENCODING, value.parse().expect("a value"));
            }
            assert_eq!(is_accepted(&headers), expected, "{values:?}");
        };
        check(&[], false);
        check(&[""], false);
        check(&["gzip"], true);
        check(&["deflate, GZIP;q=0.5, br"], true);
        check(&["br", "gzip"], true);
        check(&["identity"], false);
        check(&["gzip;q=0"], false);
        check(&["gzip; q=0.000, *"], false);
        check(&["*"], true);
        check(&["*;q=0"], false);
        check(&["gzip;q=nonsense"], false);
    }

    #[tokio::test]
    async fn only_json_is_packed_and_unpacks_to_what_it_was() {
        let answer = |content_type: &'static str, body: &str| {
            let mut response = Response::new(Full::new(Bytes::from(body.to_owned())));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            response
        };
        let (short, long) = ("{}".to_owned(), format!("[{}1]", "1,".repeat(AT_ONCE_BYTES_MAX)));
        for body in [&short, &long] {
            let packed = packed(answer("application/json", body), true).await;
            assert_eq!(packed.headers()[CONTENT_ENCODING], "gzip");
            let bytes = packed.into_body().collect().await.expect("a body").to_bytes();
            let mut text = String::new();
            GzDecoder::new(&bytes[..]).read_to_string(&mut text).expect("gzip");
            assert!(text == *body);
        }
        for (content_type, accepted) in [("application/json", false), ("text/html", true)] {
            let plain = packed(answer(content_type, &short), accepted).await;
            assert!(!plain.headers().contains_key(CONTENT_ENCODING), "{content_type}");
            assert_eq!(plain.headers().contains_key(VARY), content_type == "application/json");
        }
    }
}
