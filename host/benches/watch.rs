//! From a plugin's file being complete in the watched folder to the first checkout that runs it.
//!
//! The program itself is started, with a folder of its own on the disk of the build. Two plugins take each other's
//! place, 25 times by a rename and 25 times by being written where they are and closed; both are compiled before. One
//! client checks out without a pause; what it sees of a swap is at most one checkout late. The stages are what the
//! host's log says of each swap. It fails when a checkout fails, never for being slow.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use anyhow::Context;
use serde_json::{Value, json};

const SWAPS: usize = 50;
/// Far more than it takes.
const PATIENCE: Duration = Duration::from_secs(60);

#[expect(clippy::print_stdout, reason = "the table is what it is for")]
fn main() -> anyhow::Result<()> {
    // Not the system's: that one is often in memory, where an fsync costs nothing.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let plugins = folder.path().join("plugins");
    fs::create_dir(&plugins)?;
    for kind in ["checkout", "inventory"] {
        let mut export = Command::new(env!("CARGO_BIN_EXE_till"));
        let exported =
            export.args(["plugin", "export", kind]).arg(plugins.join(kind).with_extension("wasm")).status()?;
        anyhow::ensure!(exported.success(), "till plugin export {kind}: {exported}");
    }
    let path = plugins.join("checkout.wasm");
    let first = fs::read(&path)?;
    let versions = [with_section(&first, b"another"), first];
    let host = Host::start(folder.path(), &plugins)?;
    let client = Client::new(&host.address);
    for version in &versions {
        // Compiled, and off the list.
        put(&path, version)?;
        client.until(&digest(version))?;
        host.stages()?;
    }

    let mut rows: Vec<(&str, Vec<f64>)> = Vec::new();
    let mut note = |name: &'static str, ms: f64| match rows.iter_mut().find(|(row, _)| *row == name) {
        Some((_, figures)) => figures.push(ms),
        None => rows.push((name, vec![ms])),
    };
    for (swap, version) in versions.iter().cycle().take(SWAPS).enumerate() {
        let wanted = digest(version);
        let completed = if swap < SWAPS / 2 { put(&path, version)? } else { write(&path, version)? };
        let answered = client.until(&wanted)?;
        let stages = host.stages()?;
        note("complete to answered", ms(completed, answered));
        note("  event", ms(completed, stages.at) - stages.look_ms - stages.read_ms - stages.deploy_ms);
        note("  folder looked into", stages.look_ms);
        note("  file read", stages.read_ms);
        note("  admitted", stages.deploy_ms - stages.store_ms);
        note("  committed and published", stages.store_ms);
        note("  first answer", ms(stages.at, answered));
        // Past the second reading of the file, which is not what is measured.
        std::thread::sleep(Duration::from_millis(300));
    }
    println!("{SWAPS} swaps between two compiled plugins, ms\n{:<28} {:>8} {:>8} {:>8}", "", "median", "p99", "max");
    for (name, mut figures) in rows {
        figures.sort_by(f64::total_cmp);
        let at = |share: f64| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in a short list")]
            let place = (share * (figures.len() - 1) as f64).round() as usize;
            figures.get(place).copied().unwrap_or_default()
        };
        println!("{name:<28} {:>8.2} {:>8.2} {:>8.2}", at(0.5), at(0.99), at(1.0));
    }
    Ok(())
}

/// Returns the milliseconds between two moments, 0 if the log's clock has them the other way round.
fn ms(from: SystemTime, to: SystemTime) -> f64 {
    to.duration_since(from).unwrap_or_default().as_secs_f64() * 1e3
}

/// Puts the bytes there by a rename, and returns when that was done.
fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<SystemTime> {
    let part = path.with_extension("part");
    fs::write(&part, bytes)?;
    fs::rename(part, path)?;
    Ok(SystemTime::now())
}

/// Writes them where they are, and returns when the file was closed.
fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<SystemTime> {
    fs::write(path, bytes)?;
    Ok(SystemTime::now())
}

/// Returns the component with one more custom section in front: another file that does the same.
fn with_section(component: &[u8], name: &[u8]) -> Vec<u8> {
    let (head, sections) = component.split_at(8.min(component.len()));
    let length = u8::try_from(name.len()).unwrap_or_default();
    [head, &[0, length + 1, length], name, sections].concat()
}

