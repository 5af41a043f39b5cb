//! `till logs`.

use std::{collections::BTreeMap, io::Write, ops::ControlFlow, time::Duration};

use clap::{Args, builder::PossibleValuesParser};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    client::{Admin, with_query},
    follow::follow,
    paint::{self, FAINT, PLUGIN, painted},
    print_followed, print_json, print_painted,
    text::{self, clock, field, iso, pairs, visible},
    traces::{SHORT_ID, find},
};

/// How often the host is asked for new lines.
const LOOK: Duration = Duration::from_millis(500);
/// The most lines of one answer.
const LIMIT: u32 = 1_000;

/// The lines are those that the host writes to stderr, with the plugins' own among them. It keeps the last ones in memory
/// (log.kept_kib); lines below log.level are never written.
#[derive(Debug, Args)]
pub(super) struct Logs {
    /// Only lines with this text in their message or a field.
    text: Option<String>,
    /// Goes on with new lines, until Ctrl-C.
    #[arg(long, short)]
    follow: bool,
    /// Only lines of this level or a worse one.
    #[arg(long, value_parser = PossibleValuesParser::new(["error", "warn", "info", "debug", "trace"]), ignore_case = true)]
    level: Option<String>,
    /// Only lines of plugins with this in their `kind/name@version`.
    #[arg(long, value_name = "TEXT")]
    plugin: Option<String>,
    /// Only lines of this trace: its id or the beginning of it, or its order's reference or number.
    #[arg(long, value_name = "TRACE|REFERENCE")]
    trace: Option<String>,
    /// Shows so many of the last lines.
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=i64::from(LIMIT)))]
    last: u32,
    #[command(flatten)]
    admin: Admin,
}

#[derive(Deserialize)]
struct Answer {
    lines: Vec<Value>,
    oldest: Option<u64>,
    last: u64,
}

#[derive(Deserialize)]
struct Line {
    time_us: u64,
    level: String,
    message: String,
    target: String,
    trace_id: Option<String>,
    fields: BTreeMap<String, Value>,
}

impl Logs {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let trace_id = self.trace.as_deref().map(|trace| find(trace, &self.admin)).transpose()?;
        let query = |more: [(&'static str, Option<String>); 2]| {
            let own = [
                ("level", self.level.clone()),
                ("plugin", self.plugin.clone()),
                ("text", self.text.clone()),
                ("trace_id", trace_id.clone()),
            ];
            with_query("/recent/lines", own.into_iter().chain(more))
        };
        // No line is asked for, but the place in the log is.
        let first = query([("limit", Some(self.last.max(1).to_string())), ("after", None)]);
        if !self.follow {
            return self.show(self.admin.get(&first)?);
        }
        let mut after = None;
        follow(LOOK, || {
            let path =
                after.map(|after: u64| query([("after", Some(after.to_string())), ("limit", Some(LIMIT.to_string()))]));
            let mut answer: Answer = self.admin.get(path.as_deref().unwrap_or(&first))?;
            if after.is_none() && self.last == 0 {
                answer.lines.clear();
            }
            if let Some(said) = after.and_then(|after| gap(after, &answer)) {
                writeln!(std::io::stderr(), "till: {said}")?;
            }
            // A host that has started anew counts from 1.
            let is_anew = after.is_some_and(|after| answer.last < after);
            after = Some(if is_anew { 0 } else { answer.last });
            for line in &answer.lines {
                let text = if self.admin.json { for_programs(line)?.to_string() } else { for_people(line)? };
                if print_followed(&text)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        })
    }

    fn show(&self, mut answer: Answer) -> anyhow::Result<()> {
        if answer.oldest.is_none() {
            writeln!(std::io::stderr(), "till: the host keeps no log lines; log.kept_kib says how many it may")?;
        }
        if self.last == 0 {
            answer.lines.clear();
        }
        if self.admin.json {
            let lines: Vec<_> = answer.lines.iter().map(for_programs).collect::<Result<_, _>>()?;
            return print_json(&json!({ "lines": lines }));
        }
        answer.lines.iter().try_for_each(|line| print_painted(&for_people(line)?))
    }
}

/// Returns what to say if lines were missed since the line of that number.
fn gap(after: u64, answer: &Answer) -> Option<String> {
    if answer.last < after {
        return Some("the host has started anew".to_owned());
    }
    let missed = answer.oldest?.checked_sub(after + 1).filter(|missed| *missed > 0)?;
    Some(format!("{missed} lines were written and dropped since the last look; log.kept_kib bounds how many are kept"))
}

/// Returns a line as it was sent, with its moment in ISO form.
fn for_programs(line: &Value) -> anyhow::Result<Value> {
    let at = iso(Line::deserialize(line)?.time_us);
    let mut line = line.clone();
    if let Some(members) = line.as_object_mut() {
        members.insert("at".to_owned(), at.into());
    }
    Ok(line)
}

/// `14:05:12.123  WARN  inventory/default@0.1.0  simulating a slow inventory delay_ms=1200 trace=4bf92f35`
fn for_people(line: &Value) -> anyhow::Result<String> {
    let Line { time_us, level, message, target, trace_id, mut fields } = Line::deserialize(line)?;
    let plugin = fields.remove("plugin").map(|plugin| field(&plugin));
    let who = plugin.map_or_else(|| painted(FAINT, &target), |plugin| painted(PLUGIN, &visible(&plugin)));
    let trace = trace_id.and_then(|id| id.get(..SHORT_ID).map(|short| ("trace".to_owned(), short.to_owned())));
    let rest = pairs(text::fields(&fields).into_iter().chain(trace));
    let level = painted(paint::of_level(&level), &format!("{level:<5}"));
    Ok(format!("{}  {level}  {who}  {}{}", clock(time_us), visible(&message), painted(FAINT, &rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(oldest: Option<u64>, last: u64) -> Answer {
        Answer { lines: Vec::new(), oldest, last }
    }

    #[test]
    fn whoever_follows_is_told_of_missed_lines_and_of_a_new_start() {
        assert_eq!(gap(10, &answer(Some(1), 12)), None);
        assert_eq!(gap(10, &answer(Some(11), 12)), None);
        assert_eq!(gap(10, &answer(None, 10)), None);
        assert!(gap(10, &answer(Some(14), 20)).is_some_and(|said| said.starts_with("3 lines were")));
        assert_eq!(gap(10, &answer(Some(1), 3)).as_deref(), Some("the host has started anew"));
    }

    #[test]
    fn a_line_says_who_wrote_it_and_cant_steer_the_terminal() {
        let line = json!({
            "number": 1, "time_us": 0, "level": "WARN", "message": "a\u{1b}[2Jb", "target": "guest",
            "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "1", "fields": { "plugin": "checkout/a@1", "n": 3 },
        });
        let text = for_people(&line).expect("a line");
        let bare = console::strip_ansi_codes(&text).into_owned();
        assert!(bare.ends_with("  WARN   checkout/a@1  a\\u{1b}[2Jb n=3 trace=4bf92f35"), "{bare}");
        assert_eq!(for_programs(&line).expect("a line")["at"], "1970-01-01T00:00:00.000000Z");
    }
}
