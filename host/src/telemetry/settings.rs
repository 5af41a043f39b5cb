//! What the environment says about telemetry, read once into values that can't be wrong.
//!
//! The variables are OpenTelemetry's own. The Rust SDK honours only some of them, and a few not as specified (no
//! `OTEL_SDK_DISABLED`, no exporter lists, port 4317 taken for HTTP), so everything that chooses an exporter is decided
//! here. Left to the SDK: `OTEL_EXPORTER_OTLP_*HEADERS`, `*COMPRESSION`, `OTEL_BSP_SCHEDULE_DELAY`,
//! `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, the same of `OTEL_BLRP` and `OTEL_METRIC_EXPORT_INTERVAL`.
//!
//! An invalid value causes a warning and its default applies, as OpenTelemetry wants. Only an unusable endpoint is an
//! error, because it would silently lose every span.

mod environment;

use super::export::{Exporter, Room, Signal};
use super::logs::LogSettings;
use super::propagation::Propagator;
use super::recent;
use super::recorded;
use super::sampling::{Sampling, TailLimits};
use environment::Environment;

/// The most spans that wait for their export. OpenTelemetry's default; about 2 MiB of spans.
const SPAN_QUEUE_MAX: usize = 2048;
/// The most log lines that wait for their export. OpenTelemetry's default.
const RECORD_QUEUE_MAX: usize = 2048;

/// The shape of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line, for machines.
    Json,
    /// One readable line an event, for terminals.
    Pretty,
}

/// All settings of telemetry.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    pub(super) service_name: String,
    /// The operator's attributes of the resource, which win over the host's own.
    pub(super) resource_attributes: Vec<(String, String)>,
    pub(super) sampling: Sampling,
    /// Empty if no traces leave the process.
    pub(super) traces: Vec<Exporter>,
    /// Besides the Prometheus page, which is always there.
    pub(super) metrics: Vec<Exporter>,
    /// Besides stderr.
    pub(super) log_exporters: Vec<Exporter>,
    pub(super) propagator: Propagator,
    pub(super) logs: LogSettings,
    /// Three capital letters, a part of a metric's name.
    pub(super) currency_code: String,
    pub(super) span_room: Room,
    pub(super) record_room: Room,
    pub(super) span_limits: recorded::Limits,
    /// The limits of recent traces; `None` keeps none.
    recent: Option<recent::Limits>,
    /// Which traces are sent on; `None` sends all of them.
    tail: Option<TailLimits>,
    /// Warnings to be logged once the log is installed.
    pub(super) warnings: Vec<String>,
}

/// A setting with which telemetry can't start.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error("{variable}={value}: {reason}")]
    Endpoint { variable: String, value: String, reason: &'static str },
    #[error("log level {value:?}: {reason}")]
    LogLevel { value: String, reason: String },
    #[error("currency code {value:?} isn't three capital letters")]
    Currency { value: String },
}

