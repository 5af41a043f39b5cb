//! The host's essential background tasks: the listeners, releases, pruning, supervision.
//!
//! If a task ended early, by a panic or by itself, the host would silently go on without it. So an early end is logged
//! as an error and stops the host in order; a supervisor then starts the host again.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

use tokio::task::JoinError;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Runs the host's background tasks and notices their ends.
#[derive(Debug, Clone)]
pub(super) struct Background {
    tasks: TaskTracker,
    stopping: CancellationToken,
    /// The first task that ended early, and how.
    broken: Arc<OnceLock<Broken>>,
}

/// Why the host stopped without being told to.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the host stopped because {what} {how}; start it again, and report this with the log")]
pub(super) struct Broken {
    what: &'static str,
    how: String,
}

impl Background {
    pub(super) fn new(stopping: CancellationToken) -> Self {
        Self { tasks: TaskTracker::new(), stopping, broken: Arc::default() }
    }

    /// Runs a task that has to go on until the host stops. `what` is its name, in words.
    pub(super) fn spawn(&self, what: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(work);
        let watch = self.clone();
        self.tasks.spawn(async move { watch.ended(what, task.await) });
    }

    /// Records that a task has ended, which is an error unless the host is stopping.
    pub(super) fn ended(&self, what: &'static str, ended: Result<(), JoinError>) {
        let how = match ended {
            Ok(()) if self.stopping.is_cancelled() => return,
            Err(error) if error.is_cancelled() => return,
            Ok(()) => "ended by itself".to_owned(),
            Err(error) => format!("broke: {error}"),
        };
        tracing::error!("{what} {how}; the host stops");
        _ = self.broken.set(Broken { what, how });
        self.stopping.cancel();
    }

    /// Waits for the end of all tasks.
    pub(super) async fn wait(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// # Errors
    /// The first task that ended early.
    pub(super) fn outcome(&self) -> Result<(), Broken> {
        self.broken.get().map_or(Ok(()), |broken| Err(broken.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use super::*;

    type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Issue 14.6: nobody noticed the end of the supervisor, an accept loop or the pruning.
    #[tokio::test]
    async fn work_that_ends_before_the_host_stops_it() {
        let check = async |work: fn(CancellationToken) -> Boxed, stops: bool, expected: Option<&str>| {
            let stopping = CancellationToken::new();
            let background = Background::new(stopping.clone());
            background.spawn("the work", work(stopping.clone()));
            if !stops {
                stopping.cancel();
            }
            stopping.cancelled().await;
            background.wait().await;
            let outcome = background.outcome().err().map(|broken| broken.to_string());
            assert_eq!(outcome.is_some(), expected.is_some(), "{outcome:?}");
            if let (Some(outcome), Some(expected)) = (outcome, expected) {
                assert!(outcome.contains(expected), "{outcome} lacks {expected}");
            }
        };
        check(|_| Box::pin(async {}), true, Some("the work ended by itself")).await;
        check(|_| Box::pin(async { panic!("an index") }), true, Some("the work broke")).await;
        check(|stopping| Box::pin(async move { stopping.cancelled().await }), false, None).await;
    }
}
