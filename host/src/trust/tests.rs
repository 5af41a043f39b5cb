//! Whose files are taken, case by case.

use std::{fs, path::PathBuf, process::Command};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use sigstore_verify::trust_root::SIGSTORE_PRODUCTION_TRUSTED_ROOT;
use tempfile::TempDir;

use super::*;

/// 2026-06-01 00:00 UTC.
const NOW: u64 = 1_780_272_000_000;
const DAY: u64 = 86_400_000;
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0 and more";

fn key() -> PrivateKey {
    PrivateKey::of_pem(PrivateKey::fresh_pem().as_bytes()).expect("a key")
}

fn statement() -> Statement {
    Statement {
        sha256: hex_digest(COMPONENT),
        hook: Kind::Discounts,
        name: "spring".into(),
        version: "1.0.0".into(),
        at_ms: NOW - DAY,
    }
}

fn signed(key: &PrivateKey, statement: &Statement) -> Vec<u8> {
    sign(COMPONENT, key, statement).expect("signed")
}

/// A trust file with an entry for the key, beside whatever else it says.
fn trusting(require: Required, key: &PrivateKey, more: &str) -> (TempDir, Trust) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trust.toml");
    let entry = format!("[[key]]\nname = 'release'\npublic_key = '''{}'''\n{more}", key.public().to_pem());
    fs::write(&file, entry).expect("written");
    let trust = Trust::of_file(require, &file).expect("a trust file");
    (folder, trust)
}

#[test]
fn only_what_a_named_key_signed_as_it_is_counts() {
    let (own, other) = (key(), key());
    let file = signed(&own, &statement());
    let (_folder, trust) = trusting(Required::Signature, &own, "hooks = ['discounts', 'tax']\nexpires = 2026-07-01");
    let check = |file: &[u8], entry: Entry, now_ms: u64, expected: Result<(), &str>| {
        let vetted = trust.vet_at(file, entry, now_ms);
        match (&vetted, expected) {
            (Ok(vetted), Ok(())) => assert_eq!(vetted.signer.as_ref().map(|signer| &*signer.by), Some("release")),
            (Err(untrusted), Err(part)) => assert!(untrusted.to_string().contains(part), "{part}: {untrusted}"),
            _ => panic!("{expected:?}: {vetted:?}"),
        }
    };
    check(&file, Entry::New, NOW, Ok(()));
    // Unsigned, damaged, changed.
    check(COMPONENT, Entry::New, NOW, Err("it isn't signed"));
    check(&file[..file.len() - 1], Entry::New, NOW, Err("it isn't signed"));
    check(&[&file[..], b"\0\x02\x01a"].concat(), Entry::New, NOW, Err("it isn't signed"));
    check(b"tillsig1", Entry::New, NOW, Err("isn't built as a signature is"));
    let mut changed = file.clone();
    changed[9] ^= 1;
    check(&changed, Entry::New, NOW, Err("by release is for other bytes"));
    // Another key, and one that pretends to be the named one.
    check(&signed(&other, &statement()), Entry::New, NOW, Err("is by a key that isn't there"));
    let pretended = Envelope::sealed(&statement().to_json(), own.public().id.clone(), |message| other.sign(message));
    let pretended = attached::attach(COMPONENT, &serde_json::to_string(&pretended).expect("JSON")).expect("attached");
    check(&pretended, Entry::New, NOW, Err("wasn't made with the key that it names"));
    // Another hook, another time.
    check(&signed(&own, &Statement { hook: Kind::Checkout, ..statement() }), Entry::New, NOW, Err("is for checkout"));
    check(&signed(&own, &Statement { at_ms: NOW + DAY, ..statement() }), Entry::New, NOW, Err("is of the future"));
    check(&signed(&own, &Statement { at_ms: NOW + LEEWAY_MS, ..statement() }), Entry::New, NOW, Ok(()));
    // A key that expires takes nothing new, and leaves what it signed before.
    check(&file, Entry::New, NOW + 31 * DAY, Err("which expired on 2026-07-01 00:00 UTC"));
    check(&file, Entry::Kept, NOW + 31 * DAY, Ok(()));
    let late = signed(&own, &Statement { at_ms: NOW + 31 * DAY, ..statement() });
    check(&late, Entry::Kept, NOW + 32 * DAY, Err("which expired"));
    // One signature that counts is enough, wherever it stands.
    let both = sign(&signed(&other, &statement()), &own, &statement()).expect("signed");
    check(&both, Entry::New, NOW, Ok(()));
    let both = sign(&file, &other, &statement()).expect("signed");
    check(&both, Entry::New, NOW, Ok(()));
    for text in ["{}", "[]", "", "\"\"", r#"{"payloadType":"x","payload":"","signatures":[]}"#] {
        let odd = attached::attach(COMPONENT, text).expect("attached");
        check(&odd, Entry::New, NOW, Err("it has no signature that counts here: signature 1 is"));
    }
}

