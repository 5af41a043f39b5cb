//! Limits what plugins write to the log: lines and bytes of a call, and lines and bytes of a plugin for each second.
//!
//! Bytes are counted as written in the log, where a control character takes six. Text past a limit is dropped and
//! counted; the call goes on. Log calls and prints have the same limits: a print is one line or several.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::config::Limits;
use parking_lot::Mutex;

/// The window in which a plugin's lines and bytes are counted.
const WINDOW: Duration = Duration::from_secs(1);
/// The time between two log lines about a plugin's dropped lines.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// The log of one plugin, shared by all its calls.
#[derive(Debug)]
pub struct GuestLog {
    /// `kind/name@version`, a field of each line.
    plugin: Arc<str>,
    lines_max: usize,
    bytes_max: usize,
    pace: Mutex<Pace>,
}

impl GuestLog {
    /// Returns a log for `plugin`, named as `kind/name@version`.
    #[must_use]
    pub fn new(plugin: impl Into<Arc<str>>, limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            plugin: plugin.into(),
            lines_max: limits.plugin_log_lines,
            bytes_max: limits.plugin_log_bytes,
            pace: Mutex::default(),
        })
    }

    /// Returns a log with the same limits for another plugin.
    #[must_use]
    pub fn of(&self, plugin: impl Into<Arc<str>>) -> Arc<Self> {
        let Self { lines_max, bytes_max, .. } = *self;
        Arc::new(Self { plugin: plugin.into(), lines_max, bytes_max, pace: Mutex::default() })
    }

    pub(super) fn plugin(&self) -> &str {
        &self.plugin
    }

    /// Returns whether one more line of `bytes` may be written now, and counts it.
    pub(super) fn admits(&self, bytes: usize) -> bool {
        let now = Instant::now();
        let mut pace = self.pace.lock();
        let admitted = pace.admits(now, bytes, self.lines_max, self.bytes_max);
        let tell = !admitted && pace.tell(now);
        drop(pace);
        if tell {
            let Self { plugin, lines_max, bytes_max, .. } = self;
            tracing::warn!(
                plugin = &**plugin,
                "the plugin {plugin} logs more than {lines_max} lines or {bytes_max} bytes a second \
                 (limits.plugin_log_lines, limits.plugin_log_bytes); the lines past that are dropped and counted in \
                 plugin_log_lines_dropped_total"
            );
        }
        admitted
    }
}

/// The lines and bytes of the current second.
#[derive(Debug, Default)]
struct Pace {
    since: Option<Instant>,
    lines: usize,
    bytes: usize,
    told: Option<Instant>,
}

impl Pace {
    fn admits(&mut self, now: Instant, bytes: usize, lines_max: usize, bytes_max: usize) -> bool {
        if self.since.is_none_or(|since| now.saturating_duration_since(since) >= WINDOW) {
            *self = Self { since: Some(now), told: self.told, ..Self::default() };
        }
        let admitted = self.lines < lines_max && self.bytes.saturating_add(bytes) <= bytes_max;
        if admitted {
            self.lines += 1;
            self.bytes += bytes;
        }
        admitted
    }

    fn tell(&mut self, now: Instant) -> bool {
        let due = self.told.is_none_or(|told| now.saturating_duration_since(told) >= TOLD_EVERY);
        if due {
            self.told = Some(now);
        }
        due
    }
}

/// A call's prints, and how much it may still print and log.
#[derive(Debug)]
pub struct Prints {
    text: String,
    lines_left: usize,
    bytes_left: usize,
    /// Whether the last printed line hasn't ended.
    in_line: bool,
    dropped: DroppedLog,
}

/// The lines and bytes that the limits dropped.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct DroppedLog {
    pub(super) lines: usize,
    pub(super) bytes: usize,
}

