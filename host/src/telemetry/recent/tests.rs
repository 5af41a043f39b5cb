use std::borrow::Cow;
use std::time::SystemTime;

use opentelemetry::Value;
use opentelemetry::trace::{Event, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceState};

use super::query::Seen;
use super::span::Cut;
use super::summary::{Filter, StatusFilter, Summary};
use super::*;

const SLOW: Duration = Duration::from_secs(1);

/// A span to be; a root of a quick success unless said otherwise.
#[derive(Clone)]
pub(super) struct Made {
    pub(super) trace: u128,
    pub(super) id: u64,
    pub(super) parent: u64,
    pub(super) remote: bool,
    pub(super) name: Cow<'static, str>,
    pub(super) took: Duration,
    pub(super) failed: bool,
    pub(super) attributes: Vec<KeyValue>,
}

pub(super) fn root(trace: u128) -> Made {
    let (took, name) = (Duration::from_millis(3), "POST /checkout".into());
    Made { trace, id: 1, parent: 0, remote: false, name, took, failed: false, attributes: Vec::new() }
}

pub(super) fn child(trace: u128, id: u64) -> Made {
    Made { id, parent: 1, name: "work".into(), ..root(trace) }
}

impl Made {
    pub(super) fn failed(self) -> Self {
        Self { failed: true, ..self }
    }

    pub(super) fn with(mut self, key: &'static str, value: impl Into<Value>) -> Self {
        self.attributes.push(KeyValue::new(key, value));
        self
    }