#[test]
fn a_component_is_the_one_that_the_signer_named() {
    let own = key();
    let (_folder, trust) = trusting(Required::Signature, &own, "");
    let vetted = trust.vet_at(&signed(&own, &statement()), Entry::New, NOW).expect("trusted");
    assert_eq!(vetted.check(Kind::Discounts, "spring", "1.0.0"), Ok(()));
    for (kind, name, version) in
        [(Kind::Tax, "spring", "1.0.0"), (Kind::Discounts, "autumn", "1.0.0"), (Kind::Discounts, "spring", "1.0.1")]
    {
        let other = vetted.check(kind, name, version).expect_err("another plugin").to_string();
        assert!(other.contains("as the discounts plugin spring@1.0.0"), "{other}");
    }
}

#[test]
fn signing_again_replaces_ones_own_signature_and_leaves_the_others() {
    let (one, other) = (key(), key());
    let file = sign(&signed(&one, &statement()), &other, &statement()).expect("signed");
    let again = sign(&file, &one, &Statement { at_ms: NOW, ..statement() }).expect("signed");
    let signatures = Signed::of(&again).expect("taken apart").signatures;
    assert_eq!(signatures.len(), 2);
    let (_folder, trust) = trusting(Required::Signature, &one, "");
    let signer = trust.vet_at(&again, Entry::New, NOW).expect("trusted").signer.expect("signed");
    assert_eq!(signer.at_ms, Some(NOW));
    assert_eq!(component_digest(&again), Ok(hex_digest(COMPONENT)));
}

#[test]
fn a_listed_digest_is_enough_where_digests_are_and_a_signature_is_more() {
    let own = key();
    let file = signed(&own, &statement());
    let listed = |digest: &str| format!("[[digest]]\nsha256 = '{digest}'\nhooks = ['tax']\n");
    for digest in [hex_digest(COMPONENT), format!("sha256:{}", hex_digest(COMPONENT).to_uppercase())] {
        let (_folder, trust) = trusting(Required::Digest, &key(), &listed(&digest));
        for bytes in [COMPONENT, &file] {
            let vetted = trust.vet_at(bytes, Entry::New, NOW).expect("listed");
            assert_eq!(vetted.signer, None);
            assert_eq!(vetted.check(Kind::Tax, "a", "1"), Ok(()));
            assert!(vetted.check(Kind::Checkout, "a", "1").is_err(), "another hook");
        }
        let other = trust.vet_at(b"another", Entry::New, NOW).expect_err("isn't listed").to_string();
        assert!(other.contains(&hex_digest(b"another")), "{other}");
    }
    let (_folder, trust) = trusting(Required::Digest, &own, "");
    assert!(trust.vet_at(&file, Entry::New, NOW).is_ok(), "signed");
    let (_folder, trust) = trusting(Required::Signature, &key(), &listed(&hex_digest(COMPONENT)));
    assert!(trust.vet_at(COMPONENT, Entry::New, NOW).is_err(), "a digest is no signature");
    let (_folder, trust) = trusting(Required::None, &own, "");
    assert_eq!(trust.vet_at(COMPONENT, Entry::New, NOW).expect("anything").signer, None);
    let signer = trust.vet_at(&file, Entry::New, NOW).expect("anything").signer;
    assert_eq!(signer.map(|signer| signer.by), Some("release".into()), "told even where it isn't needed");
}

