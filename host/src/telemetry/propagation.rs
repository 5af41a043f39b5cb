//! How a trace enters and leaves the host: W3C trace context level 2, and baggage passed on unread.
//!
//! The host has its own code because the SDK's propagator fails a third of the W3C's test suite: it accepts a wrong
//! length, a leading `+` and the first of two headers. The worst that a header can do is to start a new trace. A
//! request without trace headers costs no allocation.

use std::fmt;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId};

use super::tracestate;

pub const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
pub const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
pub const BAGGAGE: HeaderName = HeaderName::from_static("baggage");
/// Tells a client the trace of its request; the value is a [`traceparent`].
pub const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// Level 2: the trace id is random in its last seven bytes, so that samplers may decide by it.
pub const RANDOM: TraceFlags = TraceFlags::new(0x02);
/// The known flags. Level 2 wants the others to be zero in what we send.
const KNOWN_FLAGS: TraceFlags = TraceFlags::new(0x03);

/// The most baggage that is passed on: bytes of all its headers together, and members. Both limits are the W3C's
/// minimum for a platform, and more than any shop needs.
const BAGGAGE_BYTES_MAX: usize = 8192;
const BAGGAGE_MEMBERS_MAX: usize = 64;

/// Which headers the host reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Propagator {
    trace_context: bool,
    baggage: bool,
}

/// What a caller's trace headers say about its request.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Remote {
    /// The caller's span, `None` for a trace that starts here.
    pub span_context: Option<SpanContext>,
    pub carried: Carried,
}

/// The caller's headers for processes after this one. They are passed on unread with this request's calls to other
/// processes.
#[derive(Default, Clone, PartialEq, Eq)]
pub struct Carried {
    /// At most 8,192 bytes and 64 members.
    baggage: Option<HeaderValue>,
    /// The whole `tracestate`, if a span's context can't hold all of it. Spans and guests see the part that fits.
    trace_state: Option<HeaderValue>,
}

impl fmt::Debug for Carried {
    /// Hides the content, which may be about people.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |header: &Option<HeaderValue>| header.as_ref().map_or(0, HeaderValue::len);
        write!(out, "Carried({} + {} bytes)", bytes(&self.baggage), bytes(&self.trace_state))
    }
}

impl Default for Propagator {
    fn default() -> Self {
        Self { trace_context: true, baggage: true }
    }
}

impl Propagator {
    /// Returns the propagator for a list in the form of `OTEL_PROPAGATORS`, and the list's unknown names. `none` and
    /// unknown names add nothing.
    pub(super) fn parse(list: &str) -> (Self, Vec<String>) {
        let mut propagator = Self { trace_context: false, baggage: false };
        let mut unknown = Vec::new();
        for name in list.split(',').map(str::trim) {
            match name {
                "tracecontext" => propagator.trace_context = true,
                "baggage" => propagator.baggage = true,
                "none" | "" => {}
                other => unknown.push(other.to_owned()),
            }
        }
        (propagator, unknown)
    }

    /// Returns what the headers say about the caller. A malformed header counts as absent.
    #[must_use]
    pub fn extract(&self, headers: &HeaderMap) -> Remote {
        let context = self.trace_context.then(|| extract_span_context(headers)).flatten();
        let (span_context, trace_state) = context.map_or((None, None), |(context, whole)| (Some(context), whole));
        let baggage = self.baggage.then(|| extract_baggage(headers)).flatten();
        Remote { span_context, carried: Carried { baggage, trace_state } }
    }

    /// Writes `context` and `carried` into the headers of a request to another process, replacing earlier values. An
    /// invalid context writes nothing.
    pub fn inject(&self, context: &SpanContext, carried: &Carried, headers: &mut HeaderMap) {
        if self.trace_context
            && context.is_valid()
            && let Ok(parent) = HeaderValue::try_from(traceparent(context))
        {
            headers.insert(TRACEPARENT, parent);
            let whole = carried.trace_state.clone();
            match whole.map_or_else(|| HeaderValue::try_from(context.trace_state().header()), Ok) {
                Ok(state) if !state.is_empty() => drop(headers.insert(TRACESTATE, state)),
                _ => drop(headers.remove(TRACESTATE)),
            }
        }
        if self.baggage
            && let Some(value) = &carried.baggage
        {
            headers.insert(BAGGAGE, value.clone());
        }
    }
}

/// Returns the `traceparent` of a span, for guests, other processes and `traceresponse`: 55 bytes, version 00, with
/// level 2's flags only.
#[must_use]
pub fn traceparent(context: &SpanContext) -> String {
    let flags = context.trace_flags() & KNOWN_FLAGS;
    let mut text = String::with_capacity(55);
    text.push_str("00-");
    push_hex(&mut text, &context.trace_id().to_bytes());
    text.push('-');
    push_hex(&mut text, &context.span_id().to_bytes());
    text.push('-');
    push_hex(&mut text, &[flags.to_u8()]);
    text
}

