//! Registries: Debian's `docker-registry`, and one that a test controls.

use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use super::{Answer, Client, certificates::Issued, eventually};

const PACKAGE: &str = "docker-registry is there (Debian's package `docker-registry`: apt-get install docker-registry)";
/// The one who may use a registry with a password, which is `s3cret`.
pub(crate) const USER: &str = "ana";
const HTPASSWD: &str = "ana:$2y$05$pmCanqIfMcO9/Ix0.X4YAeCpA8FCexfk.4RKU750iVoY.dXiLGFlO\n";

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.wasm.config.v0+json";
pub(crate) const LAYER: &str = "application/wasm";

/// Returns the digest as registries write it.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

/// Returns what a manifest says of a content.
pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": digest(bytes), "size": bytes.len() })
}

/// Returns the manifest of a component, made by hand.
pub(crate) fn manifest(component: &[u8]) -> Value {
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": descriptor(CONFIG, b"{}"),
        "layers": [descriptor(LAYER, component)],
    })
}

/// A real registry, until it is dropped or this process ends.
#[derive(Debug)]
pub(crate) struct Registry {
    /// `host:port`
    pub(crate) address: String,
    pub(crate) http: Client,
    folder: TempDir,
    keeper: Child,
}

impl Registry {
    /// Returns the one that tests share.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Registry> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(false))
    }

    /// Starts one of its own, where a password is wanted or not.
    pub(crate) fn start(wants_password: bool) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut auth = String::new();
        if wants_password {
            let file = folder.path().join("htpasswd");
            fs::write(&file, HTPASSWD).expect("written");
            auth = format!("auth: {{htpasswd: {{realm: shop, path: {}}}}}\n", file.display());
        }
        Self::at(folder, "", &auth)
    }

    /// Starts one that speaks TLS with this certificate.
    pub(crate) fn with_tls(issued: &Issued) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let [certificate, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
        fs::write(&certificate, &issued.certificate).expect("written");
        fs::write(&key, &issued.key).expect("written");
        let tls = format!(", tls: {{certificate: {}, key: {}}}", certificate.display(), key.display());
        Self::at(folder, &tls, "")
    }

    /// Starts one with more of its configuration: of `http`, and of its own.
    fn at(folder: TempDir, of_http: &str, more: &str) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).expect("a port").port();
        let root = folder.path().display();
        let config = format!(
            "version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {root}/data}}, delete: {{enabled: true}}}}\n\
             http: {{addr: \"127.0.0.1:{port}\", secret: of-a-test{of_http}}}\n{more}"
        );
        fs::write(folder.path().join("config.yml"), config).expect("written");
        let keeper = keeper(folder.path());
        let address = format!("127.0.0.1:{port}");
        let http = Client::new(&address);
        eventually("the registry to answer", || http.send("GET", "/v2/", &[], None).ok());
        Self { address, http, folder, keeper }
    }

    /// Ends it, as if its machine were off.
    pub(crate) fn switch_off(&mut self) {
        let told = self.keeper.stdin.take().map(|mut keeper| keeper.write_all(b"off\n"));
        assert!(told.is_some_and(|told| told.is_ok()), "the registry runs");
        _ = self.keeper.wait();
    }

    /// Starts it again, with what it had.
    pub(crate) fn switch_on(&mut self) {
        self.keeper = keeper(self.folder.path());
        eventually("the registry to answer again", || self.http.send("GET", "/v2/", &[], None).ok());
    }

    /// Returns a reference without its tag.
    pub(crate) fn of(&self, repository: &str) -> String {
        format!("oci://{}/{repository}", self.address)
    }

    /// Puts a content there.
    pub(crate) fn blob(&self, repository: &str, bytes: &[u8]) {
        let begun = self.http.send("POST", &format!("/v2/{repository}/blobs/uploads/"), &[], Some(b"")).expect("begun");
        assert_eq!(begun.status, 202, "{}", begun.text());
        let location = begun.header("location").to_owned();
        let path = location.split_once(&self.address).expect("an address").1;
        let octets = [("content-type", "application/octet-stream")];
        let put =
            self.http.send("PUT", &format!("{path}&digest={}", digest(bytes)), &octets, Some(bytes)).expect("put");
        assert_eq!(put.status, 201, "{}", put.text());
    }

    /// Puts a manifest there, and returns its digest.
    pub(crate) fn manifest(&self, repository: &str, reference: &str, manifest: &Value) -> String {
        let (text, content_type) = (manifest.to_string(), manifest["mediaType"].as_str().expect("a type"));
        let put = self.http.send(
            "PUT",
            &format!("/v2/{repository}/manifests/{reference}"),
            &[("content-type", content_type)],
            Some(text.as_bytes()),
        );
        let put = put.expect("put");
        assert_eq!(put.status, 201, "{}", put.text());
        digest(text.as_bytes())
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.http.send("GET", path, &[("accept", MANIFEST)], None).expect("it answers")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        _ = self.keeper.wait();
    }
}

