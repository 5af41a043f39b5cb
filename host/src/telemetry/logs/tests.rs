use std::sync::{Arc, Mutex};

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

use super::*;
use crate::telemetry::traces::with_span;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Returns the log written by `work`, without the timestamp of each line.
fn log(format: LogFormat, level: &str, work: impl FnOnce()) -> String {
    let buffer = Buffer::default();
    let writer = buffer.clone();
    let settings = LogSettings::new(format, level, "warn").unwrap();
    let subscriber = tracing_subscriber::registry().with(layer(&settings, move || writer.clone()));
    tracing::subscriber::with_default(subscriber, work);
    String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap()
}

/// What says nothing of its level is made by each library, at any level, and thrown away.
#[test]
fn the_log_says_which_levels_it_writes() {
    for (level, most) in
        [("info", LevelFilter::INFO), ("warn,till=debug", LevelFilter::DEBUG), ("trace", LevelFilter::TRACE)]
    {
        let settings = LogSettings::new(LogFormat::Json, level, "warn").unwrap();
        let layer: Box<dyn Layer<tracing_subscriber::Registry> + Send + Sync> = layer(&settings, io::sink);
        let subscriber = tracing_subscriber::registry().with(layer);
        assert_eq!(Subscriber::max_level_hint(&subscriber), Some(most), "{level}");
    }
}

fn span() -> SpanContext {
    let trace_id = TraceId::from(0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c_u128);
    SpanContext::new(
        trace_id,
        SpanId::from(0xb7ad_6b71_6920_3331_u64),
        TraceFlags::NOT_SAMPLED,
        false,
        TraceState::NONE,
    )
}

#[test]
fn a_json_line_has_everything_flat() {
    let text = log(LogFormat::Json, "info", || {
        with_span(&span(), || {
            let error = io::Error::other("disk \"gone\"");
            tracing::warn!(target: "till::test", plugin = "a@1", count = 3_u64, share = 0.5, on = true, error = %error, "order {} late", 7);
        });
    });
    let (_, line) = text.split_once("Z\",").unwrap();
    assert_eq!(
        line,
        concat!(
            r#""level":"WARN","message":"order 7 late","target":"till::test","#,
            r#""trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","#,
            r#""plugin":"a@1","count":3,"share":0.5,"on":true,"error":"disk \"gone\""}"#,
            "\n"
        )
    );
    assert!(text.starts_with("{\"timestamp\":\"20"), "{text}");
}

#[test]
fn outside_of_a_span_there_are_no_ids() {
    let text = log(LogFormat::Json, "info", || tracing::info!(trace_id = "forged", level = "forged", "hello"));
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (line["message"].as_str(), line["level"].as_str(), line.get("trace_id")),
        (Some("hello"), Some("INFO"), None)
    );
}

#[test]
fn guests_cannot_break_a_line() {
    const EVIL: &str = "a\r\nb\u{1b}[2Jc\0d\u{9b}e\u{202e}f";
    for format in [LogFormat::Json, LogFormat::Pretty] {
        let text = log(format, "info", || tracing::info!(plugin = EVIL, shown = %EVIL, "{EVIL}"));
        let (line, rest) = text.split_once('\n').unwrap();
        assert_eq!(rest, "");
        assert!(!line.contains(['\r', '\u{1b}', '\0']), "{line:?}");
    }
    let text = log(LogFormat::Pretty, "info", || tracing::info!(target: "t", plugin = EVIL, "ü {EVIL}"));
    let shown = r"a\r\nb\u{1b}[2Jc\u{0}d\u{9b}e\u{202e}f";
    assert!(text.ends_with(&format!("Z  INFO t: ü {shown} plugin={shown}\n")), "{text}");
}

#[test]
fn the_pretty_line_has_the_short_trace_id() {
    let text = log(LogFormat::Pretty, "info", || {
        with_span(&span(), || tracing::error!(target: "t", after_ms = 5, why = ?Some("x"), "no"));
    });
    assert!(text.ends_with("Z ERROR t: no after_ms=5 why=Some(\"x\") trace=0af76519\n"), "{text}");
}