    fn span(self) -> Recorded {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + Duration::from_micros(self.id);
        let (trace_id, id) = (TraceId::from(self.trace), SpanId::from(self.id));
        Recorded {
            context: SpanContext::new(trace_id, id, TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_id: SpanId::from(self.parent),
            parent_is_remote: self.remote,
            kind: SpanKind::Internal,
            name: self.name,
            start,
            end: start + self.took,
            attributes: self.attributes,
            attributes_dropped: 0,
            events: Vec::new(),
            events_dropped: 0,
            status: if self.failed { Status::error("broken") } else { Status::Unset },
        }
    }
}

/// One shard, so that its order shows.
pub(super) fn recent(kib: usize) -> Recent {
    let resource = Resource::builder_empty().with_service_name("shop").build();
    Recent::new(Limits { bytes_max: kib << 10, line_bytes_max: 0, slow: SLOW }, &resource)
}

pub(super) fn add(recent: &Recent, spans: impl IntoIterator<Item = Made>) {
    for span in spans {
        recent.keep(&span.span());
    }
}

fn has(recent: &Recent, trace: u128) -> bool {
    recent.trace(TraceId::from(trace)).is_some()
}

fn names(recent: &Recent, trace: u128) -> Vec<String> {
    let kept = recent.trace(TraceId::from(trace)).expect("it is kept");
    kept.spans.in_order().into_iter().map(|span| span.name.to_owned()).collect()
}

/// Checks the bound and that the sums are those of the traces.
fn check_bound(recent: &Recent) {
    let Figures { traces, bytes, bytes_max, .. } = recent.figures();
    assert!(bytes <= bytes_max, "{bytes} of {bytes_max}");
    let kept = recent.select(|trace| Some(trace.bytes));
    assert_eq!(kept.len(), traces);
    assert!(kept.iter().sum::<usize>() <= bytes);
}

#[test]
fn a_trace_is_kept_once_its_local_root_has_ended() {
    let recent = recent(1024);
    add(&recent, [child(1, 2), child(1, 3)]);
    assert!(!has(&recent, 1));
    assert_eq!(recent.figures().traces, 0);
    add(&recent, [root(1)]);
    assert_eq!(names(&recent, 1), ["POST /checkout", "work", "work"]);

    // The child of a span in another process is one, too.
    add(&recent, [Made { remote: true, ..child(2, 1) }]);
    assert_eq!((has(&recent, 2), recent.figures().traces), (true, 2));
    check_bound(&recent);
}

#[test]
fn late_spans_are_added_and_may_make_a_trace_one_that_stays() {
    let recent = recent(64);
    add(&recent, [root(1)]);
    add(&recent, [Made { name: "late".into(), ..child(1, 9) }.failed()]);
    assert_eq!(names(&recent, 1), ["POST /checkout", "late"]);
    add(&recent, (100..1_000).map(root));
    assert!(has(&recent, 1), "an error outlives successes");
    check_bound(&recent);
}

#[test]
fn errors_and_slow_ones_outlive_successes() {
    let recent = recent(64);
    add(&recent, [root(1).failed(), Made { took: SLOW, ..root(2) }, Made { took: SLOW, ..child(3, 2) }, root(3)]);
    add(&recent, (100..10_000).map(root));
    assert_eq!([1, 2, 3].map(|trace| has(&recent, trace)), [true, true, false]);
    assert!(has(&recent, 9_999), "the newest is there");
    check_bound(&recent);
}

/// Issue 15.8: a client's slow sending counted as the host's time, and 600 malformed bodies pushed out an error.
#[test]
fn what_anybody_can_ask_for_nothing_goes_before_orders_and_errors() {
    let recent = recent(64);
    let answered = |trace: u128, method: &'static str, status: i64| {
        root(trace).with("http.request.method", method).with("http.response.status_code", status)
    };
    let orders = 1..=20;
    add(&recent, orders.clone().map(|trace| answered(trace, "POST", 200)));
    add(&recent, [answered(21, "POST", 502).failed(), Made { took: SLOW, ..answered(22, "GET", 200) }]);
    // Slow by what the client did, and slow by itself, wrong in each way, and with what a plugin marked as failed.
    for (flood, status) in [400, 404, 408, 413, 415, 422, 431, 501].into_iter().enumerate() {
        let traces = |first: usize| (first..first + 300).map(|at| u128::try_from(at).expect("small"));
        let first = 10_000 * (flood + 1);
        add(&recent, traces(first).map(|trace| answered(trace, "POST", status)));
        add(&recent, traces(first + 1_000).map(|trace| Made { took: 2 * SLOW, ..answered(trace, "POST", status) }));
        add(
            &recent,
            traces(first + 2_000).flat_map(|trace| [child(trace, 2).failed(), answered(trace, "PUT", status)]),
        );
        add(&recent, traces(first + 3_000).map(|trace| answered(trace, "GET", 200)));
        check_bound(&recent);
    }
    for trace in orders.chain([21, 22]) {
        assert!(has(&recent, trace), "{trace}");
    }
    assert!(has(&recent, 83_299), "the newest is there, whatever it is");
    check_bound(&recent);
}

#[test]
fn slow_is_what_the_host_took_without_its_client() {
    let recent = recent(64);
    let lasted = |trace: u128, took: Duration, waited_ms: i64| {
        add(&recent, [Made { took, ..root(trace) }.with("client.wait_ms", waited_ms)]);
        Summary::of(&recent.trace(TraceId::from(trace)).expect("it is kept")).expect("a row").duration_us
    };
    assert_eq!(lasted(1, 5 * SLOW, 4_500), 500_000);
    assert_eq!(lasted(2, 5 * SLOW, 4_000), 1_000_000);
    assert_eq!(lasted(3, SLOW, 2_000), 0, "a clock that was put back");
    let slowest = recent.first(3, |root| root.took_ns, |trace| Some(trace.trace_id));
    assert_eq!(slowest, [2, 1, 3].map(TraceId::from));
    add(&recent, (100..1_000).map(root));
    assert_eq!([1, 2, 3].map(|trace| has(&recent, trace)), [false, true, false]);
}

