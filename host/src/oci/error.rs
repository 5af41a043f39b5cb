//! Why a registry's content isn't taken, or a registry doesn't take ours. Each text says what to do.

use super::{Digest, NotPlugin};

/// Why a pull or a push failed.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    #[error("{registry} can't be reached: {reason}{}", hint(.reason))]
    Unreachable { registry: String, reason: String },
    #[error("{registry} didn't finish within {after_ms} ms (oci.ms); try again, or allow more")]
    Late { registry: String, after_ms: u128 },
    #[error(
        "{from} leads to {to}, which isn't https; a registry that has to be reached without TLS is named in oci.plain_http"
    )]
    NotHttps { from: String, to: String },
    #[error("{registry} redirects more than {max} times (oci.redirects)")]
    Redirects { registry: String, max: usize },
    #[error(
        "{registry} wants credentials for {repository}, and {looked} has none; log in with: docker login {registry}, or name a file with oci.credentials_file"
    )]
    NoCredentials { registry: String, repository: String, looked: String },
    #[error(
        "{registry} refuses the credentials of {source_name} for {repository}{detail}; log in anew with: docker login {registry}"
    )]
    Credentials { registry: String, repository: String, source_name: String, detail: String },
    #[error("{0}")]
    CredentialsFile(String),
    #[error(
        "{registry} has no {what}; a repository that doesn't exist and one that the credentials may not see look the same"
    )]
    NotFound { registry: String, what: String },
    #[error("{what} has more than {bytes_max} bytes{setting}; it isn't taken")]
    TooLarge { what: String, bytes_max: usize, setting: &'static str },
    #[error(
        "{registry} answered with other bytes than were asked for: {what} has the digest {found}, wanted was {wanted}. Nothing of it was used; try again, and if it stays so, don't trust the registry"
    )]
    OtherBytes { registry: String, what: String, wanted: Digest, found: Digest },
    #[error("{reference} is no plugin: {reason}")]
    NotPlugin { reference: String, reason: NotPlugin },
    #[error("{registry} answered {status} to {what}{detail}")]
    Answered { registry: String, what: String, status: u16, detail: String },
    #[error("{registry} gave an answer to {what} that can't be used: {reason}")]
    Unusable { registry: String, what: String, reason: String },
}

impl OciError {
    /// Returns whether the content is at fault, so that it would be refused again.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(self, Self::NotPlugin { .. } | Self::TooLarge { .. })
    }
}

/// Returns what most likely is wrong if a TLS handshake met something else.
fn hint(reason: &str) -> &'static str {
    if reason.contains("InvalidContentType") || reason.contains("corrupt message") {
        "; it doesn't speak TLS. If it is yours and its network is trusted, name it in oci.plain_http"
    } else if reason.contains("UnknownIssuer") {
        "; if it has a certificate of your own authority, name that in oci.ca_file"
    } else {
        ""
    }
}
