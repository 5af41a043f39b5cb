//! Whose plugins a host takes: the same rules for every way in, before anything is parsed.

use std::{fs, path::PathBuf, process::Output, sync::Arc, thread::sleep, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _},
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::registry::{BUNDLE, attaching, plugin, pushed};
use crate::support::{
    Client, Host, Plan,
    component::bombs,
    eventually,
    guests::file,
    host::till,
    registry::{INDEX, MANIFEST, Registry, digest},
    shared_store::{self, UNSYNCHRONISED},
};

/// A folder with the keys of two signers and the trust file of a host, which has the first one's.
struct Signers {
    folder: Arc<TempDir>,
}

impl Signers {
    fn new(entry: &str) -> Self {
        let signers = Self { folder: Arc::new(tempfile::tempdir().expect("a folder")) };
        let own = signers.key("release");
        signers.key("somebody");
        signers.trust(&format!("{own}{entry}\n"));
        signers
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Makes a key, and returns its entry for a trust file.
    fn key(&self, name: &str) -> String {
        let made = till().args(["plugin", "key", "new"]).arg(self.path(&format!("{name}.pem"))).output();
        text(&made.expect("till starts"))
    }

    fn trust(&self, content: &str) {
        fs::write(self.path("trust.toml"), content).expect("written");
    }

    /// Returns the guest as that signer signs it now.
    fn signed(&self, guest: &str, signer: &str) -> Vec<u8> {
        self.signed_bytes(&fs::read(file(guest)).expect("a guest"), signer)
    }

    fn signed_bytes(&self, bytes: &[u8], signer: &str) -> Vec<u8> {
        let path = self.path("plugin.wasm");
        fs::write(&path, bytes).expect("written");
        let mut sign = till();
        sign.args(["plugin", "sign", "--key"]).arg(self.path(&format!("{signer}.pem"))).arg(&path);
        text(&sign.output().expect("till starts"));
        fs::read(&path).expect("signed")
    }

    /// Returns the plan of a host that takes only what is signed.
    fn plan(&self) -> Plan {
        let trust = self.path("trust.toml");
        Host::plan().set("trust.require=signature").set(format!("trust.keys_file={}", trust.display()))
    }

    /// Returns the plan of such a host that refuses something.
    fn refusing(&self) -> Plan {
        self.plan().warns("no plugin was changed")
    }
}

/// Returns what a command printed.
fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).expect("UTF-8")
}

fn live(admin: &Client) -> Vec<String> {
    let live = admin.get("/plugins").json();
    live["plugins"].as_array().expect("plugins").iter().map(|plugin| plugin["name"].to_string()).collect()
}

fn refusal(answer: &crate::support::Answer) -> String {
    assert_eq!(answer.status, 422, "{}", answer.text());
    answer.json()["detail"].as_str().expect("a detail").to_owned()
}

#[test]
fn the_admin_listener_takes_what_a_named_key_signed() {
    let signers = Signers::new("");
    let host = signers.refusing().start();
    let before = live(&host.admin);
    let unsigned = fs::read(file("checkout_discount")).expect("a guest");
    for (bytes, expected) in [
        (unsigned.clone(), "it isn't signed, and this host takes signed plugins only"),
        (signers.signed("checkout_discount", "somebody"), "is by a key that isn't there"),
        ([&signers.signed("checkout_discount", "release")[..], &[0, 2, 1, b'a']].concat(), "it isn't signed"),
    ] {
        let told = refusal(&host.admin.deploy("plugin", "", &bytes));
        assert!(told.contains(expected), "{told}");
        let told = refusal(&host.admin.install("discounts/spring", "", &json!({}), &bytes));
        assert!(told.contains(expected), "{told}");
    }
    assert_eq!(live(&host.admin), before);
    let deployed = host.admin.deploy("plugin", "", &signers.signed("checkout_discount", "release"));
    assert_eq!(deployed.status, 200, "{}", deployed.text());
    let number = deployed.json()["version"]["id"].clone();
    let version = host.admin.get(&format!("/plugins/versions/{number}")).json();
    assert_eq!((&version["signed"]["by"], &version["source"]), (&json!("release"), &json!("plugin.wasm")));
    let host = signers.plan().folder(&host.stop().folder).start();
    assert_eq!(live(&host.admin)[0], deployed.json()["version"]["name"].to_string(), "it is trusted at a start, too");
    let history = host.admin.get("/plugins/history").json();
    let refused = |event: &&Value| event["action"] == "refuse" && event["detail"].to_string().contains("isn't signed");
    assert_eq!(history["events"].as_array().expect("events").iter().filter(refused).count(), 4, "{history}");
    host.stop();
}