/// Starts the registry below a shell, which ends it when it is told to, and when its own input ends, with what it had: at the end of this
/// process, whatever its end.
fn keeper(folder: &Path) -> Child {
    let script = "docker-registry serve \"$FOLDER/config.yml\" >>\"$FOLDER/log\" 2>&1 </dev/null & server=$!
        read -r off || true; kill $server; wait $server; [ \"$off\" = off ] || rm -rf \"$FOLDER\"";
    let has_it = Command::new("docker-registry").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    has_it.expect(PACKAGE);
    Command::new("sh")
        .args(["-c", script])
        .env("FOLDER", folder)
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a shell")
}

/// A request that an odd registry got.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
    /// By name in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

impl Heard {
    pub(crate) fn authorization(&self) -> Option<&str> {
        self.headers.get("authorization").map(String::as_str)
    }
}

/// What plays a registry: answers whatever a test wants, in bytes.
#[derive(Debug)]
pub(crate) struct OddRegistry {
    pub(crate) address: SocketAddr,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl OddRegistry {
    /// Listens at an address of this machine, and answers each request with that.
    pub(crate) fn start(host: &str, answer: impl Fn(&Heard, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((host, 0)).expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let (heard, answer) = (Arc::<Mutex<Vec<Heard>>>::default(), Arc::new(answer));
        let noted = Arc::clone(&heard);
        // Ends with the test process: a thread that waits for connections costs nothing.
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
                std::thread::spawn(move || {
                    if speaks_tls(&stream) {
                        return say(&mut stream, 400, "", b"");
                    }
                    let Some(request) = read(&stream) else { return };
                    noted.lock().expect("no panic").push(request.clone());
                    answer(&request, &mut stream);
                });
            }
        });
        Self { address, heard }
    }

    /// Returns what it was asked so far.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().expect("no panic").clone()
    }

    /// Returns a reference of it.
    pub(crate) fn of(&self, rest: &str) -> String {
        format!("oci://{}/{rest}", self.address)
    }
}

/// Returns whether a handshake of TLS begins, which is read then.
fn speaks_tls(mut stream: &TcpStream) -> bool {
    let mut first = [0];
    let begins = stream.peek(&mut first).is_ok_and(|read| read == 1) && first == [0x16];
    begins && stream.read(&mut [0; 0x1_0000]).is_ok()
}

fn read(stream: &TcpStream) -> Option<Heard> {
    let mut lines = BufReader::new(stream);
    let mut line = String::new();
    lines.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    lines.read_exact(&mut body).ok()?;
    Some(Heard { method, path, headers, body: String::from_utf8_lossy(&body).into_owned() })
}

/// Answers with these headers, each with its line's end, and a body.
pub(crate) fn say(stream: &mut TcpStream, status: u16, headers: &str, body: &[u8]) {
    let length = body.len();
    let head = format!("HTTP/1.1 {status} Said\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n");
    // Who asked may have given up, which is for the test to notice.
    _ = stream.write_all(&[head.as_bytes(), body].concat());
}

/// Answers with a body that never ends.
pub(crate) fn say_without_end(stream: &mut TcpStream) {
    _ = stream.write_all(b"HTTP/1.1 200 Said\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n");
    let chunk = [b"10000\r\n".as_slice(), &[b' '; 0x1_0000], b"\r\n"].concat();
    while stream.write_all(&chunk).is_ok() {}
}

/// Answers as a registry does that has this one plugin, in any repository and under any tag; 404 for anything else.
pub(crate) fn has(heard: &Heard, stream: &mut TcpStream, component: &[u8]) {
    let manifest = manifest(component).to_string();
    if heard.path.contains("/manifests/sha256-") || heard.path.contains("/referrers/") {
        say(stream, 404, "", b"");
    } else if heard.path.contains("/manifests/") {
        say(stream, 200, &format!("content-type: {MANIFEST}\r\n"), manifest.as_bytes());
    } else if heard.path.ends_with(&digest(component)) {
        say(stream, 200, "", component);
    } else {
        say(stream, 404, "", b"");
    }
}
