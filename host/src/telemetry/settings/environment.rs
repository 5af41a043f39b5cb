//! Reads the environment's variables into typed values, with a warning for each invalid one.

use std::time::Duration;

use super::{LogFormat, SettingsError};
use crate::{
    telemetry::{
        export::{Endpoint, Exporter, Room, Signal, Transport},
        logs::{self, LogSettings},
        propagation::Propagator,
        recorded,
        sampling::Sampling,
    },
    units::MIB,
};

const SERVICE_NAME: &str = "order-service";
/// The most memory of the queue of spans, and of that of log lines, unless the host says otherwise.
const QUEUE_BYTES_MAX: usize = 16 * MIB;
/// How long one export may take. Half of OpenTelemetry's: a collector that needs longer is down.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// The variables, and warnings about them.
pub(super) struct Environment<F> {
    variable: F,
    /// Warnings to be logged once the log is installed.
    pub(super) warnings: Vec<String>,
}

impl<F: Fn(&str) -> Option<String>> Environment<F> {
    pub(super) const fn of(variable: F) -> Self {
        Self { variable, warnings: Vec::new() }
    }

    /// Returns the variable's trimmed value; `None` if it is unset or, as OpenTelemetry wants, empty.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    pub(super) fn number(&mut self, name: &str) -> Option<usize> {
        let text = self.text(name)?;
        let number = text.parse().ok();
        if number.is_none() {
            self.warnings.push(format!("{name}={text} is no whole number; the default applies"));
        }
        number
    }

    pub(super) fn room(&mut self, name: &str, places: usize) -> Room {
        Room { places: self.number(name).unwrap_or(places).max(1), bytes: QUEUE_BYTES_MAX }
    }

    pub(super) fn span_limits(&mut self) -> recorded::Limits {
        let text_bytes_max = self
            .number("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT")
            .or_else(|| self.number("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"));
        let default = recorded::Limits::default();
        recorded::Limits {
            text_bytes_max: text_bytes_max.unwrap_or(default.text_bytes_max),
            attributes_max: self.number("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT").unwrap_or(default.attributes_max),
            events_max: self.number("OTEL_SPAN_EVENT_COUNT_LIMIT").unwrap_or(default.events_max),
        }
    }

    /// Returns the name and value of a signal's own variable, or else of the one for all signals.
    fn of_signal(&self, signal: Signal, suffix: &str) -> Option<(String, String)> {
        let own = format!("OTEL_EXPORTER_OTLP_{}_{suffix}", signal.name());
        let general = format!("OTEL_EXPORTER_OTLP_{suffix}");
        [own, general].into_iter().find_map(|name| self.text(&name).map(|value| (name, value)))
    }

    pub(super) fn resource_attributes(&mut self) -> Vec<(String, String)> {
        let text = self.text("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
        let mut attributes = Vec::new();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').map(|(key, value)| (key.trim(), percent_decoded(value.trim()))) {
                Some((key, Some(value))) if !key.is_empty() => attributes.push((key.to_owned(), value)),
                _ => self.warnings.push(format!("OTEL_RESOURCE_ATTRIBUTES has {pair:?}, which is no key=value")),
            }
        }
        attributes
    }

    /// Unlike in the SDK, the variable wins over the resource's `service.name`.
    pub(super) fn service_name(&self, resource_attributes: &mut Vec<(String, String)>) -> String {
        let of_resource = resource_attributes.iter().rposition(|(key, _)| key == "service.name");
        let of_resource = of_resource.map(|at| resource_attributes.remove(at).1);
        resource_attributes.retain(|(key, _)| key != "service.name");
        self.text("OTEL_SERVICE_NAME").or(of_resource).unwrap_or_else(|| SERVICE_NAME.to_owned())
    }

    pub(super) fn sampling(&mut self) -> Sampling {
        let Some(name) = self.text("OTEL_TRACES_SAMPLER") else { return Sampling::DEFAULT };
        Sampling::parse(&name, self.text("OTEL_TRACES_SAMPLER_ARG").as_deref()).unwrap_or_else(|problem| {
            self.warnings.push(format!("{problem}; parentbased_always_on applies"));
            Sampling::DEFAULT
        })
    }

    pub(super) fn propagator(&mut self) -> Propagator {
        let Some(list) = self.text("OTEL_PROPAGATORS") else { return Propagator::default() };
        let (propagator, unknown) = Propagator::parse(&list);
        for name in unknown {
            self.warnings.push(format!("OTEL_PROPAGATORS has {name:?}; tracecontext, baggage and none are known"));
        }
        propagator
    }

    pub(super) fn logs(&mut self, format: LogFormat, level: &str) -> Result<LogSettings, SettingsError> {
        let of_sdk = self.text("OTEL_LOG_LEVEL").unwrap_or_else(|| "warn".to_owned());
        let of_sdk = logs::sdk_level(&of_sdk).unwrap_or_else(|| {
            self.warnings.push(format!("OTEL_LOG_LEVEL={of_sdk} is no level; warn applies"));
            "warn"
        });
        LogSettings::new(format, level, of_sdk)
            .map_err(|reason| SettingsError::LogLevel { value: level.to_owned(), reason })
    }

    pub(super) fn exporters(&mut self, signal: Signal) -> Result<Vec<Exporter>, SettingsError> {
        let variable = format!("OTEL_{}_EXPORTER", signal.name());
        let Some(list) = self.text(&variable) else {
            return if self.endpoint_is_set(signal) { Ok(vec![self.otlp(signal)?]) } else { Ok(Vec::new()) };
        };
        let mut exporters = Vec::new();
        for name in list.split(',').map(str::trim) {
            let exporter = match name {
                "otlp" => self.otlp(signal)?,
                // The log is always on the console.
                "console" if signal == Signal::Logs => continue,
                "console" => Exporter::Console,
                "none" | "" => continue,
                "prometheus" if signal == Signal::Metrics => continue,
                other => {
                    self.warnings.push(format!("{variable} has {other:?}; otlp, console and none are known"));
                    continue;
                }
            };
            if !exporters.contains(&exporter) {
                exporters.push(exporter);
            }
        }
        Ok(exporters)
    }

    /// The endpoint for all signals turns on traces only: tracing back ends refuse metrics and logs, which the
    /// Prometheus page and stderr have anyway.
    fn endpoint_is_set(&self, signal: Signal) -> bool {
        let own = format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.name());
        self.text(&own).is_some() || signal == Signal::Traces && self.text("OTEL_EXPORTER_OTLP_ENDPOINT").is_some()
    }

    fn otlp(&mut self, signal: Signal) -> Result<Exporter, SettingsError> {
        let set = self.of_signal(signal, "ENDPOINT");
        let transport = self.transport(signal);
        let timeout = self.of_signal(signal, "TIMEOUT").and_then(|(name, _)| self.number(&name));
        let timeout = timeout.map_or(EXPORT_TIMEOUT, |timeout_ms| Duration::from_millis(timeout_ms as u64));
        let Some((variable, value)) = set else {
            return Ok(Exporter::Otlp(Endpoint::default_of(signal, transport.unwrap_or(Transport::Http), timeout)));
        };
        let whole = variable != "OTEL_EXPORTER_OTLP_ENDPOINT";
        Endpoint::parse(&value, whole, signal, transport, timeout)
            .map(Exporter::Otlp)
            .map_err(|reason| SettingsError::Endpoint { variable, value, reason })
    }

    fn transport(&mut self, signal: Signal) -> Option<Transport> {
        let (variable, protocol) = self.of_signal(signal, "PROTOCOL")?;
        let transport = Transport::parse(&protocol);
        if transport.is_none() {
            self.warnings.push(format!("{variable}={protocol}: grpc and http/protobuf are known"));
        }
        transport
    }
}

/// `None` if the escapes aren't UTF-8 or not two digits each.
fn percent_decoded(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits = part.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(part.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}