impl Prints {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            text: String::new(),
            lines_left: limits.log_lines,
            bytes_left: limits.log_bytes,
            in_line: false,
            dropped: DroppedLog { lines: 0, bytes: 0 },
        }
    }

    /// Adds as much of the text as the call's limits allow.
    pub(in crate::imports) fn print(&mut self, bytes: &[u8]) {
        for piece in String::from_utf8_lossy(bytes).split_inclusive('\n') {
            if !self.in_line && self.lines_left == 0 {
                self.dropped.lines += 1;
                self.dropped.bytes += written_bytes(piece);
                continue;
            }
            if !self.in_line {
                self.lines_left -= 1;
            }
            self.in_line = !piece.ends_with('\n');
            self.print_piece(piece);
        }
    }

    /// Adds as much of a line as fits.
    fn print_piece(&mut self, piece: &str) {
        for character in piece.chars() {
            let bytes = written_bytes_of(character);
            if bytes <= self.bytes_left {
                self.bytes_left -= bytes;
                self.text.push(character);
            } else {
                self.bytes_left = 0;
                self.dropped.bytes += bytes;
            }
        }
    }

    /// Returns whether a whole line fits; a line that doesn't is counted as dropped and uses no room.
    pub(super) fn admits_line(&mut self, bytes: usize) -> bool {
        let fits = self.lines_left > 0 && bytes <= self.bytes_left;
        if fits {
            self.lines_left -= 1;
            self.bytes_left -= bytes;
        } else {
            self.drop_line(bytes);
        }
        fits
    }

    pub(super) const fn drop_line(&mut self, bytes: usize) {
        self.dropped.lines += 1;
        self.dropped.bytes += bytes;
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    pub(super) const fn dropped(&self) -> DroppedLog {
        self.dropped
    }
}

/// Returns the bytes of the text in a log line.
pub(super) fn written_bytes(text: &str) -> usize {
    text.chars().map(written_bytes_of).sum()
}

fn written_bytes_of(character: char) -> usize {
    match character {
        '"' | '\\' => 2,
        // The end of a printed line ends the line of the log.
        '\n' => 1,
        _ if character.is_control() => 6,
        _ => character.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prints(lines: usize, bytes: usize) -> Prints {
        let dropped = DroppedLog::default();
        Prints { text: String::new(), lines_left: lines, bytes_left: bytes, in_line: false, dropped }
    }

    #[test]
    fn a_call_prints_its_lines_and_bytes_and_no_more() {
        let check = |lines: usize, bytes: usize, printed: &[&str], kept: &str, dropped: (usize, usize)| {
            let mut prints = prints(lines, bytes);
            printed.iter().for_each(|text| prints.print(text.as_bytes()));
            let DroppedLog { lines, bytes } = prints.dropped();
            assert_eq!((prints.text(), (lines, bytes)), (kept, dropped), "{printed:?}");
        };
        check(2, 100, &["A\n", "B\n", "C\n", "D\n"], "A\nB\n", (2, 4));
        check(2, 100, &["A\nB\nC"], "A\nB\n", (1, 1));
        // A line that is printed piece by piece is one.
        check(2, 100, &["on", "e\ntw", "o", "\nthree"], "one\ntwo\n", (1, 5));
        check(9, 5, &["12345678\n", "9\n"], "12345", (0, 6));
        check(9, 13, &["\0\0\0"], "\0\0", (0, 6));
        check(9, 3, &["\"\""], "\"", (0, 2));
        check(9, 3, &["éé"], "é", (0, 2));
    }

    #[test]
    fn lines_that_are_logged_and_printed_count_alike() {
        let mut prints = prints(3, 10);
        assert!(prints.admits_line(4));
        assert!(!prints.admits_line(7), "it has more bytes than are left");
        prints.print(b"A\nB\n");
        assert!(!prints.admits_line(1), "no line is left");
        assert_eq!(prints.dropped(), DroppedLog { lines: 2, bytes: 8 });
    }

    #[test]
    fn a_plugin_has_its_lines_and_bytes_anew_each_second() {
        let began = Instant::now();
        let at = |ms: u64| began + Duration::from_millis(ms);
        let mut pace = Pace::default();
        let mut admits = |ms: u64, bytes: usize| pace.admits(at(ms), bytes, 3, 100);
        assert_eq!(
            [admits(0, 40), admits(1, 61), admits(2, 60), admits(3, 0), admits(999, 0)],
            [true, false, true, true, false]
        );
        assert!(admits(1_000, 100));
        assert!(!admits(1_001, 1));
    }

    #[test]
    fn what_is_dropped_is_told_once_a_minute() {
        let began = Instant::now();
        let mut pace = Pace::default();
        let told = [0, 1, 59, 60, 61, 121].map(|seconds| pace.tell(began + Duration::from_secs(seconds)));
        assert_eq!(told, [true, false, false, true, false, true]);
    }
}
