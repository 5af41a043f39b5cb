//! The summary, for people.

use std::fmt::Write;

use crate::traffic::{
    outcome::Trace,
    summary::{Ended, LatencyMs, Rate, Summary},
};

/// The width of the outcomes' column: the longest of Till's outcomes fits.
const OUTCOME_WIDTH: usize = 32;
/// The code of a refusal because the stock is sold out.
const SOLD_OUT: &str = "insufficient_stock";

pub(super) fn text(summary: &Summary) -> String {
    let mut text = String::new();
    // Writing to a `String` can't fail.
    _ = write_all(summary, &mut text);
    text
}

fn write_all(summary: &Summary, text: &mut String) -> std::fmt::Result {
    let Summary { url, seed, elapsed_s, .. } = summary;
    writeln!(text, "{url}: {elapsed_s:.1} s, --seed {seed}\n")?;
    write_counts(summary, text)?;
    writeln!(
        text,
        "\n{:<OUTCOME_WIDTH$}{}",
        "",
        row(["count", "p50", "p90", "p99", "p99.9", "max"].map(String::from))
    )?;
    let ended = summary.outcomes.iter().map(|ended| ended.count).sum();
    write_row(text, "all, in milliseconds", ended, summary.latency_ms)?;
    for Ended { outcome, count, latency_ms, .. } in &summary.outcomes {
        write_row(text, &outcome.to_string(), *count, *latency_ms)?;
    }
    write_traces(summary, text)?;
    if summary.outcomes.iter().any(|ended| ended.outcome.code == SOLD_OUT) {
        writeln!(text, "\nSomething is sold out: till stock list, till stock set headphones 1000000")?;
    }
    Ok(())
}

fn write_counts(summary: &Summary, text: &mut String) -> std::fmt::Result {
    let not_sent = note(summary.not_sent, "not sent: --in-flight-max");
    let silent = note(summary.unanswered, "unanswered") + &note(summary.cut_off, "cut off at the end");
    for (name, Rate { count, per_s }, notes) in [
        ("offered", &summary.offered, String::new()),
        ("sent", &summary.sent, not_sent),
        ("answered", &summary.answered, silent),
    ] {
        writeln!(text, "{name:<10}{count:>9}  {per_s:.1}/s{notes}")?;
    }
    let Summary { retries, malformed_refused, repeats, repeats_agreed, broken_promises, .. } = summary;
    writeln!(text, "{:<10}{retries:>9}", "retries")?;
    writeln!(text, "{:<10}{malformed_refused:>9}  refused", "malformed")?;
    writeln!(text, "{:<10}{repeats:>9}  {repeats_agreed} with the same answer", "repeated")?;
    writeln!(text, "{:<10}{broken_promises:>9}  broken", "promises")
}

fn note(number: u64, what: &str) -> String {
    if number == 0 { String::new() } else { format!(", {number} {what}") }
}

fn write_row(text: &mut String, name: &str, count: u64, latency: LatencyMs) -> std::fmt::Result {
    let LatencyMs { p50, p90, p99, p99_9, max } = latency;
    let [p50, p90, p99, p99_9, max] = [p50, p90, p99, p99_9, max].map(|ms| format!("{ms:.1}"));
    writeln!(text, "{name:<OUTCOME_WIDTH$}{}", row([count.to_string(), p50, p90, p99, p99_9, max]))
}

fn row(cells: [String; 6]) -> String {
    cells.map(|cell| format!("{cell:>10}")).concat()
}