#[test]
fn the_filter_keeps_the_sdk_quiet() {
    let lines = |level: &str| {
        let text = log(LogFormat::Pretty, level, || {
            tracing::info!(target: "till::app", "own");
            tracing::debug!(target: "till::app", "detail");
            tracing::info!(target: "opentelemetry-otlp", "chatter");
            tracing::warn!(target: "opentelemetry_sdk", "trouble");
        });
        text.lines().filter_map(|line| line.rsplit(' ').next().map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(lines("info"), ["own", "trouble"]);
    assert_eq!(lines("warn,till=debug"), ["own", "detail", "trouble"]);
    assert_eq!(lines("info,opentelemetry=info"), ["own", "chatter", "trouble"]);
    assert_eq!(lines("off,opentelemetry=off"), Vec::<String>::new());
}

#[test]
fn what_the_host_says_by_itself_is_left_out() {
    let text = log(LogFormat::Pretty, "info", || {
        tracing::error!(name: "BatchSpanProcessor.ExportError", target: "opentelemetry_sdk", "lost");
        tracing::error!(name: "BatchSpanProcessor.Shutdown.Timeout", target: "opentelemetry_sdk", "unsent");
        tracing::warn!(name: "TonicTracesClient.PartialSuccess", target: "opentelemetry-otlp", "rejected");
    });
    assert!(text.ends_with(" opentelemetry-otlp: rejected\n") && text.lines().count() == 1, "{text}");
}

#[test]
fn lines_of_recorded_spans_reach_the_recent_traces_whatever_the_format() {
    use crate::telemetry::{
        recent::NumberedLine,
        traces::{Sink, Tracer},
    };
    use std::time::Duration;

    for format in [LogFormat::Json, LogFormat::Pretty] {
        let limits = recent::Limits { bytes_max: 1 << 20, line_bytes_max: 1 << 20, slow: Duration::from_secs(1) };
        let kept = recent::Recent::new(limits, &opentelemetry_sdk::Resource::builder_empty().build());
        let tracer = Tracer::recording(Sink::new(Some(kept.clone()), None, Vec::new()));
        let root = tracer.start("root", opentelemetry::trace::SpanKind::Server, None, Vec::new());
        let context = root.context().clone();
        log(format, "info", || {
            tracing::warn!("of no span");
            with_span(&span(), || tracing::warn!("of a span that isn't recorded"));
            with_span(&context, || {
                tracing::debug!("below the level");
                tracing::warn!(target: "guest", plugin = "checkout/a@1", count = 3_u64, on = true, "said \u{1b}<b>");
            });
        });
        root.end();
        let trace = kept.trace(context.trace_id()).unwrap();
        let [line] = &trace.lines[..] else { panic!("{:?}", trace.lines) };
        assert_eq!((line.level, &*line.message, line.target), ("WARN", "said \u{1b}<b>", "guest"));
        assert_eq!(line.span_id, context.span_id());
        let fields = [
            ("plugin", recent::FieldValue::Text("checkout/a@1".to_owned())),
            ("count", recent::FieldValue::Large(3)),
            ("on", recent::FieldValue::Flag(true)),
        ];
        assert_eq!(line.fields, fields);

        // Other tests' lines may be among them.
        let said = |line: &NumberedLine| {
            ["of no span", "of a span", "said"].iter().any(|text| line.line.message.starts_with(text))
        };
        let last = kept.last_lines(None, 10, said);
        let last: Vec<_> = last.lines.iter().map(|line| (&*line.line.message, line.trace_id)).collect();
        let id = context.trace_id();
        let expected = [("of no span", None), ("of a span that isn't recorded", None), ("said \u{1b}<b>", Some(id))];
        assert_eq!(last, expected);
    }
}
