//! Signed envelopes (DSSE, version 1): a payload with its type, and signatures over both.
//!
//! Source: <https://github.com/secure-systems-lab/dsse>, `envelope.md` and `protocol.md`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// The payload type of in-toto statements.
pub(super) const IN_TOTO: &str = "application/vnd.in-toto+json";

/// An envelope as it is written in JSON.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Envelope {
    pub(super) payload_type: String,
    /// In base64.
    payload: String,
    pub(super) signatures: Vec<EnvelopeSignature>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvelopeSignature {
    /// Which key signed, as a hint only.
    #[serde(default)]
    pub(super) keyid: String,
    /// In base64.
    sig: String,
}

impl Envelope {
    /// Returns an envelope of an in-toto statement with one signature.
    pub(super) fn sealed(statement: &[u8], keyid: String, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> Self {
        let sig = STANDARD.encode(sign(&pre_authentication_encoding(IN_TOTO, statement)));
        let signatures = vec![EnvelopeSignature { keyid, sig }];
        Self { payload_type: IN_TOTO.into(), payload: STANDARD.encode(statement), signatures }
    }

    /// Returns the payload; `None` if it isn't base64.
    #[must_use]
    pub(super) fn payload(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.payload).ok()
    }

    /// Returns the bytes that are signed, of a payload of this envelope's type.
    #[must_use]
    pub(super) fn signed_bytes(&self, payload: &[u8]) -> Vec<u8> {
        pre_authentication_encoding(&self.payload_type, payload)
    }
}

impl EnvelopeSignature {
    /// Returns the signature; `None` if it isn't base64.
    #[must_use]
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        STANDARD.decode(&self.sig).ok()
    }
}

/// Returns `"DSSEv1" SP length SP type SP length SP payload`.
fn pre_authentication_encoding(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len());
    [head.as_bytes(), payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of `protocol.md`.
    #[test]
    fn what_is_signed_has_both_lengths_in_it() {
        let encoded = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world");
        assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }
}
