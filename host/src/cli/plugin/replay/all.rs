//! All recorded calls of a time, repeated on all cores, and what that comes to.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    super::{
        super::{client::Admin, print, print_json},
        code::Code,
        rehearse::runtime,
    },
    Chosen, plain,
};
use crate::{
    admin::{RecordingJson, RecordingsJson},
    app::store_settings,
    author::{
        rehearsal::{Case, Repeated, Repeating},
        replay::{Group, RecordedCall, Report},
    },
    clock::now_ms,
    config::Settings,
    hooks::Installation,
    order::{Currency, MinorUnits},
    runtime::Compiler,
    units::millis,
    versions::Candidate,
};

/// The most recordings that are asked for at once.
const PAGE: usize = 500;

/// What repeating the calls came to.
pub(in super::super) struct Compared {
    plugin: String,
    at: Installation,
    since: Duration,
    currency: Currency,
    cores: usize,
    report: Report,
}

/// Repeats all calls that were recorded in so much time, of the plugin's kind or at one place.
///
/// # Errors
/// If the plugin can't be used, or the host can't be asked.
pub(in super::super) fn compare(
    plugin: Chosen,
    at: Option<Installation>,
    since: Duration,
    settings: Settings,
    admin: &Admin,
) -> anyhow::Result<Compared> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let runtime = runtime()?;
    let currency = settings.shop.currency;
    let repeating = Arc::new(runtime.block_on(repeating(plugin.candidate, settings, 2 * cores))?);
    let kind = repeating.stage().kind();
    let at = at.or(plugin.at).filter(|at| at.kind == kind).unwrap_or(Installation::of(kind));
    let recordings = recorded(at, since, admin)?;
    // The shop's currency, which the recordings say.
    let first = recordings.iter().find_map(|recording| recording.case.as_ref());
    let first = first.and_then(|case| Case::parse(case.get(), kind, currency).ok());
    let currency = first.map_or(currency, |case| case.currency);
    let report = runtime.block_on(repeat(&repeating, recordings, currency, cores));
    let plugin = repeating.identity().map(ToString::to_string).unwrap_or_default();
    Ok(Compared { plugin, at, since, currency, cores, report })
}

/// Returns the plugin, to repeat so many calls `at_once` with.
///
/// # Errors
/// What is wrong with the file.
pub(in super::super) async fn repeating(
    plugin: Candidate,
    settings: Settings,
    at_once: usize,
) -> anyhow::Result<Repeating> {
    let settings = plain(settings);
    let of_store = store_settings(&settings);
    // The lock is held until everything is compiled.
    let code = Code::of(&plugin.bytes, settings.limits.compiled_mib)?;
    let compiler = Compiler::in_process().keeping(code.kept());
    Repeating::set(plugin, settings, of_store, compiler, at_once).await
}

/// Returns the host's recordings with their cases, the oldest first.
fn recorded(at: Installation, since: Duration, admin: &Admin) -> anyhow::Result<Vec<RecordingJson>> {
    let since_ms = now_ms().saturating_sub(millis(since));
    let at = utf8_percent_encode(&at.to_string(), NON_ALPHANUMERIC).to_string();
    let path = format!("/recordings?plugin={at}&since_ms={since_ms}&sort=oldest&limit={PAGE}&cases=true");
    let (mut all, mut after) = (Vec::new(), String::new());
    loop {
        let page: RecordingsJson = admin.get(&format!("{path}{after}"))?;
        all.extend(page.recordings);
        match page.next_after {
            Some(next) => after = format!("&after={next}"),
            None => return Ok(all),
        }
    }
}

/// Repeats the calls, as many at once as there are cores.
async fn repeat(
    repeating: &Arc<Repeating>,
    recordings: Vec<RecordingJson>,
    currency: Currency,
    cores: usize,
) -> Report {
    let mut report = Report::default();
    report.undecided = recordings.iter().filter(|recording| !recording.decided).count() as u64;
    let started = Instant::now();
    let calls = recordings.into_iter().filter(|recording| recording.decided).map(|recording| {
        let repeating = Arc::clone(repeating);
        async move {
            let call = RecordedCall {
                id: recording.id,
                trace_id: recording.trace_id,
                outcome: recording.outcome,
                total: recording.total,
            };
            let case = recording.case.map(|case| case.get().to_owned()).unwrap_or_default();
            let repeated = tokio::spawn(async move { one(&repeating, &case, currency).await }).await;
            (call, repeated.unwrap_or_else(|error| Err(error.into())))
        }
    });
    // Their order is the recordings', so that the calls named are the first.
    let mut calls = stream::iter(calls).buffered(2 * cores);
    while let Some((call, repeated)) = calls.next().await {
        match repeated {
            Ok(repeated) => report.count(&call, &repeated),
            Err(error) => report.count_unreadable(format!("recording {}: {error:#}", call.id)),
        }
    }
    report.took = started.elapsed();
    report
}

