//! What an operator does without leaving the terminal: traces, logs, what goes on now, links, and the demo.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{self, Receiver},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{Host, PATIENCE, eventually, golden, host::till};

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn stderr(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// Returns a command for the host.
fn command(host: &Host, arguments: &[&str]) -> Command {
    let mut command = till();
    command.args(arguments).args(["--admin", &format!("http://{}", host.admin.address)]);
    command
}

fn run(host: &Host, arguments: &[&str]) -> Output {
    command(host, arguments).output().expect("till starts")
}

fn json(host: &Host, arguments: &[&str]) -> Value {
    serde_json::from_str(&stdout(&run(host, &[arguments, &["--json"]].concat()))).expect("JSON")
}

/// A command that goes on until it is ended.
struct Following {
    child: Child,
    lines: Receiver<String>,
}

impl Following {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().expect("till starts");
        let (sender, lines) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, lines }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line")
    }

    fn line_with(&self, text: &str) -> String {
        std::iter::from_fn(|| Some(self.line())).find(|line| line.contains(text)).expect("a line")
    }

    /// Returns whether it ended well.
    fn ends(mut self) -> bool {
        eventually("its end", || self.child.try_wait().expect("a child of ours")).success()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Returns the trace of a checkout that met the simulated deadlock.
fn deadlock(host: &Host) -> String {
    let failed = || Some(host.shop.buy("laptop", 2)).filter(|answer| answer.status == 500);
    eventually("a deadlock", failed).trace_id()
}

#[test]
fn traces_are_listed_by_what_an_operator_looks_for() {
    let host = Host::plan_demo().warns("Database deadlock").start();
    let sold = host.shop.buy("headphones", 1);
    let failed = deadlock(&host);
    let list = stdout(&run(&host, &["traces", "list"]));
    let header = list.lines().next().expect("a header");
    assert_eq!(
        header.split_whitespace().collect::<Vec<_>>().join(" "),
        "TIME TOOK STATUS REQUEST ITEM OUTCOME TRACE SPANS PLUGINS"
    );
    assert!(list.contains("200") && list.contains("500 error") && list.contains("#1"), "{list}");
    assert!(!list.contains('\u{1b}'), "colours are for terminals: {list:?}");

    let ids = |arguments: &[&str]| -> Vec<String> {
        let listed = json(&host, &[&["traces", "list"], arguments].concat());
        let traces = listed["traces"].as_array().expect("traces").iter();
        traces.map(|trace| trace["trace_id"].as_str().expect("an id").to_owned()).collect()
    };
    assert!(ids(&["--errors"]).contains(&failed) && !ids(&["--errors"]).contains(&sold.trace_id()));
    assert_eq!(ids(&["--status", "2xx", "--item", "headphones"]), [sold.trace_id()]);
    assert!(ids(&["DEADLOCK"]).contains(&failed), "a text of a log line, in any case");
    let reference = sold.json()["reference"].as_str().expect("a reference").to_owned();
    assert_eq!(ids(&[&reference]), [sold.trace_id()]);
    assert_eq!(ids(&[&format!("order:{reference}")]), [sold.trace_id()]);
    assert_eq!(ids(&["item:headphones", "outcome:ok", "took:<1h"]), [sold.trace_id()]);
    assert!(ids(&["item:laptop outcome:!ok @order.quantity:2"]).contains(&failed));
    assert_eq!(ids(&["--min-ms", "100000"]), [""; 0]);
    assert_eq!(ids(&["--limit", "1"]).len(), 1);
    assert_eq!(
        ids(&["--since", "1h", "--slowest", "--item", "headphones", "--outcome", "ok", "--route", "/checkout"]).first(),
        Some(&sold.trace_id())
    );

    let listed = json(&host, &["traces", "list", "--item", "headphones"]);
    let started_at = listed["traces"][0]["started_at"].as_str().expect("a moment");
    assert!(started_at.ends_with('Z') && started_at.contains('T'), "{started_at}");
    assert!(listed["kept"]["traces"].as_u64().expect("a number") >= 2, "{listed}");

    let none = stdout(&run(&host, &["traces", "list", "--item", "nothing"]));
    assert!(none.starts_with("none of the ") && none.ends_with(" kept traces is like that\n"), "{none}");
    assert!(stderr(&run(&host, &["traces", "list", "--status", "fine"])).contains("wanted a status, or 5xx"));
    assert!(stderr(&run(&host, &["traces", "list", "itme:laptop"])).contains("did you mean item?"));
    host.stop();
}

#[test]
fn a_trace_is_a_tree_with_its_versions_errors_and_log_lines() {
    let host = Host::plan_demo().warns("Database deadlock").start();
    let sold = host.shop.buy("headphones", 1);
    let id = sold.trace_id();
    let whole = stdout(&run(&host, &["traces", "show", &id]));
    golden::check("terminal_trace.txt", &without_chance(&whole));
    let (reference, number) = (sold.json()["reference"].clone(), sold.json()["order_id"].clone());
    for wanted in [&id[..8], reference.as_str().expect("a reference"), &number.to_string()] {
        assert_eq!(stdout(&run(&host, &["traces", "show", wanted])), whole, "{wanted}");
    }
    let attributes = stdout(&run(&host, &["traces", "show", &id, "--attributes"]));
    assert!(attributes.contains("order.item=headphones"), "{attributes}");

    let failed = deadlock(&host);
    let shown = stdout(&run(&host, &["traces", "show", &failed]));
    assert!(shown.contains("error ") && shown.contains("Database deadlock") && shown.contains("conflict"), "{shown}");
    let document = json(&host, &["traces", "show", &failed]);
    let spans = document["spans"].as_array().expect("spans");
    let names: Vec<_> = spans.iter().map(|span| span["name"].as_str().expect("a name")).collect();
    assert_eq!(names[..2], ["POST /checkout", "checkout_transaction"]);
    assert_eq!((&spans[1]["plugin"]["number"], &spans[1]["depth"]), (&1.into(), &1.into()));
    assert!(spans.iter().all(|span| span["started_at"].as_str().is_some_and(|at| at.ends_with('Z'))));
    assert!(spans.iter().all(|span| span["own_us"].as_u64() <= span["duration_us"].as_u64()));

    let unknown = stderr(&run(&host, &["traces", "show", "ffffffff"]));
    assert!(unknown.contains("isn't kept, or not any more; `till traces list` shows those that are"), "{unknown}");
    assert!(stderr(&run(&host, &["traces", "show", "987654"])).contains("no order's reference or number"));
    host.stop();
}

/// Returns a trace as it is shown, with what no run repeats made equal.
fn without_chance(text: &str) -> String {
    // The columns of the times.
    const TIMES: usize = 22;
    let blank = |line: &str| match line.split_once("  ") {
        Some((name @ ("trace" | "order" | "began" | "page"), _)) => format!("{name}  …"),
        Some(_) => format!("…  {}", line.chars().skip(TIMES).collect::<String>()),
        None => line.to_owned(),
    };
    text.lines().map(blank).collect::<Vec<_>>().join("\n")
}

#[test]
fn new_traces_are_followed_as_they_end() {
    let host = Host::plan_demo().warns("Database deadlock").start();
    let earlier = host.shop.buy("headphones", 1).trace_id();
    eventually("the trace", || (host.admin.get(&format!("/recent/traces/{earlier}")).status == 200).then_some(()));
    let all = Following::start(command(&host, &["traces", "tail", "--last", "1"]));
    assert!(all.line().starts_with("TIME"));
    assert!(all.line().contains(&earlier[..8]));
    let errors = Following::start(command(&host, &["traces", "tail", "--errors", "-n", "0", "--count", "1", "--json"]));
    // What ends before the first look isn't new.
    let mut failed = Vec::new();
    let next = eventually("a new error", || {
        failed.push(deadlock(&host));
        errors.lines.try_recv().ok()
    });
    let next: Value = serde_json::from_str(&next).expect("JSON");
    let id = next["trace_id"].as_str().expect("an id");
    assert!(failed.iter().any(|failed| failed == id) && next["is_error"] == true, "{next}");
    assert!(errors.ends(), "it was to end after one");
    all.line_with(&id[..8]);
    host.stop();
}

#[test]
fn an_order_is_shown_for_people_and_for_programs() {
    let host = Host::start();
    let sold = host.shop.buy("headphones", 2);
    let order = sold.json()["order_id"].to_string();
    let sheet = stdout(&run(&host, &["orders", "show", &order]));
    for part in ["COMPLETED", "headphones", "subtotal", "total, USD", "199.98", &sold.trace_id()] {
        assert!(sheet.contains(part), "no {part} in {sheet}");
    }
    assert_eq!(json(&host, &["orders", "show", &order])["reference"], sold.json()["reference"]);
    host.stop();
}

#[test]
fn log_lines_are_shown_and_followed() {
    let host = Host::plan_demo().warns("Database deadlock").start();
    let lines = stdout(&run(&host, &["logs"]));
    assert!(lines.contains("INFO ") && lines.contains("serving"), "the host's own lines: {lines}");
    let following = Following::start(command(&host, &["logs", "--follow", "--level", "warn", "-n", "0"]));
    // What is written before the first look isn't new.
    let mut failed = Vec::new();
    let line = eventually("a new line", || {
        failed.push(deadlock(&host));
        following.lines.try_recv().ok()
    });
    assert!(line.contains("WARN"), "{line}");
    let failed = failed.into_iter().find(|failed| line.contains(&failed[..8])).expect("the line's trace");

    let of_trace = json(&host, &["logs", "--trace", &failed]);
    let of_trace = of_trace["lines"].as_array().expect("lines");
    assert!(!of_trace.is_empty() && of_trace.iter().all(|line| line["trace_id"] == *failed), "{of_trace:?}");
    assert!(of_trace[0]["at"].as_str().expect("a moment").ends_with('Z'));
    assert!(stdout(&run(&host, &["logs", "deadlock", "-n", "1"])).lines().count() == 1);
    assert_eq!(stdout(&run(&host, &["logs", "--plugin", "nobody"])), "");
    host.stop();
}

#[test]
fn top_shows_rates_versions_and_the_slowest() {
    let host = Host::start();
    let slowest = host.shop.buy("headphones", 1).trace_id();
    let rated = eventually("a sample of the charts", || {
        host.shop.buy("headphones", 1);
        let now = json(&host, &["top"]);
        now["checkouts_per_s"].as_f64().is_some_and(|rate| rate > 0.0).then_some(now)
    });
    assert_eq!(rated["failed_percent"], 0.0);
    assert_eq!(rated["versions"].as_array().map(Vec::len), Some(2));
    assert!(rated["slowest"].as_array().is_some_and(|slowest| !slowest.is_empty()), "{slowest}: {rated}");
    let picture = stdout(&run(&host, &["top"]));
    for part in ["checkouts/s, none failed", "/checkout", "ROUTE", "OUTCOME", "VERSION", "SLOWEST", "headphones"] {
        assert!(picture.contains(part), "no {part} in {picture}");
    }
    host.stop();
}

#[test]
fn a_trace_is_opened_in_a_browser_where_there_is_one() {
    let host = Host::start();
    let id = host.shop.buy("headphones", 1).trace_id();
    let url = format!("http://{}/traces/{id}\n", host.admin.address);
    let folder = tempfile::tempdir().expect("a folder");
    let opener = folder.path().join("xdg-open");
    std::fs::write(&opener, "#!/bin/sh\nprintf '%s\\n' \"$1\" > \"$(dirname \"$0\")/opened\"\n").expect("written");
    std::fs::set_permissions(&opener, PermissionsExt::from_mode(0o755)).expect("executable");
    let open = |arguments: &[&str], display: &str| {
        let path = format!("{}:{}", folder.path().display(), std::env::var("PATH").expect("a path"));
        let mut command = command(&host, &[&["open"], arguments].concat());
        stdout(
            &command
                .env("PATH", path)
                .env("DISPLAY", display)
                .env_remove("WAYLAND_DISPLAY")
                .output()
                .expect("till starts"),
        )
    };
    assert_eq!(open(&[&id[..8]], ""), url, "a machine without a desktop");
    assert_eq!(open(&["--print"], ":0"), format!("http://{}/console\n", host.admin.address));
    assert_eq!(open(&[&id[..8]], ":0"), url);
    let opened = eventually("a browser", || {
        std::fs::read_to_string(folder.path().join("opened")).ok().filter(|text| text.ends_with('\n'))
    });
    assert_eq!(opened, url);
    host.stop();
}

#[test]
fn colours_are_for_terminals_and_for_whoever_wants_them() {
    let host = Host::start();
    host.shop.buy("headphones", 1);
    let list = |variable: &str, value: &str| {
        stdout(&command(&host, &["traces", "list"]).env(variable, value).output().expect("till starts"))
    };
    assert!(list("CLICOLOR_FORCE", "1").contains("\u{1b}[1mTIME"));
    assert!(!list("NO_COLOR", "1").contains('\u{1b}'));
    host.stop();
}

#[test]
fn a_mistyped_name_is_answered_with_the_one_that_was_meant() {
    let host = Host::start();
    let refused = |arguments: &[&str]| {
        let output = run(&host, arguments);
        assert!(!output.status.success(), "{arguments:?}");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    for (arguments, hint) in [
        (&["plugin", "set", "chekout", "a=b"][..], "did you mean checkout?"),
        (&["plugin", "set", "inventory", "fautls=on"], "did you mean faults?"),
        (&["plugin", "show", "77"], "till plugin list shows them"),
        (&["plugin", "rollback", "checkout", "--to", "77"], "till plugin list shows them"),
        (&["traces", "lsit"], "'list'"),
        (&["logs", "--levle", "warn"], "'--level'"),
    ] {
        let said = refused(arguments);
        assert!(said.contains(hint), "{arguments:?}: {said}");
    }
    let answer = host.admin.get("/recent/traces?statuss=500").json();
    assert_eq!(answer["detail"], "there is no filter statuss; did you mean status?");
    host.stop();

    let host = Host::plan().set("inventory.fautls=on").warns("did you mean faults?").start();
    host.stop();

    let settings = |variable: Option<&str>, file: &str| {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("till.toml"), file).expect("written");
        let mut serve = till();
        serve.args(["serve", "--print-config"]).current_dir(folder.path());
        serve.envs(variable.map(|name| (name, "1")));
        let output = serve.output().expect("till starts");
        assert_eq!(output.status.code(), Some(64), "{variable:?} {file}");
        String::from_utf8(output.stderr).expect("UTF-8")
    };
    for (said, hint) in [
        (settings(None, "[limts]\nspans = 1\n"), "did you mean limits.spans?"),
        (settings(None, "[stcok]\nlaptop = 1\n"), "did you mean stock.laptop?"),
        (settings(None, "[limits]\nsapns = 1\n"), "did you mean limits.spans?"),
        (settings(Some("TILL_LIMITS_SAPNS"), ""), "did you mean TILL_LIMITS_SPANS?"),
        (settings(Some("TILL_LISTEN"), ""), "did you mean TILL_SERVER_LISTEN?"),
    ] {
        assert!(said.contains(hint), "{hint}: {said}");
    }
}

/// Returns a demo whose folders are made in this one.
fn demo(folder: &Path, arguments: &[&str]) -> Command {
    let mut demo = till();
    demo.arg("demo").args(arguments).env("TMPDIR", folder);
    demo
}

fn is_empty(folder: &Path) -> bool {
    std::fs::read_dir(folder).expect("a folder").count() == 0
}

#[test]
fn the_demo_tells_its_story_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().expect("a folder");
    let told = stdout(&demo(folder.path(), &["--duration", "20s", "--rate", "40"]).output().expect("till starts"));
    let mut rest = &told[..];
    for part in [
        &["A shop opens"][..],
        &["/traces"],
        &["orders sold"],
        &["--canary 50%"],
        // On a busy machine the canary is asked too seldom, and the demo says so.
        &["Its gates withdraw it", "The gates have seen too few calls"],
        &["no customer got an error"],
        &["Somebody is in a hurry"],
        &["/traces/"],
        &["till plugin rollback inventory"],
        &["more orders sold since; none failed"],
        &["The shop closes"],
        &["no promise was broken"],
    ] {
        let at = part.iter().find_map(|either| rest.find(either));
        rest = &rest[at.unwrap_or_else(|| panic!("no {part:?} in its place in {told}"))..];
    }
    assert!(is_empty(folder.path()));
}

#[test]
fn the_demo_ends_in_order_on_ctrl_c() {
    for after in ["A shop opens", "--canary"] {
        let folder = tempfile::tempdir().expect("a folder");
        let demo = Following::start(demo(folder.path(), &["--duration", "10s", "--rate", "10"]));
        demo.line_with(after);
        let id = Pid::from_child(&demo.child);
        kill_process(id, Signal::INT).expect("it runs");
        assert!(demo.ends(), "after {after}");
        assert!(is_empty(folder.path()), "after {after}");
    }
}
