//! Certificates for tests: an authority, and those that it vouches for. The integration tests use this file, too.

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use tokio_rustls::TlsAcceptor;
use x509_cert::{
    Certificate, TbsCertificate, Version,
    der::{
        Any, Encode,
        asn1::{BitString, Ia5String, ObjectIdentifier, OctetString, UtcTime},
    },
    ext::{
        AsExtension,
        pkix::{BasicConstraints, SubjectAltName, name::GeneralName},
    },
    name::Name,
    serial_number::SerialNumber,
    spki::{AlgorithmIdentifierOwned, SubjectPublicKeyInfoOwned},
    time::{Time, Validity},
};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const DAY: Duration = Duration::from_hours(24);

/// An authority, and its certificate in a file.
pub(crate) struct Authority {
    keys: Keys,
    folder: tempfile::TempDir,
}

struct Keys {
    pair: EcdsaKeyPair,
    pkcs8: Vec<u8>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let (keys, folder) = (Keys::new(), tempfile::tempdir().expect("a folder"));
        let of_itself = keys.certify(&keys, BasicConstraints { ca: true, path_len_constraint: None }, 0);
        std::fs::write(folder.path().join("ca.pem"), pem("CERTIFICATE", &of_itself)).expect("it is written");
        Self { keys, folder }
    }

    pub(crate) fn file(&self) -> PathBuf {
        Path::join(self.folder.path(), "ca.pem")
    }

    /// Returns what a server of this name or address needs. Its certificate ends in some days, or has ended before some.
    pub(crate) fn acceptor(&self, name: &str, ends_in_days: i32) -> TlsAcceptor {
        let Issued { certificate, key } = self.issue(name, ends_in_days);
        let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate");
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
        let config = config.with_no_client_auth().with_single_cert(vec![certificate], key).expect("a usable key");
        TlsAcceptor::from(Arc::new(config))
    }

    /// Returns a certificate of this name or address, which ends in some days, and its key.
    pub(crate) fn issue(&self, name: &str, ends_in_days: i32) -> Issued {
        let keys = Keys::new();
        let name = match name.parse() {
            Ok(IpAddr::V4(address)) => GeneralName::IpAddress(octets(&address.octets())),
            Ok(IpAddr::V6(address)) => GeneralName::IpAddress(octets(&address.octets())),
            Err(_) => GeneralName::DnsName(Ia5String::new(name).expect("ASCII")),
        };
        let certificate = self.keys.certify(&keys, SubjectAltName(vec![name]), ends_in_days);
        Issued { certificate: pem("CERTIFICATE", &certificate), key: pem("PRIVATE KEY", &keys.pkcs8) }
    }
}

/// A certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

fn pem(label: &str, der: &[u8]) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", BASE64_STANDARD.encode(der))
}

impl Keys {
    fn new() -> Self {
        let (random, algorithm) = (SystemRandom::new(), &ECDSA_P256_SHA256_ASN1_SIGNING);
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("random bytes").as_ref().to_vec();
        Self { pair: EcdsaKeyPair::from_pkcs8(algorithm, &pkcs8, &random).expect("a key"), pkcs8 }
    }

    /// Signs a certificate for the keys of a subject.
    fn certify(&self, subject: &Self, extension: impl AsExtension, ends_in_days: i32) -> Vec<u8> {
        let algorithm = AlgorithmIdentifierOwned { oid: ECDSA_SHA256, parameters: None };
        let tbs_certificate = TbsCertificate {
            version: Version::V3,
            serial_number: SerialNumber::new(&[1]).expect("a number"),
            signature: algorithm.clone(),
            issuer: Name::default(),
            validity: Validity {
                not_before: day(-30),
                not_after: day(if ends_in_days == 0 { 30 } else { ends_in_days }),
            },
            subject: Name::default(),
            subject_public_key_info: SubjectPublicKeyInfoOwned {
                algorithm: AlgorithmIdentifierOwned { oid: EC_PUBLIC_KEY, parameters: Some(Any::from(P256)) },
                subject_public_key: BitString::from_bytes(subject.pair.public_key().as_ref()).expect("a key"),
            },
            issuer_unique_id: None,
            subject_unique_id: None,
            extensions: Some(vec![extension.to_extension(&Name::default(), &[]).expect("an extension")]),
        };
        let signed = tbs_certificate.to_der().expect("it is written");
        let signature = self.pair.sign(&SystemRandom::new(), &signed).expect("a signature");
        let signature = BitString::from_bytes(signature.as_ref()).expect("a signature");
        let certificate = Certificate { tbs_certificate, signature_algorithm: algorithm, signature };
        certificate.to_der().expect("it is written")
    }
}

fn octets(bytes: &[u8]) -> OctetString {
    OctetString::new(bytes).expect("an address")
}

fn day(from_now: i32) -> Time {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    let days = DAY * from_now.unsigned_abs();
    let at = if from_now < 0 { now - days } else { now + days };
    Time::UtcTime(UtcTime::from_unix_duration(Duration::from_secs(at.as_secs())).expect("before 2050"))
}