/// Returns the start of a file's digest, as `till-plugins` has it.
fn digest(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the moment that a line of today's log is of: `…T12:34:56.789012Z`.
fn moment(timestamp: &str) -> Option<SystemTime> {
    let time = timestamp.split_once('T')?.1.strip_suffix('Z')?;
    let parts: Vec<f64> = time.split(':').filter_map(|part| part.parse().ok()).collect();
    let &[hours, minutes, seconds] = parts.as_slice() else { return None };
    let today = SystemTime::now().duration_since(UNIX_EPOCH).ok()?.as_secs() / 86_400 * 86_400;
    Some(UNIX_EPOCH + Duration::from_secs(today) + Duration::from_secs_f64((hours * 60.0 + minutes) * 60.0 + seconds))
}

/// What the log says of one swap.
#[derive(Debug)]
struct Stages {
    /// When it was done.
    at: SystemTime,
    look_ms: f64,
    read_ms: f64,
    deploy_ms: f64,
    store_ms: f64,
}

/// The program, killed at the end.
struct Host {
    child: Child,
    address: String,
    log: Receiver<Value>,
}

impl Host {
    fn start(data: &Path, plugins: &Path) -> anyhow::Result<Self> {
        let mut till = Command::new(env!("CARGO_BIN_EXE_till"));
        till.current_dir(data).args(["serve", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--data"]);
        till.arg(data.join("data")).arg("--plugins").arg(plugins);
        till.args(["--set", "stock.headphones=4000000000", "--set", "log.format=json"]);
        let mut child = till.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().context("start till")?;
        let lines = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        let (told, log) = channel();
        let stderr = BufReader::new(child.stderr.take().context("stderr is piped")?);
        std::thread::spawn(move || {
            let lines = stderr.lines().map_while(Result::ok);
            lines.filter_map(|line| serde_json::from_str(&line).ok()).try_for_each(|line| told.send(line))
        });
        let mut addresses = lines
            .map_while(Result::ok)
            .filter_map(|line| line.trim().strip_prefix("shop").map(|address| address.trim().to_owned()));
        let address = addresses.next().context("till doesn't say where it serves")?;
        std::thread::spawn(move || addresses.for_each(drop));
        Ok(Self { child, address, log })
    }

    /// Returns what the log says of the next swap.
    fn stages(&self) -> anyhow::Result<Stages> {
        let mut committed_ms = 0.0;
        loop {
            let line = self.log.recv_timeout(PATIENCE).context("wait for the log of a swap")?;
            let field = |name: &str| line.get(name).and_then(Value::as_f64);
            committed_ms = field("store_ms").unwrap_or(committed_ms);
            if let (Some(look_ms), Some(read_ms), Some(deploy_ms)) =
                (field("look_ms"), field("read_ms"), field("deploy_ms"))
            {
                let at = line.get("timestamp").and_then(Value::as_str).and_then(moment).context("a line has a time")?;
                return Ok(Stages { at, look_ms, read_ms, deploy_ms, store_ms: committed_ms });
            }
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// One client on one connection.
struct Client {
    agent: ureq::Agent,
    url: String,
}

impl Client {
    fn new(address: &str) -> Self {
        Self {
            agent: ureq::Agent::config_builder().proxy(None).build().new_agent(),
            url: format!("{address}/checkout"),
        }
    }

    /// Checks out until the checkout plugin has that digest, and returns when the answer was there.
    fn until(&self, digest: &str) -> anyhow::Result<SystemTime> {
        let (began, body) = (Instant::now(), json!({ "item": "headphones", "quantity": 1, "price": 10 }).to_string());
        loop {
            let posted = self.agent.post(&self.url).header("content-type", "application/json");
            let mut answer = posted.send(&body).context("check out")?;
            let ran = answer.headers().get("till-plugins").and_then(|ran| ran.to_str().ok()).unwrap_or_default();
            let is_wanted = ran.split(',').next().is_some_and(|checkout| checkout.contains(digest));
            // Read to its end, or the connection isn't used again.
            answer.body_mut().read_to_string().context("read the answer")?;
            if is_wanted {
                return Ok(SystemTime::now());
            }
            anyhow::ensure!(began.elapsed() < PATIENCE, "{digest} isn't live");
        }
    }
}
