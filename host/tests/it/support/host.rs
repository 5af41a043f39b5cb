//! A `till` process of a test's own.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read},
    os::fd::AsRawFd,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, Command, ExitStatus, Output, Stdio},
    sync::{Arc, Mutex, OnceLock, mpsc},
    thread::JoinHandle,
    time::Duration,
};

use rustix::process::{Pid, Resource, Rlimit, Signal, kill_process, prlimit};
use serde_json::Value;
use tempfile::TempDir;

use super::{Client, PATIENCE, PluginFolder, Protocol, Receiver, code, eventually, postgres, shared_store};

/// Variables of a test runner's environment that would affect a host.
const FOREIGN: [&str; 3] = ["OTEL_", "TILL_", "INVENTORY_URL"];

/// Returns the program under test. It is held open from its first use: a build meanwhile puts another file under its
/// name, which must not change it under the tests. `TILL_PROGRAM` names another one, a release build for a long soak.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<(File, PathBuf)> = OnceLock::new();
    let (_, path) = PROGRAM.get_or_init(|| {
        let built = std::env::var_os("TILL_PROGRAM").unwrap_or_else(|| env!("CARGO_BIN_EXE_till").into());
        let file = File::open(built).expect("cargo has built till");
        let path = format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd());
        (file, path.into())
    });
    path
}

/// Returns `till` as a command, with nothing of the test runner's environment that would change what it does.
pub(crate) fn till() -> Command {
    let mut command = Command::new(program());
    for (variable, _) in std::env::vars_os() {
        if FOREIGN.iter().any(|foreign| variable.to_string_lossy().starts_with(foreign)) {
            command.env_remove(&variable);
        }
    }
    // What is compiled for an author's commands is kept for the next test, and apart from the user's own.
    command.env("XDG_CACHE_HOME", code::CACHE);
    command
}

/// Returns what `till` with these arguments says, and how it ends.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().expect("a temporary folder");
    till().args(arguments).current_dir(folder.path()).output().expect("till starts")
}

/// A host to be started.
#[derive(Debug)]
pub(crate) struct Plan {
    folder: Arc<TempDir>,
    plugins: Option<PluginFolder>,
    settings: Vec<String>,
    environment: Vec<(String, String)>,
    warnings: Vec<String>,
    listen: &'static str,
    /// Commands of the shell that starts it.
    before_start: Vec<String>,
    reads_log: bool,
    /// Whether it finds plugins' code that others have compiled.
    is_given_code: bool,
    /// The PostgreSQL that it shares with others.
    store: Option<String>,
}

impl Plan {
    /// Overrides a setting, `section.key=value`.
    pub(crate) fn set(mut self, setting: impl Into<String>) -> Self {
        self.settings.push(setting.into());
        self
    }

    pub(crate) fn env(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.environment.push((variable.to_owned(), value.into()));
        self
    }

    /// Lets it have only so many files and sockets open.
    pub(crate) fn open_files_max(mut self, files: u32) -> Self {
        self.before_start.push(format!("ulimit -n {files}"));
        self
    }

    /// Lets it have only so much address space.
    pub(crate) fn address_space_max_mib(mut self, mib: u64) -> Self {
        self.before_start.push(format!("ulimit -v {}", mib * 1024));
        self
    }

    /// Starts it as `nohup` does: with HUP ignored.
    pub(crate) fn under_nohup(mut self) -> Self {
        self.before_start.push("trap '' HUP".to_owned());
        self
    }

    /// Starts it as a terminal does, even if the tests themselves run under `nohup`, which a shell can't undo.
    pub(crate) fn on_a_terminal(mut self) -> Self {
        self.before_start.push("exec env --default-signal=HUP \"$0\" \"$@\"".to_owned());
        self
    }

    /// Has it make all that is in its data folder by itself.
    pub(crate) fn with_nothing_given(mut self) -> Self {
        self.is_given_code = false;
        self
    }

    /// Has nobody read its stderr, which stays open.
    pub(crate) fn with_unread_log(mut self) -> Self {
        self.reads_log = false;
        self
    }

    /// Has hosts share a store, in that PostgreSQL. A change waits for all of them, however slow the machine is.
    pub(crate) fn sharing(mut self, url: &str) -> Self {
        self.store = Some(url.to_owned());
        self.set("limits.spread_ms=240000")
    }

    /// Returns the PostgreSQL that keeps its store, if one does.
    fn shared_store(&self) -> Option<String> {
        self.store.clone().or_else(|| shared_store::of_folder(self.folder.path()))
    }

