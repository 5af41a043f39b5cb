//! Plugins in registries of containers (OCI): pulled, pushed, and looked at.
//!
//! ```text
//! oci://HOST/REPOSITORY:TAG ─ manifest ─ its digest ─ one layer, the component ─ what is attached: signatures
//! ```
//!
//! A registry is untrusted. Whatever it says, a manifest and a layer are taken only if their bytes have the digest by which they
//! were asked for, no more is read than `limits.component_mib` and the limits below, all of it ends after `oci.ms`, redirects
//! are few and stay on https, and no other host gets credentials, but for the place where the registry says that tokens are given
//! out. Without an entry in `oci.plain_http` a registry is spoken to over TLS.
//!
//! The requests are made here and not by oci-client 0.18: that reads manifests and tokens of any length, sends a password to a place
//! for tokens without TLS, and follows redirects from https to http. It also turns on the TLS of reqwest, which then panics where a
//! client is made in a process without a provider of its own, as in the exporter of telemetry.
//!
//! This module knows neither plugins nor the host: what is pulled is bytes.

mod credentials;
mod error;
mod manifest;
mod pull;
mod push;
mod reference;
mod referrers;
mod session;
mod token;
mod wire;

use std::{path::PathBuf, sync::Arc, time::Duration};

use bytes::Bytes;

pub use error::OciError;
pub use manifest::{About, NotPlugin};
pub use push::Pushed;
pub use reference::{BadReference, Digest, Reference, SCHEME};
use session::Session;
use wire::Wire;

/// The longest manifest, the longest list of what is attached, and the longest token, bytes. Registries take manifests of 4 MiB;
/// a plugin's has less than 1 KiB.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;

/// How registries are reached, and how much is taken of them.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The registries that are spoken to without TLS.
    pub plain_http: Hosts,
    /// A file in the form of Docker's `config.json`, instead of that.
    pub credentials_file: Option<PathBuf>,
    /// Certificates of authorities, besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long a pull or a push may take in all.
    pub within: Duration,
    pub redirects_max: usize,
    pub component_bytes_max: usize,
}

/// Registries, each `HOST` with all its ports, or `HOST:PORT`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// Parses a list with commas.
    ///
    /// # Errors
    /// Says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        // A bare word can't be anything else here.
        let host = |entry: &str| match entry.contains(['.', ':']) {
            true => reference::registry_of(entry),
            false => reference::registry_of(&format!("{entry}:1")).map(|_| entry.to_ascii_lowercase()),
        };
        let wanted =
            "registries with commas between them, each HOST or HOST:PORT, such as localhost, registry.lan:5000";
        entries.map(host).collect::<Result<_, _>>().map(Self).map_err(|_| wanted.to_owned())
    }

    fn contains(&self, url: &url::Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let with_port = url.port_or_known_default().map(|port| format!("{host}:{port}"));
        self.0.iter().any(|entry| entry == host || Some(entry) == with_port.as_ref())
    }

    /// Returns whether a registry is among them, as a reference names it.
    fn contains_registry(&self, registry: &str) -> bool {
        self.0
            .iter()
            .any(|entry| entry == registry || registry.strip_prefix(&**entry).is_some_and(|rest| rest.starts_with(':')))
    }
}

/// What a registry has under a reference: a component, and what is attached to it.
#[derive(Debug, Clone)]
pub struct Pulled {
    /// The component.
    pub bytes: Bytes,
    /// With the digest of the manifest.
    pub reference: Reference,
    pub manifest: Bytes,
    /// The Sigstore bundles that are attached to the manifest.
    pub bundles: Vec<Bytes>,
}

/// Speaks to registries.
#[derive(Debug, Clone)]
pub struct Client {
    wire: Arc<Wire>,
    rules: Arc<Rules>,
}

impl Client {
    /// # Errors
    /// If the certificates can't be read.
    pub fn new(rules: Rules) -> anyhow::Result<Self> {
        Ok(Self { wire: Arc::new(Wire::new(rules.ca_file.as_deref())?), rules: Arc::new(rules) })
    }

    /// Returns the component under a reference. A tag is looked up once, and everything else is asked for by digest.
    ///
    /// # Errors
    /// Says why there is none, and what to do.
    pub async fn pull(&self, reference: &Reference) -> Result<Pulled, OciError> {
        self.within(reference, pull::pull(&self.session(reference, "pull"))).await
    }

    /// Returns the digest of the manifest that a reference leads to now. Takes one short request where the registry is an ordinary
    /// one.
    ///
    /// # Errors
    /// As [`pull`](Self::pull).
    pub async fn digest(&self, reference: &Reference) -> Result<Digest, OciError> {
        self.within(reference, pull::digest(&self.session(reference, "pull"))).await
    }

    /// Puts a component under a reference's tag. What is there already isn't sent again.
    ///
    /// # Errors
    /// Says why the registry doesn't take it, and what to do.
    pub async fn push(&self, reference: &Reference, component: &Bytes, about: &About) -> Result<Pushed, OciError> {
        self.within(reference, push::push(&self.session(reference, "pull,push"), component, about)).await
    }

    fn session<'a>(&'a self, reference: &'a Reference, actions: &'static str) -> Session<'a> {
        Session::new(&self.wire, &self.rules, reference, actions)
    }

    async fn within<T>(
        &self,
        reference: &Reference,
        work: impl Future<Output = Result<T, OciError>>,
    ) -> Result<T, OciError> {
        let within = self.rules.within;
        let late = |_| OciError::Late { registry: reference.registry().to_owned(), after_ms: within.as_millis() };
        tokio::time::timeout(within, work).await.map_err(late)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_plain_only_if_it_is_listed() {
        let hosts = Hosts::parse("localhost, 127.0.0.1,[::1], Registry.LAN:5000, cluster").expect("a list");
        let check = |url: &str, registry: &str, plain: bool| {
            assert_eq!(hosts.contains(&url.parse().expect("a URL")), plain, "{url}");
            assert_eq!(hosts.contains_registry(registry), plain, "{registry}");
        };
        check("http://localhost:5000/v2/", "localhost:5000", true);
        check("http://127.0.0.1:1/v2/", "127.0.0.1:1", true);
        check("http://[::1]:5000/v2/", "[::1]:5000", true);
        check("http://registry.lan:5000/v2/", "registry.lan:5000", true);
        check("http://registry.lan:5001/v2/", "registry.lan:5001", false);
        check("http://cluster:5000/v2/", "cluster:5000", true);
        check("http://localhost.example:5000/v2/", "localhost.example:5000", false);
        check("http://ghcr.io/v2/", "ghcr.io", false);
        for bad in ["http://localhost", "a b", "local host:1", "*", "a:0", "a:x"] {
            assert!(Hosts::parse(bad).expect_err(bad).contains("registry.lan:5000"));
        }
        assert_eq!(Hosts::parse(" , "), Ok(Hosts::default()));
    }
}
