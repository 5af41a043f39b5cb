//! `till top`.

mod snapshot;

use std::{io::IsTerminal, ops::ControlFlow, time::Duration};

use clap::Args;
use console::{Term, truncate_str};

use super::{
    client::Admin,
    follow::follow,
    paint::{self, FAILED, FAINT, GOOD, HEADER, PLUGIN, REFUSED, painted},
    print_json, print_painted,
    table::{Cell, Table},
    text::{clock, duration, three_digits, visible},
    traces::SHORT_ID,
    traffic::duration as parse_duration,
};
use snapshot::{Snapshot, Version};

/// The most rows of slowest traces.
const SLOWEST: usize = 5;

#[derive(Debug, Args)]
#[command(after_help = "\
Rates are of the last 15 seconds, a live version's outcomes of the last 15 minutes, a candidate's of its rollout, the slowest \
requests of the last 5 minutes. It goes on until Ctrl-C; if stdout is no terminal, it shows one picture and ends.")]
pub(super) struct Top {
    /// Shows one picture and ends.
    #[arg(long)]
    once: bool,
    /// The time between two pictures, such as 500ms or 5s.
    #[arg(long, value_name = "TIME", default_value = "2s", value_parser = parse_duration)]
    every: Duration,
    #[command(flatten)]
    admin: Admin,
}

impl Top {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let Self { once, every, admin } = self;
        if admin.json {
            return print_json(&Snapshot::take(&admin)?);
        }
        if once || !std::io::stdout().is_terminal() {
            return print_painted(&lines(&Snapshot::take(&admin)?, &admin).join("\n"));
        }
        let term = Term::buffered_stdout();
        term.clear_screen()?;
        follow(every, || {
            draw(&term, &lines(&Snapshot::take(&admin)?, &admin))?;
            Ok(ControlFlow::Continue(()))
        })
    }
}

/// Draws over the last picture, without blanking the terminal in between.
fn draw(term: &Term, lines: &[String]) -> anyhow::Result<()> {
    let (rows, columns) = term.size();
    let has_colours = anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
    term.move_cursor_to(0, 0)?;
    for line in lines.iter().take(usize::from(rows).saturating_sub(1)) {
        let line = truncate_str(line, columns.into(), "…");
        let line = if has_colours { line } else { console::strip_ansi_codes(&line).into_owned().into() };
        term.clear_line()?;
        term.write_line(&line)?;
    }
    term.clear_to_end_of_screen()?;
    Ok(term.flush()?)
}

fn lines(now: &Snapshot, admin: &Admin) -> Vec<String> {
    let at = painted(FAINT, &format!("{}  {}", clock(now.at_us), admin.url("/")));
    let mut lines = vec![format!("{}  {at}", painted(HEADER, "till top")), state(now)];
    lines.extend(now.warnings.iter().map(|warning| painted(FAILED, &visible(warning))));
    let tables = [routes(now), outcomes(now), versions(now), slowest(now), stock(now)];
    for table in tables.into_iter().filter(|table| !table.is_empty()) {
        lines.push(String::new());
        lines.extend(table);
    }
    lines
}

/// Returns the sentence that says how it goes.
fn state(now: &Snapshot) -> String {
    let Some(rate) = now.checkouts_per_s else {
        return format!("no checkouts in the last {} s", now.window_s);
    };
    let mut said = format!("{} checkouts/s, ", three_digits(rate));
    let failed = now.failed_percent.unwrap_or_default();
    let failing = format!("{} % failed", three_digits(failed));
    said += &if failed > 0.0 { painted(FAILED, &failing) } else { painted(GOOD, "none failed") };
    if let Some(rollout) = &now.rollout {
        said += &format!("; {}", painted(REFUSED, &visible(rollout)));
    }
    said
}

fn routes(now: &Snapshot) -> Vec<String> {
    let ms = |ms: Option<f64>| Cell::number(ms.map_or_else(|| "-".to_owned(), |ms| duration(snapshot::micros(ms))));
    let rows: Vec<_> = now
        .routes
        .iter()
        .map(|route| {
            let errors = Cell::number(three_digits(route.errors_per_s));
            let errors = if route.errors_per_s > 0.0 { errors.painted(FAILED) } else { errors };
            let name = if route.route.is_empty() { "(no route)" } else { &route.route };
            [name.into(), Cell::number(three_digits(route.requests_per_s)), errors, ms(route.p50_ms), ms(route.p99_ms)]
        })
        .collect();
    table(["ROUTE", "REQUESTS/S", "ERRORS/S", "P50", "P99"], &rows)
}

fn outcomes(now: &Snapshot) -> Vec<String> {
    let rows: Vec<_> = now
        .outcomes
        .iter()
        .map(|outcome| {
            let style = if outcome.outcome == "ok" { paint::PLAIN } else { REFUSED };
            [
                outcome.kind.as_str().into(),
                Cell::from(outcome.outcome.as_str()).painted(style),
                Cell::number(three_digits(outcome.calls_per_s)),
            ]
        })
        .collect();
    table(["HOOK", "OUTCOME", "CALLS/S"], &rows)
}

fn versions(now: &Snapshot) -> Vec<String> {
    let rows: Vec<_> = now
        .versions
        .iter()
        .map(|Version { at, name, state, sold, refused, failed, .. }| {
            let style = match &**state {
                "live" => GOOD,
                "breaker open" => FAILED,
                _ => REFUSED,
            };
            let failures = Cell::number(failed.to_string());
            [
                at.as_str().into(),
                Cell::from(name.as_str()).painted(PLUGIN),
                Cell::from(state.as_str()).painted(style),
                Cell::number(sold.to_string()),
                Cell::number(refused.to_string()),
                if *failed > 0 { failures.painted(FAILED) } else { failures },
            ]
        })
        .collect();
    table(["HOOK", "VERSION", "STATE", "SOLD", "REFUSED", "FAILED"], &rows)
}

fn slowest(now: &Snapshot) -> Vec<String> {
    let rows: Vec<_> = now
        .slowest
        .iter()
        .take(SLOWEST)
        .map(|trace| {
            let style = if trace.is_error { FAILED } else { trace.status.map_or(paint::PLAIN, paint::of_status) };
            let status = trace.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
            [
                Cell::number(duration(trace.duration_us)),
                Cell::from(status).painted(style),
                trace.name.as_str().into(),
                trace.item.as_deref().unwrap_or_default().into(),
                trace.trace_id.get(..SHORT_ID).unwrap_or(&trace.trace_id).into(),
            ]
        })
        .collect();
    table(["SLOWEST", "STATUS", "REQUEST", "ITEM", "TRACE"], &rows)
}

fn stock(now: &Snapshot) -> Vec<String> {
    let rows: Vec<_> = now
        .stock
        .iter()
        .map(|level| {
            let left = Cell::number(level.on_hand.to_string());
            [level.item.as_str().into(), if level.on_hand == 0 { left.painted(REFUSED) } else { left }]
        })
        .collect();
    table(["STOCK", "ON HAND"], &rows)
}

/// Returns nothing for a table without rows, whose header would say nothing.
fn table<const COLUMNS: usize>(header: [&'static str; COLUMNS], rows: &[[Cell; COLUMNS]]) -> Vec<String> {
    if rows.is_empty() { Vec::new() } else { Table::new(header).lines(rows) }
}