impl Settings {
    /// Reads the settings. `variable` returns an environment variable, from a map in tests.
    ///
    /// # Errors
    /// For an OTLP endpoint that isn't a plain `http` address, a log level that isn't a filter, and a
    /// currency code that can't be in a metric's name.
    pub fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
        log_format: LogFormat,
        log_level: &str,
        currency_code: &str,
    ) -> Result<Self, SettingsError> {
        if currency_code.len() != 3 || !currency_code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            return Err(SettingsError::Currency { value: currency_code.to_owned() });
        }
        let mut environment = Environment::of(variable);
        let enabled = !environment.text("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let mut resource_attributes = environment.resource_attributes();
        let service_name = environment.service_name(&mut resource_attributes);

        Ok(Self {
            service_name,
            resource_attributes,
            sampling: if enabled { environment.sampling() } else { Sampling::Off },
            traces: if enabled { environment.exporters(Signal::Traces)? } else { Vec::new() },
            metrics: if enabled { environment.exporters(Signal::Metrics)? } else { Vec::new() },
            log_exporters: if enabled { environment.exporters(Signal::Logs)? } else { Vec::new() },
            propagator: environment.propagator(),
            logs: environment.logs(log_format, log_level)?,
            currency_code: currency_code.to_owned(),
            span_room: environment.room("OTEL_BSP_MAX_QUEUE_SIZE", SPAN_QUEUE_MAX),
            record_room: environment.room("OTEL_BLRP_MAX_QUEUE_SIZE", RECORD_QUEUE_MAX),
            span_limits: environment.span_limits(),
            recent: None,
            tail: None,
            warnings: environment.warnings,
        })
    }

    /// Keeps recent traces in memory, within `limits`; none with 0 bytes.
    #[must_use]
    pub fn keeping(mut self, limits: recent::Limits) -> Self {
        self.recent = Some(limits).filter(|limits| limits.bytes_max > 0);
        self
    }

    /// Sends on the traces with an error, the slow ones, and a share of the rest.
    #[must_use]
    pub fn sending(mut self, limits: TailLimits) -> Self {
        self.tail = Some(limits).filter(|limits| limits.share < 1.0);
        self
    }

    /// Limits the memory of the spans that wait for their export, and of the log lines that do, to `bytes_max` each.
    #[must_use]
    pub const fn queueing(mut self, bytes_max: usize) -> Self {
        (self.span_room.bytes, self.record_room.bytes) = (bytes_max, bytes_max);
        self
    }

    /// Returns which traces are sent on; `None` if all are or none is.
    pub(super) fn tail_limits(&self) -> Option<TailLimits> {
        self.tail.filter(|_| self.sampling != Sampling::Off && !self.traces.is_empty())
    }

    /// Returns the limits of recent traces; `None` if nothing is recorded or kept.
    pub(super) fn recent_limits(&self) -> Option<recent::Limits> {
        self.recent.filter(|_| self.sampling != Sampling::Off)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::export::Transport;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let variable =
            |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::from_environment(variable, LogFormat::Json, "info", "USD")
    }

    /// Returns the settings, after asserting that there are no warnings.
    fn quiet(variables: &[(&str, &str)]) -> Settings {
        let settings = read(variables).unwrap();
        assert_eq!(settings.warnings, Vec::<String>::new(), "{variables:?}");
        settings
    }

    fn endpoint(exporters: &[Exporter]) -> (&str, Transport) {
        match exporters {
            [Exporter::Otlp(endpoint)] => (endpoint.url(), endpoint.transport()),
            other => panic!("not one OTLP exporter: {other:?}"),
        }
    }

    #[test]
    fn nothing_set_keeps_everything_at_home() {
        let settings = quiet(&[("OTEL_TRACES_EXPORTER", ""), ("OTEL_EXPORTER_OTLP_ENDPOINT", " ")]);
        assert_eq!((settings.traces, settings.metrics), (vec![], vec![]));
        assert_eq!(settings.sampling, Sampling::ParentOn);
        assert_eq!(settings.service_name, "order-service");
    }

    #[test]
    fn endpoints_choose_transport_and_path() {
        const GENERAL: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
        const OWN: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
        const PROTOCOL: &str = "OTEL_EXPORTER_OTLP_PROTOCOL";
        for (variables, url, transport) in [
            // The port decides where no protocol does; the scheme may be missing.
            (&[(GENERAL, "http://jaeger:4317")][..], "http://jaeger:4317", Transport::Grpc),
            (&[(GENERAL, "jaeger:4317")], "http://jaeger:4317", Transport::Grpc),
            (&[(GENERAL, "http://jaeger:4318")], "http://jaeger:4318/v1/traces", Transport::Http),
            (&[(GENERAL, "http://jaeger:4318/")], "http://jaeger:4318/v1/traces", Transport::Http),
            (&[(GENERAL, "collector/otlp")], "http://collector/otlp/v1/traces", Transport::Http),
            (&[(GENERAL, "http://c:4317"), (PROTOCOL, "http/protobuf")], "http://c:4317/v1/traces", Transport::Http),
            (&[(GENERAL, "http://c:9999"), (PROTOCOL, "grpc")], "http://c:9999", Transport::Grpc),
            // A signal's own endpoint is taken whole, and its own protocol wins.
            (&[(OWN, "http://c:4318/spans"), (GENERAL, "http://d:1")], "http://c:4318/spans", Transport::Http),
            (
                &[(OWN, "http://c:1"), (PROTOCOL, "http/protobuf"), ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "grpc")],
                "http://c:1",
                Transport::Grpc,
            ),
            // An exporter without an endpoint has OpenTelemetry's default.
            (&[("OTEL_TRACES_EXPORTER", "otlp")], "http://localhost:4318/v1/traces", Transport::Http),
            (&[("OTEL_TRACES_EXPORTER", "otlp"), (PROTOCOL, "grpc")], "http://localhost:4317", Transport::Grpc),
        ] {
            let settings = quiet(variables);
            assert_eq!(endpoint(&settings.traces), (url, transport), "{variables:?}");
            assert_eq!(settings.metrics, [], "{variables:?}");
        }
        let pushed = quiet(&[("OTEL_METRICS_EXPORTER", "otlp"), (GENERAL, "http://c:4318")]);
        assert_eq!(endpoint(&pushed.metrics), ("http://c:4318/v1/metrics", Transport::Http));
        assert_eq!(endpoint(&quiet(&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "c:4317")]).metrics).1, Transport::Grpc);
    }

    #[test]
    fn unusable_endpoints_are_errors() {
        for value in ["https://collector:4317", "unix:///run/otel", "http://", "not a url", "http://c:99999"] {
            let error = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", value)]).unwrap_err();
            assert!(error.to_string().starts_with(&format!("OTEL_EXPORTER_OTLP_ENDPOINT={value}: ")), "{error}");
        }
    }

    #[test]
    fn exporters_are_lists() {
        let settings = quiet(&[
            ("OTEL_TRACES_EXPORTER", "console, otlp,console"),
            ("OTEL_METRICS_EXPORTER", "console,prometheus"),
        ]);
        assert_eq!(settings.traces.len(), 2);
        assert_eq!(settings.traces.first(), Some(&Exporter::Console));
        assert_eq!(settings.metrics, [Exporter::Console]);
        assert_eq!(quiet(&[("OTEL_TRACES_EXPORTER", "none"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "c:4317")]).traces, []);
    }

    #[test]
    fn a_disabled_sdk_records_and_sends_nothing() {
        let settings = quiet(&[
            ("OTEL_SDK_DISABLED", "TRUE"),
            ("OTEL_TRACES_EXPORTER", "otlp"),
            ("OTEL_METRICS_EXPORTER", "otlp"),
            ("OTEL_TRACES_SAMPLER", "always_on"),
        ]);
        assert_eq!((settings.sampling, settings.traces, settings.metrics), (Sampling::Off, vec![], vec![]));
        assert_eq!(quiet(&[("OTEL_SDK_DISABLED", "yes")]).sampling, Sampling::ParentOn);
    }

    #[test]
    fn the_service_name_variable_wins() {
        const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
        let settings = quiet(&[(ATTRIBUTES, "service.name=a, deployment.environment.name=shop%20one,x=1=2")]);
        assert_eq!(settings.service_name, "a");
        let expected = [("deployment.environment.name", "shop one"), ("x", "1=2")];
        assert_eq!(settings.resource_attributes, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let settings = quiet(&[(ATTRIBUTES, "service.name=a,service.name=b"), ("OTEL_SERVICE_NAME", "c")]);
        assert_eq!((settings.service_name.as_str(), settings.resource_attributes), ("c", vec![]));
    }

    #[test]
    fn nonsense_is_a_warning() {
        for (name, value) in [
            ("OTEL_TRACES_EXPORTER", "zipkin"),
            ("OTEL_METRICS_EXPORTER", "none,statsd"),
            ("OTEL_LOGS_EXPORTER", "console,syslog"),
            ("OTEL_PROPAGATORS", "b3"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
            ("OTEL_LOG_LEVEL", "loud"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
            ("OTEL_RESOURCE_ATTRIBUTES", "key"),
            ("OTEL_RESOURCE_ATTRIBUTES", "key=%zz"),
            ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "-1"),
        ] {
            let warnings = read(&[(name, value)]).unwrap().warnings;
            assert!(matches!(warnings.as_slice(), [warning] if warning.contains(name)), "{name}={value}: {warnings:?}");
        }
        let warnings = read(&[("OTEL_TRACES_EXPORTER", "otlp"), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/json")]);
        assert_eq!(warnings.unwrap().warnings.len(), 1);
    }

    #[test]
    fn limits_can_be_set() {
        let settings = quiet(&[("OTEL_BSP_MAX_QUEUE_SIZE", "16"), ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", "10")]);
        assert_eq!((settings.span_room.places, settings.span_limits.text_bytes_max), (16, 10));
        let counts = [("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "3"), ("OTEL_SPAN_EVENT_COUNT_LIMIT", "0")];
        let (given, usual) = (quiet(&counts).span_limits, quiet(&[]).span_limits);
        assert_eq!((given.attributes_max, given.events_max), (3, 0));
        assert_eq!((usual.attributes_max, usual.events_max), (128, 128));
        let settings = quiet(&[("OTEL_TRACES_EXPORTER", "otlp"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "250")]);
        assert!(matches!(&settings.traces[..], [Exporter::Otlp(endpoint)] if endpoint.timeout().as_millis() == 250));
    }

    #[test]
    fn the_log_level_and_the_currency_are_checked() {
        let with = |level: &str, currency: &str| Settings::from_environment(|_| None, LogFormat::Json, level, currency);
        assert!(with("info,till=debug", "EUR").is_ok());
        assert!(matches!(with("info,=?", "EUR"), Err(SettingsError::LogLevel { .. })));
        for currency in ["", "usd", "DOLLAR", "U D"] {
            assert!(matches!(with("info", currency), Err(SettingsError::Currency { .. })), "{currency}");
        }
    }
}
