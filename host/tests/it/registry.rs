//! Plugins in registries: pushed to a real one and pulled from it, and what becomes of a registry that is odd, slow or hostile.

use std::{
    fs, io::Write, net::TcpStream, os::unix::fs::PermissionsExt, path::Path, process::Output, thread, time::Duration,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use till::oci::{self, Reference};

use crate::support::{
    Host,
    certificates::Authority,
    eventually,
    guests::{file, sample},
    host::till,
    registry::{
        CONFIG, Heard, INDEX, LAYER, MANIFEST, OddRegistry, Registry, USER, descriptor, digest, has, manifest, say,
        say_without_end,
    },
};

/// A folder where nobody has logged in, and one for what a test puts there.
pub(crate) fn home() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// Runs a command of `till plugin` in that folder, where Docker's configuration is as well.
pub(crate) fn plugin(home: &Path, arguments: &[&str]) -> Output {
    let mut command = till();
    command.arg("plugin").args(arguments).current_dir(home).env("DOCKER_CONFIG", home);
    command.output().expect("till starts")
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Returns why a command failed.
fn refused(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    text
}

/// Returns why a plugin isn't pulled; no host is ever asked.
fn not_pulled(home: &Path, reference: &str, more: &[&str]) -> String {
    refused(&plugin(home, &[&["deploy", reference, "--admin", "http://127.0.0.1:1"], more].concat()))
}

/// What a deploy says behind a pull that went well: there is no host.
const PULLED: &str = "http://127.0.0.1:1 can't be reached";

fn guest(name: &str) -> String {
    file(name).display().to_string()
}

/// Pushes a guest, and returns the reference with the digest.
pub(crate) fn pushed(home: &Path, guest_name: &str, to: &str) -> String {
    let text = said(&plugin(home, &["push", &guest(guest_name), to]));
    text.lines().last().expect("a reference").to_owned()
}

/// Returns the newest event of a host's history.
fn newest_event(host: &Host) -> Value {
    host.admin.get("/plugins/history?limit=1").json()["events"][0].clone()
}

#[test]
fn a_plugin_is_pushed_deployed_and_in_the_history_with_its_digest() {
    let (registry, home) = (Registry::shared(), home());
    let to = format!("{}:1.0.0", registry.of("shop/discount"));
    let first = said(&plugin(home.path(), &["push", &guest("checkout_discount"), &to]));
    let pinned = first.lines().last().expect("a reference").to_owned();
    let of_manifest = pinned.strip_prefix(&format!("{to}@")).expect("the tag, and the digest").to_owned();
    assert!(first.contains("bytes, is there\n"), "{first}");

    // What other tools read.
    let answer = registry.get("/v2/shop/discount/manifests/1.0.0");
    assert_eq!((digest(&answer.body), answer.header("content-type")), (of_manifest.clone(), MANIFEST));
    let bytes = fs::read(file("checkout_discount")).expect("the guest");
    let described = answer.json();
    let of_component = descriptor(LAYER, &bytes);
    assert_eq!((&described["mediaType"], &described["config"]["mediaType"]), (&json!(MANIFEST), &json!(CONFIG)));
    assert_eq!(described["layers"].as_array().map(Vec::len), Some(1), "{described:#}");
    for part in ["mediaType", "digest", "size"] {
        assert_eq!(described["layers"][0][part], of_component[part], "{described:#}");
    }
    assert_eq!(described["annotations"]["org.opencontainers.image.title"], "checkout_discount", "{described:#}");
    let path = format!("/v2/shop/discount/blobs/{}", described["config"]["digest"].as_str().expect("a digest"));
    let config = registry.get(&path).json();
    assert_eq!(
        (&config["os"], &config["layerDigests"]),
        (&json!("wasip2"), &json!([of_component["digest"]])),
        "{config:#}"
    );
    assert_eq!(config["component"]["exports"], json!(["till:plugin/checkout@0.1.0"]), "{config:#}");

    // Once more, and as programs read it.
    let again = said(&plugin(home.path(), &["push", &guest("checkout_discount"), &to, "--json"]));
    let again: Value = serde_json::from_str(&again).expect("JSON");
    assert_eq!(
        (&again["result"], &again["digest"], &again["replaced"]),
        (&json!("unchanged"), &json!(of_manifest), &Value::Null)
    );

    let host = Host::start();
    let admin = format!("http://{}", host.admin.address);
    let deployed = said(&plugin(home.path(), &["deploy", &to, "--admin", &admin, "--why", "spring"]));
    // The component says no name of its own, so it has its repository's.
    assert!(deployed.starts_with("checkout discount@"), "{deployed}");
    let event = newest_event(&host);
    assert_eq!(
        (&event["action"], &event["detail"]),
        (&json!("deploy"), &json!(format!("{pinned}: spring"))),
        "{event:#}"
    );
    let live = host.admin.get("/plugins").json()["plugins"][0]["digest"].as_str().expect("a digest").to_owned();
    assert_eq!(format!("sha256:{live}"), digest(&bytes));
    let by_digest = said(&plugin(home.path(), &["deploy", &pinned, "--admin", &admin]));
    assert!(by_digest.ends_with("was live already"), "{by_digest}");
    host.stop();

    let checked = said(&plugin(home.path(), &["check", &to]));
    assert!(checked.starts_with(&format!("{pinned} would be taken")), "{checked}");
    let case = home.path().join("case.json");
    fs::write(&case, r#"{"stock":{"headphones":9},"lines":[{"item":"headphones","quantity":1,"price":9}],"expect":{"outcome":"ok"}}"#)
        .expect("written");
    let case = case.display().to_string();
    let ran: Value =
        serde_json::from_str(&said(&plugin(home.path(), &["run", &pinned, "--input", &case, "--json"]))).expect("JSON");
    assert_eq!((&ran["file"], &ran["outcome"]), (&json!(pinned), &json!("ok")), "{ran:#}");
    assert!(said(&plugin(home.path(), &["test", &to, &case])).starts_with("ok"));
}

#[test]
fn a_registry_of_ones_own_authority_is_spoken_to_by_tls() {
    let (authority, home) = (Authority::new(), home());
    let registry = Registry::with_tls(&authority.issue("127.0.0.1", 30));
    let (to, file) = (format!("{}:1", registry.of("sealed")), guest("checkout_discount"));
    // This machine's own registries are spoken to without TLS unless others are named.
    let by_tls = ["--set", "oci.plain_http=registry.lan"];
    let unknown = refused(&plugin(home.path(), &[&["push", &file, &to], &by_tls[..]].concat()));
    assert!(unknown.contains("UnknownIssuer") && unknown.contains("oci.ca_file"), "{unknown}");
    let ca_file = format!("oci.ca_file={}", authority.file().display());
    let trusting = [&by_tls[..], &["--set", &ca_file]].concat();
    let pinned = said(&plugin(home.path(), &[&["push", &file, &to], &trusting[..]].concat()));
    let pinned = pinned.lines().last().expect("a reference");
    let checked = said(&plugin(home.path(), &[&["check", &to], &trusting[..]].concat()));
    assert!(checked.starts_with(&format!("{pinned} would be taken")), "{checked}");
    // A host that watches a tag there has the same settings.
    let host = Host::plan()
        .set(format!("plugins.watch={to}"))
        .set("plugins.watch_every_ms=100")
        .set("oci.plain_http=registry.lan")
        .set(ca_file)
        .start();
    eventually("a canary", || (newest_event(&host)["detail"] == json!(pinned)).then_some(()));
    host.stop();
    let plain = refused(&plugin(home.path(), &["check", &to]));
    assert!(plain.contains("oci.plain_http"), "{plain}");
}

#[test]
fn a_tag_may_move_and_a_digest_stays() {
    let (registry, home, host) = (Registry::shared(), home(), Host::start());
    let admin = format!("http://{}", host.admin.address);
    let tag = format!("{}:stable", registry.of("moved"));
    let old = pushed(home.path(), "checkout_discount", &tag);
    let moved = said(&plugin(home.path(), &["push", &guest("checkout_spans"), &tag]));
    let before = old.rsplit_once('@').expect("a digest").1;
    assert!(moved.contains(&format!("the tag led to {before} before")), "{moved}");
    for (reference, guest) in [(&tag, "checkout_spans"), (&old, "checkout_discount")] {
        let deployed = said(&plugin(home.path(), &["deploy", reference, "--admin", &admin]));
        let digest = digest(&fs::read(file(guest)).expect("the guest"));
        let short = digest.trim_start_matches("sha256:").get(..12).expect("12 digits");
        assert!(deployed.contains(&format!("+{short}, ")), "{reference}: {deployed}");
    }
    let event = newest_event(&host);
    assert_eq!(event["detail"], json!(old), "{event:#}");
    host.stop();
}

#[test]
fn a_plugin_is_installed_from_a_registry() {
    let (registry, home, host) = (Registry::shared(), home(), Host::start());
    let admin = format!("http://{}", host.admin.address);
    let tag = format!("{}:1", registry.of("shop/percent"));
    let file = sample("percent-with-code").display().to_string();
    let pinned = said(&plugin(home.path(), &["push", &file, &tag])).lines().last().expect("a reference").to_owned();
    let installed =
        plugin(home.path(), &["install", &tag, "--as", "spring", "--set", "percent=10", "--force", "--admin", &admin]);
    assert!(said(&installed).starts_with("discounts/spring "));
    assert_eq!(newest_event(&host)["detail"], json!(pinned));
    // Nothing is set for a file that stays on this machine.
    let output = plugin(home.path(), &["deploy", &file, "--set", "oci.ms=1", "--admin", &admin]);
    assert_eq!(output.status.code(), Some(2));
    for source in ["%0A", &"x".repeat(513), ""] {
        let refused = host.admin.deploy("checkout", &format!("&source={source}"), b"no plugin");
        assert!(refused.status == 422 && refused.text().contains("a source has 1 to 512 bytes"), "{}", refused.text());
    }
    host.stop();
}

/// What isn't a plugin in a real registry has a message of its own.
#[test]
fn what_is_no_plugin_is_refused_with_its_reason() {
    let (registry, home) = (Registry::shared(), home());
    let component = fs::read(file("checkout_discount")).expect("the guest");
    for bytes in [&*component, b"{}"] {
        registry.blob("odd", bytes);
    }
    let sound = manifest(&component);
    let put = |tag: &str, change: &dyn Fn(&mut Value)| {
        let mut manifest = sound.clone();
        change(&mut manifest);
        registry.manifest("odd", tag, &manifest);
        format!("{}:{tag}", registry.of("odd"))
    };
    let check = |reference: &str, why: &str| {
        let refusal = not_pulled(home.path(), reference, &[]);
        assert!(refusal.contains(why), "{reference}: {refusal}");
    };
    check(&put("sound", &|_| {}), PULLED);
    let two = put("two", &|manifest| manifest["layers"] = json!([sound["layers"][0], sound["config"]]));
    check(&two, "is no plugin: it has 2 layers, wanted exactly one");
    check(&put("none", &|manifest| manifest["layers"] = json!([])), "it has no layer");
    let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    check(&put("gzip", &|manifest| manifest["layers"][0]["mediaType"] = json!(gzip)), "its layer has the type");
    let image = "application/vnd.oci.image.config.v1+json";
    check(&put("image", &|manifest| manifest["config"]["mediaType"] = json!(image)), "it is a container's image");
    check(
        &put("config", &|manifest| manifest["config"]["mediaType"] = json!("a/b")),
        "its configuration has the type \"a/b\"",
    );
    let mut listed = descriptor(MANIFEST, sound.to_string().as_bytes());
    listed["platform"] = json!({ "architecture": "wasm", "os": "wasip2" });
    registry.manifest("odd", "index", &json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [listed] }));
    check(&format!("{}:index", registry.of("odd")), "it is an index of several images");
    check(&format!("{}:missing", registry.of("odd")), "has no manifest missing in odd");
    check(&format!("{}:1", registry.of("nowhere")), "has no manifest 1 in nowhere");
    check(&format!("{}@{}", registry.of("odd"), digest(b"other")), "has no manifest sha256:");
    let large = not_pulled(home.path(), &format!("{}:sound", registry.of("odd")), &["--set", "limits.component_mib=1"]);
    assert!(large.contains(PULLED), "{large}");

    // A blob that is gone.
    let deleted = registry.http.send("DELETE", &format!("/v2/odd/blobs/{}", digest(&component)), &[], None);
    assert_eq!(deleted.expect("it answers").status, 202);
    check(
        &format!("{}:sound", registry.of("odd")),
        &format!("has no blob {} in odd, its component", digest(&component)),
    );
    // What isn't a component isn't pushed.
    let text = home.path().join("text.wasm");
    fs::write(&text, "no plugin").expect("written");
    let to = format!("{}:text", registry.of("odd"));
    let refusal = refused(&plugin(home.path(), &["push", &text.display().to_string(), &to]));
    assert!(refusal.contains("it is no WebAssembly file"), "{refusal}");
    let pinned = format!("{to}@{}", digest(b"x"));
    assert_eq!(plugin(home.path(), &["push", &guest("checkout_spans"), &pinned]).status.code(), Some(2));
}

#[test]
fn who_asks_is_said_as_docker_has_it() {
    let (registry, home) = (Registry::start(true), home());
    let login = |password: &str| {
        let auth = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{USER}:{password}"));
        json!({ "auths": { &registry.address: { "auth": auth } } }).to_string()
    };
    let tag = format!("{}:1", registry.of("shop/a"));
    let push = |more: &[&str]| plugin(home.path(), &[&["push", &guest("checkout_discount"), &tag], more].concat());
    let refusal = refused(&push(&[]));
    let advice = format!("wants credentials for shop/a, and {}/config.json has none", home.path().display());
    assert!(refusal.contains(&advice) && refusal.contains(&format!("docker login {}", registry.address)), "{refusal}");

    let config = home.path().join("config.json");
    fs::write(&config, login("wr0ng")).expect("written");
    let refusal = refused(&push(&[]));
    assert!(refusal.contains("refuses the credentials of") && refusal.contains("config.json"), "{refusal}");
    assert!(!refusal.contains("wr0ng"), "{refusal}");

    fs::write(&config, login("s3cret")).expect("written");
    said(&push(&[]));
    assert!(not_pulled(home.path(), &tag, &[]).contains(PULLED));

    // A file of its own, and a helper.
    let own = home.path().join("own.json");
    fs::write(&own, login("s3cret")).expect("written");
    fs::write(&config, r#"{"credsStore":"of-a-test"}"#).expect("written");
    let named = format!("oci.credentials_file={}", own.display());
    assert!(not_pulled(home.path(), &tag, &["--set", &named]).contains(PULLED));
    let refusal = not_pulled(home.path(), &tag, &[]);
    assert!(refusal.contains("docker-credential-of-a-test, which isn't installed here"), "{refusal}");
    let helper = home.path().join("docker-credential-of-a-test");
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = get ] && [ \"$(cat)\" = {} ] && echo '{{\"Username\":\"{USER}\",\"Secret\":\"s3cret\"}}'\n",
        registry.address
    );
    fs::write(&helper, script).expect("written");
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).expect("set");
    let path = format!("{}:{}", home.path().display(), std::env::var("PATH").expect("a PATH"));
    let mut command = till();
    command
        .args(["plugin", "check", &tag])
        .current_dir(home.path())
        .env("DOCKER_CONFIG", home.path())
        .env("PATH", path);
    said(&command.output().expect("till starts"));
}