#[test]
fn errors_leave_half_to_successes() {
    let recent = recent(64);
    add(&recent, (0..5_000).map(|trace| root(100 + trace).failed()));
    let errors = recent.figures();
    assert!(errors.bytes > errors.bytes_max / 4 * 3, "alone they have it all: {errors:?}");
    add(&recent, (0..5_000).map(|trace| root(10_000 + trace)));
    let kept = recent.select(Summary::of);
    let errors = kept.iter().filter(|trace| trace.is_error).count();
    assert!((kept.len() / 3..=kept.len() / 2).contains(&errors), "{errors} of {}", kept.len());
    assert!(has(&recent, 5_099), "the newest error is there");
    check_bound(&recent);
}

#[test]
fn the_bound_holds_in_a_flood() {
    let recent = recent(256);
    let long = "x".repeat(4_096);
    for trace in 0..3_000_u128 {
        let hostile = match trace % 4 {
            0 => root(trace),
            // A root that never comes.
            1 => child(trace, 2),
            2 => (0..40).fold(root(trace), |root, _| root.with("text", long.clone())),
            _ => Made { name: long.clone().into(), ..root(trace).failed() },
        };
        add(&recent, [hostile]);
        check_bound(&recent);
    }
    assert!(recent.figures().evicted > 2_000);
}

#[test]
fn one_trace_id_for_ever_is_one_bounded_trace() {
    let recent = recent(1024);
    let kept = |recent: &Recent| recent.trace(TraceId::from(7)).expect("it is kept");
    add(&recent, (1..=5_000).map(|id| Made { id, remote: true, ..root(7) }));
    let trace = kept(&recent);
    assert!(trace.spans.len() <= 1_000 && trace.bytes <= recent.figures().bytes_max / 8);
    assert_eq!(trace.spans.len() as u64 + trace.spans_dropped, 5_000);
    // It goes like any other, and begins anew.
    add(&recent, (100..5_000).map(root));
    add(&recent, [root(7)]);
    assert_eq!(kept(&recent).spans.len(), 1);
    check_bound(&recent);
}

#[test]
fn a_root_is_taken_however_full_its_trace_is() {
    let recent = recent(1024);
    add(&recent, (2..2_000).map(|id| child(7, id)));
    add(&recent, [root(7)]);
    assert!(names(&recent, 7).contains(&"POST /checkout".to_owned()));
    check_bound(&recent);
}

/// Issue 15.7: a call's span within all documented limits, 110 events of 8 texts of 1,000 bytes, was left out.
#[test]
fn a_span_that_is_too_large_is_cut_and_says_so() {
    let recent = recent(64 << 10);
    let text = "\u{e9}".repeat(500);
    let large = |id: u64| {
        let mut span = Made { name: "checkout_transaction".into(), ..child(7, id) }.with("why", text.clone()).span();
        let fields: Vec<_> = (0..8).map(|_| KeyValue::new("text", text.clone())).collect();
        let event = || Event::new("happened", span.end, fields.clone(), 0);
        span.events.extend((0..110).map(|_| event()));
        span
    };
    for id in 2..40 {
        recent.keep(&large(id));
    }
    add(&recent, [root(7)]);
    let trace = recent.trace(TraceId::from(7)).expect("it is kept");
    assert_eq!((trace.spans.len(), trace.spans_dropped), (39, 0));
    let spans = trace.spans.in_order();
    let first = spans.iter().find(|span| span.id() == SpanId::from(2)).expect("it is there");
    assert_eq!((first.events.len(), first.cut), (110, Cut { texts: 881, attributes: 0, events: 0 }));
    assert_eq!(
        first.value("why").map(|text| text.text().into_owned()),
        Some(format!("{}\u{2026}", "\u{e9}".repeat(32)))
    );
    // The spans that end last still fit, shortened.
    let last = spans.iter().find(|span| span.id() == SpanId::from(39)).expect("it is there");
    assert!(last.cut.events > 0 && last.value("why").is_some(), "{:?}", last.cut);
    let told = serde_json::to_string(&jaeger::Trace::of(&trace, recent.process())).expect("JSON");
    assert!(
        told.contains("too large to be kept as a whole: 881 texts were cut, 0 events and 0 attributes"),
        "{told:.2000}"
    );
    check_bound(&recent);
}