async fn one(repeating: &Repeating, case: &str, currency: Currency) -> anyhow::Result<Repeated> {
    let case = Case::parse(case, repeating.stage().kind(), currency)?;
    repeating.repeat(&case).await
}

impl Compared {
    /// Prints the report.
    pub(in super::super) fn tell(&self, admin: &Admin) -> anyhow::Result<()> {
        if admin.json { print_json(&self.json(admin)) } else { print(&self.text(admin)) }
    }

    /// # Errors
    /// If a call decides otherwise, or none was compared.
    pub(in super::super) fn as_outcome(&self) -> anyhow::Result<()> {
        let Report { otherwise, compared, unreadable, .. } = &self.report;
        anyhow::ensure!(*compared > 0, "no call of {} was compared: none is recorded in that time", self.at);
        anyhow::ensure!(*otherwise == 0, "{otherwise} of {compared} calls decide otherwise than recorded");
        anyhow::ensure!(*unreadable == 0, "{unreadable} calls can't be repeated");
        Ok(())
    }

    fn text(&self, admin: &Admin) -> String {
        let Self { plugin, at, since, cores, report, .. } = self;
        let Report { compared, otherwise, undecided, unreadable, first_unreadable, took, .. } = report;
        let hours = since.as_secs_f64() / 3600.0;
        let mut text =
            format!("{plugin}: {compared} calls of {at} in the last {hours:.1} h, {otherwise} decide otherwise");
        if let Some(money) = report.money() {
            text += &format!(", for {} in all", self.money(money));
        }
        let (groups, more) = report.groups();
        for Group { difference, calls, money, first } in groups {
            let money = money.map(|money| format!("  {}", self.money(money))).unwrap_or_default();
            text += &format!("\n\n{calls} calls{money}");
            difference.iter().for_each(|line| text += &format!("\n  {line}"));
            for named in first {
                text += &format!("\n  {}  recording {}", admin.url(&trace_page(&named.trace_id)), named.id);
            }
        }
        if more > 0 {
            text += &format!("\n\nand {more} other differences");
        }
        text += "\n";
        if *undecided > 0 {
            text += &format!("\nnot compared: {undecided} calls that the host or another plugin ended");
        }
        if *unreadable > 0 {
            let first = first_unreadable.as_deref().unwrap_or_default();
            text += &format!("\nnot repeated: {unreadable} calls, the first for: {first}");
        }
        let rate = report.calls_per_second();
        text + &format!("\n{compared} calls in {:.2} s on {cores} cores, {rate:.0} a second", took.as_secs_f64())
    }

    fn json(&self, admin: &Admin) -> Value {
        let Self { plugin, at, currency, cores, report, .. } = self;
        let (groups, more) = report.groups();
        let group = |group: &&Group| {
            let mut json = serde_json::to_value(group).unwrap_or_default();
            let links = group.first.iter().map(|named| admin.url(&trace_page(&named.trace_id)));
            json.as_object_mut().into_iter().for_each(|json| {
                json.insert("links".into(), links.clone().collect::<Vec<_>>().into());
            });
            json
        };
        json!({
            "plugin": plugin,
            "at": at.to_string(),
            "currency": currency.code(),
            "compared": report.compared,
            "otherwise": report.otherwise,
            "money": report.money(),
            "groups": groups.iter().map(group).collect::<Vec<_>>(),
            "groups_more": more,
            "undecided": report.undecided,
            "unreadable": report.unreadable,
            "first_unreadable": report.first_unreadable,
            "took_ms": millis(report.took),
            "calls_per_second": report.calls_per_second(),
            "cores": cores,
        })
    }

    /// Returns an amount with its sign: what customers pay more, or less.
    fn money(&self, amount: i64) -> String {
        let sign = if amount < 0 { "-" } else { "+" };
        let magnitude = MinorUnits::saturated(amount.unsigned_abs().into());
        format!("{sign}{} {}", self.currency.format(magnitude), self.currency)
    }
}

fn trace_page(trace_id: &str) -> String {
    format!("/traces/{trace_id}")
}