/// Appends the bytes in hex. The formatting of numbers takes several times as long, and each call of a plugin needs a
/// [`traceparent`].
fn push_hex(text: &mut String, bytes: &[u8]) {
    let digit = |half: u8| char::from(if half < 10 { b'0' + half } else { b'a' + half - 10 });
    text.extend(bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0x0f)]));
}

/// Returns the context that a guest sends back; `None` if its `traceparent` is malformed. A malformed `tracestate` is
/// dropped. The rules are those for headers, but the span counts as one of this process.
#[must_use]
pub fn parse(traceparent: &str, tracestate: &str) -> Option<SpanContext> {
    let (trace_id, span_id, flags) = parse_traceparent(traceparent)?;
    let (state, _) = tracestate::List::parse(std::iter::once(tracestate)).into_state();
    Some(SpanContext::new(trace_id, span_id, flags, false, state))
}

/// Returns the caller's span, and the `tracestate` that doesn't fit into its context.
fn extract_span_context(headers: &HeaderMap) -> Option<(SpanContext, Option<HeaderValue>)> {
    let mut parents = headers.get_all(TRACEPARENT).iter();
    let parent = parents.next()?;
    // If there are two parents, neither is trusted.
    if parents.next().is_some() {
        return None;
    }
    let (trace_id, span_id, flags) = parse_traceparent(parent.to_str().ok()?.trim_matches([' ', '\t']))?;
    // A header with bytes other than ASCII counts as a malformed list.
    let states = headers.get_all(TRACESTATE).iter().map(|header| header.to_str().unwrap_or("="));
    let (state, whole) = tracestate::List::parse(states).into_state();
    let whole = whole.and_then(|whole| HeaderValue::try_from(whole).ok());
    Some((SpanContext::new(trace_id, span_id, flags, true, state), whole))
}

fn parse_traceparent(text: &str) -> Option<(TraceId, SpanId, TraceFlags)> {
    let version = parse_hex(text.get(0..2)?)?;
    let trace_id = TraceId::from(parse_hex(text.get(3..35)?)?);
    let span_id = SpanId::from(u64::try_from(parse_hex(text.get(36..52)?)?).ok()?);
    let flags = u8::try_from(parse_hex(text.get(53..55)?)?).ok()?;
    let rest = text.get(55..)?;

    let separated = [2, 35, 52].into_iter().all(|at| text.as_bytes().get(at) == Some(&b'-'));
    let fits_version = match version {
        0x00 => rest.is_empty(),
        0xff => false,
        _ => rest.is_empty() || rest.starts_with('-'),
    };
    let valid = separated && fits_version && trace_id != TraceId::INVALID && span_id != SpanId::INVALID;
    valid.then_some((trace_id, span_id, TraceFlags::new(flags) & KNOWN_FLAGS))
}

/// Parses lower-case digits only; `from_str_radix` alone would accept upper case and a sign.
fn parse_hex(text: &str) -> Option<u128> {
    let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if lower { u128::from_str_radix(text, 16).ok() } else { None }
}

