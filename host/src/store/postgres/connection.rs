//! The connection of a lane: made when it is first needed, and anew when it is lost.

use super::{
    link::{Failed, Link, Session},
    transaction::{in_time, rollback},
};

pub(super) struct Connection {
    link: Link,
    session: Option<Session>,
}

impl Connection {
    /// Returns a connection that goes on with `session`, if there is one already.
    pub(super) const fn new(link: Link, session: Option<Session>) -> Self {
        Self { link, session }
    }

    pub(super) async fn session(&mut self) -> Result<&Session, Failed> {
        let kept = self.session.take().filter(|session| !session.is_closed());
        let session = match kept {
            Some(kept) => kept,
            None => self.link.connect().await.map_err(Failed::Lost)?,
        };
        Ok(self.session.insert(session))
    }

    /// Returns the session, if there is one that isn't lost.
    pub(super) fn open_session(&self) -> Option<&Session> {
        self.session.as_ref().filter(|session| !session.is_closed())
    }

    /// Undoes what is left of a transaction that failed. Where that can't be, the session is given up.
    pub(super) async fn undo(&mut self, failed: &Failed) {
        let Some(session) = &self.session else { return };
        let is_undone = match failed {
            Failed::Crossed(_) | Failed::Refused(_) => in_time(rollback(session)).await.is_ok(),
            Failed::Lost(_) | Failed::Unknown(_) => false,
        };
        if !is_undone {
            self.session = None;
        }
    }

    /// Prepares what the session was used for. Not within a transaction.
    pub(super) async fn prepare_seen(&mut self) {
        if let Some(session) = &mut self.session
            && in_time(async { Ok(session.prepare_seen().await?) }).await.is_err()
        {
            self.session = None;
        }
    }
}
