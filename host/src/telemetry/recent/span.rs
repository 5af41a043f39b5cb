//! A kept span: a few hundred bytes, one after another in one buffer a trace.
//!
//! A recorded span is some allocations, and to free those long after they were made costs a busy host a tenth of its
//! throughput. So a span is serialized as it ends (`write()`), and deserialized by its readers. It holds only what those
//! show: a list among the attributes is kept as its text.

use std::{
    borrow::Cow,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use opentelemetry::{
    KeyValue, Value as OwnValue,
    trace::{SpanId, SpanKind, Status as OwnStatus, TraceId},
};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct as _};

use super::super::{recorded::Recorded, traces};

/// The lengths to which each text of a span that is too large is cut, bytes, tried in this order.
const TEXTS_CUT: [usize; 2] = [256, 64];
/// The mark at the end of a cut text.
const CUT_SIGN: char = '\u{2026}';

/// A span, whose texts are borrowed from the buffer it is read from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Span<'a> {
    id: [u8; 8],
    /// All zero if there is no parent.
    parent_id: [u8; 8],
    /// Whether it is the first of its trace in this process.
    pub is_local_root: bool,
    pub is_sampled: bool,
    #[serde(borrow)]
    pub tracestate: Cow<'a, str>,
    #[serde(with = "Kind")]
    pub kind: SpanKind,
    pub scope: &'a str,
    pub name: &'a str,
    /// Since 1970.
    pub start_ns: u64,
    pub duration_ns: u64,
    #[serde(borrow)]
    pub attributes: Vec<Attribute<'a>>,
    #[serde(borrow)]
    pub events: Vec<Event<'a>>,
    /// Trace and span ids, mostly of other traces' spans.
    pub(super) links: Vec<([u8; 16], [u8; 8])>,
    #[serde(borrow)]
    pub status: Status<'a>,
    /// Attributes and events that the limits of a span kept out.
    pub dropped: u64,
    /// What was cut because the span was too large.
    pub cut: Cut,
}

/// What is missing from a kept span.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// Texts of which only the beginning is kept.
    pub texts: u64,
    pub attributes: u64,
    pub events: u64,
}

/// A key and its value.
pub type Attribute<'a> = (&'a str, Value<'a>);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Value<'a> {
    Flag(bool),
    Whole(i64),
    Decimal(f64),
    #[serde(borrow)]
    Text(Cow<'a, str>),
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event<'a> {
    /// Since 1970.
    pub time_ns: u64,
    pub name: &'a str,
    #[serde(borrow)]
    pub attributes: Vec<Attribute<'a>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status<'a> {
    Unset,
    Ok,
    Error { description: &'a str },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "SpanKind")]
enum Kind {
    Client,
    Server,
    Producer,
    Consumer,
    Internal,
}

/// Appends the span to `out`, serialized as a [`Span`], without making one.
pub(super) fn write(span: &Recorded, out: &mut Vec<u8>) {
    // The format can write every type in a span.
    *out = postcard::to_extend(&Written(span), std::mem::take(out)).unwrap_or_default();
}

/// A recorded span that serializes as its [`Span`].
struct Written<'a>(&'a Recorded);

struct WrittenAttributes<'a>(&'a [KeyValue]);

struct WrittenEvents<'a>(&'a [opentelemetry::trace::Event]);

struct WrittenEvent<'a>(&'a opentelemetry::trace::Event);

struct WrittenKind<'a>(&'a SpanKind);

impl Serialize for Written<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(span) = self;
        let (start_ns, duration_ns) = times(span);
        let mut fields = serializer.serialize_struct("Span", 15)?;
        fields.serialize_field("id", &span.context.span_id().to_bytes())?;
        fields.serialize_field("parent_id", &span.parent_id.to_bytes())?;
        fields.serialize_field("is_local_root", &span.is_local_root())?;
        fields.serialize_field("is_sampled", &span.context.is_sampled())?;
        fields.serialize_field("tracestate", &span.context.trace_state().header())?;
        fields.serialize_field("kind", &WrittenKind(&span.kind))?;
        fields.serialize_field("scope", traces::SCOPE)?;
        fields.serialize_field("name", &*span.name)?;
        fields.serialize_field("start_ns", &start_ns)?;
        fields.serialize_field("duration_ns", &duration_ns)?;
        fields.serialize_field("attributes", &WrittenAttributes(&span.attributes))?;
        fields.serialize_field("events", &WrittenEvents(&span.events))?;
        fields.serialize_field("links", &[([0_u8; 16], [0_u8; 8]); 0][..])?;
        fields.serialize_field("status", &Status::of(&span.status))?;
        fields.serialize_field("dropped", &dropped(span))?;
        fields.serialize_field("cut", &Cut::default())?;
        fields.end()
    }
}

