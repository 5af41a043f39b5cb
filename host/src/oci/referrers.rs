//! What is attached to a manifest: the Sigstore bundles that cosign 3 and others sign it with.
//!
//! A registry of OCI 1.1 lists what refers to a manifest. One that doesn't know that has the list under a tag named after the
//! digest, if whoever attached something wrote it there.

use bytes::Bytes;
use hyper::{Method, StatusCode};

use super::{
    Digest, OciError,
    manifest::{self, Descriptor, Manifest},
    pull::{blob, by_digest},
    session::{Ask, Session},
};

/// The type of a bundle, and of the artifact that has it.
const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
/// The most bundles that are taken: a plugin has one for each who signs it.
const BUNDLES_MAX: usize = 8;
/// The longest bundle, bytes; one with a certificate and a log's proof has some 10 KiB.
const BUNDLE_BYTES_MAX: usize = 64 * 1024;

/// Returns the bundles that are attached to the manifest of that digest, the first ones listed. What is attached and isn't a bundle
/// of a sane size is left out: anybody who may push to the repository may attach something.
pub(super) async fn bundles(session: &Session<'_>, to: &Digest) -> Result<Vec<Bytes>, OciError> {
    let mut bundles = Vec::new();
    let is_bundle = |listed: &Descriptor| listed.artifact_type.as_deref().is_none_or(|is| is == BUNDLE);
    for listed in listed(session, to).await?.iter().filter(|listed| is_bundle(listed)).take(BUNDLES_MAX) {
        let Some(digest) = Digest::parse(&listed.digest) else { continue };
        let attached = match by_digest(session, &digest).await {
            Ok(attached) => attached,
            // A list may name what was deleted since.
            Err(OciError::NotFound { .. } | OciError::TooLarge { .. }) => continue,
            Err(error) => return Err(error),
        };
        let Some(bundle) = bundle_of(&attached, to) else { continue };
        match blob(session, &bundle, "a signature", BUNDLE_BYTES_MAX, "").await {
            Ok(bundle) => bundles.push(bundle),
            Err(OciError::NotFound { .. } | OciError::TooLarge { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bundles)
}

/// Returns the layer with the bundle, if the manifest has one and is about that digest.
fn bundle_of(attached: &[u8], to: &Digest) -> Option<Digest> {
    let Manifest { artifact_type, config, layers, subject, .. } = serde_json::from_slice(attached).ok()?;
    let is_of_type = artifact_type.or(config.map(|config| config.media_type)).as_deref() == Some(BUNDLE);
    let is_about = subject.is_some_and(|subject| subject.digest == to.as_str());
    let layers = layers?;
    let layer = layers.iter().find(|layer| layer.media_type == BUNDLE && layer.size <= BUNDLE_BYTES_MAX as u64)?;
    if is_of_type && is_about { Digest::parse(&layer.digest) } else { None }
}

/// Returns what refers to the manifest, as the registry lists it.
async fn listed(session: &Session<'_>, to: &Digest) -> Result<Vec<Descriptor>, OciError> {
    let of_api = format!("referrers/{to}");
    let fallback = format!("manifests/sha256-{}", to.hex());
    for path in [of_api, fallback] {
        let what = format!("the list of what is attached to {to}");
        let url = session.url(&path)?;
        let answer =
            session.ask(url, &Ask { method: Method::GET, what: &what, accept: manifest::INDEX, body: None }).await?;
        match answer.status {
            StatusCode::OK => {
                let list = session.document(answer, &what).await?;
                let list: Option<Manifest> = serde_json::from_slice(&list).ok();
                // Whatever else has an answer for any path lists nothing.
                if let Some(manifests) = list.and_then(|list| list.manifests) {
                    return Ok(manifests);
                }
            }
            StatusCode::NOT_FOUND
            | StatusCode::METHOD_NOT_ALLOWED
            | StatusCode::BAD_REQUEST
            | StatusCode::NOT_ACCEPTABLE => {}
            _ => return Err(session.answered(answer, &what).await),
        }
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_bundle_is_one_of_its_type_about_this_manifest() {
        let (to, bundle) = (Digest::of(b"manifest"), Digest::of(b"bundle"));
        let attached = json!({
            "artifactType": BUNDLE,
            "config": { "mediaType": "application/vnd.oci.empty.v1+json" },
            "layers": [{ "mediaType": BUNDLE, "digest": bundle.as_str(), "size": 9 }],
            "subject": { "digest": to.as_str() },
        });
        let check = |change: fn(&mut Value), is_one: bool| {
            let mut attached = attached.clone();
            change(&mut attached);
            let found = bundle_of(attached.to_string().as_bytes(), &to);
            assert_eq!(found, is_one.then(|| bundle.clone()), "{attached}");
        };
        check(|_| {}, true);
        check(|attached| *attached = json!("none"), false);
        check(|attached| attached["artifactType"] = json!("application/spdx+json"), false);
        check(|attached| attached["subject"]["digest"] = json!(Digest::of(b"other").as_str()), false);
        check(|attached| attached["subject"] = Value::Null, false);
        check(|attached| attached["layers"][0]["mediaType"] = json!("text/plain"), false);
        check(|attached| attached["layers"][0]["size"] = json!(BUNDLE_BYTES_MAX + 1), false);
        check(|attached| attached["layers"] = json!([]), false);
        check(
            |attached| {
                attached["artifactType"] = Value::Null;
                attached["config"]["mediaType"] = json!(BUNDLE);
            },
            true,
        );
    }
}
