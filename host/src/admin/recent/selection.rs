//! Which traces or spans are asked for, in the parameters that the routes of recent traces share.

use std::time::Duration;

use super::super::query;
use crate::{
    clock::now_ms,
    http::problem::Problem,
    telemetry::recent::{
        KeptTrace,
        query::{Of, Query, Seen},
        summary::{Filter, StatusFilter},
    },
};

/// The names of the shared parameters.
pub(super) const PARAMETERS: [&str; 13] = [
    "q",
    "text",
    "route",
    "status",
    "outcome",
    "plugin",
    "item",
    "min_ms",
    "max_ms",
    "errors",
    "trace_id",
    "after_us",
    "before_us",
];

/// What is asked for.
#[derive(Debug, Default)]
pub(super) struct Selection {
    pub(super) of: Of,
    pub(super) filter: Filter,
    query: Query,
    text: Query,
}

impl Selection {
    /// Parses the parameters. Those that aren't shared are given to `rest`, which returns whether it knows them.
    ///
    /// # Errors
    /// 422 for an unknown or invalid parameter. `own` are the names that `rest` knows.
    pub(super) fn of_query(
        query: &str,
        own: &[&'static str],
        mut rest: impl FnMut(&str, &str) -> Result<(), Problem>,
    ) -> Result<Self, Problem> {
        let mut selection = Self::default();
        for (name, value) in query::parameters(query)? {
            if own.contains(&name.as_str()) {
                rest(&name, &value)?;
            } else {
                selection.take(&name, &value, own)?;
            }
        }
        Ok(selection)
    }

    /// Returns whether a trace, or one of its spans, is wanted.
    pub(super) fn takes(&self, seen: &Seen<'_>) -> bool {
        self.filter.takes(seen) && self.text.takes(seen) && self.query.takes(seen)
    }

    /// Calls `look` with the trace if it is wanted, or with each of its spans that is.
    pub(super) fn each(&self, trace: &KeptTrace, mut look: impl FnMut(&Seen<'_>)) {
        Seen::read(trace, |seen| {
            match self.of {
                Of::Traces => Some(seen).iter().filter(|seen| self.takes(seen)).for_each(&mut look),
                Of::Spans => seen.each_span().filter(|seen| self.takes(seen)).for_each(|seen| look(&seen)),
            }
            Some(())
        });
    }

    fn take(&mut self, name: &str, value: &str, own: &[&'static str]) -> Result<(), Problem> {
        let filter = &mut self.filter;
        let number = || query::value(name, value, value.parse::<u64>().ok(), "a whole number");
        let milliseconds = || {
            let parsed = value.parse().ok().filter(|number: &f64| (0.0..=1e12).contains(number));
            query::value(name, value, parsed, "milliseconds").map(|number| Duration::from_secs_f64(number / 1e3))
        };
        let text = || query::value(name, value, Some(value.to_owned()).filter(|text| !text.is_empty()), "some text");
        match name {
            "q" => self.query = parsed(value)?,
            "text" => self.text = Query::of_text(&text()?),
            "status" => {
                filter.status = Some(query::value(name, value, StatusFilter::parse(value), "a status, or 5xx")?);
            }
            "min_ms" => filter.min = Some(milliseconds()?),
            "max_ms" => filter.max = Some(milliseconds()?),
            "after_us" => filter.after_us = Some(number()?),
            "before_us" => filter.before_us = Some(number()?),
            "errors" => filter.errors = Some(query::value(name, value, value.parse().ok(), "true or false")?),
            "trace_id" => {
                let is_start = (1..=32).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_hexdigit());
                let start = is_start.then(|| value.to_ascii_lowercase());
                filter.trace_id = Some(query::value(name, value, start, "the beginning of a trace id")?);
            }
            "route" => filter.route = Some(text()?),
            "outcome" => filter.outcome = Some(text()?),
            "plugin" => filter.plugin = Some(text()?),
            "item" => filter.item = Some(text()?),
            _ => return Err(query::unknown("filter", name, PARAMETERS.into_iter().chain(own.iter().copied()))),
        }
        Ok(())
    }
}

/// Parses a query.
///
/// # Errors
/// 422, with what to write instead.
pub(super) fn parsed(query: &str) -> Result<Query, Problem> {
    Query::parse(query, now_ms() * 1000).map_err(Problem::unacceptable)
}