impl Serialize for WrittenKind<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Kind::serialize(self.0, serializer)
    }
}

impl Serialize for WrittenAttributes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|attribute| (attribute.key.as_str(), Value::of(&attribute.value))))
    }
}

impl Serialize for WrittenEvents<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(WrittenEvent))
    }
}

impl Serialize for WrittenEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(event) = self;
        let mut fields = serializer.serialize_struct("Event", 3)?;
        fields.serialize_field("time_ns", &nanos(event.timestamp))?;
        fields.serialize_field("name", &*event.name)?;
        fields.serialize_field("attributes", &WrittenAttributes(&event.attributes))?;
        fields.end()
    }
}

/// Returns when the span started, since 1970, and how long it took, nanoseconds.
fn times(span: &Recorded) -> (u64, u64) {
    let start_ns = nanos(span.start);
    (start_ns, nanos(span.end).saturating_sub(start_ns))
}

fn dropped(span: &Recorded) -> u64 {
    u64::from(span.attributes_dropped) + u64::from(span.events_dropped)
}

impl<'a> Span<'a> {
    pub(super) fn of(span: &'a Recorded) -> Self {
        let (start_ns, duration_ns) = times(span);
        Self {
            id: span.context.span_id().to_bytes(),
            parent_id: span.parent_id.to_bytes(),
            is_local_root: span.is_local_root(),
            is_sampled: span.context.is_sampled(),
            tracestate: span.context.trace_state().header().into(),
            kind: span.kind.clone(),
            scope: traces::SCOPE,
            name: &span.name,
            start_ns,
            duration_ns,
            attributes: attributes(&span.attributes),
            events: span.events.iter().map(Event::of).collect(),
            links: Vec::new(),
            status: Status::of(&span.status),
            dropped: dropped(span),
            cut: Cut::default(),
        }
    }

    pub fn id(&self) -> SpanId {
        SpanId::from_bytes(self.id)
    }

    pub fn parent_id(&self) -> Option<SpanId> {
        Some(SpanId::from_bytes(self.parent_id)).filter(|parent| *parent != SpanId::INVALID)
    }

    pub fn links(&self) -> impl Iterator<Item = (TraceId, SpanId)> {
        self.links.iter().map(|(trace_id, id)| (TraceId::from_bytes(*trace_id), SpanId::from_bytes(*id)))
    }

    /// Returns the value of an attribute.
    pub fn value(&self, key: &str) -> Option<&Value<'a>> {
        self.attributes.iter().find(|(own, _)| *own == key).map(|(_, value)| value)
    }

    pub const fn is_error(&self) -> bool {
        matches!(self.status, Status::Error { .. })
    }

    /// Returns what its error says; `None` if it didn't fail.
    pub const fn error(&self) -> Option<&'a str> {
        match self.status {
            Status::Error { description } => Some(description),
            Status::Unset | Status::Ok => None,
        }
    }

    /// Since 1970.
    pub const fn end_ns(&self) -> u64 {
        self.start_ns.saturating_add(self.duration_ns)
    }

    pub const fn start_us(&self) -> u64 {
        self.start_ns / 1_000
    }

    pub const fn duration_us(&self) -> u64 {
        self.duration_ns / 1_000
    }

    /// Cuts the span to at most `bytes_max` bytes and returns it serialized. Cuts its texts first, then its last
    /// events, then its last attributes. Its ids, times, status and name stay.
    pub(super) fn written_within(&mut self, bytes_max: usize) -> Vec<u8> {
        let mut texts = TEXTS_CUT.into_iter();
        loop {
            let written = self.written();
            if written.len() <= bytes_max {
                return written;
            }
            match texts.next() {
                Some(bytes) => self.cut_texts(bytes),
                None if !self.events.is_empty() => self.cut.events += halve(&mut self.events),
                None if !self.attributes.is_empty() => self.cut.attributes += halve(&mut self.attributes),
                None => return written,
            }
        }
    }

    fn cut_texts(&mut self, bytes_max: usize) {
        let of_events = self.events.iter_mut().flat_map(|event| &mut event.attributes);
        let cut = self.attributes.iter_mut().chain(of_events).filter_map(|(_, value)| value.cut(bytes_max));
        // A text that was cut before is cut again, and counted again.
        self.cut.texts = self.cut.texts.max(u64::try_from(cut.count()).unwrap_or(u64::MAX));
    }

    /// Returns the span serialized.
    pub(super) fn written(&self) -> Vec<u8> {
        // The format can write every type in a span.
        postcard::to_extend(self, Vec::new()).unwrap_or_default()
    }
}

