//! TLS on both listeners and between tills: certificates that are shown, asked for and replaced.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    Host, PATIENCE, Plan,
    certificates::{Authority, Issued},
    eventually,
    host::till,
    http::order_of,
    secured::{HTTP1, HTTP2, Secured},
};

/// The files of a listener's certificate.
struct Files {
    folder: TempDir,
}

impl Files {
    fn of(issued: &Issued) -> Self {
        let files = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        files.put(issued);
        files
    }

    fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }

    /// Replaces both, each as a whole.
    fn put(&self, issued: &Issued) {
        self.put_one("key.pem", &issued.key);
        self.put_one("cert.pem", &issued.certificate);
    }

    fn put_one(&self, name: &str, text: &str) {
        let part = self.folder.path().join("part");
        fs::write(&part, text).expect("it is written");
        fs::rename(part, self.folder.path().join(name)).expect("it is renamed");
    }

    /// Has a host's listener use them; `prefix` is `tls` or `admin_tls`.
    fn of_listener(&self, prefix: &str, plan: Plan) -> Plan {
        plan.set(format!("server.{prefix}_cert_file={}", self.certificate().display()))
            .set(format!("server.{prefix}_key_file={}", self.key().display()))
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn der(issued: &Issued) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(issued.certificate.as_bytes()).expect("a certificate")
}