#[test]
fn a_trust_file_says_which_entry_cant_be_used() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("trust.toml");
    let pem = key().public().to_pem();
    let entry = |rest: &str| format!("[[key]]\nname = 'release'\n{rest}");
    let with_key = |rest: &str| entry(&format!("public_key = '''{pem}'''\n{rest}"));
    fs::write(folder.path().join("root.json"), "{}").expect("written");
    for (content, expected) in [
        (entry(""), "[[key]] release: it needs either public_key"),
        (entry("public_key = 'no key'"), "no PUBLIC KEY of Ed25519"),
        (entry(&format!("public_key = '''{}'''", PrivateKey::fresh_pem())), "it is a private key"),
        (entry("public_key_file = 'missing.pem'"), "missing.pem"),
        (with_key("hooks = ['discount']"), "did you mean discounts"),
        (with_key("expires = 2026-07-01T00:00:00"), "wanted a day"),
        (with_key("until = 2026-07-01"), "unknown field"),
        (format!("{}\n{}", with_key(""), with_key("")), "two entries have the name"),
        (with_key("").replace("'release'", "' '"), "an entry's name is empty"),
        ("[[digest]]\nsha256 = 'ab'".into(), "64 hexadecimal digits"),
        ("[[sigstore]]\nname = 'ci'\nidentity = 'a'\ntrusted_root = 'root.json'".into(), "belong together"),
        ("[[sigstore]]\nname = 'ci'\ntrusted_root = 'root.json'".into(), "it needs either public_key"),
        ("[[sigstore]]\nname = 'ci'\nidentity = 'a'\nissuer = 'b'\ntrusted_root = 'no.json'".into(), "no.json"),
        ("[[sigstore]]\nname = 'ci'\nidentity = 'a'\nissuer = 'b'\ntrusted_root = 'root.json'".into(), "root.json: "),
        ("[[sigstore]]\nname = 'ci'\nidentity = 'a'\nissuer = 'b'".into(), "it needs a trusted_root"),
        ("[[digest]]\nsha256 = ''\n".repeat(300), "it may have 256"),
    ] {
        fs::write(&file, &content).expect("written");
        let error = format!("{:#}", Trust::of_file(Required::Signature, &file).expect_err(expected));
        assert!(error.contains(expected) && error.contains("trust.keys_file"), "{expected}: {error}");
    }
    let without = config::Trust { require: Required::Digest, keys_file: None };
    assert!(Trust::of(&without).expect_err("no file").to_string().contains("needs trust.keys_file"));
}

#[tokio::test]
async fn a_trust_file_is_read_again_and_a_broken_one_changes_nothing() {
    let (own, other) = (key(), key());
    let (folder, trust) = trusting(Required::Signature, &own, "");
    let file = folder.path().join("trust.toml");
    let is_trusted = |key: &PrivateKey| trust.vet_at(&signed(key, &statement()), Entry::New, NOW).is_ok();
    let look = async |said: &mut Option<String>| trust.rules.as_ref().expect("a file").look(said, |_| ()).await;
    let mut said = None;
    fs::write(&file, "[[key]]\nname = 'release'").expect("written");
    look(&mut said).await;
    assert!(is_trusted(&own) && said.is_some());
    let next = "[[key]]\nname = 'next'\npublic_key_file = 'next.pem'\n";
    fs::write(folder.path().join("next.pem"), other.public().to_pem()).expect("written");
    fs::write(&file, next).expect("written");
    look(&mut said).await;
    assert_eq!((is_trusted(&own), is_trusted(&other), said.clone()), (false, true, None));
    // A file that the trust file names has changed.
    fs::write(folder.path().join("next.pem"), own.public().to_pem()).expect("written");
    look(&mut said).await;
    assert_eq!((is_trusted(&own), is_trusted(&other)), (true, false));
}