    pub(crate) fn listen(mut self, address: &'static str) -> Self {
        self.listen = address;
        self
    }

    pub(crate) fn plugins(mut self, plugins: PluginFolder) -> Self {
        self.plugins = Some(plugins);
        self
    }

    /// Uses the data of an earlier host.
    pub(crate) fn folder(mut self, folder: &Arc<TempDir>) -> Self {
        self.folder = Arc::clone(folder);
        self
    }

    /// Announces a warning or error: a log line with this in it is no failure, its absence is one.
    pub(crate) fn warns(mut self, message: &str) -> Self {
        self.warnings.push(message.to_owned());
        self
    }

    /// Has it send its telemetry there.
    pub(crate) fn exporting_to(self, endpoint: String, protocol: Protocol) -> Self {
        self.env("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint).env("OTEL_EXPORTER_OTLP_PROTOCOL", protocol.name())
    }

    /// Sends traces to the receiver, as the service of that name.
    pub(crate) fn traced(self, receiver: &Receiver, protocol: Protocol, service: &str) -> Self {
        self.exporting_to(receiver.endpoint(protocol), protocol)
            .env("OTEL_SERVICE_NAME", service)
            .env("OTEL_BSP_SCHEDULE_DELAY", "100")
    }

    /// Returns the command of this plan, to be run by who wants to see it fail.
    pub(crate) fn command(&self) -> Command {
        let mut command = till();
        if !self.before_start.is_empty() {
            let till = std::mem::replace(&mut command, Command::new("sh"));
            command
                .args(["-c", &format!("{}; exec \"$0\" \"$@\"", self.before_start.join("; "))])
                .arg(till.get_program());
            for (variable, value) in till.get_envs() {
                match value {
                    Some(value) => command.env(variable, value),
                    None => command.env_remove(variable),
                };
            }
        }
        command.current_dir(self.folder.path()).args(["serve", "--listen", self.listen, "--admin", "127.0.0.1:0"]);
        command.arg("--data").arg(self.folder.path().join("data"));
        if let Some(plugins) = &self.plugins {
            command.arg("--plugins").arg(plugins.path());
        }
        for setting in &self.settings {
            command.arg("--set").arg(setting);
        }
        if let Some(url) = self.shared_store() {
            command.env("TILL_STORE_URL", url);
        }
        command.envs(self.environment.iter().map(|(variable, value)| (variable, value)));
        command
    }

    /// Starts what mustn't serve, and returns what it says instead.
    pub(crate) fn refusal(&self) -> String {
        let mut child = self.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("till starts");
        let log = Log::collect(child.stderr.take().expect("stderr is piped"));
        let mut process = Process { child, log };
        let status = eventually("a refusal", || process.child.try_wait().expect("a child of ours"));
        process.log.reading.take().map(JoinHandle::join).transpose().expect("the reader doesn't panic");
        assert_eq!(status.code(), Some(1), "{}", process.log.text());
        process.log.text()
    }

    /// Starts it and waits until it serves.
    pub(crate) fn start(self) -> Host {
        let store = self.shared_store();
        if self.is_given_code {
            let data = self.folder.path().join("data");
            code::give_built_in(&data);
            for plugin in self.plugins.iter().flat_map(PluginFolder::files) {
                code::give_large(&data, &plugin);
            }
        }
        let mut child = self.command().stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("till starts");
        let stderr = child.stderr.take().expect("stderr is piped");
        let log = if self.reads_log { Log::collect(stderr) } else { Log::unread(stderr) };
        let (addresses, told) = mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        std::thread::spawn(move || {
            // To the end, or the host would meet a closed pipe.
            for line in stdout.lines().map_while(Result::ok) {
                let told = line.trim().split_once(" http://").or_else(|| line.trim().split_once(" https://"));
                if let Some((name, address)) = told {
                    _ = addresses.send((name.trim().to_owned(), address.trim().to_owned()));
                }
            }
        });
        let address = |wanted: &str| match told.recv_timeout(PATIENCE) {
            Ok((name, address)) if name == wanted => address,
            other => panic!("till names no {wanted} address: {other:?}\n{}", log.text()),
        };
        let (shop, admin) = (address("shop"), address("admin"));
        let reachable = |address: &str| address.replace("0.0.0.0", "127.0.0.1");
        Host {
            shop: Client::new(&reachable(&shop)),
            admin: Client::new(&reachable(&admin)),
            folder: self.folder,
            _plugins: self.plugins,
            warnings: self.warnings,
            store,
            process: Process { child, log },
            watched: true,
        }
    }
}

/// A till that serves. Stopped, and checked, at its end.
#[derive(Debug)]
pub(crate) struct Host {
    pub(crate) shop: Client,
    pub(crate) admin: Client,
    /// Its working folder; its data is in `data`.
    pub(crate) folder: Arc<TempDir>,
    _plugins: Option<PluginFolder>,
    warnings: Vec<String>,
    store: Option<String>,
    process: Process,
    watched: bool,
}

/// The process; killed if it outlives its test.
#[derive(Debug)]
struct Process {
    child: Child,
    log: Log,
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// What is left of a host.
#[derive(Debug)]
pub(crate) struct Stopped {
    pub(crate) status: ExitStatus,
    /// Its log, one JSON object a line.
    pub(crate) log: Vec<Value>,
    pub(crate) folder: Arc<TempDir>,
    store: Option<String>,
}

impl Host {
    /// Plans a host with the demo's stock, faults off: they are for the tests that are about them.
    pub(crate) fn plan() -> Plan {
        Self::plan_demo().set("inventory.faults=off")
    }

