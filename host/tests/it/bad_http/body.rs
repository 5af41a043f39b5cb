//! What is in the body, and what the headers say about it.

use super::{Case, ORDER, check_all};
use crate::support::{
    Host,
    raw::{checkout, checkout_with, request},
};

/// Returns an order with one member written so.
fn order_with(member: &str, written: &str) -> String {
    let members = [("item", "\"headphones\""), ("quantity", "1"), ("price", "99.99")];
    let members = members.map(|(name, good)| format!("\"{name}\":{}", if name == member { written } else { good }));
    format!("{{{}}}", members.join(","))
}

#[test]
fn what_is_no_json_is_malformed() {
    let deep = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let texts = [
        ("empty", String::new()),
        ("no JSON", "headphones".into()),
        ("truncated", ORDER[..ORDER.len() - 1].into()),
        ("two documents", format!("{ORDER}{ORDER}")),
        ("trailing garbage", format!("{ORDER} x")),
        ("trailing NUL", format!("{ORDER}\0")),
        ("trailing comma", ORDER.replace('}', ",}")),
        ("a comment", format!("/* */{ORDER}")),
        ("a BOM", format!("\u{feff}{ORDER}")),
        ("single quotes", ORDER.replace('"', "'")),
        ("NaN", order_with("price", "NaN")),
        ("Infinity", order_with("price", "Infinity")),
        ("-Infinity", order_with("quantity", "-Infinity")),
        ("a plus", order_with("quantity", "+1")),
        ("a leading zero", order_with("quantity", "01")),
        ("hexadecimal", order_with("quantity", "0x1")),
        ("no digit after the point", order_with("price", "1.")),
        ("no digit before the point", order_with("price", ".5")),
        ("no exponent", order_with("price", "1e")),
        ("a lone surrogate", order_with("item", r#""\ud800""#)),
        ("surrogates the wrong way round", order_with("item", r#""\udc00\ud800""#)),
        ("a raw line feed in a text", order_with("item", "\"a\nb\"")),
        ("an unknown escape", order_with("item", r#""\x41""#)),
        ("10,000 levels, an unknown member", format!(r#"{{"item":"headphones","x":{}}}"#, deep(10_000))),
        ("10,000 levels, a known one", order_with("price", &deep(10_000))),
        ("10,000 levels, nothing else", deep(10_000)),
        ("30,000 brackets that stay open", "[".repeat(30_000)),
        ("a member twice", ORDER.replace('}', ",\"quantity\":1}")),
        ("a member twice, once escaped", ORDER.replace('}', ",\"\\u0071uantity\":1}")),
        ("a line's member twice", format!(r#"{{"lines":[{}]}}"#, ORDER.replace('}', ",\"price\":1}"))),
        ("an attribute twice", format!(r#"{{"lines":[{ORDER}],"attributes":{{"a":1,"a":1}}}}"#)),
    ];
    let mut cases: Vec<Case> =
        texts.into_iter().map(|(name, text)| Case::new(name, checkout(text), 400, "malformed")).collect();
    for (name, bytes) in
        [("invalid UTF-8", &b"\xff"[..]), ("an overlong NUL", b"\xc0\x80"), ("CESU-8", b"\xed\xa0\x80")]
    {
        let body = [br#"{"item":""#, bytes, br#"","quantity":1,"price":1}"#].concat();
        cases.push(Case::new(name, checkout(body), 400, "malformed"));
    }
    let utf16: Vec<u8> = ORDER.encode_utf16().flat_map(u16::to_le_bytes).collect();
    cases.push(Case::new("UTF-16 under a false name", checkout(utf16), 400, "malformed"));
    check_all(&cases);
}

#[test]
fn what_is_no_order_is_unacceptable() {
    let mut cases = Vec::new();
    let mut add = |name: String, body: String| cases.push(Case::new(name, checkout(body), 422, "unacceptable"));
    for text in ["null", "true", "1", "\"x\"", "[]", "{}", r#"{"lines":[]}"#, r#"{"lines":null}"#, r#"{"lines":{}}"#] {
        add(format!("{text} as a whole"), text.into());
    }
    add("an array around it".into(), format!("[{ORDER}]"));
    add("both forms".into(), ORDER.replace('}', ",\"lines\":[]}"));
    add("an unknown member".into(), ORDER.replace('}', ",\"colour\":\"red\"}"));
    add("a member in capitals".into(), ORDER.replace("item", "Item"));
    add("an unknown member of a line".into(), format!(r#"{{"lines":[{}]}}"#, ORDER.replace('}', ",\"x\":1}")));
    for member in ["item", "quantity", "price"] {
        add(format!("no {member}"), ORDER.replace(member, "attributes"));
        for written in ["null", "[]", "{}", "true", "\"\""] {
            add(format!("{member} {written}"), order_with(member, written));
        }
    }
    let quantities = [
        "0",
        "-0",
        "-1",
        "1.5",
        "1.00000000000000000000000000001",
        "10001",
        "4294967297",
        "9223372036854775808",
        "18446744073709551617",
        "\"1\"",
        "1e-1",
        "1e5",
        "1e400",
        "1e-400",
        "1e999999999999999999999",
    ];
    for quantity in quantities {
        add(format!("quantity {quantity}"), order_with("quantity", quantity));
    }
    let digits = "9".repeat(30_000);
    for price in ["99.999", "0.001", "-1", "-0.01", "1e400", "1e-400", "1e99999999999", "90071992547409.92", &digits] {
        add(format!("price {price:.20}"), order_with("price", price));
    }
    let names = [
        ("of 65 bytes", "x".repeat(65)),
        ("of 33 two-byte letters", "é".repeat(33)),
        ("with NUL", "a\\u0000b".into()),
        ("with a line feed", "a\\nb".into()),
        ("with an escape", "a\\u001b[31mb".into()),
        ("with DEL", "a\u{7f}b".into()),
        ("with C1", "a\u{85}b".into()),
        ("with a line separator", "a\u{2028}b".into()),
        ("with a paragraph separator", "a\u{2029}b".into()),
        ("turned round", "a\u{202e}b".into()),
        ("isolated", "a\u{2067}b".into()),
        ("with a zero-width space", "head\u{200b}phones".into()),
        ("with a BOM", "\u{feff}headphones".into()),
        ("with white space before", " headphones".into()),
        ("with white space behind", "headphones\u{a0}".into()),
    ];
    for (name, item) in names {
        add(format!("an item {name}"), order_with("item", &format!("\"{item}\"")));
    }
    let lines = |count: usize| format!(r#"{{"lines":[{}]}}"#, vec![ORDER; count].join(","));
    add("101 lines".into(), lines(101));
    let dear = r#"{"item":"headphones","quantity":10000,"price":90071992547.40}"#;
    add(
        "a sum past all money".into(),
        format!(r#"{{"lines":[{dear},{dear},{dear},{dear},{dear},{dear},{dear},{dear},{dear},{dear},{dear}]}}"#),
    );
    for attributes in
        ["null", "[]", "1", r#"{"":1}"#, r#"{"a":null}"#, r#"{"a":[1]}"#, r#"{"a":{"b":1}}"#, r#"{"\u0000":1}"#]
    {
        let body = ORDER.replace('}', &format!(",\"attributes\":{attributes}}}"));
        add(format!("attributes {attributes}"), body);
    }
    let many: Vec<String> = (0..33).map(|number| format!("\"a{number}\":1")).collect();
    add("33 attributes".into(), ORDER.replace('}', &format!(",\"attributes\":{{{}}}}}", many.join(","))));
    check_all(&cases);
}

#[test]
fn an_item_that_nobody_sells_is_out_of_stock() {
    let host = Host::start();
    let answer = host.shop.buy("a unicorn", 1);
    assert_eq!((answer.status, &*answer.code()), (400, "insufficient_stock"));
    assert!(!host.shop.get("/metrics").text().contains("unicorn"), "whoever asks makes no label");
    host.stop();
}

#[test]
fn a_body_of_another_kind_or_size_is_refused() {
    let kind = |name: &str, headers: &[&str]| {
        let length = format!("content-length: {}", ORDER.len());
        let headers = [&["host: 127.0.0.1", &length], headers].concat();
        let bytes = request("POST /checkout HTTP/1.1", &headers, ORDER);
        Case::new(name, bytes, 415, "unsupported_media_type").closing()
    };
    let spaces = |bytes: usize| format!("{ORDER}{}", " ".repeat(bytes - ORDER.len()));
    let chunked = |body: &str| {
        let body = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let headers = ["host: 127.0.0.1", "content-type: application/json", "transfer-encoding: chunked"];
        request("POST /checkout HTTP/1.1", &headers, body)
    };
    let announced = |length: &str| {
        let headers = ["host: 127.0.0.1", "content-type: application/json", length];
        request("POST /checkout HTTP/1.1", &headers, "")
    };
    check_all(&[
        kind("no type", &[]),
        kind("another type", &["content-type: text/plain"]),
        kind("a form", &["content-type: application/x-www-form-urlencoded"]),
        kind("nearly the type", &["content-type: application/jsonp"]),
        kind("an empty type", &["content-type:"]),
        kind("UTF-16", &["content-type: application/json; charset=utf-16"]),
        kind("two charsets", &["content-type: application/json; charset=utf-8; charset=utf-16"]),
        kind("two types", &["content-type: application/json", "content-type: text/plain"]),
        kind("gzip", &["content-type: application/json", "content-encoding: gzip"]),
        kind(
            "gzip behind identity",
            &["content-type: application/json", "content-encoding: identity", "content-encoding: gzip"],
        ),
        Case::new("64 KiB + 1", checkout(spaces(65_537)), 413, "too_large").closing(),
        Case::new("64 KiB + 1, chunked", chunked(&spaces(65_537)), 413, "too_large").closing(),
        Case::new("64 KiB + 1, only announced", announced("content-length: 65537"), 413, "too_large").closing(),
        Case::new("a terabyte, announced", announced("content-length: 1099511627776"), 413, "too_large").closing(),
        // It is refused before it says `100 Continue`.
        Case::new(
            "too large, and asks first",
            request(
                "POST /checkout HTTP/1.1",
                &["host: 127.0.0.1", "content-type: application/json", "content-length: 65537", "expect: 100-continue"],
                "",
            ),
            413,
            "too_large",
        )
        .closing(),
        Case::new("both: the type", checkout_with(&["content-encoding: br"], ORDER), 415, "unsupported_media_type"),
    ]);

    let host = Host::start();
    let largest = spaces(65_536);
    for bytes in [checkout(&largest), chunked(&largest)] {
        let mut connection = crate::support::raw::Raw::connect(&host.shop.address);
        connection.send(bytes);
        assert_eq!(connection.answer().expect("an answer").status, 200, "64 KiB are allowed");
    }
    host.stop();
}
