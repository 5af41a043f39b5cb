//! The writer to stderr: a bounded buffer of log lines, and a thread that empties it.
//!
//! A pipe that nobody reads blocks its writer, so no thread that serves requests writes to stderr. A line that doesn't
//! fit into the buffer is lost and counted, and the count is logged once somebody reads again.
//!
//! Why not `tracing-appender`: that crate bounds lines instead of bytes, and with a full queue at the end of the
//! process it prints to the terminal that is stuck.

use std::{
    io::{self, Write},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use crate::units::MIB;

/// The bytes that may wait for the writing thread, which may hold as many more.
const WAITING_BYTES_MAX: usize = MIB;

/// The buffer of log lines.
#[derive(Debug)]
pub(in crate::telemetry) struct Lines {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<u8>,
    is_writing: bool,
    lost: u64,
    /// The lost lines that no log line has reported yet.
    untold: u64,
}

impl Lines {
    /// Starts the thread that writes to `sink`. The thread lives as long as the process.
    ///
    /// # Errors
    /// If the system can't start another thread.
    pub(super) fn start(sink: impl Write + Send + 'static) -> io::Result<Arc<Self>> {
        let lines = Arc::new(Self { state: Mutex::default(), filled: Condvar::new(), emptied: Condvar::new() });
        let written = Arc::clone(&lines);
        thread::Builder::new().name("log-writer".to_owned()).spawn(move || written.write_to(sink))?;
        Ok(lines)
    }

    /// Returns how many lines were lost so far.
    pub(in crate::telemetry) fn lost(&self) -> u64 {
        self.state().lost
    }

    /// Waits until all lines are written, but no longer than `within`. Returns whether they are.
    pub(in crate::telemetry) fn flush(&self, within: Duration) -> bool {
        let busy = |state: &mut State| state.is_writing || !state.waiting.is_empty();
        let waited = self.emptied.wait_timeout_while(self.state(), within, busy);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn write_to(&self, mut sink: impl Write) {
        let mut taken = Vec::new();
        loop {
            let untold = self.take(&mut taken);
            // If stderr itself is gone, there is nowhere to report the loss.
            if sink.write_all(&taken).is_ok() && untold > 0 {
                tracing::warn!(lost = untold, "{untold} log lines were lost: nobody read them from stderr in time");
            }
            taken.clear();
        }
    }

    /// Waits for lines and takes them all. Returns how many were lost since the last call.
    fn take(&self, taken: &mut Vec<u8>) -> u64 {
        let mut state = self.state();
        state.is_writing = false;
        if state.waiting.is_empty() {
            self.emptied.notify_all();
        }
        let mut state =
            self.filled.wait_while(state, |state| state.waiting.is_empty()).unwrap_or_else(PoisonError::into_inner);
        state.is_writing = true;
        std::mem::swap(&mut state.waiting, taken);
        std::mem::take(&mut state.untold)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes a whole line or drops it. Never blocks, never fails.
impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut state = self.state();
        if state.waiting.len().saturating_add(line.len()) > WAITING_BYTES_MAX {
            state.lost += 1;
            state.untold += 1;
        } else {
            state.waiting.extend_from_slice(line);
            self.filled.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// A full pipe: each write waits until somebody reads.
    struct Pipe(SyncSender<Vec<u8>>);

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(|_| io::ErrorKind::BrokenPipe)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines() -> (Arc<Lines>, Receiver<Vec<u8>>) {
        let (pipe, reader) = sync_channel(0);
        (Lines::start(Pipe(pipe)).expect("a thread"), reader)
    }

    #[test]
    fn what_fits_is_written_in_order_and_the_rest_is_counted() {
        let (lines, reader) = lines();
        let line = [b'x'; 1024];
        for _ in 0..4096 {
            (&*lines).write_all(&line).expect("it never fails");
        }
        let lost = lines.lost();
        assert!((2048..=3072).contains(&lost), "two buffers of 1 MiB are kept at most: {lost} of 4096 lost");
        assert!(!lines.flush(Duration::ZERO), "nobody has read anything");
        let mut read = 0;
        while read < (4096 - usize::try_from(lost).expect("a count")) * line.len() {
            read += reader.recv().expect("lines").len();
        }
        assert!(lines.flush(Duration::from_secs(60)), "all is read");
    }

    #[test]
    fn a_reader_that_has_gone_holds_nobody_up() {
        let (lines, reader) = lines();
        drop(reader);
        for _ in 0..4096 {
            (&*lines).write_all(&[b'x'; 1024]).expect("it never fails");
        }
        assert!(lines.flush(Duration::from_secs(60)));
    }
}
