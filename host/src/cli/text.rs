//! Others' text on its way to a terminal, and the words for moments and durations.
//!
//! Invariant: whatever a plugin or a client wrote is one line, and can't steer the terminal. JSON has its own escapes
//! and ISO times; everything here is for people.

use std::{collections::BTreeMap, fmt::Write};

use chrono::{DateTime, Local, SecondsFormat, Utc};
use serde_json::Value;

/// Returns the text with everything spelled out that can't be seen: `\u{1b}`, `\n`.
pub(super) fn visible(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter.is_control() || is_unseen(letter) {
            seen.extend(letter.escape_default());
        } else {
            seen.push(letter);
        }
    }
    seen
}

/// Returns whether the character moves, hides or reorders other text and has no picture of its own, as on the trace page.
const fn is_unseen(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns a duration with about three digits: `812 µs`, `3.42 ms`, `1.80 s`, `2 min 5 s`.
pub(super) fn duration(us: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let number = us as f64;
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..999_500 => format!("{} ms", three_digits(number / 1e3)),
        999_500..60_000_000 => format!("{} s", three_digits(number / 1e6)),
        _ => format!("{} min {} s", us / 60_000_000, us % 60_000_000 / 1_000_000),
    }
}

/// Returns a number with three digits, or more if they are before the point.
pub(super) fn three_digits(number: f64) -> String {
    let decimals = match number.abs() {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{number:.decimals$}")
}

/// Returns a moment in local time: `14:05:12.123`, with the day before it if that isn't today.
pub(super) fn clock(unix_us: u64) -> String {
    let then = moment(unix_us).with_timezone(&Local);
    let is_today = then.date_naive() == Local::now().date_naive();
    then.format(if is_today { "%H:%M:%S%.3f" } else { "%Y-%m-%d %H:%M:%S%.3f" }).to_string()
}

/// Returns a moment in local time with its day and zone: `2026-11-29 14:05:12.123 +01:00`.
pub(super) fn day_and_clock(unix_us: u64) -> String {
    moment(unix_us).with_timezone(&Local).format("%Y-%m-%d %H:%M:%S%.3f %:z").to_string()
}

/// Returns a moment for programs, in UTC: `2026-11-29T13:05:12.123456Z`.
pub(super) fn iso(unix_us: u64) -> String {
    moment(unix_us).to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn moment(unix_us: u64) -> DateTime<Utc> {
    i64::try_from(unix_us).ok().and_then(DateTime::from_timestamp_micros).unwrap_or_default()
}

/// Returns pairs as ` key=value key="a b"`, each after a space.
pub(super) fn pairs(pairs: impl IntoIterator<Item = (impl AsRef<str>, String)>) -> String {
    let mut text = String::new();
    for (key, value) in pairs {
        let is_bare = !value.is_empty() && !value.contains(|letter: char| letter.is_whitespace() || letter == '"');
        // Writing to a text can't fail.
        _ = if is_bare {
            write!(text, " {}={}", visible(key.as_ref()), visible(&value))
        } else {
            write!(text, " {}={value:?}", visible(key.as_ref()))
        };
    }
    text
}

/// Returns fields as pairs of texts. What a plugin attached to a line comes as one field of JSON, and stands beside the
/// others.
pub(super) fn fields(fields: &BTreeMap<String, Value>) -> Vec<(String, String)> {
    let attached = |value: &Value| serde_json::from_str::<BTreeMap<String, Value>>(value.as_str()?).ok();
    let mut all = Vec::new();
    for (key, value) in fields {
        match attached(value).filter(|_| key == "attributes") {
            Some(attributes) => all.extend(attributes.iter().map(|(key, value)| (key.clone(), field(value)))),
            None => all.push((key.clone(), field(value))),
        }
    }
    all
}

/// Returns a JSON value as a field's text: a text without its quotes.
pub(super) fn field(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_digits() {
        for (us, text) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1.00 ms"),
            (12_345, "12.3 ms"),
            (999_499, "999 ms"),
            (999_500, "1.00 s"),
            (9_994_999, "9.99 s"),
            (59_999_999, "60.0 s"),
            (125_000_000, "2 min 5 s"),
        ] {
            assert_eq!(duration(us), text, "{us}");
        }
    }

    #[test]
    fn nothing_that_a_guest_wrote_steers_the_terminal() {
        let hostile = "a\u{1b}[2Jb\nc\u{202e}d\u{9b}31m é 漢";
        assert_eq!(visible(hostile), "a\\u{1b}[2Jb\\nc\\u{202e}d\\u{9b}31m é 漢");
        let pairs =
            pairs([("k\u{7}", "v\u{1b}".to_owned()), ("said", "two words".to_owned()), ("empty", String::new())]);
        assert_eq!(pairs, " k\\u{7}=v\\u{1b} said=\"two words\" empty=\"\"");
    }

    #[test]
    fn what_a_plugin_attached_stands_beside_the_hosts_own_fields() {
        let own = serde_json::json!({ "attributes": "{\"delay\":1.5,\"why\":\"busy\"}", "count": 3 });
        let own = serde_json::from_value(own).expect("fields");
        assert_eq!(pairs(fields(&own)), " delay=1.5 why=busy count=3");
        let foreign = BTreeMap::from([("attributes".to_owned(), Value::from("no JSON"))]);
        assert_eq!(pairs(fields(&foreign)), " attributes=\"no JSON\"");
    }

    #[test]
    fn programs_get_the_moment_in_utc() {
        assert_eq!(iso(1_700_000_000_007_000), "2023-11-14T22:13:20.007000Z");
        assert!(day_and_clock(1_700_000_000_007_000).contains(":13:20.007 "));
    }
}
