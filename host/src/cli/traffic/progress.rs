//! Shows the progress on stderr: a bar for a person, or a line now and then for a log.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{
    traffic::{
        summary::LatencyMs,
        tally::{Counts, Tally},
    },
    units::millis,
};

/// How often the bar is redrawn: often enough for a person, and cheap enough for the traffic.
const REDRAW: Duration = Duration::from_millis(250);
/// The time between lines, so that a day's log stays readable.
const LINE: Duration = Duration::from_secs(10);

/// Shows the progress until the future is dropped, which removes the bar.
pub(super) async fn show<T>(tally: &Tally, duration: Option<Duration>) -> T {
    let began = Instant::now();
    let bar = Bar(bar(duration));
    let every = if bar.0.is_hidden() { LINE } else { REDRAW };
    loop {
        tokio::time::sleep(every).await;
        let line = line(&tally.counts());
        if bar.0.is_hidden() {
            // The traffic goes on even if nobody reads stderr.
            _ = writeln!(std::io::stderr(), "{:>6} s  {line}", began.elapsed().as_secs());
        } else {
            bar.0.set_position(millis(began.elapsed()));
            bar.0.set_message(line);
            bar.0.tick();
        }
    }
}

/// A bar that leaves nothing on the terminal.
struct Bar(ProgressBar);

impl Drop for Bar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// The bar's templates with a duration and without one.
const TEMPLATES: [&str; 2] = ["{elapsed} {bar:20} {wide_msg}", "{elapsed} {spinner} {wide_msg}"];

/// Returns a bar for `duration`, hidden if stderr isn't a terminal.
fn bar(duration: Option<Duration>) -> ProgressBar {
    let length = duration.map(millis);
    let [bounded, endless] = TEMPLATES;
    let style = ProgressStyle::with_template(if length.is_some() { bounded } else { endless });
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn line(counts: &Counts) -> String {
    let Counts { offered, not_sent, answered, failed, retries, broken_promises, .. } = counts;
    let LatencyMs { p50, p99, .. } = LatencyMs::of(&counts.latencies());
    let under_way = counts.under_way();
    let mut line = format!("{offered} due, {answered} answered, {failed} failed, {under_way} under way");
    for (number, what) in [(not_sent, "not sent"), (retries, "retries"), (broken_promises, "BROKEN PROMISES")] {
        if *number > 0 {
            line += &format!(", {number} {what}");
        }
    }
    line + &format!("; p50 {p50:.1} ms, p99 {p99:.1} ms")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traffic::client::{Said, Silence};

    #[test]
    fn a_line_says_what_matters() {
        let tally = Tally::default();
        (0..4).for_each(|number| tally.offered(number > 0));
        tally.ended(Duration::from_millis(5), &Said::Nothing(Silence::Torn));
        tally.retried();
        let line = line(&tally.counts());
        assert_eq!(line, "4 due, 0 answered, 1 failed, 2 under way, 1 not sent, 1 retries; p50 5.0 ms, p99 5.0 ms");
    }

    #[test]
    fn every_template_is_one() {
        for template in TEMPLATES {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
