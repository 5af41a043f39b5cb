//! The memory that a process has.

/// Returns what of a process's memory is resident.
pub(crate) fn resident_mib(process_id: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process_id}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().trim_end_matches(" kB").parse::<f64>().ok().map(|kib| kib / 1024.0)
}