/// Returns the folder of the vectors that the library for Sigstore comes with.
fn vectors() -> PathBuf {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| env!("CARGO").to_owned());
    let asked = ["metadata", "--format-version", "1", "--locked"];
    let metadata = Command::new(cargo).args(asked).output().expect("cargo runs");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&metadata.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let library = packages.iter().find(|package| package["name"] == "sigstore-verify").expect("the library");
    let manifest = PathBuf::from(library["manifest_path"].as_str().expect("a path"));
    manifest.with_file_name("test_data")
}

/// Cosign 3 made this bundle (`cosign sign-blob --bundle`), for a file of 24 bytes; and one with a key of its own.
#[test]
fn what_cosign_3_signed_is_taken_and_nothing_else() {
    let vectors = vectors();
    let read = |path: &str| fs::read_to_string(vectors.join(path)).expect(path);
    let folder = tempfile::tempdir().expect("a folder");
    fs::copy(vectors.join("managed-key/key.pub"), folder.path().join("key.pub")).expect("copied");
    fs::write(folder.path().join("root.json"), SIGSTORE_PRODUCTION_TRUSTED_ROOT).expect("written");
    let file = folder.path().join("trust.toml");
    let trust = |entry: &str| {
        fs::write(&file, format!("[[sigstore]]\nname = 'ci'\ntrusted_root = 'root.json'\n{entry}")).expect("written");
        Trust::of_file(Required::Signature, &file).expect("a trust file")
    };
    let bundle = read("bundles/cosign-v3-blob.sigstore.json");
    let blob = read("bundles/cosign-v3-blob.txt");
    let identity =
        |identity: &str, issuer: &str| trust(&format!("identity = '{identity}'\nissuer = '{issuer}'\nhooks = ['tax']"));
    let signed = attach_bundle(blob.as_bytes(), &bundle, None).expect("attached");

    let github = "https://github.com/login/oauth";
    let told = identity("nobody@example.com", github).vet(&signed, Entry::New).expect_err("somebody else").to_string();
    let who = told.split_whitespace().find(|word| word.contains('@') && !word.contains("nobody@example.com"));
    let who = who
        .unwrap_or_else(|| panic!("the message names the identity: {told}"))
        .trim_matches(|sign: char| !sign.is_alphanumeric());
    let accepted = identity(who, github).vet(&signed, Entry::New).expect("cosign's");
    let signer = accepted.signer.clone().expect("signed");
    assert_eq!((&*signer.by, signer.identity.as_deref()), ("ci", Some(who)));
    assert!(signer.at_ms.is_some_and(|at_ms| (1_735_689_600_000..NOW).contains(&at_ms)), "{:?}", signer.at_ms);
    assert!(accepted.check(Kind::Tax, "any", "1").is_ok() && accepted.check(Kind::Checkout, "any", "1").is_err());

    let refused = |trust: &Trust, signed: &[u8]| trust.vet(signed, Entry::New).expect_err("refused").to_string();
    let trusted = identity(who, github);
    let other = attach_bundle(b"other bytes", &bundle, None).expect("attached");
    assert!(refused(&trusted, &other).contains("is a Sigstore bundle that isn't accepted"));
    refused(&identity(who, "https://accounts.example"), &signed);
    let about_manifest = attach_bundle(blob.as_bytes(), &bundle, Some(b"{\"layers\":[]}")).expect("attached");
    assert!(refused(&trusted, &about_manifest).contains("a manifest of another file"));
    let test_report = attach_bundle(blob.as_bytes(), &read("bundles/conda-attestation.sigstore.json"), None);
    let told = refused(&trusted, &test_report.expect("attached"));
    assert!(told.contains("doesn't say that the file is to be used"), "{told}");

    let by_key =
        attach_bundle(read("managed-key/artifact.txt").as_bytes(), &read("managed-key/bundle.sigstore.json"), None)
            .expect("attached");
    assert!(trust("public_key_file = 'key.pub'").vet(&by_key, Entry::New).is_ok());
    refused(&trusted, &by_key);
    refused(&trust("public_key_file = 'key.pub'"), &signed);
}

