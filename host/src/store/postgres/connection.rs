//! The connection of a lane: made when it is first needed, and anew when it is lost.
//!
//! A COMMIT that waits for a standby isn't answered while that one is away. The server goes on waiting when the client has gone, with
//! all locks of the transaction: a new connection for each try would fill the server. So what isn't answered in time is waited
//! for on the same connection, behind whatever was sent before.

use std::{
    io,
    time::{Duration, Instant},
};

use super::{
    DatabaseError,
    link::{Failed, Link, Session},
    transaction::{in_time, rollback},
};

/// How long a connection is kept that answers nothing. A server that was replaced may never answer.
const SILENT_MAX: Duration = Duration::from_secs(30);

pub(super) struct Connection {
    link: Link,
    session: Option<Session>,
    /// Since when the session owes an answer.
    silent_since: Option<Instant>,
}

impl Connection {
    /// Returns a connection that goes on with `session`, if there is one already.
    pub(super) const fn new(link: Link, session: Option<Session>) -> Self {
        Self { link, session, silent_since: None }
    }

    /// Returns the session, once it has answered what was sent before.
    pub(super) async fn session(&mut self) -> Result<&Session, Failed> {
        let kept = self.session.take().filter(|session| !session.is_closed());
        let session = match (kept, self.silent_since.take()) {
            (Some(kept), None) => kept,
            (Some(kept), Some(since)) => match in_time(rollback(&kept)).await {
                Ok(()) => kept,
                Err(_) if !kept.is_closed() && since.elapsed() < SILENT_MAX => {
                    (self.session, self.silent_since) = (Some(kept), Some(since));
                    let late = io::Error::from(io::ErrorKind::TimedOut);
                    return Err(Failed::Lost(DatabaseError::new(late, false)));
                }
                Err(_) => self.connect().await?,
            },
            (None, _) => self.connect().await?,
        };
        Ok(self.session.insert(session))
    }

    async fn connect(&self) -> Result<Session, Failed> {
        self.link.connect().await.map_err(Failed::Lost)
    }

    /// Returns whether something that was sent wasn't answered in time, on a connection that isn't lost.
    pub(super) const fn is_silent(&self) -> bool {
        self.silent_since.is_some()
    }

    /// Returns the session, if there is one that isn't lost.
    pub(super) fn open_session(&self) -> Option<&Session> {
        self.session.as_ref().filter(|session| !session.is_closed() && self.silent_since.is_none())
    }

    /// Undoes what is left of a transaction that failed. Where that can't be, the session is given up, unless it is only silent.
    pub(super) async fn undo(&mut self, failed: &Failed) {
        let Some(session) = &self.session else { return };
        let is_undone = match failed {
            Failed::Crossed(_) | Failed::Refused(_) => in_time(rollback(session)).await.is_ok(),
            Failed::Lost(_) | Failed::Unknown(_) => false,
        };
        match (is_undone, session.is_closed()) {
            (true, _) => {}
            (false, true) => self.session = None,
            (false, false) => self.silent_since = self.silent_since.or_else(|| Some(Instant::now())),
        }
    }

    /// Prepares what the session was used for. Not within a transaction.
    pub(super) async fn prepare_seen(&mut self) {
        if self.silent_since.is_some() {
            return;
        }
        if let Some(session) = &mut self.session
            && in_time(async { Ok(session.prepare_seen().await?) }).await.is_err()
        {
            self.session = None;
        }
    }
}