#[test]
fn the_folder_takes_what_a_named_key_signed_at_a_start_and_while_it_is_watched() {
    let signers = Signers::new("");
    let place = signers.path("plugins");
    fs::create_dir(&place).expect("made");
    for kind in ["checkout", "inventory"] {
        let export = till().args(["plugin", "export", kind]).arg(place.join(format!("{kind}.wasm"))).output();
        text(&export.expect("till starts"));
    }
    let watched = |plan: Plan| plan.set(format!("server.plugins={}", place.display()));
    let host = watched(signers.refusing()).start();
    let before = live(&host.admin);
    fs::write(place.join("new.wasm"), fs::read(file("checkout_discount")).expect("a guest")).expect("written");
    eventually("a refusal in the history", || {
        let history = host.admin.get("/plugins/history").text();
        history.contains("it isn't signed").then_some(())
    });
    assert_eq!(live(&host.admin), before);
    let stopped = host.stop();
    assert!(stopped.status.success());
    // The built-in plugins need no signature; a file that somebody put there does, at a start as well.
    let host = watched(signers.plan()).folder(&stopped.folder).warns("it isn't signed").start();
    assert_eq!(live(&host.admin), before);
    fs::write(place.join("new.wasm"), signers.signed("checkout_discount", "release")).expect("written");
    eventually("the signed file to be live", || (live(&host.admin) != before).then_some(()));
    host.stop();
    // A first start has nothing to go on with.
    let fresh = tempfile::tempdir().expect("a folder");
    fs::copy(file("checkout_discount"), fresh.path().join("checkout.wasm")).expect("copied");
    let refused = signers.plan().set(format!("server.plugins={}", fresh.path().display())).refusal();
    assert!(refused.contains("it isn't signed"), "{refused}");
}

#[test]
fn what_is_live_is_judged_again_at_a_start() {
    let signers = Signers::new("");
    let host = signers.refusing().start();
    let built_in = live(&host.admin);
    let deployed = host.admin.deploy("plugin", "", &signers.signed("checkout_discount", "release"));
    assert_eq!(deployed.status, 200, "{}", deployed.text());
    // The key is taken out of the trust file: nothing more by it, and the next start goes back.
    let next = signers.key("next");
    signers.trust(&next);
    eventually("the key to be gone", || {
        let other = with_note(&fs::read(file("checkout_discount")).expect("a guest"));
        let signed = signers.signed_bytes(&other, "release");
        (host.admin.deploy("plugin", "", &signed).status == 422).then_some(())
    });
    assert_ne!(live(&host.admin), built_in, "what is live goes on until somebody changes it");
    let host = signers.plan().folder(&host.stop().folder).warns("is by a key that isn't there").start();
    assert_eq!(live(&host.admin), built_in);
    host.stop();
}

#[test]
fn a_file_that_nobody_signed_is_never_parsed() {
    let signers = Signers::new("");
    let host = signers.refusing().start();
    for (name, bomb) in bombs() {
        let told = refusal(&host.admin.deploy(name, "", &bomb));
        assert!(told.contains("it isn't signed"), "{name}: {told}");
        // A signature that counts, taken from another file.
        let plugin = fs::read(file("checkout_discount")).expect("a guest");
        let signed = signers.signed_bytes(&plugin, "release");
        let moved = [&bomb[..], &signed[plugin.len()..]].concat();
        let told = refusal(&host.admin.deploy(name, "", &moved));
        assert!(told.contains("by release is for other bytes"), "{name}: {told}");
    }
    host.stop();
}

