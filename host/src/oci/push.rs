//! Pushing: the component and its configuration, where they are missing, then the manifest under its tag.

use bytes::Bytes;
use hyper::{Method, StatusCode};

use super::{
    About, Digest, OciError, Reference, manifest,
    pull::{digest, said},
    session::{Ask, Session},
};

/// What a push made of a tag.
#[derive(Debug, Clone)]
pub struct Pushed {
    /// With the digest of the manifest.
    pub reference: Reference,
    /// The digest that the tag had before; `None` if there was no such tag.
    pub replaced: Option<Digest>,
    pub bytes: usize,
}

impl Pushed {
    /// Returns whether the tag had this very manifest before.
    #[must_use]
    pub fn is_unchanged(&self) -> bool {
        self.replaced.is_some() && self.replaced.as_ref() == self.reference.digest()
    }
}

pub(super) async fn push(session: &Session<'_>, component: &Bytes, about: &About) -> Result<Pushed, OciError> {
    let made = manifest::made(component, about);
    let made = made.map_err(|error| session.unusable("a component", &error.to_string()))?;
    let pinned = session.reference.pinned(Digest::of(&made.manifest));
    let replaced = match digest(session).await {
        Ok(digest) => Some(digest),
        Err(OciError::NotFound { .. }) => None,
        Err(error) => return Err(error),
    };
    let pushed = Pushed { reference: pinned, replaced, bytes: component.len() };
    if pushed.is_unchanged() {
        return Ok(pushed);
    }
    upload(session, component, "the component").await?;
    upload(session, &made.config, "the component's configuration").await?;
    let tag = session.reference.tag().unwrap_or_default();
    let what = format!("manifest {tag} in {}", session.reference.repository());
    let body = Some((made.manifest.clone(), manifest::MANIFEST));
    let url = session.url(&format!("manifests/{tag}"))?;
    let answer = session.ask(url, &Ask { method: Method::PUT, what: &what, accept: "", body }).await?;
    if !answer.status.is_success() {
        return Err(session.answered(answer, &what).await);
    }
    match said(&answer.headers) {
        Some(said) => session.verified(made.manifest, &said, &what).map(|_| pushed),
        None => Ok(pushed),
    }
}

/// Sends a content that isn't there yet, in one piece.
async fn upload(session: &Session<'_>, bytes: &Bytes, name: &str) -> Result<(), OciError> {
    let digest = Digest::of(bytes);
    let what = format!("blob {digest} in {}, {name}", session.reference.repository());
    let plain = |method: Method| Ask { method, what: &what, accept: "", body: None };
    let there = session.ask(session.url(&format!("blobs/{digest}"))?, &plain(Method::HEAD)).await?;
    if there.status == StatusCode::OK {
        return Ok(());
    }
    let begun = session.ask(session.url("blobs/uploads/")?, &plain(Method::POST)).await?;
    if begun.status != StatusCode::ACCEPTED {
        return Err(session.answered(begun, &what).await);
    }
    let mut to = session.location(&begun, &what)?;
    to.query_pairs_mut().append_pair("digest", digest.as_str());
    let body = Some((bytes.clone(), "application/octet-stream"));
    let sent = session.ask(to, &Ask { method: Method::PUT, what: &what, accept: "", body }).await?;
    if sent.status.is_success() { Ok(()) } else { Err(session.answered(sent, &what).await) }
}
