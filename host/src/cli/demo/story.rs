//! What the demo tells, in shares of its time:
//!
//! ```text
//! 0 %    a shop opens, and customers come
//! 12 %   a checkout, from the request to the disk
//! 17 %   a change is tried on half of the customers; its gates withdraw it
//! 62 %   the same change, live at once: slow and failing orders
//! 82 %   a rollback
//! 100 %  the end
//! ```

use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{
        client::with_query,
        paint::{FAILED, GOOD, LINK, PLUGIN, REFUSED, painted},
        text::{duration, three_digits},
    },
    Demonstration,
};
use crate::{
    admin::{RolloutJson, SwappedJson},
    traffic::{summary::Summary, tally::Counts},
};

const FIRST_ORDERS: f64 = 0.12;
const CANARY: f64 = 0.17;
const LIVE: f64 = 0.62;
const ROLLBACK: f64 = 0.82;
const END: f64 = 1.0;

const LOOK: Duration = Duration::from_millis(200);
/// Who changes things, in the plugins' history.
const BY: &str = "till demo";
const CANARY_PERCENT: f64 = 50.0;

#[derive(Deserialize)]
struct Listed {
    traces: Vec<Trace>,
}

/// A trace of a list.
#[derive(Deserialize)]
struct Trace {
    trace_id: String,
    start_us: u64,
    duration_us: u64,
    item: Option<String>,
    outcome: Option<String>,
}

#[derive(Deserialize)]
struct Lines {
    lines: Vec<Line>,
}

#[derive(Deserialize)]
struct Line {
    level: String,
    message: String,
}

/// # Errors
/// If the host doesn't do its part, or the demo is stopped.
pub(super) fn tell(demo: &Demonstration) -> anyhow::Result<()> {
    open(demo)?;
    demo.wait_until(FIRST_ORDERS)?;
    first_orders(demo)?;
    demo.wait_until(CANARY)?;
    canary(demo)?;
    demo.wait_until(LIVE)?;
    live(demo)?;
    demo.wait_until(ROLLBACK)?;
    roll_back(demo)?;
    demo.wait_until(END)
}

fn open(demo: &Demonstration) -> anyhow::Result<()> {
    demo.say("A shop opens, in a temporary folder: laptops, smartphones, headphones.")?;
    demo.add(&format!("shop    {}", link(&demo.host.shop)))?;
    demo.add(&format!("console {}", link(&demo.host.admin.url("/console"))))?;
    demo.add(&format!("traces  {}", link(&demo.host.admin.url("/traces"))))?;
    let rate = demo.rate;
    let admin = demo.host.admin.url("");
    demo.add(&format!("for till's commands in another terminal: export TILL_ADMIN_URL={admin}"))?;
    demo.add(&format!("{rate} customers a second come in, as `till traffic` sends them."))
}

fn first_orders(demo: &Demonstration) -> anyhow::Result<()> {
    let counts = demo.tally.counts();
    let latencies = counts.latencies();
    let [p50, p99] = [50.0, 99.0].map(|percent| three_digits(latencies.percentile_ms(percent)));
    let sold = painted(GOOD, &format!("{} orders sold", sold(&counts)));
    demo.say(&format!("{sold}, half of them within {p50} ms, 99 of 100 within {p99} ms, each durable on the disk."))?;
    if let Some(trace) = traces(demo, &[("outcome", "ok"), ("limit", "1")])?.first() {
        demo.add(&format!("one of them, from the request to the disk: {}", trace.link(demo)))?;
    }
    Ok(())
}

fn canary(demo: &Demonstration) -> anyhow::Result<()> {
    let failed_before = demo.tally.counts().failed;
    demo.say("Somebody changes a setting of the inventory plugin. Half of the customers try it first:")?;
    demo.add("till plugin set inventory faults=on --canary 50% --force")?;
    let candidate = change(demo, json!({ "canary": CANARY_PERCENT }))?;
    let began = demo.began.elapsed();
    let mut rollout: RolloutJson = demo.host.admin.get("/plugins/rollout")?;
    while rollout.state == "running" && !demo.is_past(LIVE - 0.05) {
        demo.wait(LOOK)?;
        rollout = demo.host.admin.get("/plugins/rollout")?;
    }
    let after = three_digits((demo.began.elapsed() - began).as_secs_f64());
    if rollout.state == "rolled_back" {
        demo.say(&painted(REFUSED, &format!("Its gates withdraw it after {after} s: {}.", rollout.reason)))?;
    } else {
        demo.say(&format!("The gates have seen too few calls to decide after {after} s, so somebody withdraws it."))?;
        if rollout.state == "running" {
            let body = json!({ "by": BY, "reason": "the demo goes on" });
            let _: RolloutJson = demo.host.admin.post("/plugins/rollout/abort", &body)?;
        }
    }
    let noticed = match demo.tally.counts().failed - failed_before {
        0 => painted(GOOD, "no customer got an error: where it failed, the live version decided"),
        failed => painted(FAILED, &format!("{failed} customers got an error")),
    };
    demo.add(&format!("{noticed}."))?;
    if let Some(slow) = traces(demo, &[("sort", "slowest"), ("item", "smartphone"), ("limit", "1")])?.first() {
        demo.add(&format!("its slowest call, {}: {}", duration(slow.duration_us), slow.link(demo)))?;
    }
    if let Some(saved) = traces(demo, &[("errors", "true"), ("status", "200"), ("limit", "1")])?.first() {
        demo.add(&format!(
            "an order that failed on the canary and was sold by the live version: {}",
            saved.link(demo)
        ))?;
    }
    let number = candidate.version.id;
    demo.add(&format!("who changed what: {} (`till plugin show {number}`)", painted(PLUGIN, "till plugin history")))
}

