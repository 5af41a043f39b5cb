//! Which of two text formats `/metrics` comes in.

use super::openmetrics;

/// A text format of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Prometheus's own format, which every tool reads.
    Text,
    /// OpenMetrics, which has exemplars.
    OpenMetrics,
}

impl Format {
    /// Returns which of the two formats an `Accept` header prefers.
    #[must_use]
    pub fn of_accept(accept: &str) -> Self {
        let mut liked = [(Self::Text, 0.0_f32), (Self::OpenMetrics, 0.0)];
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |text| text.parse().ok());
            for (format, best) in &mut liked {
                let is_named = media.eq_ignore_ascii_case(format.media());
                let is_meant = is_named || *format == Self::Text && matches!(media, "*/*" | "text/*");
                if is_meant {
                    *best = best.max(weight.unwrap_or_default());
                }
            }
        }
        let [(_, text), (_, openmetrics)] = liked;
        if openmetrics > 0.0 && openmetrics >= text { Self::OpenMetrics } else { Self::Text }
    }

    const fn media(self) -> &'static str {
        match self {
            Self::Text => "text/plain",
            Self::OpenMetrics => "application/openmetrics-text",
        }
    }

    /// Returns the content type of [`Metrics::render`](super::Metrics::render)'s output in this format.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => prometheus::TEXT_FORMAT,
            Self::OpenMetrics => openmetrics::CONTENT_TYPE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_for_openmetrics_gets_it() {
        const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;\
             q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/plain", Format::Text),
            ("text/html", Format::Text),
            ("application/openmetrics-text", Format::OpenMetrics),
            (PROMETHEUS, Format::OpenMetrics),
            ("application/openmetrics-text;q=0.3,text/plain", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=many", Format::Text),
        ] {
            assert_eq!(Format::of_accept(accept), format, "{accept}");
        }
    }
}
