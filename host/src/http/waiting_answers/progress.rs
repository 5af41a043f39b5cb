//! Limits how long the answer on one HTTP/2 stream may wait for its client.
//!
//! An HTTP/2 stream whose client reads nothing of its answer for `limits.write_ms` is reset, and its connection takes no
//! more requests. If hyper has already passed the answer to h2, it can't be reset: then the connection ends at once. (On
//! HTTP/1 `wire` waits for the socket itself.)

use std::{future::Future, pin::pin, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

tokio::task_local! {
    /// The progress of the stream that the current hyper task runs.
    static PROGRESS: Arc<Progress>;
}

/// When the client last read a part of a stream's answer.
#[derive(Debug, Default)]
pub(in crate::http) struct Progress {
    /// `None` while nothing waits.
    taken: Mutex<Option<Instant>>,
    changed: Notify,
}

/// How a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum StreamEnd {
    Done,
    /// The client read nothing for too long, and the reset is on its way.
    Reset,
    /// The client read nothing for too long, and only the connection's end can end the stream.
    Stuck,
}

impl Progress {
    /// Returns the progress of the current stream; `None` on HTTP/1.
    pub(in crate::http) fn of_stream() -> Option<Arc<Self>> {
        PROGRESS.try_with(Arc::clone).ok()
    }

    /// Runs a stream of hyper's until its answer is read, or nothing of it was read for `timeout`.
    pub(in crate::http) fn run_until_read(
        stream: impl Future<Output = ()> + Send + 'static,
        timeout: Duration,
    ) -> impl Future<Output = StreamEnd> + Send + 'static {
        let progress = Arc::<Self>::default();
        // Boxed before it is moved, because each enclosing future would otherwise grow by its size.
        let mut stream = Box::pin(PROGRESS.scope(Arc::clone(&progress), stream));
        async move {
            let mut stalled = pin!(progress.stalled(timeout));
            tokio::select! {
                biased;
                () = stream.as_mut() => {}
                // Dropping the stream resets it.
                () = stalled.as_mut() => return StreamEnd::Reset,
            }
            drop(stream);
            tokio::select! {
                biased;
                () = progress.all_read() => StreamEnd::Done,
                () = stalled => StreamEnd::Stuck,
            }
        }
    }

    pub(super) fn begin(&self) {
        self.set(Some(Instant::now()));
        self.changed.notify_one();
    }

    pub(super) fn took(&self) {
        self.set(Some(Instant::now()));
    }

    pub(super) fn end(&self) {
        self.set(None);
        self.changed.notify_one();
    }

    fn set(&self, taken: Option<Instant>) {
        *self.taken.lock() = taken;
    }

    pub(super) fn taken(&self) -> Option<Instant> {
        *self.taken.lock()
    }

    /// Returns when nothing of a waiting answer was read for `timeout`.
    async fn stalled(&self, timeout: Duration) {
        loop {
            let Some(taken) = self.taken() else {
                self.changed.notified().await;
                continue;
            };
            let until = taken + timeout;
            if until <= Instant::now() {
                return;
            }
            sleep_until(until).await;
        }
    }

    /// Returns when no part of an answer waits.
    async fn all_read(&self) {
        while self.taken().is_some() {
            self.changed.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use hyper::HeaderMap;
    use tokio_util::sync::CancellationToken;

    use super::{
        super::{AnswerBody, Answers},
        *,
    };

    #[tokio::test]
    async fn a_stream_that_isnt_taken_is_reset_or_stuck() {
        let answers = Answers::new(1);
        let timeout = Duration::from_millis(20);
        let held = Arc::<Mutex<Option<AnswerBody>>>::default();
        let answering = || {
            let (held, outbox) = (Arc::clone(&held), answers.outbox(CancellationToken::new()));
            async move {
                let answer = outbox.request(&HeaderMap::new()).answer("x".into(), Progress::of_stream());
                *held.lock() = Some(answer);
            }
        };
        let waiting = answering();
        let waits = async move {
            waiting.await;
            pending::<()>().await;
        };
        assert_eq!(Progress::run_until_read(waits, timeout).await, StreamEnd::Reset);
        assert_eq!(Progress::run_until_read(answering(), timeout).await, StreamEnd::Stuck);
        let taken = Progress::run_until_read(answering(), Duration::from_secs(3600));
        let takes = async {
            tokio::task::yield_now().await;
            drop(held.lock().take());
        };
        assert_eq!(tokio::join!(taken, takes).0, StreamEnd::Done);
        let unanswered = async {};
        assert_eq!(Progress::run_until_read(unanswered, timeout).await, StreamEnd::Done);
        assert_eq!(answers.waiting_bytes(), 0);
    }
}