fn live(demo: &Demonstration) -> anyhow::Result<()> {
    demo.say("Somebody is in a hurry and does it without a canary:")?;
    demo.add("till plugin set inventory faults=on --force")?;
    let began_us = crate::clock::now_ms() * 1000;
    change(demo, json!({}))?;
    let (mut slow, mut failed) = (None, None);
    while (slow.is_none() || failed.is_none()) && !demo.is_past(ROLLBACK - 0.02) {
        demo.wait(LOOK)?;
        let after = began_us.to_string();
        let first = |query: &[(&str, &str)]| {
            anyhow::Ok(traces(demo, query)?.into_iter().find(|trace| trace.start_us >= began_us))
        };
        if failed.is_none()
            && let Some(trace) = first(&[("errors", "true"), ("status", "5xx"), ("after_us", &after)])?
        {
            let why = trace.outcome.as_deref().unwrap_or("failed");
            let said = format!("A customer gets an error, {why}:",);
            demo.say(&format!("{} {}", painted(FAILED, &said), trace.link(demo)))?;
            failed = Some(trace);
        }
        if slow.is_none()
            && let Some(trace) = first(&[("min_ms", "900"), ("after_us", &after), ("sort", "slowest")])?
        {
            let (took, item) = (duration(trace.duration_us), trace.item.as_deref().unwrap_or("cart"));
            demo.say(&format!("{} {}", painted(REFUSED, &format!("A {item} order takes {took}:")), trace.link(demo)))?;
            if let Some(line) = lines_of(demo, &trace)?.first() {
                demo.add(&format!(
                    "and the plugin logged meanwhile: {} {}",
                    line.level,
                    super::super::text::visible(&line.message)
                ))?;
            }
            slow = Some(trace);
        }
    }
    Ok(())
}

fn roll_back(demo: &Demonstration) -> anyhow::Result<()> {
    demo.say("Back to the version before, while requests are served:")?;
    demo.add("till plugin rollback inventory")?;
    let _: SwappedJson = demo.host.admin.post("/plugins/inventory/rollback", &json!({ "by": BY }))?;
    // Orders that began before may still fail.
    demo.wait(Duration::from_millis(2_600).min(demo.length.mul_f64(0.08)))?;
    let before = demo.tally.counts();
    demo.wait_until(END)?;
    let now = demo.tally.counts();
    let (more, failed) = (sold(&now) - sold(&before), now.failed - before.failed);
    let failed = if failed == 0 { painted(GOOD, "none failed") } else { painted(FAILED, &format!("{failed} failed")) };
    demo.say(&format!("{more} more orders sold since; {failed}."))
}

/// Tells the sum of it.
pub(super) fn sum_up(demo: &Demonstration, summary: &Summary) -> anyhow::Result<()> {
    let counts = demo.tally.counts();
    let Counts { ended, failed, .. } = &counts;
    let broken = match summary.broken_promises {
        0 => painted(GOOD, "no promise was broken"),
        broken => painted(FAILED, &format!("{broken} promises were broken")),
    };
    demo.say(&format!("The shop closes: {} of {ended} orders sold, {failed} failed, {broken}.", sold(&counts)))?;
    demo.add("Your own shop: till serve. Your own plugin: till plugin new. More: till help")
}

/// Turns the faults of the inventory plugin on, at once or as a rollout.
fn change(demo: &Demonstration, how: Value) -> anyhow::Result<SwappedJson> {
    let mut body = json!({ "set": { "faults": "on" }, "by": BY, "force": true });
    if let (Some(members), Value::Object(how)) = (body.as_object_mut(), how) {
        members.extend(how);
    }
    demo.host.admin.post("/plugins/inventory/settings", &body)
}

fn traces(demo: &Demonstration, query: &[(&str, &str)]) -> anyhow::Result<Vec<Trace>> {
    let query = query.iter().map(|(name, value)| (*name, Some((*value).to_owned())));
    let listed: Listed = demo.host.admin.get(&with_query("/recent/traces", query))?;
    Ok(listed.traces)
}

fn lines_of(demo: &Demonstration, trace: &Trace) -> anyhow::Result<Vec<Line>> {
    let lines: Lines = demo.host.admin.get(&format!("/recent/lines?limit=1&trace_id={}", trace.trace_id))?;
    Ok(lines.lines)
}

impl Trace {
    fn link(&self, demo: &Demonstration) -> String {
        link(&demo.host.admin.url(&format!("/traces/{}", self.trace_id)))
    }
}

fn link(url: &str) -> String {
    painted(LINK, url)
}

/// Returns how many orders were sold.
fn sold(counts: &Counts) -> u64 {
    let sold = counts.outcomes.iter().filter(|(outcome, _)| outcome.status == Some(200));
    sold.map(|(_, recorded)| recorded.latencies.count()).sum()
}