#[test]
fn what_never_ends_is_swept() {
    let mut shard = Shard::new(shard::Limits::new(1 << 20, SLOW));
    let (began, id) = (Instant::now(), TraceId::from(1));
    let mut add = |made: Made, now| {
        let made = made.span();
        let (id, root) = (made.context.trace_id(), LocalRoot::of(&made));
        let gone = shard.add_span(id, &made, root, &written(&made), now).len();
        (gone, shard.figures().evicted)
    };
    assert_eq!(add(child(1, 2), began), (0, 0));
    assert_eq!(add(root(2), began + Duration::from_secs(60)), (0, 0));
    assert_eq!(add(root(3), began + Duration::from_secs(121)), (1, 1));
    assert!(shard.kept(id).is_none());
}

#[test]
fn lines_are_kept_with_their_trace_and_bounded() {
    let recent = recent(1024);
    let line = |text: &str| Line {
        time: SystemTime::now(),
        level: "INFO",
        message: text.to_owned(),
        target: "guest",
        span_id: SpanId::from(1),
        fields: vec![("plugin", FieldValue::Text("checkout/a@1".to_owned()))],
    };
    let id = TraceId::from(1);
    recent.0.add_line(id, Arc::new(line("before")));
    assert!(recent.trace(id).is_none());
    add(&recent, [root(1)]);
    recent.0.add_line(id, Arc::new(line("late")));
    let messages = |kept: &KeptTrace| kept.lines.iter().map(|line| line.message.clone()).collect::<Vec<_>>();
    assert_eq!(messages(&recent.trace(id).expect("it is kept")), ["before", "late"]);
    for _ in 0..1_000 {
        recent.0.add_line(id, Arc::new(line(&"x".repeat(4_000))));
    }
    let kept = recent.trace(id).expect("it is kept");
    assert!(kept.lines.len() <= 256 && kept.bytes <= recent.figures().bytes_max / 8, "{}", kept.bytes);
    assert_eq!(kept.lines.len() as u64 + kept.lines_dropped, 1_002);
    check_bound(&recent);
}

#[test]
fn a_flood_of_lines_is_bounded() {
    let recent = recent(256);
    for trace in 0..5_000_u128 {
        let fields = vec![("text", FieldValue::Text("x".repeat(1_000)))];
        let (time, span_id) = (SystemTime::now(), SpanId::from(1));
        let line = Line { time, level: "INFO", message: "y".repeat(1_000), target: "guest", span_id, fields };
        recent.0.add_line(TraceId::from(trace), Arc::new(line));
        check_bound(&recent);
    }
}

#[test]
fn a_summary_is_the_local_roots_and_says_what_was_called() {
    let recent = recent(1024);
    let call = |id, name: &'static str, kind: &'static str, outcome: &'static str| {
        Made { name: name.into(), ..child(1, id) }
            .with("plugin.kind", kind)
            .with("plugin.name", "own")
            .with("plugin.version", "1.2.0")
            .with("plugin.digest", "0123456789ab")
            .with("plugin.outcome", outcome)
    };
    add(
        &recent,
        [
            call(3, "inventory_deduct_span", "inventory", "insufficient_stock")
                .with("inventory.item", "laptop")
                .with("plugin.number", 4)
                .with("plugin.same_file_as", 2)
                .with("plugin.rollout", "canary"),
            call(4, "plugin_shadow", "checkout", "trap").with("plugin.rollout", "shadow"),
            call(2, "checkout_transaction", "checkout", "ok")
                .with("plugin.rollout", "live")
                .with("order.item", "multiple")
                .with("order.reference", "r-1"),
            Made { took: Duration::from_millis(30), ..root(1) }
                .with("http.route", "/checkout")
                .with("http.response.status_code", 200),
        ],
    );
    let summary = recent.trace(TraceId::from(1)).and_then(|trace| Summary::of(&trace)).expect("a row");
    let version = |kind: &str, more: serde_json::Value| {
        let mut version =
            serde_json::json!({ "kind": kind, "name": "own", "version": "1.2.0", "digest": "0123456789ab" });
        for (key, value) in more.as_object().expect("an object") {
            version[key] = value.clone();
        }
        version
    };
    let expected = serde_json::json!({
        "trace_id": "00000000000000000000000000000001",
        "start_us": 1_700_000_000_000_001_u64,
        "duration_us": 30_000,
        "name": "POST /checkout",
        "route": "/checkout",
        "status": 200,
        "outcome": "ok",
        "is_error": false,
        "spans": 4,
        "plugins": ["checkout/own@1.2.0+0123456789ab", "inventory/own@1.2.0+0123456789ab"],
        "versions": [
            version("checkout", serde_json::json!({ "rollout": "live" })),
            version("inventory", serde_json::json!({ "rollout": "canary", "number": 4, "same_file_as": 2 })),
            version("checkout", serde_json::json!({ "rollout": "shadow" })),
        ],
        "item": "multiple",
        "reference": "r-1",
    });
    assert_eq!(serde_json::to_value(&summary).expect("JSON"), expected);
    check_filters(&recent.trace(TraceId::from(1)).expect("it is kept"), &summary);
}

