//! A real PostgreSQL for tests, of this process alone: started when first needed, gone with the process. Each test gets a
//! database of its own, a copy of one that has till's tables.
//!
//! The programs are Debian's (`/usr/lib/postgresql/*/bin`), or those in `TILL_POSTGRES_BIN`. A missing one fails the test.

#![allow(dead_code, clippy::allow_attributes, reason = "the library's tests and the suite need different parts")]

use std::{
    fs,
    future::Future,
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// What a test's server needn't do: survive a power cut.
const FAST: &[&str] = &["fsync=off", "full_page_writes=off", "max_connections=300"];

/// A running server, until it is dropped or this process ends.
pub(crate) struct Server {
    pub(crate) port: u16,
    pub(crate) folder: TempDir,
    keeper: Child,
}

impl Server {
    /// Starts a server with these settings, each `name=value`, in a folder of its own.
    pub(crate) fn start(settings: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        // The server runs as another user if the test runs as root, whom it refuses.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("is set");
        let server = Self::prepare(
            folder,
            "initdb -D \"$DATA\" -A trust -U till --no-locale -E UTF8 -N >\"$DATA.init\" 2>&1",
            settings,
        );
        server.wait();
        server
    }

    /// Starts a server in a folder that `make` fills as `$DATA`.
    pub(crate) fn prepare(folder: TempDir, make: &str, settings: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port();
        let options: String = settings.iter().map(|setting| format!(" -c '{setting}'")).collect();
        // The script ends the server when its own input ends, which the end of this process sees to, whatever its end. A server that is
        // never dropped, because tests share it, leaves hundreds of megabytes otherwise.
        let script = format!(
            "set -e; PATH=\"$BIN:$PATH\"; {make}
             postgres -D \"$DATA\" -p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={options} \\
                 >>\"$DATA.log\" 2>&1 </dev/null &
             server=$!; echo $server >\"$DATA.pid\"; read -r _ || true; kill -QUIT $server 2>/dev/null; wait $server || true
             rm -rf \"$DATA\" \"$DATA\".*"
        );
        let mut command = if rustix::process::getuid().is_root() {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--", "sh", "-c", &script]);
            command
        } else {
            let mut command = Command::new("sh");
            command.args(["-c", &script]);
            command
        };
        let keeper = command
            .env("BIN", programs())
            .env("DATA", folder.path().join("data"))
            .current_dir(folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("runs (as root: with runuser and the user postgres)");
        Self { port, folder, keeper }
    }

    /// Waits until the server takes connections.
    pub(crate) fn wait(&self) {
        let until = Instant::now() + Duration::from_secs(60);
        let connects = || self.run("postgres", "SELECT 1").is_some();
        while !connects() {
            let log = |name: &str| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
            assert!(
                Instant::now() < until,
                "PostgreSQL didn't start with {}: {}{}",
                programs().display(),
                log("data.init"),
                log("data.log")
            );
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// Runs a statement in a database with PostgreSQL's own client, and returns what it printed; `None` if that failed.
    pub(crate) fn run(&self, database: &str, sql: &str) -> Option<String> {
        try_query(&self.url(database), sql)
    }

    pub(crate) fn url(&self, database: &str) -> String {
        format!("postgres://till@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Returns the process id of the server itself.
    pub(crate) fn pid(&self) -> i32 {
        let text = fs::read_to_string(self.folder.path().join("data.pid")).expect("was started");
        text.trim().parse().expect("a number")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        _ = self.keeper.wait();
    }
}

/// Runs a statement with PostgreSQL's own client, and returns what it printed; `None` if that failed.
pub(crate) fn try_query(url: &str, sql: &str) -> Option<String> {
    let output = Command::new(programs().join("psql"))
        .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql])
        .output()
        .expect("psql runs");
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Runs a statement, and returns what it printed.
pub(crate) fn query(url: &str, sql: &str) -> String {
    try_query(url, sql).unwrap_or_else(|| panic!("{url} refuses: {sql}"))
}

/// Returns where the programs are: those of the newest version.
pub(crate) fn programs() -> PathBuf {
    if let Some(folder) = std::env::var_os("TILL_POSTGRES_BIN") {
        return folder.into();
    }
    let versions =
        fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
    let newest = versions.filter(|bin| bin.join("postgres").exists()).max();
    newest.expect(
        "PostgreSQL is missing: make packages installs Debian's, or TILL_POSTGRES_BIN names another's bin folder",
    )
}

/// Returns the address of a new database of this process's server, with the tables that `migrate` makes.
pub(crate) fn database<Made: Future<Output = ()>>(migrate: impl FnOnce(String) -> Made + Send) -> String {
    static SERVER: OnceLock<Server> = OnceLock::new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = SERVER.get_or_init(|| {
        let server = Server::start(FAST);
        server.run("postgres", "CREATE DATABASE till_template").expect("is made");
        let url = server.url("till_template");
        thread::scope(|scope| {
            let making = scope.spawn(|| {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
                runtime.block_on(migrate(url));
            });
            making.join().expect("migrates");
        });
        server
    });
    let name = format!("t{}", COUNT.fetch_add(1, Relaxed));
    // Copying needs the template to be without connections: one that is just ending may be in the way.
    let until = Instant::now() + Duration::from_secs(30);
    while server.run("postgres", &format!("CREATE DATABASE {name} TEMPLATE till_template")).is_none() {
        assert!(Instant::now() < until, "the template isn't copied");
        thread::sleep(Duration::from_millis(20));
    }
    server.url(&name)
}
