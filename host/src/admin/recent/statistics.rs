//! `GET /recent/statistics`: the figures of all traces, or spans, that match.

use super::{
    super::{Admin, Asked, query, searched},
    Selection,
};
use crate::{
    http::{Answer, Reply, problem::Problem},
    telemetry::{
        Recent,
        recent::{
            query::{KEYS, Key, Of},
            statistics::{Counting, Statistics},
        },
    },
};

/// # Errors
/// 404 if no traces are kept, 422 for an unknown or invalid filter.
pub(in super::super) async fn show(admin: &Admin, asked: Asked) -> Answer {
    let recent = admin.recent()?.clone();
    let (mut group, mut of) = (None, Of::Traces);
    let mut selection = Selection::of_query(&asked.query, &["group", "of"], |name, value| {
        match name {
            "group" => group = Some(group_of(value)?),
            _ => of = query::value(name, value, Of::parse(value), "traces or spans")?,
        }
        Ok(())
    })?;
    selection.of = of;
    searched(move || Reply::json(&counted(&recent, &selection, group))).await
}

fn group_of(name: &str) -> Result<&'static Key, Problem> {
    Key::of_group(name).ok_or_else(|| {
        let names: Vec<_> = KEYS.iter().filter(|key| key.is_of_few()).map(|key| key.name).collect();
        Problem::unacceptable(format!("group={name}: wanted one of {}", names.join(", ")))
    })
}

fn counted(recent: &Recent, selection: &Selection, group: Option<&'static Key>) -> Statistics {
    let mut counting = Counting::by(group);
    recent.each(|trace| selection.each(trace, |seen| counting.add(seen)));
    counting.figures(selection.filter.after_us, selection.filter.before_us)
}