fn check_filters(trace: &KeptTrace, summary: &Summary) {
    let text = |text: &str| Some(text.to_owned());
    let ms = |ms| Some(Duration::from_millis(ms));
    let none = Filter::default;
    for (filter, expected) in [
        (none(), true),
        (Filter { route: text("/checkout"), ..none() }, true),
        (Filter { route: text("/check"), ..none() }, false),
        (Filter { status: StatusFilter::parse("200"), ..none() }, true),
        (Filter { status: StatusFilter::parse("2xx"), ..none() }, true),
        (Filter { status: StatusFilter::parse("5xx"), ..none() }, false),
        (Filter { outcome: text("ok"), ..none() }, true),
        (Filter { outcome: text("trap"), ..none() }, false),
        (Filter { plugin: text("inventory/own@1.2"), ..none() }, true),
        (Filter { plugin: text("+0123"), ..none() }, true),
        (Filter { plugin: text("own@2"), ..none() }, false),
        (Filter { item: text("multiple"), ..none() }, true),
        (Filter { item: text("laptop"), ..none() }, false),
        (Filter { min: ms(30), max: ms(30), ..none() }, true),
        (Filter { min: ms(31), ..none() }, false),
        (Filter { max: ms(29), ..none() }, false),
        (Filter { errors: Some(false), ..none() }, true),
        (Filter { errors: Some(true), ..none() }, false),
        (Filter { trace_id: text("0000000000"), ..none() }, true),
        (Filter { trace_id: text("1"), ..none() }, false),
        (Filter { after_us: Some(summary.start_us), before_us: Some(summary.start_us), ..none() }, true),
        (Filter { after_us: Some(summary.start_us + 1), ..none() }, false),
        (Filter { before_us: Some(summary.start_us - 1), ..none() }, false),
    ] {
        assert_eq!(Seen::read(trace, |seen| Some(filter.takes(&seen))), Some(expected), "{filter:?}");
    }
    for text in ["", "x", "99", "600", "0xx", "6xx", "xx", "4XX"] {
        assert_eq!(StatusFilter::parse(text), None, "{text}");
    }
}

fn written(span: &Recorded) -> Vec<u8> {
    let mut written = Vec::new();
    write(span, &mut written);
    written
}

