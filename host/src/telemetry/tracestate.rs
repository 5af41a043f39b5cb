//! The `tracestate` header of W3C trace context: a list of `key=value` members, first one newest.
//!
//! The SDK's parser accepts more than the standard allows (`foo==1`), although other tracers trust what we send. The
//! SDK's type accepts less (no second `@` in a key), although we mustn't lose a caller's member. One bad member drops
//! the whole list, as level 2 wants; the trace itself goes on.

use opentelemetry::trace::TraceState;

/// The most members of a list.
const MEMBERS_MAX: usize = 32;
/// The longest key, and the longest value, bytes.
const KEY_BYTES_MAX: usize = 256;
const VALUE_BYTES_MAX: usize = 256;
/// The length that every tracer has to pass on, bytes. We pass on no more, because guests and other tills get it.
const LIST_BYTES_MAX: usize = 512;
/// Members longer than this go first when a list is too long, bytes.
const LONG_MEMBER_BYTES: usize = 128;

/// A list that is valid.
#[derive(Debug, Default)]
pub(super) struct List<'a>(Vec<(&'a str, &'a str)>);

impl<'a> List<'a> {
    /// Returns the list in one or several headers, in their order. Empty if there is no member, if any is malformed, or
    /// if there are more than 32. If members share a key, the first, which is the newest, is kept: a sender's mistake
    /// is no reason to lose the others. A list over 512 bytes is shortened: members over 128 bytes go first, then those
    /// at the end.
    pub(super) fn parse(headers: impl Iterator<Item = &'a str>) -> Self {
        let texts = headers.flat_map(|header| header.split(',')).map(|text| text.trim_matches([' ', '\t']));
        let mut members: Vec<(&str, &str)> = Vec::new();
        for (count, text) in texts.filter(|text| !text.is_empty()).enumerate() {
            let Some(member) = parse_member(text).filter(|_| count < MEMBERS_MAX) else { return Self::default() };
            if !members.iter().any(|(key, _)| *key == member.0) {
                members.push(member);
            }
        }
        shorten(&mut members);
        Self(members)
    }

    /// Returns the list for a span, and the whole list as a header if not all of it fits into a span. The SDK's type
    /// follows level 1, where a key has at most one `@` and at most 13 bytes after it; the span's list lacks other
    /// members.
    pub(super) fn into_state(mut self) -> (TraceState, Option<String>) {
        if let Ok(state) = TraceState::from_key_value(self.0.iter().copied()) {
            return (state, None);
        }
        let whole: Vec<String> = self.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
        self.0.retain(|member| TraceState::from_key_value([*member]).is_ok());
        (TraceState::from_key_value(self.0).unwrap_or(TraceState::NONE), Some(whole.join(",")))
    }
}

fn parse_member(text: &str) -> Option<(&str, &str)> {
    let (key, value) = text.split_once('=')?;
    (key_is_valid(key) && value_is_valid(value)).then_some((key, value))
}

