//! Pulling: the manifest once, then everything by digest.

use bytes::Bytes;
use hyper::{HeaderMap, Method, StatusCode};

use super::{
    Digest, NotPlugin, OciError, Pulled, manifest, referrers,
    session::{Answer, Ask, Session},
};

/// What a registry calls the digest of a manifest.
const CONTENT_DIGEST: &str = "docker-content-digest";

/// Returns the component, and what is attached to it.
pub(super) async fn pull(session: &Session<'_>) -> Result<Pulled, OciError> {
    let (manifest, digest) = by_reference(session).await?;
    let reference = session.reference.pinned(digest.clone());
    let refused = |reason| OciError::NotPlugin { reference: reference.to_string(), reason };
    let bytes_max = session.rules.component_bytes_max;
    let component = manifest::component_of(&manifest, bytes_max).map_err(refused)?;
    let bytes = blob(session, &component.digest, "its component", bytes_max, " (limits.component_mib)").await?;
    if bytes.len() as u64 != component.size {
        return Err(refused(NotPlugin::Size(component.size)));
    }
    let bundles = referrers::bundles(session, &digest).await?;
    Ok(Pulled { bytes, reference, manifest, bundles })
}

/// Returns the digest of the manifest that the reference leads to.
pub(super) async fn digest(session: &Session<'_>) -> Result<Digest, OciError> {
    if let Some(digest) = session.reference.digest() {
        return Ok(digest.clone());
    }
    let tag = session.reference.tag().unwrap_or_default();
    let what = format!("manifest {tag} in {}", session.reference.repository());
    let url = session.url(&format!("manifests/{tag}"))?;
    let answer =
        session.ask(url, &Ask { method: Method::HEAD, what: &what, accept: manifest::ACCEPT, body: None }).await?;
    match answer.status {
        StatusCode::OK => match said(&answer.headers) {
            Some(digest) => Ok(digest),
            None => by_reference(session).await.map(|(_, digest)| digest),
        },
        StatusCode::NOT_FOUND => Err(OciError::NotFound { registry: session.registry(), what }),
        // Not every registry knows HEAD.
        StatusCode::METHOD_NOT_ALLOWED => by_reference(session).await.map(|(_, digest)| digest),
        _ => Err(session.answered(answer, &what).await),
    }
}

/// Returns the manifest under the reference, with its digest.
async fn by_reference(session: &Session<'_>) -> Result<(Bytes, Digest), OciError> {
    let reference = session.reference;
    if let Some(digest) = reference.digest() {
        let manifest = by_digest(session, digest).await?;
        return Ok((manifest, digest.clone()));
    }
    let tag = reference.tag().unwrap_or_default();
    let what = format!("manifest {tag} in {}", reference.repository());
    let answer = found(session, &format!("manifests/{tag}"), manifest::ACCEPT, &what).await?;
    let said = said(&answer.headers);
    let bytes = session.document(answer, &what).await?;
    match said {
        // A registry that contradicts itself may have been changed underneath.
        Some(said) => Ok((session.verified(bytes, &said, &what)?, said)),
        None => {
            let digest = Digest::of(&bytes);
            Ok((bytes, digest))
        }
    }
}

/// Returns the manifest of that digest.
pub(super) async fn by_digest(session: &Session<'_>, digest: &Digest) -> Result<Bytes, OciError> {
    let what = format!("manifest {digest} in {}", session.reference.repository());
    let answer = found(session, &format!("manifests/{digest}"), manifest::ACCEPT, &what).await?;
    let bytes = session.document(answer, &what).await?;
    session.verified(bytes, digest, &what)
}

/// Returns the content of that digest.
pub(super) async fn blob(
    session: &Session<'_>,
    digest: &Digest,
    name: &str,
    bytes_max: usize,
    setting: &'static str,
) -> Result<Bytes, OciError> {
    let what = format!("blob {digest} in {}, {name}", session.reference.repository());
    let answer = found(session, &format!("blobs/{digest}"), "", &what).await?;
    let bytes = session.bytes(answer, &what, bytes_max, setting).await?;
    session.verified(bytes, digest, &what)
}

/// Returns the answer of something that is there.
async fn found(session: &Session<'_>, path: &str, accept: &'static str, what: &str) -> Result<Answer, OciError> {
    let answer = session.ask(session.url(path)?, &Ask { method: Method::GET, what, accept, body: None }).await?;
    match answer.status {
        StatusCode::OK => Ok(answer),
        StatusCode::NOT_FOUND => Err(OciError::NotFound { registry: session.registry(), what: what.to_owned() }),
        _ => Err(session.answered(answer, what).await),
    }
}

pub(super) fn said(headers: &HeaderMap) -> Option<Digest> {
    headers.get(CONTENT_DIGEST).and_then(|digest| Digest::parse(digest.to_str().ok()?))
}