impl<'a> Event<'a> {
    fn of(event: &'a opentelemetry::trace::Event) -> Self {
        Self { time_ns: nanos(event.timestamp), name: &event.name, attributes: attributes(&event.attributes) }
    }
}

impl<'a> Status<'a> {
    fn of(status: &'a OwnStatus) -> Self {
        match status {
            OwnStatus::Unset => Self::Unset,
            OwnStatus::Ok => Self::Ok,
            OwnStatus::Error { description } => Self::Error { description },
        }
    }
}

impl<'a> Value<'a> {
    pub(super) fn of(value: &'a OwnValue) -> Self {
        match value {
            OwnValue::Bool(flag) => Self::Flag(*flag),
            OwnValue::I64(number) => Self::Whole(*number),
            OwnValue::F64(number) => Self::Decimal(*number),
            other => Self::Text(other.as_str()),
        }
    }

    /// Cuts a longer text to its beginning; returns `None` if nothing was cut.
    fn cut(&mut self, bytes_max: usize) -> Option<()> {
        let Self::Text(text) = self else { return None };
        let kept = text.get(..text.floor_char_boundary(bytes_max)).filter(|kept| kept.len() < text.len())?;
        *text = format!("{}{CUT_SIGN}", kept.trim_end_matches(CUT_SIGN)).into();
        Some(())
    }

    /// Returns the value as text.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Flag(flag) => flag.to_string().into(),
            Self::Whole(number) => number.to_string().into(),
            Self::Decimal(number) => number.to_string().into(),
            Self::Text(text) => Cow::Borrowed(text),
        }
    }
}

impl Cut {
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

impl std::fmt::Display for Cut {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { texts, attributes, events } = self;
        write!(
            out,
            "too large to be kept as a whole: {texts} texts were cut, {events} events and {attributes} attributes left \
             out (traces.kept_mib)"
        )
    }
}

/// Keeps the first half, and returns how many entries were removed.
fn halve<T>(all: &mut Vec<T>) -> u64 {
    let kept = all.len() / 2;
    let gone = all.len() - kept;
    all.truncate(kept);
    u64::try_from(gone).unwrap_or(u64::MAX)
}

fn attributes(attributes: &[KeyValue]) -> Vec<Attribute<'_>> {
    attributes.iter().map(|attribute| (attribute.key.as_str(), Value::of(&attribute.value))).collect()
}

/// Returns the nanoseconds since 1970, 0 for a time before.
pub(super) fn nanos(time: SystemTime) -> u64 {
    u64::try_from(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

/// The spans of one trace. Cheap to clone; a clone doesn't see what is added later.
#[derive(Debug, Clone, Default)]
pub struct Spans {
    written: Arc<Vec<u8>>,
    count: usize,
}

impl Spans {
    pub const fn len(&self) -> usize {
        self.count
    }

    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Returns the spans in the order they started, a span before its children.
    pub fn in_order(&self) -> Vec<Span<'_>> {
        let mut spans = Vec::with_capacity(self.count);
        let mut rest = self.written.as_slice();
        while let Ok((span, after)) = postcard::take_from_bytes::<Span<'_>>(rest) {
            spans.push(span);
            rest = after;
        }
        spans.sort_by_key(|span| (span.start_ns, std::cmp::Reverse(span.duration_ns)));
        spans
    }

    /// Returns the memory that the spans take, bytes.
    pub(super) fn bytes(&self) -> usize {
        bytes_of(self.written.capacity())
    }

    /// Returns the memory that the spans would take with another one, bytes. `room` is what they should take at most.
    pub(super) fn bytes_with(&self, written: &[u8], room: usize) -> usize {
        bytes_of(self.capacity_with(written, room))
    }

    /// Grows by half, so that the buffer is seldom copied, or only as far as needed if there is little room.
    fn capacity_with(&self, written: &[u8], room: usize) -> usize {
        let (needed, capacity) = (self.written.len() + written.len(), self.written.capacity());
        let grown = needed.max(capacity + capacity / 2);
        match needed {
            _ if needed <= capacity => capacity,
            _ if bytes_of(grown) <= room => grown,
            _ => needed,
        }
    }

    pub(super) fn push(&mut self, written: &[u8], room: usize) {
        let capacity = self.capacity_with(written, room);
        let all = Arc::make_mut(&mut self.written);
        all.reserve_exact(capacity - all.len());
        all.extend_from_slice(written);
        self.count += 1;
    }
}

/// Adds an eighth, because an allocator's size classes are that far apart.
const fn bytes_of(capacity: usize) -> usize {
    capacity + capacity / 8
}