#[test]
fn an_old_version_comes_back_by_a_rollback_only() {
    let signers = Signers::new("");
    let host = signers.refusing().start();
    let old = signers.signed("checkout_discount", "release");
    sleep(Duration::from_millis(5));
    let new = signers.signed_bytes(&with_note(&fs::read(file("checkout_discount")).expect("a guest")), "release");
    let deployed = |bytes: &[u8]| host.admin.deploy("plugin", "", bytes);
    let first = deployed(&old);
    assert_eq!(first.status, 200, "{}", first.text());
    assert_eq!(deployed(&new).status, 200);
    let told = refusal(&deployed(&old));
    assert!(
        told.contains("an old version mustn't come back unasked") && told.contains("till plugin rollback"),
        "{told}"
    );
    assert_eq!(deployed(&new).status, 200, "the same again is no older");
    let back = host.admin.post("/plugins/checkout/rollback", &json!({}));
    assert_eq!((back.status, &back.json()["version"]["id"]), (200, &first.json()["version"]["id"]), "{}", back.text());
    host.stop();
}

/// Returns the component with a custom section more, which makes it another file.
fn with_note(component: &[u8]) -> Vec<u8> {
    [component, &[0, 5, 4, b'n', b'o', b't', b'e']].concat()
}

#[test]
fn a_key_counts_for_its_hooks() {
    let signers = Signers::new("hooks = ['inventory']");
    let host = signers.refusing().start();
    let told = refusal(&host.admin.deploy("plugin", "", &signers.signed("checkout_discount", "release")));
    assert!(told.contains("is for checkout, for which that key doesn't count"), "{told}");
    host.stop();
}

#[test]
fn each_host_of_a_shared_store_judges_for_itself() {
    let store = shared_store::make();
    let signers = Signers::new("");
    let careless = Host::plan()
        .sharing(&store)
        .set("limits.spread_ms=10000")
        .warns(UNSYNCHRONISED)
        .warns("these hosts don't run yet")
        .start();
    let careful = signers.plan().sharing(&store).warns(UNSYNCHRONISED).warns("it isn't signed").start();
    let before = live(&careful.admin);
    let unsigned = fs::read(file("checkout_discount")).expect("a guest");
    let deployed = careless.admin.deploy("plugin", "", &unsigned);
    assert_eq!(deployed.status, 200, "{}", deployed.text());
    assert_eq!(deployed.json()["behind"].as_array().map(Vec::len), Some(1), "{}", deployed.text());
    assert_eq!(live(&careful.admin), before);
    let deployed = careless.admin.deploy("plugin", "", &signers.signed("checkout_discount", "release"));
    assert_eq!((deployed.status, deployed.json().get("behind")), (200, None), "{}", deployed.text());
    assert_ne!(live(&careful.admin), before);
    careful.stop();
    careless.stop();
}

#[test]
fn a_plugin_is_signed_verified_deployed_and_shown() {
    let signers = Signers::new("");
    let host = signers.plan().start();
    let path = signers.path("plugin.wasm");
    fs::write(&path, signers.signed("checkout_discount", "release")).expect("written");
    let verify = |trust: &str| {
        let mut verify = till();
        verify.args(["plugin", "verify"]).arg(&path).arg("--trust").arg(signers.path(trust));
        verify.output().expect("till starts")
    };
    let told = text(&verify("trust.toml"));
    assert!(told.contains("is trusted: the checkout plugin") && told.contains("signed by release on"), "{told}");
    fs::write(signers.path("nobody.toml"), "").expect("written");
    let refused = verify("nobody.toml");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("is by a key that isn't there"), "{told}");

    let admin = format!("http://{}", host.admin.address);
    let deployed = till().args(["plugin", "deploy", "--admin", &admin]).arg(&path).output().expect("till starts");
    text(&deployed);
    let number = host.admin.get("/plugins").json()["plugins"][0]["number"].to_string();
    let shown = text(&till().args(["plugin", "show", &number, "--admin", &admin]).output().expect("till starts"));
    for part in ["source    plugin.wasm", "signed    by release, 20", "track     0.1", "made by   ", "packages  "] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let mut with_cases = till();
    with_cases.args(["plugin", "deploy", "--admin", &admin, "--cases"]).arg(signers.folder.path()).arg(&path);
    let refused = with_cases.output().expect("till starts");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("--cases would change what was signed"), "{told}");
    let again = till().args(["plugin", "key", "new"]).arg(signers.path("release.pem")).output().expect("till starts");
    assert!(!again.status.success(), "a key is never overwritten");
    host.stop();
}

