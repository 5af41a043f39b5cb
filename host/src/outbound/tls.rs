//! TLS to the servers of `https` grants.
//!
//! A server has to prove the very name of the grant, by a certificate of an authority that the system trusts or that
//! `outbound.ca_file` names. Revocation isn't looked up. No session is resumed: a resumed one would skip that proof, and
//! would be shared by all installations.

use std::{path::Path, sync::Arc};

use rustls::{RootCertStore, client::Resumption};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use crate::tls;

/// Makes TLS sessions.
pub(super) struct Tls {
    /// Those of `outbound.ca_file`.
    authorities: RootCertStore,
    /// With the system's authorities as well. They are read for the first `https` request: that takes a while, and most
    /// hosts have no such grant.
    connector: OnceCell<TlsConnector>,
}

impl Tls {
    /// Reads the certificates in a file, if there is one.
    ///
    /// # Errors
    /// If it can't be read, or has none.
    pub(super) fn new(ca_file: Option<&Path>) -> anyhow::Result<Self> {
        let mut authorities = RootCertStore::empty();
        if let Some(file) = ca_file {
            authorities = tls::authorities(file)?;
        }
        Ok(Self { authorities, connector: OnceCell::new() })
    }

    /// Returns what speaks TLS.
    pub(super) async fn connector(&self) -> anyhow::Result<&TlsConnector> {
        let prepare = async || {
            let authorities = self.authorities.clone();
            let of_both = tokio::task::spawn_blocking(move || tls::with_systems(authorities));
            connector(of_both.await?)
        };
        self.connector.get_or_try_init(prepare).await
    }
}

fn connector(authorities: RootCertStore) -> anyhow::Result<TlsConnector> {
    let mut config = tls::client_trusting(authorities)?;
    config.alpn_protocols = vec![tls::HTTP1.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_without_certificates_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("ca.pem");
        assert!(Tls::new(Some(&file)).is_err());
        for text in ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            fs::write(&file, text).expect("it is written");
            let error = format!("{:#}", Tls::new(Some(&file)).err().expect("no certificate"));
            assert!(error.contains("use the certificates in"), "{error}");
        }
        assert!(Tls::new(None).is_ok());
    }
}