/// The registry wants a token, another place gives it out for the password, and only that place gets the password.
#[test]
fn a_token_is_asked_for_once_and_sent_to_the_registry_alone() {
    let component = fs::read(file("checkout_discount")).expect("the guest");
    let tokens = OddRegistry::start("127.0.0.1", |heard, stream| match heard.authorization() {
        Some("Basic YW5hOnMzY3JldA==") => say(stream, 200, "", br#"{"token":"t0ken"}"#),
        Some(_) => say(stream, 401, "", br#"{"errors":[{"code":"UNAUTHORIZED","message":"no such user"}]}"#),
        None => say(stream, 401, "", b""),
    });
    let realm = format!("http://{}/token", tokens.address);
    let challenge = format!("www-authenticate: Bearer realm=\"{realm}\",service=\"shop's\",scope=\"other\"\r\n");
    let registry = OddRegistry::start("127.0.0.1", move |heard, stream| match heard.authorization() {
        Some("Bearer t0ken") => has(heard, stream, &component),
        _ => say(stream, 401, &challenge, b""),
    });
    let (home, tag) = (home(), registry.of("shop/a:1"));
    let refusal = not_pulled(home.path(), &tag, &[]);
    assert!(refusal.contains("wants credentials for shop/a"), "{refusal}");
    let config = home.path().join("config.json");
    let login = |auth: &str| json!({ "auths": { registry.address.to_string(): { "auth": auth } } }).to_string();
    fs::write(&config, login("YW5hOndyMG5n")).expect("written");
    let refusal = not_pulled(home.path(), &tag, &[]);
    assert!(refusal.contains("refuses the credentials") && refusal.contains("no such user"), "{refusal}");

    fs::write(&config, login("YW5hOnMzY3JldA==")).expect("written");
    let before = tokens.heard().len();
    assert!(not_pulled(home.path(), &tag, &[]).contains(PULLED));
    let asked = tokens.heard().split_off(before);
    assert_eq!(asked.len(), 1, "one token for the whole pull: {asked:?}");
    assert_eq!(asked[0].path, "/token?service=shop%27s&scope=repository%3Ashop%2Fa%3Apull");
    let passwords = registry
        .heard()
        .iter()
        .filter(|heard| heard.authorization().is_some_and(|sent| sent.starts_with("Basic")))
        .count();
    assert_eq!(passwords, 0);

    // A token of an identity is exchanged in a form, not in an address that others log.
    let identity = json!({ "auths": { registry.address.to_string(): { "identitytoken": "1d" } } });
    fs::write(&config, identity.to_string()).expect("written");
    let refusal = not_pulled(home.path(), &tag, &[]);
    assert!(refusal.contains("refuses the credentials"), "{refusal}");
    let asked = tokens.heard().pop().expect("a request");
    assert_eq!((&*asked.method, &*asked.path), ("POST", "/token"));
    assert!(asked.body.contains("refresh_token=1d"), "{asked:?}");
}

/// Whatever a registry does, a pull ends within its limits and says what it was.
#[test]
fn a_slow_endless_or_lying_registry_is_given_up() {
    let component = fs::read(file("checkout_discount")).expect("the guest");
    let home = home();
    let check = |answer: fn(&Heard, &mut TcpStream, &[u8]), set: &[&str], why: &str| {
        let bytes = component.clone();
        let registry = OddRegistry::start("127.0.0.1", move |heard, stream| answer(heard, stream, &bytes));
        let refusal = not_pulled(home.path(), &registry.of("shop/a:1"), set);
        assert!(refusal.contains(why), "{refusal}");
    };
    check(has, &[], PULLED);
    check(|_, stream, _| say_without_end(stream), &[], "manifest 1 in shop/a has more than 65536 bytes");
    check(
        |heard, stream, component| match heard.path.contains("/blobs/") {
            true => say_without_end(stream),
            false => has(heard, stream, component),
        },
        &["--set", "limits.component_mib=1"],
        "its component has more than 1048576 bytes (limits.component_mib)",
    );
    check(
        |_, stream, _| {
            for letter in b"HTTP/1.1 200 Said\r\ncontent-length: 9999999\r\n\r\n".iter().chain(&[b' '; 9999]) {
                if stream.write_all(&[*letter]).is_err() {
                    return;
                }
                thread::sleep(Duration::from_millis(20));
            }
        },
        &["--set", "oci.ms=500"],
        "didn't finish within 500 ms (oci.ms)",
    );
    check(
        |heard, stream, component| match heard.path.contains("/blobs/") {
            true => say(stream, 200, "", &component.iter().rev().copied().collect::<Vec<_>>()),
            false => has(heard, stream, component),
        },
        &[],
        "answered with other bytes than were asked for",
    );
    check(
        |_, stream, component| {
            let header = format!("docker-content-digest: {}\r\n", digest(b"other"));
            say(stream, 200, &header, manifest(component).to_string().as_bytes());
        },
        &[],
        "answered with other bytes than were asked for: manifest 1 in shop/a has the digest",
    );
    check(
        |heard, stream, component| match heard.path.contains("/blobs/") {
            true => say(stream, 200, "", component),
            false => {
                let mut manifest = manifest(component);
                manifest["layers"][0]["size"] = json!(7);
                say(stream, 200, "", manifest.to_string().as_bytes());
            }
        },
        &[],
        "other than the 7 bytes that its manifest says",
    );
    check(|_, stream, _| say(stream, 200, "", b"<html>"), &[], "its manifest isn't JSON of a manifest");
    check(
        |_, stream, _| say(stream, 503, "", b"{\"errors\":[{\"code\":\"DOWN\",\"message\":\"for \\u001b[31mnow\"}]}"),
        &[],
        "answered 503 to manifest 1 in shop/a: DOWN for [31mnow",
    );
    check(|_, stream, _| say(stream, 429, "", b""), &[], "it takes no more requests from here for now");
    check(|_, stream, _| _ = stream.write_all(b"SSH-2.0-x\r\n"), &[], "can't be reached");
    check(|_, stream, _| say(stream, 401, "", b""), &[], "neither for Basic nor for Bearer");
    let refusal = not_pulled(home.path(), "oci://127.0.0.1:1/shop/a:1", &[]);
    assert!(refusal.contains("http://127.0.0.1:1 can't be reached"), "{refusal}");
    // A pinned pull takes no other manifest.
    let bytes = component.clone();
    let registry =
        OddRegistry::start("127.0.0.1", move |heard, stream| match heard.path.contains("/manifests/sha256:") {
            true => say(stream, 200, "", manifest(&bytes).to_string().as_bytes()),
            false => has(heard, stream, &bytes),
        });
    let refusal = not_pulled(home.path(), &registry.of(&format!("shop/a:1@{}", digest(b"wanted"))), &[]);
    assert!(refusal.contains(&format!("wanted was {}", digest(b"wanted"))), "{refusal}");
}

#[test]
fn a_redirect_is_followed_within_limits_and_without_credentials() {
    let component = fs::read(file("checkout_discount")).expect("the guest");
    let bytes = component.clone();
    let elsewhere = OddRegistry::start("127.0.0.1", move |_, stream| say(stream, 200, "", &bytes));
    let home = home();
    let check = |to: String, set: &[&str], why: &str| {
        let bytes = component.clone();
        let registry = OddRegistry::start("127.0.0.1", move |heard, stream| {
            if heard.authorization().is_none() {
                say(stream, 401, "www-authenticate: Basic realm=\"shop\"\r\n", b"");
            } else if heard.path.contains("/blobs/") {
                say(stream, 307, &format!("location: {to}\r\n"), b"");
            } else {
                has(heard, stream, &bytes);
            }
        });
        let login = json!({ "auths": { registry.address.to_string(): { "auth": "YW5hOnMzY3JldA==" } } });
        fs::write(home.path().join("config.json"), login.to_string()).expect("written");
        let refusal = not_pulled(home.path(), &registry.of("shop/a:1"), set);
        assert!(refusal.contains(why), "{refusal}");
        registry.heard().len()
    };
    let there = format!("http://{}/bucket/key?signature=s1gned", elsewhere.address);
    check(there.clone(), &[], PULLED);
    let heard = elsewhere.heard();
    assert_eq!(heard.len(), 1);
    assert_eq!((heard[0].path.as_str(), heard[0].authorization()), ("/bucket/key?signature=s1gned", None));
    check(there.clone(), &["--set", "oci.redirects=0"], "redirects more than 0 times (oci.redirects)");
    let loops = "/v2/shop/a/blobs/loop".to_owned();
    // Twice a manifest, the second time with credentials, and four times a blob.
    assert_eq!(check(loops, &[], "redirects more than 3 times (oci.redirects)"), 6);
    // Not to a place that isn't https: 127.0.0.2 isn't listed as the others are.
    let insecure = check(
        "http://127.0.0.2:1/key?signature=s1gned".to_owned(),
        &[],
        "leads to http://127.0.0.2:1/key, which isn't https",
    );
    assert_eq!(insecure, 3);
    check("ftp://127.0.0.1/key".to_owned(), &[], "it leads elsewhere and doesn't say where");
    assert_eq!(elsewhere.heard().len(), 1);
}

/// Off this machine TLS is spoken unless a setting names the registry.
#[test]
fn plain_http_is_for_registries_that_are_named() {
    let component = fs::read(file("checkout_discount")).expect("the guest");
    let registry = OddRegistry::start("127.0.0.2", move |heard, stream| has(heard, stream, &component));
    let (home, tag) = (home(), registry.of("shop/a:1"));
    let refusal = not_pulled(home.path(), &tag, &[]);
    assert!(refusal.contains("it doesn't speak TLS") && refusal.contains("oci.plain_http"), "{refusal}");
    assert!(registry.heard().iter().all(|heard| !heard.path.starts_with('/')), "{:?}", registry.heard());
    let named = format!("oci.plain_http=localhost, {}", registry.address);
    assert!(not_pulled(home.path(), &tag, &["--set", &named]).contains(PULLED));
    let realm = "www-authenticate: Bearer realm=\"http://tokens.example/token\"\r\n";
    let asks = OddRegistry::start("127.0.0.1", move |_, stream| say(stream, 401, realm, b""));
    let refusal = not_pulled(home.path(), &asks.of("shop/a:1"), &[]);
    assert!(refusal.contains("leads to http://tokens.example/token, which isn't https"), "{refusal}");
}

/// Returns what a registry has under the reference.
fn pulled(reference: &str) -> oci::Pulled {
    let rules = oci::Rules {
        plain_http: oci::Hosts::parse("127.0.0.1").expect("a list"),
        credentials_file: None,
        ca_file: None,
        within: Duration::from_secs(60),
        redirects_max: 3,
        component_bytes_max: 32 << 20,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = oci::Client::new(rules).expect("no file");
    runtime.block_on(client.pull(&Reference::parse(reference).expect("a reference"))).expect("pulled")
}

/// The type of a signature that cosign 3 attaches.
pub(crate) const BUNDLE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";

/// Returns the manifest that attaches a bundle to the manifest of that digest.
pub(crate) fn attaching(bundle: &[u8], to: &str) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": BUNDLE,
        "config": descriptor("application/vnd.oci.empty.v1+json", b"{}"),
        "layers": [descriptor(BUNDLE, bundle)],
        "subject": { "mediaType": MANIFEST, "digest": to, "size": 1 },
    })
}

