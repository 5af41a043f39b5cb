//! The `tracestate` header of W3C trace context: a list of `key=value` members, first one newest.
//!
//! The SDK's own parser takes more than the standard allows (duplicates, tenants of any length, `foo==1`),
//! and other tracers trust what they get from us. All or nothing: one bad member and the whole list is
//! dropped, as level 2 asks; the trace itself goes on.

use opentelemetry::trace::TraceState;

/// The most members of a list.
const MEMBERS_MAX: usize = 32;
/// The longest key, and the longest value, bytes.
const KEY_BYTES_MAX: usize = 256;
const VALUE_BYTES_MAX: usize = 256;
/// The longest tenant and system of a `tenant@system` key, bytes.
const TENANT_BYTES_MAX: usize = 241;
const SYSTEM_BYTES_MAX: usize = 14;
/// What every tracer has to pass on, bytes. We pass on no more: it ends up in guests and in other tills.
const LIST_BYTES_MAX: usize = 512;
/// Members longer than this go first when a list is too long, bytes.
const LONG_MEMBER_BYTES: usize = 128;

/// Returns the list that one or several headers spell, in their order. Empty when there is nothing, or when
/// any member is malformed, a key comes twice or there are more than 32 members. A list over 512 bytes is
/// shortened: members over 128 bytes go first, then those at the end.
pub(super) fn parse<'a>(headers: impl Iterator<Item = &'a str>) -> TraceState {
    let mut members = Vec::new();
    for text in headers.flat_map(|header| header.split(',')) {
        let text = text.trim_matches([' ', '\t']);
        if text.is_empty() {
            continue;
        }
        let Some(member) = parse_member(text) else { return TraceState::NONE };
        if members.len() == MEMBERS_MAX || members.iter().any(|(key, _)| *key == member.0) {
            return TraceState::NONE;
        }
        members.push(member);
    }
    shorten(&mut members);
    // The SDK's type takes all of that but a system of exactly 14 bytes (it counts one too many). Such a member is
    // left out; the others aren't to blame.
    TraceState::from_key_value(members.iter().copied()).unwrap_or_else(|_| {
        members.retain(|member| TraceState::from_key_value([*member]).is_ok());
        TraceState::from_key_value(members).unwrap_or(TraceState::NONE)
    })
}

fn parse_member(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once('=')?;
    (key_is_valid(key) && value_is_valid(value)).then_some((key, value))
}

fn key_is_valid(key: &str) -> bool {
    match key.split_once('@') {
        None => word_is_valid(key, KEY_BYTES_MAX),
        Some((tenant, system)) => word_is_valid(tenant, TENANT_BYTES_MAX) && word_is_valid(system, SYSTEM_BYTES_MAX),
    }
}

fn word_is_valid(word: &str, bytes_max: usize) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    word.len() <= bytes_max
        && word.bytes().next().is_some_and(alphanumeric)
        && word.bytes().all(|byte| alphanumeric(byte) || matches!(byte, b'_' | b'-' | b'*' | b'/'))
}

/// Printable ASCII without `,` and `=`, not empty. It can't end in a space: the member was trimmed.
fn value_is_valid(value: &str) -> bool {
    (1..=VALUE_BYTES_MAX).contains(&value.len())
        && value.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'='))
}

fn shorten(members: &mut Vec<(&str, &str)>) {
    let length = |member: &(&str, &str)| member.0.len() + "=".len() + member.1.len();
    let total = |members: &[(&str, &str)]| members.iter().map(|member| length(member) + ",".len()).sum::<usize>();
    while total(members) > LIST_BYTES_MAX + ",".len() {
        match members.iter().rposition(|member| length(member) > LONG_MEMBER_BYTES) {
            Some(long) => drop(members.remove(long)),
            None => drop(members.pop()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(headers: &[&str], expected: &str) {
        assert_eq!(parse(headers.iter().copied()).header(), expected, "{headers:?}");
    }

    #[test]
    fn well_formed_lists_are_kept_in_order() {
        for (headers, expected) in [
            (&["a=1,b=2"][..], "a=1,b=2"),
            (&["a=1", "b=2,c=3", "d=4"], "a=1,b=2,c=3,d=4"),
            // Empty headers and empty members say nothing, and spoil nothing.
            (&[""], ""),
            (&["", "a=1"], "a=1"),
            (&["a=1", ""], "a=1"),
            (&["a=1,,b=2, \t ,"], "a=1,b=2"),
            // Optional white space around members isn't theirs; within a value it is.
            (&["\t a=1 \t , \t b=2,\tc=3 "], "a=1,b=2,c=3"),
            (&["a= x y"], "a= x y"),
            (&["a-_*/0z=1"], "a-_*/0z=1"),
            (&["0tenant-_*/@system-_*/=1"], "0tenant-_*/@system-_*/=1"),
        ] {
            check(headers, expected);
        }
        let every_value_byte: String = (' '..='~').filter(|letter| !matches!(letter, ',' | '=')).collect();
        let header = format!("a={every_value_byte}");
        check(&[&header], &header);
    }

    #[test]
    fn one_bad_member_drops_the_list() {
        for header in [
            "a",
            "=1",
            "a=",
            "a=,b=3",
            "a=b=c",
            "a==1",
            "a =1",
            "A=1",
            "a.b=1",
            "_a=1",
            "ä=1",
            "a=ä",
            "a=\t1",
            "a=\u{7f}",
            "@a=1",
            "a@=1",
            "a@@b=1",
            "a@b@c=1",
            "a=1,a=1",
            "a=1,b=2,a=3",
        ] {
            check(&["good=1", header], "");
        }
        check(&["a=1", "a=2"], "");
    }

    #[test]
    fn lengths_are_limited() {
        let long = |letter: &str, count: usize| letter.repeat(count);
        for (key, expected) in [
            (long("k", 256), Some("a=1,{}=1")),
            (long("k", 257), None),
            (format!("{}@{}", long("t", 241), long("s", 13)), Some("a=1,{}=1")),
            // Valid, but more than the SDK's type can hold.
            (format!("{}@{}", long("t", 241), long("s", 14)), Some("a=1")),
            (format!("{}@s", long("t", 242)), None),
            (format!("t@{}", long("s", 15)), None),
        ] {
            check(&["a=1", &format!("{key}=1")], &expected.unwrap_or_default().replace("{}", &key));
        }
        let value = |count| format!("a={}", long("v", count));
        check(&[&value(256)], &value(256));
        check(&[&value(257)], "");
    }

    #[test]
    fn thirty_two_members_are_the_most() {
        let list = |count: usize| (0..count).map(|n| format!("k{n:02}={n:02}")).collect::<Vec<_>>().join(",");
        check(&[&list(32)], &list(32));
        check(&[&list(33)], "");
        check(&[&list(30), "x=1,y=2", "z=3"], "");
    }

    #[test]
    fn a_list_over_512_bytes_is_shortened_not_refused() {
        // Five members of 102 bytes and four commas are 514; 511 and 512 fit, 513 doesn't.
        let member = |key: &str, bytes: usize| format!("{key}={}", "v".repeat(bytes - key.len() - 1));
        let list =
            |last: usize| [member("a", 102), member("b", 102), member("c", 102), member("d", 102), member("e", last)];
        check(&[&list(100).join(",")], &list(100).join(","));
        check(&[&list(101).join(",")], &list(101)[..4].join(","));
        // A long member goes before the short ones behind it.
        check(
            &[&member("a", 100), &member("long", 200), &member("b", 128), &member("c", 128)],
            &[member("a", 100), member("b", 128), member("c", 128)].join(","),
        );
    }
}
