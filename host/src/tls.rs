//! TLS of the listeners and to other tills: certificates and keys from PEM files.
//!
//! rustls with ring, TLS 1.2 and 1.3. A listener's files are read again when they change: new connections get the new certificate, and those under way
//! go on. Files that can't be used leave what was there.

mod server;

use std::{fs, path::Path, sync::Arc};

use anyhow::Context;
use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore,
    client::WantsClientCert,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

pub use server::{ServerFiles, ServerTls};

/// The protocols of a connection as ALPN names them.
pub const HTTP2: &[u8] = b"h2";
pub const HTTP1: &[u8] = b"http/1.1";

/// Whom a client trusts to vouch for servers.
#[derive(Debug, Clone, Copy)]
pub enum Authorities<'a> {
    /// Nobody: the client makes no TLS connection.
    None,
    OfFile(&'a Path),
    OfSystem,
}

/// Returns what a client speaks TLS with. `identity` is the certificate that it shows a server which asks for one, and its key.
///
/// # Errors
/// If a file can't be used.
pub fn client(trusted: Authorities<'_>, identity: Option<(&Path, &Path)>) -> anyhow::Result<ClientConfig> {
    let authorities = match trusted {
        Authorities::None => RootCertStore::empty(),
        Authorities::OfFile(file) => authorities(file)?,
        Authorities::OfSystem => with_systems(RootCertStore::empty()),
    };
    let config = trusting(authorities)?;
    match identity {
        None => Ok(config.with_no_client_auth()),
        Some((certificate, key)) => {
            let using =
                || format!("use the certificate in {} with the key in {}", certificate.display(), key.display());
            config.with_client_auth_cert(certificates(certificate)?, private_key(key)?).with_context(using)
        }
    }
}

/// Returns what a client that shows no certificate speaks TLS with.
///
/// # Errors
/// If rustls has none of its usual versions of TLS.
pub fn client_trusting(authorities: RootCertStore) -> anyhow::Result<ClientConfig> {
    Ok(trusting(authorities)?.with_no_client_auth())
}

fn trusting(authorities: RootCertStore) -> anyhow::Result<ConfigBuilder<ClientConfig, WantsClientCert>> {
    let config = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
    Ok(config.context("prepare TLS")?.with_root_certificates(authorities))
}

/// Returns the authorities, and those that the system trusts. It reads files, which takes a while.
#[must_use]
pub fn with_systems(mut authorities: RootCertStore) -> RootCertStore {
    authorities.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    authorities
}

/// Reads the certificates of authorities.
///
/// # Errors
/// If the file can't be read, or has none that can be used.
pub fn authorities(file: &Path) -> anyhow::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).with_context(|| format!("use the certificates in {}", file.display()))?;
    }
    Ok(roots)
}

fn certificates(file: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let using = || format!("use the certificates in {}", file.display());
    let text = fs::read(file).with_context(using)?;
    let certificates = CertificateDer::pem_slice_iter(&text).collect::<Result<Vec<_>, _>>().with_context(using)?;
    if certificates.is_empty() {
        return Err(anyhow::anyhow!("there is no certificate; it has to be PEM, with BEGIN CERTIFICATE"))
            .with_context(using);
    }
    Ok(certificates)
}

fn private_key(file: &Path) -> anyhow::Result<PrivateKeyDer<'static>> {
    let using = || format!("use the key in {}", file.display());
    let text = fs::read(file).with_context(using)?;
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| {
            anyhow::anyhow!("there is no private key; it has to be PEM, with BEGIN PRIVATE KEY, and not encrypted")
        })
        .with_context(using)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
