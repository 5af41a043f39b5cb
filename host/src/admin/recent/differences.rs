//! `GET /recent/differences`: what sets the selected traces apart from others.

use super::{
    super::{Admin, Asked, searched},
    Selection,
    selection::parsed,
};
use crate::{
    http::{Answer, Reply},
    telemetry::{
        Recent,
        recent::{
            differences::{Comparing, Differences, Side},
            query::{Query, Seen},
        },
    },
};

/// # Errors
/// 404 if no traces are kept, 422 for an unknown or invalid filter.
pub(in super::super) async fn show(admin: &Admin, asked: Asked) -> Answer {
    let recent = admin.recent()?.clone();
    let mut against = Query::default();
    let selection = Selection::of_query(&asked.query, &["against"], |_, value| {
        against = parsed(value)?;
        Ok(())
    })?;
    searched(move || Reply::json(&compared(&recent, &selection, &against))).await
}

fn compared(recent: &Recent, selection: &Selection, against: &Query) -> Differences {
    let mut comparing = Comparing::default();
    recent.each(|trace| {
        Seen::read(trace, |seen| {
            if selection.takes(&seen) {
                comparing.add(Side::Selected, &seen);
            } else if against.takes(&seen) {
                comparing.add(Side::Rest, &seen);
            }
            Some(())
        });
    });
    comparing.differences()
}
