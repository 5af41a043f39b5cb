//! Fits the limits of connections to the number of files that the process may open.
//!
//! A connection that can't be accepted isn't even refused: its client waits until another one closes, even for
//! `/livez`. So with few open files there are fewer connections, some of which are reserved for operators and for
//! refusals, which answer the watch routes.

use anyhow::ensure;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{config::Limits, http::server::NEWCOMERS};

/// The files reserved for the host itself, at least and at most: readers of the store, compiling a plugin, a backup,
/// telemetry.
const OWN_FILES: (u64, u64) = (16, 256);
/// With fewer free files the host refuses to start.
const FREE_FILES_MIN: u64 = 16;
/// The shop's listener and the operators'.
const LISTENERS: u64 = 2;

/// Raises the process's limit of open files to its hard limit. Returns the limit and how many files are open.
pub(super) fn allowed_and_open() -> (u64, u64) {
    let given = getrlimit(Resource::Nofile);
    // The low soft limit protects processes that use `select`, which this one never does.
    let raised = setrlimit(Resource::Nofile, Rlimit { current: given.maximum, maximum: given.maximum });
    let allowed = if raised.is_ok() { given.maximum } else { given.current };
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    (allowed.unwrap_or(u64::MAX), open as u64)
}

/// Returns the limits with as many connections as there is room for, and a message if those are fewer.
///
/// # Errors
/// If there is no room for any connection.
pub(super) fn fitted(limits: &Limits, (allowed, open): (u64, u64)) -> anyhow::Result<(Limits, Option<String>)> {
    let (least, most) = OWN_FILES;
    let own = (allowed / 8).clamp(least, most);
    let free = allowed.saturating_sub(open).saturating_sub(own);
    ensure!(
        free >= FREE_FILES_MIN,
        "this process may open {allowed} files and has {open} open before it serves anybody; let it open {} at least \
         (ulimit -n, LimitNOFILE= of a systemd unit)",
        open + least + FREE_FILES_MIN
    );
    let bounded = |limit: usize, room: u64| limit.min(usize::try_from(room).unwrap_or(usize::MAX));
    let refusals = bounded(limits.refusals, (free / 24).max(1));
    let admin_connections = bounded(limits.admin_connections, (free / 12).max(2));
    let others = LISTENERS * ((1 + NEWCOMERS) * refusals) as u64 + admin_connections as u64;
    // A checkout may open a connection to another inventory, but not every connection has a checkout.
    let connections = bounded(limits.connections, free.saturating_sub(others) / 4 * 3);
    let fitted = Limits { connections, admin_connections, refusals, ..limits.clone() };
    let rows = [
        ("connections", limits.connections, connections),
        ("admin_connections", limits.admin_connections, admin_connections),
        ("refusals", limits.refusals, refusals),
    ];
    let changes = rows.into_iter().filter(|(_, before, after)| after < before);
    let changes: Vec<_> =
        changes.map(|(name, before, after)| format!("limits.{name} is {after} instead of {before}")).collect();
    let said = (!changes.is_empty())
        .then(|| format!("this process may open {allowed} files: {}, until ulimit -n allows more", changes.join(", ")));
    Ok((fitted, said))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Settings, Sources};

    #[test]
    fn connections_fit_into_the_files_that_may_be_open() {
        let limits = Settings::load(&Sources::defaults()).expect("usable").limits;
        for allowed in [64, 80, 128, 256, 400, 1_024, 4_096, 1 << 20] {
            let open = 25;
            let (fitted, said) = fitted(&limits, (allowed, open)).expect("room for some");
            let Limits { connections, admin_connections, refusals, .. } = fitted;
            assert!(connections > 0 && admin_connections > 1 && refusals > 0, "{allowed}: {fitted:?}");
            let sockets = connections + admin_connections + 2 * 5 * refusals;
            assert!(sockets as u64 + open + OWN_FILES.0 <= allowed, "{allowed}: {sockets}");
            assert_eq!(said.is_some(), connections < limits.connections, "{allowed}: {said:?}");
        }
        let (unbounded, said) = fitted(&limits, (1 << 20, 25)).expect("room");
        assert_eq!((unbounded.connections, unbounded.refusals, said), (limits.connections, limits.refusals, None));
    }

    #[test]
    fn where_there_is_no_room_at_all_the_start_says_how_many_files_it_takes() {
        let limits = Settings::load(&Sources::defaults()).expect("usable").limits;
        let refused = fitted(&limits, (48, 25)).expect_err("no room").to_string();
        assert!(refused.contains("let it open 57 at least (ulimit -n"), "{refused}");
    }
}