fn extract_baggage(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut values = headers.get_all(BAGGAGE).iter();
    let mut joined = values.next()?.as_bytes().to_vec();
    for value in values {
        joined.push(b',');
        joined.extend_from_slice(value.as_bytes());
        if joined.len() > BAGGAGE_BYTES_MAX {
            return None;
        }
    }
    let members = joined.iter().filter(|byte| **byte == b',').count() + 1;
    let fits = (1..=BAGGAGE_BYTES_MAX).contains(&joined.len()) && members <= BAGGAGE_MEMBERS_MAX && joined.is_ascii();
    fits.then(|| HeaderValue::from_bytes(&joined).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::TraceState;

    use super::*;

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        headers
    }

    fn extract(pairs: &[(&'static str, &str)]) -> Remote {
        Propagator::default().extract(&headers(pairs))
    }

    /// Checks a template, with `{T}` and `{S}` for the ids, against the flags that result; `None` is a new trace.
    fn check(template: &str, flags: Option<u8>) {
        let value = template.replace("{T}", TRACE).replace("{S}", SPAN);
        let context = extract(&[("traceparent", &value)]).span_context;
        assert_eq!(context.as_ref().map(|context| context.trace_flags().to_u8()), flags, "{value:?}");
        if let Some(context) = context {
            assert_eq!((context.trace_id().to_string(), context.span_id().to_string()), (TRACE.into(), SPAN.into()));
            assert!(context.is_remote());
        }
    }

    #[test]
    fn traceparent_follows_the_standard() {
        for (template, flags) in [
            ("00-{T}-{S}-01", Some(1)),
            ("00-{T}-{S}-00", Some(0)),
            // Level 2 knows the random bit; all others are dropped.
            ("00-{T}-{S}-03", Some(3)),
            ("00-{T}-{S}-02", Some(2)),
            ("00-{T}-{S}-ff", Some(3)),
            ("00-{T}-{S}-fc", Some(0)),
            // Optional white space.
            (" 00-{T}-{S}-01", Some(1)),
            ("\t00-{T}-{S}-01", Some(1)),
            ("00-{T}-{S}-01 ", Some(1)),
            ("00-{T}-{S}-01\t", Some(1)),
            ("\t 00-{T}-{S}-01 \t", Some(1)),
            // Versions: 00 is exactly 55 long, later ones may go on after a dash, ff is none.
            ("00-{T}-{S}-01.", None),
            ("00-{T}-{S}-01-more", None),
            ("00-{T}-{S}-01-", None),
            ("01-{T}-{S}-01", Some(1)),
            ("cc-{T}-{S}-01-more", Some(1)),
            ("cc-{T}-{S}-01-", Some(1)),
            ("cc-{T}-{S}-01.more", None),
            ("cc-{T}-{S}-011", None),
            ("ff-{T}-{S}-01", None),
            (".0-{T}-{S}-01", None),
            ("0.-{T}-{S}-01", None),
            ("+0-{T}-{S}-01", None),
            ("000-{T}-{S}-01", None),
            ("0000-{T}-{S}-01", None),
            ("0-{T}-{S}-01", None),
            ("CC-{T}-{S}-01", None),
            // Trace ids.
            ("00-00000000000000000000000000000000-{S}-01", None),
            ("00-.af7651916cd43dd8448eb211c80319c-{S}-01", None),
            ("00-0af7651916cd43dd8448eb211c80319.-{S}-01", None),
            ("00-+af7651916cd43dd8448eb211c80319c-{S}-01", None),
            ("00-0AF7651916cd43dd8448eb211c80319c-{S}-01", None),
            ("00-{T}0-{S}-01", None),
            ("00-0af7651916cd43dd8448eb211c80319-{S}-01", None),
            // Parent ids.
            ("00-{T}-0000000000000000-01", None),
            ("00-{T}-.7ad6b7169203331-01", None),
            ("00-{T}-b7ad6b716920333.-01", None),
            ("00-{T}-B7AD6B7169203331-01", None),
            ("00-{T}-{S}1-01", None),
            ("00-{T}-b7ad6b716920333-01", None),
            // Flags.
            ("00-{T}-{S}-.0", None),
            ("00-{T}-{S}-0.", None),
            ("00-{T}-{S}-0A", None),
            ("00-{T}-{S}-001", None),
            ("00-{T}-{S}-1", None),
            // Separators and junk.
            ("00_{T}-{S}-01", None),
            ("00-{T}_{S}-01", None),
            ("00-{T}-{S}_01", None),
            ("", None),
            ("00", None),
            ("ää-{T}-{S}-01", None),
        ] {
            check(template, flags);
        }
    }

    #[test]
    fn of_two_parents_neither_counts() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        let other = parent.replace(TRACE, "1bf7651916cd43dd8448eb211c80319c");
        assert_eq!(extract(&[("traceparent", &parent), ("traceparent", &parent)]).span_context, None);
        assert_eq!(extract(&[("traceparent", &parent), ("traceparent", &other)]).span_context, None);
    }

    #[test]
    fn without_a_parent_the_trace_is_new() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        for pairs in [&[][..], &[("trace-parent", parent.as_str())], &[("trace.parent", &parent)]] {
            assert_eq!(extract(pairs), Remote::default(), "{pairs:?}");
        }
    }

    #[test]
    fn tracestate_goes_only_with_a_valid_parent() {
        let parent = format!("00-{TRACE}-{SPAN}-00");
        let state =
            |pairs: &[(&'static str, &str)]| extract(pairs).span_context.map(|context| context.trace_state().header());
        assert_eq!(
            state(&[("traceparent", &parent), ("tracestate", "a=1"), ("tracestate", "b=2")]),
            Some("a=1,b=2".into())
        );
        assert_eq!(state(&[("traceparent", &parent), ("tracestate", "")]), Some(String::new()));
        assert_eq!(state(&[("traceparent", &parent), ("tracestate", "a=1,b")]), Some(String::new()));
        for name in ["trace-state", "trace.state"] {
            assert_eq!(state(&[("traceparent", &parent), (name, "a=1")]), Some(String::new()), "{name}");
        }
        assert_eq!(
            state(&[("traceparent", &parent), ("tracestate", "a=1"), ("tracestate", "ö=2")]),
            Some(String::new())
        );
        assert_eq!(state(&[("tracestate", "a=1")]), None);
        assert_eq!(state(&[("traceparent", "bad"), ("tracestate", "a=1")]), None);
        let long = format!("a={}", "v".repeat(511));
        assert_eq!(state(&[("traceparent", &parent), ("tracestate", &long)]), Some(String::new()));
    }

    #[test]
    fn what_is_injected_can_be_extracted() {
        let before = extract(&[
            ("traceparent", &format!("00-{TRACE}-{SPAN}-03")),
            ("tracestate", "a=1"),
            ("tracestate", "b=2"),
            ("baggage", "user=1;p"),
            ("baggage", "tier=gold"),
        ]);
        let context = before.span_context.clone().unwrap();
        let mut sent = headers(&[("traceparent", "old"), ("tracestate", "old=1"), ("tracestate", "old=2")]);
        Propagator::default().inject(&context, &before.carried, &mut sent);
        assert_eq!(sent.get(BAGGAGE).unwrap(), "user=1;p,tier=gold");
        assert_eq!(Propagator::default().extract(&sent), before);

        // No header of an earlier trace stays, and an invalid context writes nothing.
        let bare =
            SpanContext::new(context.trace_id(), context.span_id(), context.trace_flags(), false, TraceState::NONE);
        Propagator::default().inject(&bare, &Carried::default(), &mut sent);
        assert!(!sent.contains_key(TRACESTATE));
        let mut none = HeaderMap::new();
        Propagator::default().inject(&SpanContext::NONE, &Carried::default(), &mut none);
        assert!(none.is_empty());
    }

    #[test]
    fn a_tracestate_too_odd_for_a_span_is_carried_beside_it() {
        let remote = extract(&[
            ("traceparent", &format!("00-{TRACE}-{SPAN}-01")),
            ("tracestate", "a=1"),
            ("tracestate", " b@c@d=2 , e=3"),
        ]);
        let context = remote.span_context.clone().unwrap();
        assert_eq!(context.trace_state().header(), "a=1,e=3");
        let mut sent = HeaderMap::new();
        Propagator::default().inject(&context, &remote.carried, &mut sent);
        assert_eq!(sent.get(TRACESTATE).unwrap(), "a=1,b@c@d=2,e=3");
        // Without a parent a `tracestate` is ignored.
        assert_eq!(extract(&[("tracestate", "b@c@d=2")]), Remote::default());
    }

    #[test]
    fn guests_send_back_what_they_were_given() {
        let context = parse(&format!("00-{TRACE}-{SPAN}-03"), "a=1").unwrap();
        assert_eq!(parse(&traceparent(&context), &context.trace_state().header()), Some(context.clone()));
        assert!(!context.is_remote());
        assert_eq!(parse("nonsense", ""), None);
        assert_eq!(parse(&format!(" 00-{TRACE}-{SPAN}-03"), ""), None);
        assert_eq!(parse(&traceparent(&context), "=").unwrap().trace_state(), &TraceState::NONE);
    }

    #[test]
    fn oversized_baggage_is_dropped() {
        let members = |count: usize| vec!["k=v"; count].join(",");
        for (values, kept) in [
            (vec!["k=v".to_owned()], true),
            (vec![String::new()], false),
            (vec![members(64)], true),
            (vec![members(65)], false),
            (vec![members(60), members(5)], false),
            (vec!["v".repeat(8192)], true),
            (vec!["v".repeat(8193)], false),
            (vec!["v".repeat(8000), "v".repeat(200)], false),
            (vec!["ä=1".to_owned()], false),
        ] {
            let pairs: Vec<_> = values.iter().map(|value| ("baggage", value.as_str())).collect();
            assert_eq!(extract(&pairs).carried.baggage.is_some(), kept, "{} values", values.len());
        }
    }

    #[test]
    fn the_environment_chooses_the_headers() {
        let all = headers(&[("traceparent", &format!("00-{TRACE}-{SPAN}-01")), ("baggage", "a=1")]);
        for (list, trace_context, baggage, unknown) in [
            ("tracecontext,baggage", true, true, &[][..]),
            ("tracecontext", true, false, &[]),
            (" baggage ,", false, true, &[]),
            ("none", false, false, &[]),
            ("b3,tracecontext", true, false, &["b3"]),
        ] {
            let (propagator, names) = Propagator::parse(list);
            let remote = propagator.extract(&all);
            assert_eq!(
                (remote.span_context.is_some(), remote.carried.baggage.is_some()),
                (trace_context, baggage),
                "{list}"
            );
            assert_eq!(names, unknown, "{list}");
        }
    }
}