fn key_is_valid(key: &str) -> bool {
    let alphanumeric = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    key.len() <= KEY_BYTES_MAX
        && key.bytes().next().is_some_and(alphanumeric)
        && key.bytes().all(|byte| alphanumeric(byte) || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@'))
}

/// Returns whether the value is printable ASCII without `,` and `=`, and not empty. A value can't end in a space,
/// because members are trimmed.
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

    /// Checks the parsed list, and what of it a span can hold.
    fn check_held(headers: &[&str], expected: &str, held: Option<&str>) {
        let (state, whole) = List::parse(headers.iter().copied()).into_state();
        assert_eq!(whole.as_deref().unwrap_or(&state.header()), expected, "{headers:?}");
        assert_eq!(state.header(), held.unwrap_or(expected), "{headers:?}");
        assert_eq!(whole.is_some(), held.is_some(), "{headers:?}");
    }

    fn check(headers: &[&str], expected: &str) {
        check_held(headers, expected, None);
    }

    #[test]
    fn well_formed_lists_are_kept_in_order() {
        for (headers, expected) in [
            (&["a=1,b=2"][..], "a=1,b=2"),
            (&["a=1", "b=2,c=3", "d=4"], "a=1,b=2,c=3,d=4"),
            // Empty headers and empty members are ignored.
            (&[""], ""),
            (&["", "a=1"], "a=1"),
            (&["a=1", ""], "a=1"),
            (&["a=1,,b=2, \t ,"], "a=1,b=2"),
            // Optional white space around a member isn't part of it; within a value it is.
            (&["\t a=1 \t , \t b=2,\tc=3 "], "a=1,b=2,c=3"),
            (&["a=1\t \t,\t \tb=2"], "a=1,b=2"),
            (&[" a=1"], "a=1"),
            (&["a=1 "], "a=1"),
            (&["\ta=1"], "a=1"),
            (&["a=1\t"], "a=1"),
            (&["a= x y"], "a= x y"),
            (&["0tenant-_*/@system-_*/=1"], "0tenant-_*/@system-_*/=1"),
            (&["a@=1,b=2"], "a@=1,b=2"),
        ] {
            check(headers, expected);
        }
        let every_key_byte: String = ('a'..='z').chain('0'..='9').chain("_-*/".chars()).collect();
        let every_value_byte: String = (' '..='~').filter(|letter| !matches!(letter, ',' | '=')).collect();
        for key in [&every_key_byte, &format!("{every_key_byte}@a-z0-9_-*/")] {
            check(&[&format!("{key}={every_value_byte}")], &format!("{key}={every_value_byte}"));
        }
    }

    #[test]
    fn one_bad_member_drops_the_list() {
        for header in [
            "a", "=1", "a=", "a=,b=3", "a=b=c", "a==1", "a =1", "A=1", "a.b=1", "_a=1", "ä=1", "a=ä", "a=\t1",
            "a=\u{7f}", "@a=1", "@a=1,b=2",
        ] {
            check(&["good=1", header], "");
        }
    }

    #[test]
    fn of_members_with_one_key_the_newest_is_kept() {
        for headers in [&["a=1,a=1"][..], &["a=1,a=2"], &["a=1", "a=1"], &["a=1", "a=2"]] {
            check(headers, "a=1");
        }
        check(&["a=1,b=2,a=3", "c=4,b=5"], "a=1,b=2,c=4");
    }

    #[test]
    fn a_key_that_a_span_cant_hold_is_passed_on_all_the_same() {
        let long = |letter: &str, count: usize| letter.repeat(count);
        for (key, fits) in [
            (long("k", 256), true),
            (format!("{}@s", long("t", 242)), true),
            (format!("{}@{}", long("t", 241), long("s", 13)), true),
            (format!("{}@{}", long("t", 241), long("s", 14)), false),
            (format!("t@{}", long("s", 15)), false),
            ("a@@b".to_owned(), false),
            ("a@b@c".to_owned(), false),
        ] {
            let expected = format!("a=1,{key}=1,b=2");
            check_held(&[&expected], &expected, (!fits).then_some("a=1,b=2"));
        }
    }

    #[test]
    fn lengths_are_limited() {
        let member = |key_bytes, value_bytes| format!("{}={}", "k".repeat(key_bytes), "v".repeat(value_bytes));
        check(&["a=1", &member(256, 1)], &format!("a=1,{}", member(256, 1)));
        check(&["a=1", &member(257, 1)], "");
        check(&["a=1", &format!("{}@s=1", "t".repeat(255))], "");
        check(&[&member(1, 256)], &member(1, 256));
        check(&[&member(1, 257)], "");
    }

    #[test]
    fn thirty_two_members_are_the_most() {
        let list = |count: usize| (0..count).map(|n| format!("k{n:02}={n:02}")).collect::<Vec<_>>().join(",");
        check(&[&list(32)], &list(32));
        check(&[&list(33)], "");
        check(&[&list(30), "x=1,y=2", "z=3"], "");
        check(&[&list(30), "x=1", "y=2"], &format!("{},x=1,y=2", list(30)));
        check(&[&list(32), "k00=00"], "");
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