#[test]
fn what_is_written_of_a_span_is_read_again() {
    let state = TraceState::from_key_value([("vendor", "value")]).expect("a state");
    let mut whole =
        Made { parent: 3, ..root(9) }.failed().with("share", 0.5).with("list", Value::Array(vec![1].into()));
    whole.name = "x".repeat(5_000).into();
    let mut whole = whole.span();
    whole.kind = SpanKind::Consumer;
    (whole.attributes_dropped, whole.events_dropped) = (200, 3);
    whole.context = SpanContext::new(TraceId::from(9), SpanId::from(u64::MAX), TraceFlags::default(), false, state);
    let fields = vec![KeyValue::new("why", "\u{202e}"), KeyValue::new("flag", true)];
    whole.events.push(Event::new("happened", whole.end, fields, 0));
    let bare = root(9).span();

    let mut spans = Spans::default();
    for span in [&whole, &bare] {
        let written = written(span);
        let before = spans.bytes_with(&written, usize::MAX);
        spans.push(&written, usize::MAX);
        assert_eq!(spans.bytes(), before, "what it takes is known before");
        assert_eq!(Span::of(span).written(), written, "a span that is cut is written in the same way");
    }
    let earlier = spans.clone();
    spans.push(&written(&bare), usize::MAX);
    let (whole, bare) = (Span::of(&whole), Span::of(&bare));
    assert_eq!(earlier.in_order(), [whole.clone(), bare.clone()]);
    assert_eq!(spans.in_order(), [whole.clone(), bare.clone(), bare]);
    assert_eq!((whole.id(), whole.parent_id()), (SpanId::from(u64::MAX), Some(SpanId::from(3))));
    assert_eq!(whole.dropped, 203);
}

#[test]
fn a_kept_span_has_its_links() {
    let linked = (TraceId::from(9), SpanId::from(7));
    let bare = root(9).span();
    let mut span = Span::of(&bare);
    span.links.push((linked.0.to_bytes(), linked.1.to_bytes()));
    let mut spans = Spans::default();
    spans.push(&span.written(), usize::MAX);
    assert_eq!(spans.in_order()[0].links().collect::<Vec<_>>(), [linked]);
}

#[test]
fn a_span_is_told_as_jaeger_tells_it() {
    let recent = recent(1024);
    let mut failed = Made { remote: true, ..child(1, 2) }
        .failed()
        .with("whole", 3)
        .with("large", i64::MAX)
        .with("share", 0.5)
        .with("flag", true)
        .with("list", Value::Array(vec![1, 2].into()))
        .span();
    let at = failed.start;
    let fields = vec![KeyValue::new("why", "<b>\u{1b}[2J\u{202e}")];
    failed.events.push(Event::new("happened", at, fields, 0));
    recent.keep(&failed);
    let trace = recent.trace(TraceId::from(1)).expect("it is kept");
    let tag = |key: &str, r#type: &str, value: serde_json::Value| serde_json::json!({ "key": key, "type": r#type, "value": value });
    let expected = serde_json::json!({
        "traceID": "00000000000000000000000000000001",
        "spans": [{
            "traceID": "00000000000000000000000000000001",
            "spanID": "0000000000000002",
            "flags": 1,
            "operationName": "work",
            "references": [{
                "refType": "CHILD_OF",
                "traceID": "00000000000000000000000000000001",
                "spanID": "0000000000000001",
            }],
            "startTime": 1_700_000_000_000_002_u64,
            "duration": 3_000,
            "tags": [
                tag("error", "bool", true.into()),
                tag("flag", "bool", true.into()),
                tag("large", "int64", "9223372036854775807".into()),
                tag("list", "string", "[1,2]".into()),
                tag("otel.scope.name", "string", "till".into()),
                tag("otel.status_code", "string", "ERROR".into()),
                tag("otel.status_description", "string", "broken".into()),
                tag("share", "float64", 0.5.into()),
                tag("span.kind", "string", "internal".into()),
                tag("whole", "int64", 3.into()),
            ],
            "logs": [{
                "timestamp": 1_700_000_000_000_002_u64,
                "fields": [
                    tag("event", "string", "happened".into()),
                    tag("why", "string", "<b>\u{1b}[2J\u{202e}".into()),
                ],
            }],
            "processID": "p1",
            "warnings": null,
        }],
        "processes": { "p1": { "serviceName": "shop", "tags": [] } },
        "warnings": null,
    });
    assert_eq!(serde_json::to_value(jaeger::Trace::of(&trace, recent.process())).expect("JSON"), expected);
}