/// A registry's manifest of a file, and the bundle that `cosign sign --key` makes for it: a statement about the manifest's digest, here without
/// a log's proof.
fn signed_manifest(file: &[u8], predicate_type: &str) -> (String, String, String) {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).expect("a key");
    let manifest = format!(r#"{{"layers":[{{"digest":"sha256:{}"}}]}}"#, hex_digest(file));
    let statement = serde_json::json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{ "digest": { "sha256": hex_digest(manifest.as_bytes()) } }],
        "predicateType": predicate_type,
        "predicate": {},
    });
    let envelope = Envelope::sealed(statement.to_string().as_bytes(), String::new(), |message| {
        key.sign(&random, message).expect("signed").as_ref().to_vec()
    });
    let bundle = serde_json::json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": { "publicKey": { "hint": "a hint" } },
        "dsseEnvelope": envelope,
    });
    let spki = [&SPKI_OF_P256[..], key.public_key().as_ref()].concat();
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki));
    (manifest, bundle.to_string(), pem)
}

/// What comes before the point of a public key of P-256 (RFC 5480).
const SPKI_OF_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

#[test]
fn a_bundle_about_a_registrys_manifest_counts_for_the_file_that_the_manifest_names() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("root.json"), SIGSTORE_PRODUCTION_TRUSTED_ROOT).expect("written");
    let file = folder.path().join("trust.toml");
    let trust = |key: &str, more: &str| {
        let entry = format!("[[sigstore]]\nname = 'ci'\npublic_key = '''{key}'''\n{more}");
        fs::write(&file, entry).expect("written");
        Trust::of_file(Required::Signature, &file).expect("a trust file")
    };
    // What was pushed had a signature already, of a key that nobody knows here.
    let pushed = signed(&key(), &statement());
    let (manifest, bundle, pem) = signed_manifest(&pushed, "https://sigstore.dev/cosign/sign/v1");
    let attached = |file: &[u8]| attach_bundle(file, &bundle, Some(manifest.as_bytes())).expect("attached");
    let unlogged = trust(&pem, "transparency_log = false");
    let signer = unlogged.vet(&attached(&pushed), Entry::New).expect("cosign's").signer.expect("signed");
    assert_eq!((&*signer.by, signer.identity, signer.at_ms), ("ci", None, None));
    let refused = |trust: &Trust, file: &[u8]| trust.vet(file, Entry::New).expect_err("refused").to_string();
    assert!(refused(&unlogged, &attached(COMPONENT)).contains("a manifest of another file"));
    let other = attach_bundle(&pushed, &bundle, Some(manifest.replace('[', " [").as_bytes())).expect("attached");
    assert!(refused(&unlogged, &other).contains("isn't accepted"), "another manifest of the same file");
    assert!(
        refused(&trust(&pem, "trusted_root = 'root.json'"), &attached(&pushed)).contains("isn't accepted"),
        "unlogged"
    );
    let (_, _, another) = signed_manifest(&pushed, "");
    refused(&trust(&another, "transparency_log = false"), &attached(&pushed));
    let (manifest, bundle, pem) = signed_manifest(&pushed, "https://example.com/test-report/v1");
    let report = attach_bundle(&pushed, &bundle, Some(manifest.as_bytes())).expect("attached");
    assert!(
        refused(&trust(&pem, "transparency_log = false"), &report).contains("doesn't say that the file is to be used")
    );
}