fn order() -> String {
    order_of("headphones", 1).to_string()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn both_listeners_speak_tls_in_both_protocols() {
    let authority = Authority::new();
    let (shop, admin) = (authority.issue("127.0.0.1", 30), authority.issue("127.0.0.1", 30));
    let (shop_files, admin_files) = (Files::of(&shop), Files::of(&admin));
    let plan = admin_files.of_listener("admin_tls", shop_files.of_listener("tls", Host::plan()));
    let host = plan.start();
    runtime().block_on(async {
        for (protocols, spoken) in [(&[HTTP2, HTTP1][..], HTTP2), (&[HTTP1], HTTP1), (&[], b"")] {
            for (address, shown, method, path, body) in [
                (&host.shop.address, &shop, "POST", "/checkout", order()),
                (&host.admin.address, &admin, "GET", "/stock", String::new()),
            ] {
                let client = Secured::new(address, &authority.file(), None, protocols);
                let mut connection = client.connect().await.expect("a connection");
                assert_eq!(connection.protocol, spoken);
                assert_eq!(connection.certificate, der(shown), "each listener has its own certificate");
                for _ in 0..2 {
                    let (status, text) = connection.send(method, path, &body).await.expect("an answer");
                    assert_eq!(status, 200, "{text}");
                }
            }
        }
        // A whole page of answers is more than one record of TLS.
        let client = Secured::new(&host.shop.address, &authority.file(), None, &[HTTP2]);
        let (status, document) = client.once("GET", "/openapi.json", "").await.expect("an answer");
        assert_eq!(status, 200);
        assert!(serde_json::from_str::<Value>(&document).is_ok(), "{} bytes", document.len());
    });
    let stranger = Authority::new();
    let client = Secured::new(&host.shop.address, &stranger.file(), None, &[HTTP1]);
    assert!(runtime().block_on(client.connect()).is_err(), "another authority vouches for another host");
    host.stop();
}

#[test]
fn a_certificate_that_ends_soon_is_warned_of() {
    let authority = Authority::new();
    let (soon, later) = (Files::of(&authority.issue("127.0.0.1", 5)), Files::of(&authority.issue("127.0.0.1", 30)));
    let plan = later.of_listener("admin_tls", soon.of_listener("tls", Host::plan())).warns("ends in");
    let host = plan.start();
    let warnings = || {
        let log = host.log();
        let said = log.iter().filter_map(|line| line["message"].as_str()).filter(|message| message.contains("ends in"));
        said.map(str::to_owned).collect::<Vec<_>>()
    };
    let said = eventually("a warning", || Some(warnings()).filter(|said| !said.is_empty()));
    assert!(said.len() == 1 && said[0].contains("(server.tls_cert_file) ends in 4 days, at 20"), "{said:?}");
    host.stop();
}

#[test]
fn who_speaks_without_tls_is_told() {
    let authority = Authority::new();
    let files = Files::of(&authority.issue("127.0.0.1", 30));
    let host = files.of_listener("admin_tls", files.of_listener("tls", Host::plan())).start();
    for client in [&host.shop, &host.admin] {
        let answer = client.get("/readyz");
        assert_eq!(answer.status, 400);
        assert_eq!(answer.text(), "This port speaks TLS: ask for the same address by https");
    }
    let admin = format!("http://{}", host.admin.address);
    let listed = till().args(["stock", "list", "--admin", &admin]).output().expect("till starts");
    assert_eq!(listed.status.code(), Some(1));
    assert!(said(&listed).contains("This port speaks TLS: ask for the same address by https"), "{}", said(&listed));
    host.stop();
}

#[test]
fn a_client_shows_a_certificate_where_one_is_asked_for() {
    let (authority, of_clients, stranger) = (Authority::new(), Authority::new(), Authority::new());
    let files = Files::of(&authority.issue("127.0.0.1", 30));
    let plan = files.of_listener("admin_tls", files.of_listener("tls", Host::plan()));
    let of_clients_file = of_clients.file().display().to_string();
    let host = plan
        .set(format!("server.tls_client_ca_file={of_clients_file}"))
        .set(format!("server.admin_tls_client_ca_file={of_clients_file}"))
        .start();
    runtime().block_on(async {
        for (address, path) in [(&host.shop.address, "/livez"), (&host.admin.address, "/stock")] {
            for protocol in [HTTP1, HTTP2] {
                let ask = async |identity: Option<&Issued>| {
                    let client = Secured::new(address, &authority.file(), identity, &[protocol]);
                    client.once("GET", path, "").await.map(|(status, _)| status)
                };
                assert_eq!(ask(Some(&of_clients.issue("till.example", 30))).await.expect("an answer"), 200);
                assert!(ask(None).await.is_err(), "a client without a certificate");
                assert!(ask(Some(&stranger.issue("till.example", 30))).await.is_err(), "another authority's");
            }
        }
    });
    host.stop();
}

/// Many clients ask all the while that the files are replaced, on connections of their own and on lasting ones.
#[test]
fn a_certificate_is_replaced_and_no_request_fails() {
    let authority = Authority::new();
    let files = Files::of(&authority.issue("127.0.0.1", 30));
    let host = files.of_listener("tls", Host::plan().set("stock.headphones=1000000")).start();
    let client = Secured::new(&host.shop.address, &authority.file(), None, &[HTTP2, HTTP1]);
    let http1 = Secured::new(&host.shop.address, &authority.file(), None, &[HTTP1]);
    let (done, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    runtime().block_on(async {
        let mut asking = tokio::task::JoinSet::new();
        for number in 0..16 {
            let client = if number % 2 == 0 { client.clone() } else { http1.clone() };
            let (done, asked) = (Arc::clone(&done), Arc::clone(&asked));
            asking.spawn(async move {
                let mut lasting = client.connect().await.expect("a connection");
                while !done.load(SeqCst) {
                    let answered = if number < 8 {
                        client.once("POST", "/checkout", &order()).await
                    } else {
                        lasting.send("POST", "/checkout", &order()).await
                    };
                    let (status, text) = answered.expect("an answer");
                    assert_eq!(status, 200, "{text}");
                    asked.fetch_add(1, SeqCst);
                }
            });
        }
        for _ in 0..4 {
            let next = authority.issue("127.0.0.1", 30);
            files.put(&next);
            let (wanted, started) = (der(&next), std::time::Instant::now());
            loop {
                let shown = client.connect().await.expect("a connection").certificate;
                if shown == wanted {
                    break;
                }
                assert!(started.elapsed() < PATIENCE, "the new certificate is never shown");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
        done.store(true, SeqCst);
        while let Some(ended) = asking.join_next().await {
            ended.expect("every request was answered");
        }
    });
    println!("{} requests", asked.load(SeqCst));
    assert!(asked.load(SeqCst) >= 16);
    // A moment between the two files may be in the log.
    let stopped = host.end();
    let changed = |line: &&Value| {
        line["message"].as_str().is_some_and(|text| text.ends_with("has changed: new connections get it"))
    };
    assert_eq!(stopped.log.iter().filter(changed).count(), 4);
}

#[test]
fn a_pair_that_does_not_fit_leaves_the_one_from_before() {
    let authority = Authority::new();
    let (first, second, third) =
        (authority.issue("127.0.0.1", 30), authority.issue("127.0.0.1", 30), authority.issue("127.0.0.1", 30));
    let files = Files::of(&first);
    let host = files.of_listener("tls", Host::plan()).warns("so the one from before stays").start();
    let client = Secured::new(&host.shop.address, &authority.file(), None, &[HTTP1]);
    let runtime = runtime();
    let shown = || runtime.block_on(client.connect()).expect("a connection").certificate;
    let refusals = || host.log().into_iter().filter(|line| line["level"] == "ERROR").collect::<Vec<_>>();
    files.put_one("key.pem", &second.key);
    let refused = eventually("an error in the log", || refusals().pop());
    let text = refused["message"].as_str().expect("a text").to_owned();
    assert!(
        text.contains("(server.tls_cert_file) can't be used, so the one from before stays: use the certificate in "),
        "{text}"
    );
    assert!(text.contains("(server.tls_key_file)"), "{text}");
    assert_eq!(shown(), der(&first));
    files.put_one("cert.pem", "no certificate\n");
    eventually("another error", || (refusals().len() == 2).then_some(()));
    assert_eq!(shown(), der(&first));
    files.put(&third);
    eventually("the third certificate", || (shown() == der(&third)).then_some(()));
    host.stop();
}

/// A client that begins a handshake and never ends it loses its place.
#[test]
fn a_handshake_without_an_end_gives_its_place_back() {
    let authority = Authority::new();
    let files = Files::of(&authority.issue("127.0.0.1", 30));
    let limits = ["limits.connections=2", "limits.header_ms=300"];
    let host = limits.iter().fold(files.of_listener("tls", Host::plan()), |plan, limit| plan.set(*limit)).start();
    let begin = || {
        let mut stream = TcpStream::connect(&host.shop.address).expect("the host listens");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        // The head of a record that is a ClientHello of 512 bytes.
        stream.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 252]).expect("it is sent");
        stream
    };
    let held: Vec<_> = std::iter::repeat_with(begin).take(2).collect();
    let client = Secured::new(&host.shop.address, &authority.file(), None, &[HTTP1]);
    let runtime = runtime();
    let ask = || runtime.block_on(client.once("POST", "/checkout", &order()));
    eventually("a place", || ask().ok().filter(|(status, _)| *status == 200));
    for mut stream in held {
        let mut rest = Vec::new();
        // The host closes: with an alert or without, or by a reset.
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "the host waits");
        }
    }
    // One that never stops sending either.
    let mut endless = begin();
    let sending = std::iter::repeat_with(|| endless.write_all(&[0; 64])).find_map(Result::err);
    assert!(sending.is_some(), "the host closes");
    assert_eq!(ask().expect("an answer").0, 200);
    host.stop();
}

