//! The last lines of the log, the host's own as well as those of requests, for operators who follow it without access to
//! stderr.
//!
//! Each line has a number, so that a reader can ask for what came after the last one that it has seen, and notices if
//! lines were dropped meanwhile. Memory is bounded by the estimate that traces use; the oldest lines make room. A line of
//! a trace is shared with that trace.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::Arc;

use opentelemetry::trace::TraceId;
use parking_lot::Mutex;

use super::lines::Line;

/// A line with its place in the log.
#[derive(Debug, Clone)]
pub struct NumberedLine {
    /// 1 for the first line after the start.
    pub number: u64,
    /// The trace of the request that wrote the line; `None` for the host's own.
    pub trace_id: Option<TraceId>,
    pub line: Arc<Line>,
}

/// Lines that a reader asked for.
#[derive(Debug)]
pub struct LinesRead {
    /// In the order they were written.
    pub lines: Vec<NumberedLine>,
    /// The number of the oldest line that is kept; `None` if none is.
    pub oldest: Option<u64>,
    /// The number of the newest line that was looked at: what to ask for next comes after it.
    pub last: u64,
}

/// The lines, within `bytes_max`.
#[derive(Debug)]
pub(super) struct LastLines {
    bytes_max: usize,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    lines: VecDeque<NumberedLine>,
    bytes: usize,
    /// How many lines there were since the start.
    count: u64,
}

impl LastLines {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self { bytes_max, kept: Mutex::default() }
    }

    pub(super) fn add(&self, trace_id: Option<TraceId>, line: &Arc<Line>) {
        let bytes = bytes_of(line);
        let mut kept = self.kept.lock();
        kept.count += 1;
        let number = kept.count;
        kept.bytes += bytes;
        kept.lines.push_back(NumberedLine { number, trace_id, line: Arc::clone(line) });
        while kept.bytes > self.bytes_max
            && let Some(oldest) = kept.lines.pop_front()
        {
            kept.bytes -= bytes_of(&oldest.line);
        }
    }

    /// Returns the first `limit` lines after that number which `takes` wants; the last `limit` of all without a number.
    /// `takes` is called outside of the lock.
    pub(super) fn read(&self, after: Option<u64>, limit: usize, takes: impl Fn(&NumberedLine) -> bool) -> LinesRead {
        let (lines, newest) = {
            let kept = self.kept.lock();
            (kept.lines.iter().cloned().collect::<Vec<_>>(), kept.count)
        };
        let oldest = lines.first().map(|line| line.number);
        let Some(after) = after else {
            let mut last: Vec<_> = lines.into_iter().rev().filter(takes).take(limit).collect();
            last.reverse();
            return LinesRead { lines: last, oldest, last: newest };
        };
        let newer = lines.into_iter().filter(|line| line.number > after);
        let lines: Vec<_> = newer.filter(takes).take(limit).collect();
        let last = lines.last().filter(|_| lines.len() == limit).map_or(newest, |line| line.number);
        LinesRead { lines, oldest, last }
    }
}

fn bytes_of(line: &Line) -> usize {
    line.bytes() + size_of::<NumberedLine>()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use opentelemetry::trace::SpanId;

    use super::*;

    fn line(message: &str) -> Arc<Line> {
        Arc::new(Line {
            time: SystemTime::UNIX_EPOCH,
            level: "INFO",
            message: message.to_owned(),
            target: "till",
            span_id: SpanId::INVALID,
            fields: Vec::new(),
        })
    }

    fn numbers(read: &LinesRead) -> Vec<u64> {
        read.lines.iter().map(|line| line.number).collect()
    }

    #[test]
    fn a_reader_goes_on_after_the_last_line_that_it_has_seen() {
        let lines = LastLines::new(1 << 20);
        assert_eq!((lines.read(None, 5, |_| true).last, lines.read(Some(7), 5, |_| true).last), (0, 0));
        (1..=10).for_each(|number| lines.add(None, &line(&format!("{number}"))));
        let even = |line: &NumberedLine| line.number.is_multiple_of(2);
        let read = lines.read(None, 3, even);
        assert_eq!((numbers(&read), read.oldest, read.last), (vec![6, 8, 10], Some(1), 10));
        let read = lines.read(Some(2), 2, even);
        assert_eq!((numbers(&read), read.last), (vec![4, 6], 6), "more come after the last one of a full answer");
        let read = lines.read(Some(6), 9, even);
        assert_eq!((numbers(&read), read.last), (vec![8, 10], 10));
    }

    #[test]
    fn the_oldest_lines_make_room() {
        let one = bytes_of(&line("x"));
        let lines = LastLines::new(3 * one);
        (0..10).for_each(|_| lines.add(None, &line("x")));
        let read = lines.read(None, 100, |_| true);
        assert_eq!((numbers(&read), read.oldest), (vec![8, 9, 10], Some(8)));
        lines.add(None, &line(&"x".repeat(3 * one)));
        let read = lines.read(Some(0), 100, |_| true);
        assert_eq!((numbers(&read), read.oldest, read.last), (vec![], None, 11), "a line that is too large is counted");
        let none = LastLines::new(0);
        none.add(None, &line("x"));
        assert!(none.read(None, 1, |_| true).lines.is_empty());
    }
}