    /// Plans a host as it is without any settings: the demo's stock, and its faults.
    pub(crate) fn plan_demo() -> Plan {
        Plan {
            folder: Arc::new(tempfile::tempdir().expect("a temporary folder")),
            plugins: None,
            settings: Vec::new(),
            environment: Vec::new(),
            warnings: Vec::new(),
            listen: "127.0.0.1:0",
            before_start: Vec::new(),
            reads_log: true,
            is_given_code: true,
            store: None,
        }
    }

    pub(crate) fn start() -> Self {
        Self::plan().start()
    }

    /// Returns the log so far.
    pub(crate) fn log(&self) -> Vec<Value> {
        self.process.log.lines()
    }

    /// Spares it compiling what an author's command has compiled.
    pub(crate) fn takes_code_of(&self, component: &Path) {
        code::give(&self.folder.path().join("data"), component);
    }

    /// Returns how long it has been at work on processors.
    pub(crate) fn cpu_time(&self) -> Duration {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process.child.id())).expect("it runs");
        let (_, fields) = stat.rsplit_once(") ").expect("a name in brackets");
        // utime and stime, in hundredths of a second.
        let ticks: u64 = fields.split(' ').skip(11).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(10 * ticks)
    }

    pub(crate) fn process_id(&self) -> u32 {
        self.process.child.id()
    }

    /// Returns how much of its memory is in use.
    pub(crate) fn memory_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its resident set");
        line.trim_end_matches("kB").trim().parse::<u64>().expect("a number") * 1024
    }

    /// Lets it have only so many files and sockets open from now on.
    pub(crate) fn open_files_max(&self, files: u64) {
        let limit = Rlimit { current: Some(files), maximum: Some(files) };
        prlimit(Some(Pid::from_child(&self.process.child)), Resource::Nofile, limit).expect("the host runs");
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let id = Pid::from_child(&self.process.child);
        kill_process(id, signal).expect("the host runs");
    }

    /// Waits for its end and returns that, unchecked.
    pub(crate) fn wait(mut self) -> Stopped {
        self.watched = false;
        let status = eventually("the host's end", || self.process.child.try_wait().expect("a child of ours"));
        Stopped {
            status,
            log: self.process.log.read_to_end(),
            folder: Arc::clone(&self.folder),
            store: self.store.clone(),
        }
    }

    /// Kills it as a power cut would.
    pub(crate) fn kill(self) -> Stopped {
        self.signal(Signal::KILL);
        self.wait()
    }

    /// Stops it in order, and leaves what it warned of alone.
    pub(crate) fn end(self) -> Stopped {
        self.signal(Signal::TERM);
        let stopped = self.wait();
        assert!(stopped.status.success(), "{}\n{:#?}", stopped.status, stopped.log);
        stopped.check_store();
        stopped
    }

    /// Stops it in order and checks what it leaves.
    pub(crate) fn stop(mut self) -> Stopped {
        let warnings = std::mem::take(&mut self.warnings);
        let stopped = self.end();
        stopped.check_log(&warnings);
        stopped
    }

    /// Returns what is on hand of the item.
    pub(crate) fn on_hand(&self, item: &str) -> u64 {
        let stock = self.admin.get("/stock");
        assert_eq!(stock.status, 200, "{}", stock.text());
        let items = stock.json()["items"].as_array().expect("a list").clone();
        let level = items.iter().find(|level| level["item"] == item);
        level.unwrap_or_else(|| panic!("no {item} in {items:?}"))["on_hand"].as_u64().expect("a number")
    }

    /// Returns all orders, as the admin listener shows them.
    pub(crate) fn orders(&self) -> Vec<Value> {
        let page = self.admin.get("/orders?limit=1000");
        assert_eq!(page.status, 200, "{}", page.text());
        page.json()["orders"].as_array().expect("a list").clone()
    }

    /// Waits until so many orders have no end yet.
    pub(crate) fn wait_for_unresolved(&self, orders: usize) {
        eventually("orders under way", || {
            let page = self.admin.get("/orders?unresolved=true&limit=1000").json();
            (page["orders"].as_array().expect("a list").len() == orders).then_some(())
        });
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the host's log:\n{}", self.process.log.text());
        } else {
            assert!(!self.watched, "end a host with stop(), kill() or wait(): its log and ledger are to be checked");
        }
    }
}

