//! A trace for people:
//!
//! ```text
//!    TOOK      OWN  SPAN
//!  1.23 s   412 µs  POST /checkout  200
//!  1.22 s  1.10 ms  └─ checkout_transaction  checkout@0.1.0 #1, ok
//!                      │  +12.1 ms  WARN  simulating a slow inventory  delay_ms=1200
//! 2.10 ms  2.10 ms     ├─ db_create_order
//! ```

use std::fmt::Write;

use super::{
    super::{
        client::Admin,
        paint::{self, FAILED, FAINT, HEADER, LINK, PLUGIN, REFUSED, painted},
        print_painted,
        text::{self, day_and_clock, duration, field, pairs, visible},
    },
    model::{Happened, Span, Trace, What},
};

/// The width of a duration's column.
const WIDTH: usize = 9;

pub(super) fn show(trace: &Trace, attributes: bool, admin: &Admin) -> anyhow::Result<()> {
    print_painted(&picture(trace, attributes, &admin.url(&format!("/traces/{}", trace.trace_id)))?)
}

fn picture(trace: &Trace, attributes: bool, url: &str) -> Result<String, std::fmt::Error> {
    let Trace { trace_id, duration_us, reference, spans, lines, warnings, start_us, .. } = trace;
    let mut out = String::new();
    writeln!(out, "trace  {trace_id}")?;
    if let Some(reference) = reference {
        writeln!(out, "order  {}", visible(reference))?;
    }
    writeln!(out, "began  {}, took {}", day_and_clock(*start_us), duration(*duration_us))?;
    writeln!(out, "page   {}\n", painted(LINK, url))?;
    writeln!(out, "{}", painted(HEADER, &format!("{:>WIDTH$}  {:>WIDTH$}  SPAN", "TOOK", "OWN")))?;
    // Whether a later sibling follows, at each depth.
    let mut open: Vec<bool> = Vec::new();
    for (at, span) in spans.iter().enumerate() {
        let rest = spans.get(at + 1..).unwrap_or_default();
        open.truncate(span.depth);
        open.push(rest.iter().take_while(|later| later.depth >= span.depth).any(|later| later.depth == span.depth));
        let has_children = rest.first().is_some_and(|next| next.depth > span.depth);
        writeln!(out, "{}", line(span, &open))?;
        let indent = format!("{}{}", " ".repeat(2 * WIDTH + 4), below(&open, has_children));
        for said in details(span, attributes, *start_us) {
            writeln!(out, "{indent}{said}")?;
        }
    }
    for line in lines {
        writeln!(out, "{}", happened(line, *start_us))?;
    }
    for warning in warnings {
        writeln!(out, "{}", painted(REFUSED, &visible(warning)))?;
    }
    Ok(out.trim_end().to_owned())
}

fn line(span: &Span, open: &[bool]) -> String {
    let Span { name, duration_us, own_us, plugin, outcome, is_error, by_plugin, .. } = span;
    let shown = visible(name);
    let mut said = if *is_error { painted(FAILED, &shown) } else { shown };
    if let Some(status) = span.status() {
        said += &format!("  {}", painted(paint::of_status(status), &status.to_string()));
    }
    if let Some(plugin) = plugin {
        said += &format!("  {}", painted(PLUGIN, &visible(&plugin.to_string())));
    }
    if let Some(outcome) = outcome {
        said += &format!(", {}", visible(outcome));
    }
    if *by_plugin {
        said += &painted(FAINT, "  by the plugin");
    }
    let (took, own) = (duration(*duration_us), duration(*own_us));
    format!("{took:>WIDTH$}  {own:>WIDTH$}  {}{said}", branch(open))
}

/// Returns the branches to the left of a span's name.
fn branch(open: &[bool]) -> String {
    let Some((last, above)) = open.split_last() else { return String::new() };
    let Some((_, above)) = above.split_first() else { return String::new() };
    let stems: String = above.iter().map(|is_open| if *is_open { "│  " } else { "   " }).collect();
    stems + if *last { "├─ " } else { "└─ " }
}

/// Returns the branches to the left of what stands below a span's name.
fn below(open: &[bool], has_children: bool) -> String {
    let above = open.get(1..).unwrap_or_default();
    let stems: String = above.iter().map(|is_open| if *is_open { "│  " } else { "   " }).collect();
    stems + if has_children { "│  " } else { "   " }
}

fn details(span: &Span, attributes: bool, start_us: u64) -> Vec<String> {
    let mut details = Vec::new();
    if span.is_error {
        let why = span.error.as_deref().map(visible).unwrap_or_default();
        details.push(painted(FAILED, format!("error {why}").trim_end()));
    }
    if attributes {
        details.extend(span.attributes.iter().map(|(key, value)| {
            let shown = format!("{}={}", visible(key), visible(&field(value)));
            painted(FAINT, &shown)
        }));
    }
    details.extend(span.happened.iter().map(|happening| happened(happening, start_us)));
    details.extend(span.warnings.iter().map(|warning| painted(REFUSED, &visible(warning))));
    details
}

fn happened(happening: &Happened, start_us: u64) -> String {
    let Happened { what, fields, at_us, .. } = happening;
    let after = format!("+{}", duration(at_us.saturating_sub(start_us)));
    let what = match what {
        What::Event { event } => format!("event  {}", visible(event)),
        What::Line { level, message } => {
            format!("{}  {}", painted(paint::of_level(level), &format!("{level:<5}")), visible(message))
        }
    };
    let fields = pairs(text::fields(fields));
    format!("{}  {what} {}", painted(FAINT, &format!("{after:<10}")), painted(FAINT, &fields))
}