#[test]
fn a_host_says_what_is_missing_before_it_serves() {
    let refused = Host::plan().set("trust.require=signature").refusal();
    assert!(refused.contains("trust.require = signature needs trust.keys_file"), "{refused}");
    let refused = Host::plan().set("trust.require=digest").set("trust.keys_file=missing.toml").refusal();
    assert!(refused.contains("missing.toml (trust.keys_file) can't be used"), "{refused}");
}

/// A key of P-256, with which `cosign sign --key` signs a registry's manifest.
struct Cosign(EcdsaKeyPair, SystemRandom);

impl Cosign {
    fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("a key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).expect("a key");
        Self(key, random)
    }

    fn public_pem(&self) -> String {
        // What comes before the point of a public key of P-256 (RFC 5480).
        let head = "3059301306072a8648ce3d020106082a8648ce3d030107034200";
        let head = (0..head.len()).step_by(2).map(|at| u8::from_str_radix(&head[at..at + 2], 16).expect("hex"));
        let spki: Vec<u8> = head.chain(self.0.public_key().as_ref().iter().copied()).collect();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(spki))
    }

    /// Returns the bundle about a manifest of that digest: a statement in an envelope (DSSE), with no log's proof.
    fn bundle(&self, manifest_digest: &str) -> String {
        let hex = manifest_digest.strip_prefix("sha256:").expect("a digest");
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{ "digest": { "sha256": hex } }],
            "predicateType": "https://sigstore.dev/cosign/sign/v1",
            "predicate": {},
        });
        let (kind, payload) = ("application/vnd.in-toto+json", statement.to_string());
        let message = format!("DSSEv1 {} {kind} {} {payload}", kind.len(), payload.len());
        let signature = self.0.sign(&self.1, message.as_bytes()).expect("signed");
        json!({
            "mediaType": BUNDLE,
            "verificationMaterial": { "publicKey": { "hint": "a hint" } },
            "dsseEnvelope": {
                "payloadType": kind,
                "payload": STANDARD.encode(payload),
                "signatures": [{ "sig": STANDARD.encode(signature) }],
            },
        })
        .to_string()
    }
}

#[test]
fn what_cosign_attached_in_a_registry_counts_as_a_signature() {
    let (registry, home, cosign) = (Registry::shared(), tempfile::tempdir().expect("a folder"), Cosign::new());
    let signers = Signers::new("");
    let entry = "[[sigstore]]\nname = 'ci'\ntransparency_log = false\nhooks = ['checkout']\n";
    signers.trust(&format!("{entry}public_key = '''{}'''\n", cosign.public_pem()));
    let host = signers.refusing().start();
    let pinned = pushed(home.path(), "checkout_discount", &format!("{}:1", registry.of("trusted")));
    let admin = format!("http://{}", host.admin.address);
    let deploy = || plugin(home.path(), &["deploy", &pinned, "--admin", &admin]);
    let told = String::from_utf8_lossy(&deploy().stderr).into_owned();
    assert!(told.contains("it isn't signed"), "{told}");

    let to = pinned.rsplit_once('@').expect("a digest").1;
    let bundle = cosign.bundle(to);
    let attached = attaching(bundle.as_bytes(), to);
    registry.blob("trusted", b"{}");
    registry.blob("trusted", bundle.as_bytes());
    let digest = registry.manifest("trusted", &digest(attached.to_string().as_bytes()), &attached);
    let listed = json!({ "mediaType": MANIFEST, "digest": digest, "size": 9, "artifactType": BUNDLE });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [listed] });
    registry.manifest("trusted", &to.replace(':', "-"), &index);
    text(&deploy());
    let number = host.admin.get("/plugins").json()["plugins"][0]["number"].to_string();
    let version = host.admin.get(&format!("/plugins/versions/{number}")).json();
    assert_eq!((&version["signed"]["by"], &version["source"]), (&json!("ci"), &json!(pinned)));
    // The signature is a part of the file now: the next start needs no registry.
    let host = signers.plan().folder(&host.stop().folder).start();
    assert_eq!(host.admin.get("/plugins").json()["plugins"][0]["number"].to_string(), number);
    host.stop();
}