impl Stopped {
    /// Returns the guests' log lines.
    pub(crate) fn guest_lines(&self) -> Vec<&Value> {
        self.log.iter().filter(|line| line["target"] == "guest").collect()
    }

    /// Returns the references of the orders that its store has as completed.
    pub(crate) fn completed(&self) -> Vec<String> {
        if let Some(url) = &self.store {
            let sql = "SELECT reference FROM orders WHERE status = 'COMPLETED'";
            return postgres::query(url, sql).lines().map(str::to_owned).collect();
        }
        let store = self.store();
        let mut query = store.prepare("SELECT reference FROM orders WHERE status = 'COMPLETED'").expect("a query");
        let references = query.query_map([], |row| row.get(0)).expect("rows");
        references.map(|reference| reference.expect("a text")).collect()
    }

    fn store(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.folder.path().join("data").join("till.db")).expect("the store opens")
    }

    fn check_log(&self, announced: &[String]) {
        let warned: Vec<&Value> =
            self.log.iter().filter(|line| !matches!(line["level"].as_str(), Some("INFO" | "DEBUG"))).collect();
        let is = |line: &Value, announced: &str| line.to_string().contains(announced);
        let store_says = |line: &Value| self.store.is_some() && is(line, shared_store::UNSYNCHRONISED);
        for line in warned.iter().filter(|line| !store_says(line)) {
            assert!(announced.iter().any(|announced| is(line, announced)), "unexpected in the log: {line}");
        }
        for announced in announced {
            assert!(warned.iter().any(|line| is(line, announced)), "not in the log: {announced}");
        }
    }

    /// Checks that each piece of stock is accounted for.
    pub(crate) fn check_store(&self) {
        if let Some(url) = &self.store {
            return shared_store::check(url);
        }
        let store = self.store();
        let count = |query: &str| store.query_row(query, [], |row| row.get::<_, i64>(0)).expect("a query");
        let unbalanced = "SELECT count(*) FROM stock WHERE on_hand <> opening +
             (SELECT coalesce(sum(delta), 0) FROM stock_movements AS m WHERE m.item = stock.item)";
        assert_eq!(count(unbalanced), 0, "opening + movements = on hand, for every item");
        assert_eq!(count("SELECT count(*) FROM reservations WHERE state = 'held'"), 0, "nothing is held for nobody");
        assert_eq!(count("SELECT count(*) FROM orders WHERE status = 'PENDING'"), 0, "every order has an end");
    }
}

/// What a host writes to stderr, line by line.
#[derive(Debug)]
struct Log {
    lines: Arc<Mutex<Vec<String>>>,
    reading: Option<JoinHandle<()>>,
    /// The end of the pipe that nobody reads from.
    _unread: Option<ChildStderr>,
}

impl Log {
    fn unread(stderr: ChildStderr) -> Self {
        Self { lines: Arc::default(), reading: None, _unread: Some(stderr) }
    }

    fn collect(stderr: impl Read + Send + 'static) -> Self {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&lines);
        let reading = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                into.lock().expect("no writer panics").push(line);
            }
        });
        Self { lines, reading: Some(reading), _unread: None }
    }

    fn lines(&self) -> Vec<Value> {
        // Copied, because a panic about an invalid line must not poison the lock and hide the line.
        let lines = self.lines.lock().expect("no writer panics").clone();
        let parsed = |line: &String| serde_json::from_str(line).unwrap_or_else(|_| panic!("no JSON line: {line}"));
        lines.iter().map(parsed).collect()
    }

    /// Returns all lines of a host that has ended.
    fn read_to_end(&mut self) -> Vec<Value> {
        self.reading.take().map(JoinHandle::join).transpose().expect("the reader doesn't panic");
        self.lines()
    }

    fn text(&self) -> String {
        self.lines.lock().expect("no writer panics").join("\n")
    }
}
