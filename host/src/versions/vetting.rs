//! What a file goes through before it is admitted: it is judged by its bytes (`trust`), and only then identified.

use std::sync::Arc;

use bytes::Bytes;

use super::{
    Candidate, Catalogue, CatalogueError, Refused,
    admission::{Examined, examine_vetted},
};
use crate::{
    hooks::{Installation, Kind},
    runtime::{Identity, digest_of},
    trust::{Entry, Untrusted, Vetted, day},
    versions::source::built_in_bytes,
};

/// How a file comes in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arrival {
    /// Somebody deploys or installs it; at a place, if they said where.
    New(Option<Installation>),
    /// The settings name it at a start. It may have been live for long.
    AtStart,
    /// It was admitted before, here or by another host.
    Kept,
}

impl Catalogue {
    /// Judges a file by the host's trust file, and identifies it if it is trusted.
    ///
    /// # Errors
    /// Why it isn't trusted, or the first thing that is wrong with it.
    pub(super) async fn examine(&self, candidate: Candidate, arrival: Arrival) -> Result<Examined, CatalogueError> {
        let entry = match arrival {
            Arrival::Kept => Entry::Kept,
            // A host that judges nobody asks its store nothing.
            Arrival::AtStart if !self.trust.judges() => Entry::New,
            Arrival::AtStart if self.store.is_known_plugin(&digest_of(&candidate.bytes)).await? => Entry::Kept,
            Arrival::AtStart | Arrival::New(_) => Entry::New,
        };
        let source = candidate.source.clone();
        let refused = |reason: Untrusted| Refused::new(source.clone(), reason.into());
        let vetted = self.vet(&source, candidate.bytes.clone(), entry).await?;
        if let (Arrival::New(Some(at)), Some(statement)) = (arrival, &vetted.statement)
            && at.kind != statement.hook
        {
            return Err(refused(Untrusted::OtherPlace { signed: statement.hook, wanted: at }).into());
        }
        // A statement names the plugin, so that an old version is refused before it is parsed. Of a bundle the name isn't
        // known yet.
        let named = vetted.statement.as_ref().map(|statement| (statement.hook, statement.name.clone()));
        let at_ms = vetted.signer.as_ref().and_then(|signer| signer.at_ms).filter(|_| entry == Entry::New);
        if let (Some((kind, name)), Some(at_ms)) = (&named, at_ms) {
            self.check_age(*kind, name, at_ms).await?.map_err(&refused)?;
        }
        let examined = examine_vetted(candidate, &self.settings.limits, vetted).await?;
        if let (None, Some(at_ms)) = (named, at_ms) {
            let (kind, name) = (examined.identity.at.kind, &examined.identity.name);
            self.check_age(kind, name, at_ms).await?.map_err(&refused)?;
        }
        Ok(examined)
    }

    /// Judges a file by the host's trust file. The built-in plugins are a part of the program.
    ///
    /// # Errors
    /// Why it isn't trusted.
    pub(super) async fn vet(&self, source: &str, bytes: Bytes, entry: Entry) -> Result<Vetted, Refused> {
        if Kind::ALL.into_iter().any(|kind| bytes == built_in_bytes(kind)) {
            return Ok(Vetted::unsigned());
        }
        let trust = Arc::clone(&self.trust);
        let vetting = tokio::task::spawn_blocking(move || trust.vet(&bytes, entry));
        let vetted = vetting.await.unwrap_or(Err(Untrusted::CutOff));
        vetted.map_err(|reason| Refused::new(source.to_owned(), reason.into()))
    }

    /// Judges what was admitted before by the trust file as it is now.
    ///
    /// # Errors
    /// Why it isn't trusted any more, or that its file is gone.
    pub(super) async fn check_still_trusted(&self, identity: &Identity) -> Result<(), CatalogueError> {
        if self.trust.takes_everything() {
            return Ok(());
        }
        let bytes = self.file(&identity.digest).await?;
        self.vet(&identity.to_string(), bytes.into(), Entry::Kept).await?;
        Ok(())
    }

    /// Checks that a version was signed no earlier than those of its plugin that were accepted before.
    async fn check_age(&self, kind: Kind, name: &str, at_ms: u64) -> Result<Result<(), Untrusted>, CatalogueError> {
        if !self.trust.refuses_older() {
            return Ok(Ok(()));
        }
        let accepted = self.store.last_signed_plugin(kind, name).await?.filter(|accepted| *accepted > at_ms);
        Ok(accepted.map_or(Ok(()), |accepted| {
            Err(Untrusted::Older { name: name.to_owned(), signed: day(at_ms), accepted: day(accepted) })
        }))
    }
}