#[test]
fn commands_speak_tls_to_the_admin_listener() {
    let (authority, of_clients) = (Authority::new(), Authority::new());
    let files = Files::of(&authority.issue("127.0.0.1", 30));
    let own = Files::of(&of_clients.issue("ops.example", 30));
    let plan = files.of_listener("admin_tls", Host::plan());
    let host = plan.set(format!("server.admin_tls_client_ca_file={}", of_clients.file().display())).start();
    let admin = format!("https://{}", host.admin.address);
    let stock = |arguments: &[&std::path::Path]| {
        let mut command = till();
        command.args(["stock", "list", "--admin", &admin]);
        for (flag, file) in ["--ca-file", "--cert-file", "--key-file"].iter().zip(arguments) {
            command.arg(flag).arg(file);
        }
        command.output().expect("till starts")
    };
    let listed = stock(&[&authority.file(), &own.certificate(), &own.key()]);
    assert!(listed.status.success() && said(&listed).contains("headphones"), "{}", said(&listed));
    let unknown = stock(&[&of_clients.file(), &own.certificate(), &own.key()]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(said(&unknown).contains("invalid peer certificate"), "{}", said(&unknown));
    assert_eq!(stock(&[&authority.file()]).status.code(), Some(1), "without a certificate of its own");
    let opened = till().args(["open", "--print", "--admin", &admin]).output().expect("till starts");
    assert!(said(&opened).contains(&format!("{admin}/console")), "{}", said(&opened));
    // Links to traces are https, too.
    assert!(host.shop.buy("headphones", 1).header("link").starts_with(&format!("<{admin}/traces/")));
    host.stop();
}

#[test]
fn a_till_asks_another_over_tls() {
    let (authority, of_tills) = (Authority::new(), Authority::new());
    let files = Files::of(&authority.issue("127.0.0.1", 30));
    let own = Files::of(&of_tills.issue("till.example", 30));
    let plan = files.of_listener("tls", Host::plan());
    let stock = plan.set(format!("server.tls_client_ca_file={}", of_tills.file().display())).start();
    let orders = Host::plan()
        .set(format!("server.inventory_url=https://{}", stock.shop.address))
        .set(format!("server.inventory_ca_file={}", authority.file().display()))
        .set(format!("server.inventory_cert_file={}", own.certificate().display()))
        .set(format!("server.inventory_key_file={}", own.key().display()))
        .start();
    for _ in 0..3 {
        let bought = orders.shop.buy("headphones", 2);
        assert_eq!(bought.status, 200, "{}", bought.text());
    }
    assert_eq!(stock.on_hand("headphones"), 194);
    orders.stop();
    stock.stop();
}

#[test]
fn files_that_do_not_go_together_are_refused_at_the_start() {
    let authority = Authority::new();
    let (one, other) = (Files::of(&authority.issue("127.0.0.1", 30)), Files::of(&authority.issue("127.0.0.1", 30)));
    let unusable = |settings: &[(&str, String)], says: &str| {
        let plan = settings.iter().fold(Host::plan(), |plan, (key, value)| plan.set(format!("server.{key}={value}")));
        let refused = plan.command().output().expect("till starts");
        assert_eq!(refused.status.code(), Some(64), "{says}");
        assert!(said(&refused).contains(says), "{}", said(&refused));
    };
    let (certificate, key) = (one.certificate().display().to_string(), one.key().display().to_string());
    for prefix in ["tls", "admin_tls"] {
        let of = |name: &str| format!("{prefix}_{name}");
        unusable(
            &[(&of("cert_file"), certificate.clone())],
            &format!("server.{prefix}_cert_file has no key: set server.{prefix}_key_file, too"),
        );
        unusable(
            &[(&of("key_file"), key.clone())],
            &format!("server.{prefix}_key_file has no certificate: set server.{prefix}_cert_file"),
        );
        unusable(
            &[(&of("client_ca_file"), certificate.clone())],
            &format!("server.{prefix}_client_ca_file is for TLS: set"),
        );
    }
    unusable(
        &[("inventory_ca_file", certificate.clone())],
        "server.inventory_ca_file is for an inventory_url that begins with https://",
    );
    let https = ("inventory_url", "https://127.0.0.1:1".to_owned());
    unusable(&[https.clone(), ("inventory_cert_file", certificate.clone())], "server.inventory_cert_file has no key");
    unusable(&[https, ("inventory_key_file", key.clone())], "server.inventory_key_file has no certificate");

    let refusal = |certificate: &str, key: &str| {
        let plan = Host::plan().set(format!("server.tls_cert_file={certificate}"));
        plan.set(format!("server.tls_key_file={key}")).refusal()
    };
    let other_key = other.key().display().to_string();
    let text = refusal(&certificate, &other_key);
    assert!(text.contains("(server.tls_cert_file) with the key in ") && text.contains(&other_key), "{text}");
    assert!(refusal(&key, &key).contains("there is no certificate; it has to be PEM, with BEGIN CERTIFICATE"));
    assert!(refusal(&certificate, &certificate).contains("there is no private key; it has to be PEM"));
    assert!(refusal("/nowhere.pem", &key).contains("use the certificates in /nowhere.pem"));
}
