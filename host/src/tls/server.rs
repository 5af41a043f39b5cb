//! A listener's certificate and key, read again when their files change.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use anyhow::Context;
use arc_swap::ArcSwap;
use chrono::{DateTime, SecondsFormat, Utc};
use rustls::{ServerConfig, pki_types::CertificateDer, server::WebPkiClientVerifier};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use x509_cert::{Certificate, der::Decode as _};

use super::{HTTP1, HTTP2, authorities, certificates, private_key, provider};

/// How often the files are looked at.
const LOOKED_AT: Duration = Duration::from_secs(1);

/// How long before a certificate's end the log warns of it, once a day.
const WARNED_BEFORE: Duration = Duration::from_hours(14 * 24);
const DAY: Duration = Duration::from_hours(24);

/// The files of a listener, each with the name of its setting.
#[derive(Debug, Clone)]
pub struct ServerFiles {
    /// The listener's certificate, and those between it and the authority.
    pub certificate: (PathBuf, &'static str),
    pub key: (PathBuf, &'static str),
    /// The authorities of the clients. With them every client has to show a certificate.
    pub client_authorities: Option<(PathBuf, &'static str)>,
}

/// What a listener speaks TLS with.
pub struct ServerTls {
    files: ServerFiles,
    now: ArcSwap<Certified>,
    /// The digest of the files when the host started.
    started_with: [u8; 32],
}

/// What is made of the files.
struct Certified {
    config: Arc<ServerConfig>,
    /// When the listener's certificate ends.
    until: SystemTime,
}

impl std::fmt::Debug for ServerTls {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("ServerTls").field("files", &self.files).finish_non_exhaustive()
    }
}

/// What was last seen of files that can't be used.
#[derive(Debug, PartialEq, Eq)]
struct Unusable {
    files: [u8; 32],
    /// Whether the log has it. Files that are replaced one after the other don't fit together for a moment.
    is_said: bool,
}

impl ServerTls {
    /// Reads the files.
    ///
    /// # Errors
    /// If one can't be used, or the key isn't the certificate's.
    pub fn new(files: ServerFiles) -> anyhow::Result<Arc<Self>> {
        let started_with = files.digest();
        let certified = files.certified()?;
        Ok(Arc::new(Self { files, now: ArcSwap::from_pointee(certified), started_with }))
    }

    /// Returns what accepts the next connection.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&self.now.load().config))
    }

    /// Reads the files again whenever they change, until the host stops, and warns of the certificate's end.
    pub async fn watch(self: Arc<Self>, stopping: CancellationToken) {
        let (mut current, mut unusable, mut warned) = (self.started_with, None, None);
        self.warn_of_the_end(&mut warned);
        while stopping.run_until_cancelled(tokio::time::sleep(LOOKED_AT)).await.is_some() {
            let tls = Arc::clone(&self);
            let looking = tokio::task::spawn_blocking(move || {
                let digest = tls.files.digest();
                (digest != current).then(|| (digest, tls.files.certified()))
            });
            match looking.await {
                Ok(Some((digest, Ok(certified)))) => {
                    (current, unusable, warned) = (digest, None, None);
                    self.now.store(Arc::new(certified));
                    tracing::info!("{} has changed: new connections get it", self.files.name());
                }
                Ok(Some((digest, Err(error)))) => self.refuse(digest, &error, &mut unusable),
                Ok(None) => unusable = None,
                Err(panicked) => tracing::error!("{} can't be looked at: {panicked}", self.files.name()),
            }
            self.warn_of_the_end(&mut warned);
        }
    }

    /// Warns if the certificate ends soon. `warned` is when that was last said.
    fn warn_of_the_end(&self, warned: &mut Option<Instant>) {
        let until = self.now.load().until;
        let left = until.duration_since(SystemTime::now()).unwrap_or_default();
        if left > WARNED_BEFORE || warned.is_some_and(|warned| warned.elapsed() < DAY) {
            return;
        }
        *warned = Some(Instant::now());
        let (name, until) =
            (self.files.name(), DateTime::<Utc>::from(until).to_rfc3339_opts(SecondsFormat::Secs, true));
        match left.as_secs() {
            0 => tracing::warn!("{name} has ended at {until}, so clients refuse this host: replace it and its key"),
            left => {
                let days = left / DAY.as_secs();
                tracing::warn!(
                    "{name} ends in {days} days, at {until}: replace it and its key, which are read again at once"
                );
            }
        }
    }

    fn refuse(&self, digest: [u8; 32], error: &anyhow::Error, unusable: &mut Option<Unusable>) {
        let is_seen_again = unusable.as_ref().is_some_and(|before| before.files == digest);
        let is_said = unusable.as_ref().is_some_and(|before| is_seen_again && before.is_said);
        if is_seen_again && !is_said {
            tracing::error!("{} can't be used, so the one from before stays: {error:#}", self.files.name());
        }
        *unusable = Some(Unusable { files: digest, is_said: is_seen_again });
    }
}

impl ServerFiles {
    fn name(&self) -> String {
        let (certificate, setting) = &self.certificate;
        format!("the certificate {} ({setting})", certificate.display())
    }

    fn paths(&self) -> impl Iterator<Item = &Path> {
        let of_clients = self.client_authorities.as_ref();
        [&self.certificate, &self.key].into_iter().chain(of_clients).map(|(file, _)| file.as_path())
    }

    /// Returns a digest of what the files have in them; a file that can't be read counts as a file of its own.
    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        for path in self.paths() {
            match std::fs::read(path) {
                Ok(bytes) => digest.update(Sha256::digest(bytes)),
                Err(error) => digest.update(error.to_string()),
            }
        }
        digest.finalize().into()
    }

    fn certified(&self) -> anyhow::Result<Certified> {
        let (certificate, certificate_setting) = &self.certificate;
        let (key, key_setting) = &self.key;
        let chain = certificates(certificate).with_context(|| (*certificate_setting).to_owned())?;
        let until = end_of(&chain)
            .with_context(|| format!("use the certificate in {} ({certificate_setting})", certificate.display()))?;
        let secret = private_key(key).with_context(|| (*key_setting).to_owned())?;
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .context("prepare TLS")?;
        let config = match &self.client_authorities {
            None => config.with_no_client_auth(),
            Some((file, setting)) => {
                let roots = authorities(file).with_context(|| (*setting).to_owned())?;
                let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider()).build();
                config.with_client_cert_verifier(verifier.with_context(|| (*setting).to_owned())?)
            }
        };
        let using = || {
            format!(
                "use the certificate in {} ({certificate_setting}) with the key in {} ({key_setting})",
                certificate.display(),
                key.display()
            )
        };
        let mut config = config.with_single_cert(chain, secret).with_context(using)?;
        config.alpn_protocols = vec![HTTP2.to_vec(), HTTP1.to_vec()];
        Ok(Certified { config: Arc::new(config), until })
    }
}

/// Returns when a listener's own certificate, the first one of its file, ends.
fn end_of(chain: &[CertificateDer<'_>]) -> anyhow::Result<SystemTime> {
    let own = chain.first().context("there is no certificate")?;
    let own = Certificate::from_der(own).map_err(|error| anyhow::anyhow!("it can't be read: {error}"))?;
    Ok(own.tbs_certificate.validity.not_after.to_system_time())
}