fn write_traces(summary: &Summary, text: &mut String) -> std::fmt::Result {
    let slowest =
        summary.slowest.iter().map(|slow| (format!("{:.1} ms, {}", slow.latency_ms, slow.outcome), &slow.trace));
    let failed = summary.outcomes.iter().filter(|ended| ended.outcome.is_failure());
    let failed = failed.filter_map(|ended| Some((ended.outcome.to_string(), ended.trace.as_ref()?)));
    let broken = summary.broken.iter();
    let broken =
        broken.filter_map(|broken| Some((format!("{}, {}", broken.promise, broken.outcome), broken.trace.as_ref()?)));
    for (title, traces) in [
        ("slowest", slowest.collect::<Vec<_>>()),
        ("failed, the newest of each", failed.collect()),
        ("broken promises", broken.collect()),
    ] {
        if !traces.is_empty() {
            writeln!(text, "\n{title}")?;
        }
        for (what, Trace { trace_id, link }) in traces {
            writeln!(text, "  {what:<40}  {}", link.as_ref().unwrap_or(trace_id))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::StatusCode;

    use super::*;
    use crate::traffic::{
        Plan,
        arrivals::Arrivals,
        client::{Answer, Said, Silence},
        tally::{Promise, Tally},
    };

    fn answer(status: StatusCode, body: &'static str, trace: u8, link: Option<&str>) -> Said {
        let trace = Some(Trace { trace_id: format!("{trace:032x}"), link: link.map(str::to_owned) });
        Said::Answer(Answer { status, body: body.into(), replayed: false, retry_after: None, trace })
    }

    #[test]
    fn a_person_reads_what_came_of_it() {
        let plan = Plan {
            url: "http://127.0.0.1:8000".to_owned(),
            arrivals: Arrivals::Poisson,
            rate_per_s: 2.0,
            duration: None,
            seed: 7,
            in_flight_max: 4,
            malformed: 0.0,
            repeated: 0.0,
            retries: 3,
        };
        let tally = Tally::default();
        (0..6).for_each(|number| tally.offered(number > 0));
        let sold = answer(StatusCode::OK, r#"{"status":"COMPLETED"}"#, 1, Some("http://127.0.0.1:8001/traces/01"));
        let failed = answer(StatusCode::BAD_GATEWAY, r#"{"code":"trap"}"#, 2, None);
        let sold_out = answer(StatusCode::BAD_REQUEST, r#"{"code":"insufficient_stock"}"#, 3, None);
        tally.ended(Duration::from_micros(2_500), &sold);
        tally.ended(Duration::from_millis(1_234), &failed);
        tally.ended(Duration::from_millis(3), &sold_out);
        tally.ended(Duration::from_secs(30), &Said::Nothing(Silence::TimedOut));
        tally.retried();
        tally.repeated();
        tally.broken(Promise::RepeatDiffers, &failed);
        let text = text(&Summary::new(&plan, Duration::from_secs(3), tally.counts()));
        assert_eq!(format!("\n{text}"), GOLDEN);
    }

    const GOLDEN: &str = "
http://127.0.0.1:8000: 3.0 s, --seed 7

offered           6  2.0/s
sent              5  1.7/s, 1 not sent: --in-flight-max
answered          3  1.0/s, 1 unanswered, 1 cut off at the end
retries           1
malformed         0  refused
repeated          1  0 with the same answer
promises          1  broken

                                     count       p50       p90       p99     p99.9       max
all, in milliseconds                     4       3.0   30000.0   30000.0   30000.0   30000.0
--- timed_out                            1   30000.0   30000.0   30000.0   30000.0   30000.0
200 completed                            1       2.5       2.5       2.5       2.5       2.5
400 insufficient_stock                   1       3.0       3.0       3.0       3.0       3.0
502 trap                                 1    1234.0    1234.0    1234.0    1234.0    1234.0

slowest
  1234.0 ms, 502 trap                       00000000000000000000000000000002
  3.0 ms, 400 insufficient_stock            00000000000000000000000000000003
  2.5 ms, 200 completed                     http://127.0.0.1:8001/traces/01

failed, the newest of each
  502 trap                                  00000000000000000000000000000002

broken promises
  another answer to the same key, 502 trap  00000000000000000000000000000002

Something is sold out: till stock list, till stock set headphones 1000000
";
}
