//! The work that a host does beside its requests, all of which it needs: the listeners, releases, pruning, supervision.
//!
//! If one of them ends before the host stops, by a panic or by itself, the host would go on without it in silence. So that
//! is an error in the log, and the host stops in order: whoever runs it starts it again.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
};

use tokio::task::JoinError;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Runs the host's background work and watches over it.
#[derive(Debug, Clone)]
pub(super) struct Background {
    tasks: TaskTracker,
    stopping: CancellationToken,
    /// What ended first that shouldn't have, and how.
    broken: Arc<OnceLock<Broken>>,
}

/// Why a host stopped that nobody had told to.
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

    /// Runs work that has to go on until the host stops. `what` is its name, in words.
    pub(super) fn spawn(&self, what: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(work);
        let watch = self.clone();
        self.tasks.spawn(async move { watch.ended(what, task.await) });
    }

    /// Notes that the work has ended, which is an error unless the host stops.
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

    /// Waits for the end of all of it.
    pub(super) async fn wait(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }

    /// # Errors
    /// What ended first that shouldn't have.
    pub(super) fn outcome(&self) -> Result<(), Broken> {
        self.broken.get().map_or(Ok(()), |broken| Err(broken.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::Pin;

    use super::*;

    type Boxed = Pin<Box<dyn Future<Output = ()> + Send>>;

    /// Issue 14.6: the end of the supervisor, an accept loop or the pruning was silence.
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