/// The real registry doesn't know the list of OCI 1.1, so whoever signs writes it under a tag.
#[test]
fn signatures_are_found_under_the_fallback_tag() {
    let (registry, home) = (Registry::shared(), home());
    let pinned = pushed(home.path(), "checkout_discount", &format!("{}:1", registry.of("signed")));
    assert!(pulled(&pinned).bundles.is_empty());
    let to = pinned.rsplit_once('@').expect("a digest").1;
    let mut listed = Vec::new();
    let mut attach = |bundle: &[u8], manifest: Value, artifact_type: &str| {
        registry.blob("signed", bundle);
        let digest = registry.manifest("signed", &digest(manifest.to_string().as_bytes()), &manifest);
        listed.push(json!({ "mediaType": MANIFEST, "digest": digest, "size": 9, "artifactType": artifact_type }));
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": listed });
        registry.manifest("signed", &to.replace(':', "-"), &index);
    };
    registry.blob("signed", b"{}");
    attach(b"bundle 0", attaching(b"bundle 0", to), BUNDLE);
    // None of these is a signature of it.
    attach(b"of another", attaching(b"of another", &digest(b"another")), BUNDLE);
    attach(b"sbom", attaching(b"sbom", to), "application/spdx+json");
    let long = vec![b' '; 64 * 1024 + 1];
    attach(&long, attaching(&long, to), BUNDLE);
    for number in 1..9 {
        let bundle = format!("bundle {number}");
        attach(bundle.as_bytes(), attaching(bundle.as_bytes(), to), BUNDLE);
    }
    let pulled = pulled(&pinned);
    // Of what is listed as a bundle, the first eight are looked at.
    let found: Vec<_> = pulled.bundles.iter().map(|bundle| String::from_utf8_lossy(bundle).into_owned()).collect();
    assert_eq!(found, (0..6).map(|number| format!("bundle {number}")).collect::<Vec<_>>());
    assert_eq!((pulled.reference.to_string(), digest(&pulled.manifest)), (pinned.clone(), to.to_owned()));
    assert_eq!(&*pulled.bytes, &*fs::read(file("checkout_discount")).expect("the guest"));
}

#[test]
fn signatures_are_found_in_the_list_of_oci_1_1() {
    let component = fs::read(file("checkout_discount")).expect("the guest");
    let of_component = manifest(&component).to_string();
    let (to, attached) = (digest(of_component.as_bytes()), attaching(b"a bundle", &digest(of_component.as_bytes())));
    let registry = OddRegistry::start("127.0.0.1", move |heard, stream| {
        let attached = attached.to_string();
        let of_attached = digest(attached.as_bytes());
        if heard.path.ends_with(&format!("/referrers/{to}")) {
            let listed = json!({ "digest": of_attached, "artifactType": BUNDLE });
            say(stream, 200, "", json!({ "manifests": [listed] }).to_string().as_bytes());
        } else if heard.path.ends_with(&of_attached) {
            say(stream, 200, "", attached.as_bytes());
        } else if heard.path.ends_with(&digest(b"a bundle")) {
            say(stream, 200, "", b"a bundle");
        } else {
            has(heard, stream, &component);
        }
    });
    assert_eq!(pulled(&registry.of("shop/a:1")).bundles, [&b"a bundle"[..]]);
}
