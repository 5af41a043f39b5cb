//! The processors' time that a process has had, which says more of a busy machine than the clock does.

use anyhow::Context;

/// Of the kernel's clock, in which it tells a process's time.
const TICKS_PER_SECOND: f64 = 100.0;

/// Returns the seconds that the process with this id, or `self`, has had so far.
///
/// # Errors
/// When the kernel says something else.
pub(crate) fn seconds(process: &str) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    let (_, after_name) = stat.rsplit_once(") ").context("a name")?;
    let mut fields = after_name.split(' ').skip(11).map(str::parse::<u32>);
    let mut next = || fields.next().context("a time")?.context("read a time");
    Ok(f64::from(next()? + next()?) / TICKS_PER_SECOND)
}
