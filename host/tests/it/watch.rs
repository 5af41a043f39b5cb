//! The plugin folder is watched while the host serves: a complete file goes live, a half-written one never does.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    time::{Duration, Instant},
};

use rand::{RngExt as _, rngs::StdRng};
use serde_json::Value;

use crate::support::{Host, OnDrop, Plan, PluginFolder, built_in_and, dice, eventually, guests::file, rounds};

/// A folder with the built-in plugins, the checkout's under this name.
fn folder_of(checkout: &str) -> PluginFolder {
    let folder = built_in_and("inventory_forged_context");
    fs::rename(folder.path().join("built_in.wasm"), folder.path().join(checkout)).expect("renamed");
    folder
}

/// A host whose checkout plugin is `checkout.wasm` in the folder.
fn plan() -> (Plan, PathBuf) {
    let folder = folder_of("checkout.wasm");
    let path = folder.path().to_owned();
    (Host::plan().plugins(folder), path)
}

/// Starts it and waits until the folder is watched: from then on there are events.
fn start(plan: Plan) -> Host {
    let host = plan.start();
    let is_watched = |line: &Value| line["message"].as_str().is_some_and(|text| text.ends_with("is watched"));
    eventually("the folder to be watched", || host.log().iter().any(is_watched).then_some(()));
    host
}

fn bytes(guest: &str) -> Vec<u8> {
    fs::read(file(guest)).expect("the guest is read")
}

/// The start of a file's digest, as `till-plugins` has it.
fn digest(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().take(6).map(|byte| format!("{byte:02x}")).collect()
}

/// Returns the start of the live checkout plugin's digest.
fn live(host: &Host) -> String {
    let header = host.shop.get("/").header("till-plugins").to_owned();
    let checkout = header.split_once(", ").expect("two plugins").0;
    checkout.rsplit_once('+').expect("a digest").1.to_owned()
}

fn wait_for(host: &Host, bytes: &[u8]) {
    let wanted = digest(bytes);
    eventually(&format!("{wanted} to be live"), || (live(host) == wanted).then_some(()));
}

/// Returns the audit behind the two starts: what was done, by whom, with what detail.
fn history(host: &Host) -> Vec<(String, String, String)> {
    let history = host.admin.get("/plugins/history").json();
    let text = |event: &Value, key: &str| event[key].as_str().expect("a text").to_owned();
    let event = |event: &Value| (text(event, "action"), text(event, "changed_by"), text(event, "detail"));
    history["events"].as_array().expect("events").iter().rev().skip(2).map(event).collect()
}

fn actions(host: &Host) -> Vec<(String, String)> {
    history(host).into_iter().map(|(action, by, _)| (action, by)).collect()
}

fn by_folder(actions: &[&str]) -> Vec<(String, String)> {
    actions.iter().map(|action| ((*action).to_owned(), "folder".to_owned())).collect()
}

/// Puts the bytes there as a careful writer does: under another name first.
fn put(path: &Path, bytes: &[u8]) {
    let part = path.with_extension("part");
    fs::write(&part, bytes).expect("written");
    fs::rename(part, path).expect("renamed");
}

/// Returns once the watcher has seen everything done to the folder so far: it has deployed a file that was added last.
fn passed(host: &Host, folder: &Path, guest: &str) {
    let path = folder.join("inventory_forged_context.wasm");
    let bytes = bytes(guest);
    put(&path, &bytes);
    let wanted = digest(&bytes);
    eventually("a later file to be live", || host.shop.get("/").header("till-plugins").contains(&wanted).then_some(()));
}

#[test]
fn a_file_that_is_written_there_is_live() {
    let (plan, folder) = plan();
    let host = start(plan);
    let discount = bytes("checkout_discount");
    put(&folder.join("checkout.wasm"), &discount);
    wait_for(&host, &discount);
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    // Written where it is, and closed.
    let spans = bytes("checkout_spans");
    fs::write(folder.join("checkout.wasm"), &spans).expect("written");
    wait_for(&host, &spans);
    // If the folder holds two plugins of a kind, the newest complete file wins.
    fs::write(folder.join("new.wasm"), &discount).expect("written");
    wait_for(&host, &discount);
    assert_eq!(actions(&host), by_folder(&["deploy"; 3]));
    let source = folder.join("new.wasm").display().to_string();
    assert_eq!(history(&host).pop().map(|(_, _, detail)| detail), Some(source));
    let metrics = host.admin.get("/metrics").text();
    let counted = r#"plugin_swaps_total{kind="checkout",result="published"} 3"#;
    assert!(metrics.contains(counted), "{metrics}");
    let log = host.stop().log;
    let said =
        |text: &str| log.iter().filter(|line| line["message"].as_str().is_some_and(|m| m.contains(text))).count();
    assert_eq!((said("was deployed from the plugin folder"), said("is live in the place of")), (3, 3));
}

#[test]
fn a_refused_file_is_told_once_and_changes_nothing() {
    let (plan, folder) = plan();
    let host = start(plan.warns("no plugin was changed"));
    let before = live(&host);
    let path = folder.join("checkout.wasm");
    let told = |refusals: usize| eventually("the refusal", || (history(&host).len() == refusals).then_some(()));
    put(&path, &bytes("neither_world"));
    told(1);
    // Again, in three ways; what comes to the folder later settles later.
    put(&path, &bytes("neither_world"));
    fs::write(&path, bytes("neither_world")).expect("written");
    File::options()
        .append(true)
        .open(&path)
        .expect("opened")
        .set_modified(std::time::SystemTime::UNIX_EPOCH)
        .expect("a time");
    put(&folder.join("junk.wasm"), b"no plugin");
    told(2);
    put(&path, b"no plugin");
    told(3);
    assert_eq!(live(&host), before);
    assert_eq!(actions(&host), by_folder(&["refuse"; 3]));
    let refused: Vec<_> = history(&host).into_iter().map(|(_, _, detail)| detail).collect();
    for (refused, expected) in refused.iter().zip(["checkout.wasm", "junk.wasm", "checkout.wasm"]) {
        assert!(refused.contains(&format!("{expected} is refused: it ")), "{refused}");
    }
    host.stop();
}

#[test]
fn only_a_change_of_bytes_counts() {
    let (plan, folder) = plan();
    let host = start(plan);
    let path = folder.join("checkout.wasm");
    let first = fs::read(&path).expect("read");
    let discount = bytes("checkout_discount");
    assert_eq!(host.admin.deploy("discount", "", &discount).status, 200);
    // The bytes that it had at the start, in every way in which a file comes to look new.
    put(&path, &first);
    fs::write(&path, &first).expect("written");
    File::options().append(true).open(&path).expect("opened");
    fs::remove_file(&path).expect("removed");
    passed(&host, &folder, "inventory_takes_fewer");
    put(&path, &first);
    passed(&host, &folder, "inventory_takes_twice");
    assert_eq!(live(&host), digest(&discount));
    assert_eq!(actions(&host).len(), 3, "{:?}", history(&host));

    // A change, and back.
    put(&path, &bytes("checkout_spans"));
    wait_for(&host, &bytes("checkout_spans"));
    put(&path, &first);
    wait_for(&host, &first);
    host.stop();
}

#[test]
fn what_was_deployed_later_is_live_after_a_restart() {
    let (plan, folder) = plan();
    let host = start(plan);
    let [discount, spans, answers] = ["checkout_discount", "checkout_spans", "checkout_answers"].map(bytes);
    let deploy = |host: &Host, bytes: &[u8]| assert_eq!(host.admin.deploy("it", "", bytes).status, 200);
    put(&folder.join("checkout.wasm"), &discount);
    wait_for(&host, &discount);
    deploy(&host, &spans);
    // Live already when it comes to the folder: nothing to change, but nothing new for the next start either.
    put(&folder.join("checkout.wasm"), &spans);
    eventually("a note", || (actions(&host).last() == by_folder(&["deploy"]).last()).then_some(()));
    deploy(&host, &answers);
    let kept = built_in_and("inventory_forged_context");
    for file in ["checkout.wasm", "inventory_forged_context.wasm"] {
        fs::copy(folder.join(file), kept.path().join(file)).expect("copied");
    }
    fs::remove_file(kept.path().join("built_in.wasm")).expect("removed");
    let data = host.stop().folder;

    for checkout in [&spans, &discount] {
        let again = folder_of("checkout.wasm");
        fs::write(again.path().join("checkout.wasm"), checkout).expect("written");
        let host = start(Host::plan().folder(&data).plugins(again));
        assert_eq!(live(&host), digest(&answers));
        host.stop();
    }
}

#[test]
fn of_two_of_a_kind_the_later_one_is_live_after_a_restart_too() {
    let (plan, folder) = plan();
    let host = start(plan);
    let [discount, spans] = ["checkout_discount", "checkout_spans"].map(bytes);
    put(&folder.join("new.wasm"), &discount);
    wait_for(&host, &discount);
    let (first, second) = (fs::read(folder.join("checkout.wasm")).expect("read"), discount);
    let mut data = host.kill().folder;

    // As it was, then with one more that came meanwhile.
    for (newest, expected) in [(None, &second), (Some(&spans), &spans)] {
        let again = folder_of("checkout.wasm");
        fs::write(again.path().join("checkout.wasm"), &first).expect("written");
        fs::write(again.path().join("new.wasm"), &second).expect("written");
        if let Some(newest) = newest {
            fs::write(again.path().join("a.wasm"), newest).expect("written");
        }
        let host = start(Host::plan().folder(&data).plugins(again));
        assert_eq!(live(&host), digest(expected));
        data = host.stop().folder;
    }
}

#[test]
fn what_is_refused_in_the_folder_keeps_no_host_from_starting_again() {
    let (plan, folder) = plan();
    let host = start(plan);
    let before = live(&host);
    let inventory = fs::read(folder.join("inventory_forged_context.wasm")).expect("read");
    let mut data = host.kill().folder;
    let broken = |name: &str, bytes: &[u8]| {
        let again = folder_of("checkout.wasm");
        fs::write(again.path().join("inventory_forged_context.wasm"), &inventory).expect("written");
        fs::write(again.path().join(name), bytes).expect("written");
        again
    };
    for (name, bytes) in [
        ("junk.wasm", b"no plugin".to_vec()),
        ("checkout.wasm", b"no plugin".to_vec()),
        ("checkout.wasm", bytes("probe_trap")),
    ] {
        let again = broken(name, &bytes);
        assert!(Host::plan().plugins(broken(name, &bytes)).refusal().contains(name), "a first start is refused");
        let host = start(Host::plan().folder(&data).plugins(again).warns("what was live stays"));
        assert_eq!(live(&host), before, "{name}");
        data = host.stop().folder;
    }
}

#[test]
fn a_file_ends_the_rollout_of_its_kind_only() {
    let (plan, folder) = plan();
    let host = start(plan);
    let spans = bytes("checkout_spans");
    let state = || host.admin.get("/plugins/rollout").json()["state"].as_str().map(str::to_owned);
    let how: String = r#"{"canary":100}"#.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let tried = host.admin.deploy("spans", &format!("&try={how}"), &spans);
    assert_eq!(tried.status, 200, "{}", tried.text());
    passed(&host, &folder, "inventory_takes_fewer");
    assert_eq!(state().as_deref(), Some("running"));
    assert!(host.shop.buy("headphones", 1).header("till-plugins").contains(&digest(&spans)));
    put(&folder.join("checkout.wasm"), &bytes("checkout_discount"));
    wait_for(&host, &bytes("checkout_discount"));
    eventually("the end of the rollout", || (state().as_deref() == Some("superseded")).then_some(()));
    assert!(host.shop.buy("headphones", 1).header("till-plugins").contains(&digest(&bytes("checkout_discount"))));
    let log = host.stop().log;
    let is_told = |line: &Value| {
        let message = line["message"].as_str().unwrap_or_default();
        message.contains("is superseded: ") && message.contains(&digest(&spans)) && line["by"] == "folder"
    };
    assert!(log.iter().any(is_told), "{log:#?}");
}

#[test]
fn links_that_are_swapped_are_seen() {
    // As Kubernetes mounts a ConfigMap: the files are links through a link to the folder of a version.
    let home = folder_of("checkout.wasm");
    let inventory = home.path().join("inventory_forged_context.wasm");
    let version = |name: &str, checkout: &[u8]| {
        let folder = home.path().join(name);
        fs::create_dir(&folder).expect("a folder");
        fs::write(folder.join("checkout.wasm"), checkout).expect("written");
        fs::copy(&inventory, folder.join("inventory.wasm")).expect("copied");
    };
    let swap = |to: &str, link: &Path| {
        let new = link.with_file_name("link.new");
        symlink(to, &new).expect("linked");
        fs::rename(new, link).expect("renamed");
    };
    let [first, discount, spans] = ["checkout_answers", "checkout_discount", "checkout_spans"].map(bytes);
    version("..1", &first);
    version("..2", &discount);
    version("..3", &spans);
    let mounted = home.path().join("mounted");
    fs::create_dir(&mounted).expect("a folder");
    for version in ["..1", "..2"] {
        fs::rename(home.path().join(version), mounted.join(version)).expect("renamed");
    }
    swap("..1", &mounted.join("..data"));
    for file in ["checkout.wasm", "inventory.wasm"] {
        symlink(Path::new("..data").join(file), mounted.join(file)).expect("linked");
    }
    // And the folder itself is a link.
    let current = home.path().join("current");
    swap("mounted", &current);
    let host = start(Host::plan().set(format!("server.plugins={}", current.display())));
    assert_eq!(live(&host), digest(&first));
    swap("..2", &mounted.join("..data"));
    wait_for(&host, &discount);
    swap("..3", &current);
    wait_for(&host, &spans);
    // Events come from where the link leads now.
    put(&current.join("checkout.wasm"), &first);
    wait_for(&host, &first);
    assert_eq!(actions(&host), by_folder(&["deploy"; 3]));
    host.stop();
}

#[test]
fn a_folder_that_is_gone_may_come_back() {
    let (plan, folder) = plan();
    let host = start(plan.warns("the plugin folder"));
    let before = live(&host);
    let aside = folder.with_extension("aside");
    fs::rename(&folder, &aside).expect("renamed");
    eventually("a warning", || host.log().iter().any(|line| line["level"] == "WARN").then_some(()));
    assert_eq!(host.shop.buy("headphones", 1).status, 200);
    assert_eq!(live(&host), before);
    fs::create_dir(&folder).expect("a folder");
    let discount = bytes("checkout_discount");
    put(&folder.join("checkout.wasm"), &discount);
    wait_for(&host, &discount);
    fs::remove_dir_all(&folder).expect("removed");
    fs::rename(&aside, &folder).expect("renamed");
    let spans = bytes("checkout_spans");
    put(&folder.join("checkout.wasm"), &spans);
    wait_for(&host, &spans);
    host.stop();
}

#[test]
fn what_is_no_file_is_told_once_and_keeps_nobody_waiting() {
    let (plan, folder) = plan();
    let host = start(plan.warns("is no regular file").warns("can't be read").warns("a plugin may have"));
    // Neither is meant for a plugin, so nothing is said of them.
    fs::create_dir(folder.join("folder.wasm")).expect("a folder");
    fs::write(folder.join("._checkout.wasm"), "what macOS leaves").expect("written");
    let fifo = std::process::Command::new("mkfifo").arg(folder.join("fifo.wasm")).status();
    assert!(fifo.expect("mkfifo runs").success());
    symlink("nowhere", folder.join("dangling.wasm")).expect("linked");
    symlink("loop.wasm", folder.join("loop.wasm")).expect("linked");
    File::create(folder.join("huge.wasm")).and_then(|file| file.set_len(1 << 40)).expect("a large file");
    eventually("four refusals", || (actions(&host).len() == 4).then_some(()));
    passed(&host, &folder, "inventory_takes_fewer");
    passed(&host, &folder, "inventory_takes_twice");
    assert_eq!(actions(&host), by_folder(&["refuse", "refuse", "refuse", "refuse", "deploy", "deploy"]));
    let mut told: Vec<_> = history(&host).into_iter().map(|(_, _, detail)| detail).take(4).collect();
    told.sort();
    for (told, expected) in told.iter().zip([
        "dangling.wasm can't be read: No such file or directory",
        "fifo.wasm is no regular file",
        "huge.wasm has 1099511627776 bytes, a plugin may have 33554432 (limits.component_mib)",
        "loop.wasm can't be read: Too many levels of symbolic links",
    ]) {
        assert!(told.contains(expected), "{told:?} lacks {expected:?}");
    }
    host.stop();
}

#[test]
fn without_events_a_file_is_taken_once_it_has_settled() {
    // What a link leads to out of the folder makes no event there, as nothing does on NFS.
    let (plan, folder) = plan();
    let elsewhere = tempfile::tempdir().expect("a folder");
    let target = elsewhere.path().join("target");
    fs::copy(folder.join("checkout.wasm"), &target).expect("copied");
    fs::remove_file(folder.join("checkout.wasm")).expect("removed");
    symlink(&target, folder.join("checkout.wasm")).expect("linked");
    let host = start(plan.set("server.plugins_scan_ms=50"));
    for checkout in ["checkout_discount", "checkout_spans"].map(bytes) {
        let mut file = File::create(&target).expect("opened");
        for piece in checkout.chunks(checkout.len() / 4) {
            file.write_all(piece).expect("written");
            file.sync_all().expect("synced");
        }
        drop(file);
        wait_for(&host, &checkout);
    }
    assert_eq!(actions(&host), by_folder(&["deploy"; 2]));
    host.stop();
}

/// Returns where the sections of a component begin, and its end.
fn borders(bytes: &[u8]) -> Vec<usize> {
    let mut borders = vec![8];
    let mut at = 8;
    while at < bytes.len() {
        let (mut size, mut shift) = (0_usize, 0);
        at += 1;
        loop {
            let byte = bytes[at];
            at += 1;
            size |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        at += size;
        borders.push(at);
    }
    borders
}

/// Returns the component with a mark at its beginning and its end. A file that begins with one mark and ends with
/// another is valid, although nobody wrote it.
fn marked(component: &[u8], mark: u8) -> Vec<u8> {
    let borders = borders(component);
    let section = [0, 3, 1, b'm', mark];
    let (front, last) = (&component[8..borders[borders.len() - 2]], &component[borders[borders.len() - 2]..]);
    [&component[..8], &section, front, &section, last].concat()
}

/// Leaves `bytes` at the path in a way that a careless or unlucky writer has.
fn leave(dice: &mut StdRng, path: &Path, bytes: &[u8], others: &[Vec<u8>]) {
    let borders = borders(bytes);
    let cut = |dice: &mut StdRng| match dice.random_range(0..3) {
        0 => dice.random_range(0..bytes.len()),
        1 => borders[dice.random_range(0..borders.len())],
        // Behind the world's export: whole but for the names and the producers.
        _ => borders[borders.len() - dice.random_range(2..4)],
    };
    // The watcher takes up to a millisecond from an event to reading, and rests for some after other work.
    let pause = |dice: &mut StdRng| {
        let us_max = [500, 5_000, 40_000][dice.random_range(0..3)];
        std::thread::sleep(Duration::from_micros(dice.random_range(0..us_max)));
    };
    let part = path.with_extension("part");
    let other = &others[dice.random_range(0..others.len())];
    match dice.random_range(0..6) {
        // In pieces, closed and opened again between them.
        0 => {
            let mut cuts: Vec<_> = (0..dice.random_range(1..6)).map(|_| cut(dice)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            File::create(path).expect("truncated");
            for piece in cuts.windows(2) {
                let mut file = File::options().append(true).open(path).expect("opened");
                file.write_all(&bytes[piece[0]..piece[1]]).expect("written");
                pause(dice);
                drop(file);
                pause(dice);
            }
        }
        // Half of it is moved there, then all of it.
        1 => {
            put(path, &bytes[..cut(dice)]);
            pause(dice);
            put(path, bytes);
        }
        // One after the other.
        2 => {
            for _ in 0..dice.random_range(1..20) {
                put(path, other);
                put(path, bytes);
            }
        }
        // Written over where it is, so that for a while it begins as the one and ends as the other.
        3 => {
            for bytes in [other, bytes, other, bytes] {
                let mut file = File::options().write(true).open(path).expect("opened");
                for piece in bytes.chunks(bytes.len() / 3 + 1) {
                    file.write_all(piece).expect("written");
                    pause(dice);
                }
                file.set_len(bytes.len() as u64).expect("cut");
                drop(file);
                pause(dice);
            }
        }
        // Cut off where it is, and completed.
        4 => {
            let length = cut(dice) as u64;
            let file = File::options().write(true).open(path).expect("opened");
            file.set_len(length).expect("cut");
            drop(file);
            pause(dice);
            fs::write(path, bytes).expect("written");
        }
        // Hard links replace it in turn.
        _ => {
            let [one, two] = ["one", "two"].map(|name| path.with_extension(name));
            fs::write(&one, other).expect("written");
            fs::write(&two, bytes).expect("written");
            for from in [&one, &two, &one, &two] {
                fs::hard_link(from, &part).expect("linked");
                fs::rename(&part, path).expect("renamed");
                pause(dice);
            }
            // A rename onto another link of the same file does nothing, and leaves both.
            for path in [&one, &two, &part] {
                _ = fs::remove_file(path);
            }
        }
    }
}

#[test]
fn whatever_writers_do_only_whole_files_are_live() {
    let mut dice = dice("watch");
    let rounds = rounds(30, 500);
    let (plan, folder) = plan();
    // A writer that a busy machine stops between two pieces is to be seen as one that goes on.
    let host = start(plan.set("server.plugins_settle_ms=20000").set("stock.headphones=1000000"));
    let path = folder.join("checkout.wasm");
    let whole = ["checkout_spans", "checkout_discount"].map(|guest| [1, 2].map(|mark| marked(&bytes(guest), mark)));
    let whole = whole.concat();
    let built_in = fs::read(&path).expect("read");
    let digests: Vec<_> = whole.iter().chain([&built_in]).map(|bytes| digest(bytes)).collect();
    // Compiled once each: the rounds are about what is read.
    for bytes in &whole {
        put(&path, bytes);
        wait_for(&host, bytes);
    }
    let done = AtomicBool::new(false);
    let answers = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !done.load(SeqCst) {
                    let bought = host.shop.buy("headphones", 1);
                    assert_eq!(bought.status, 200, "{}", bought.text());
                    let ran = bought.header("till-plugins");
                    assert!(digests.iter().any(|digest| ran.contains(digest)), "{ran} is none of {digests:?}");
                    answers.fetch_add(1, SeqCst);
                }
            });
        }
        let _done = OnDrop(&done);
        for _ in 0..rounds {
            let bytes = &whole[dice.random_range(0..whole.len())];
            leave(&mut dice, &path, bytes, &whole);
            wait_for(&host, bytes);
        }
    });
    println!("watch: {rounds} races, {} checkouts, none failed", answers.into_inner());
    // Whatever was live for a moment between two answers.
    let versions = host.admin.get("/plugins/versions").json();
    for version in versions["versions"].as_array().expect("versions") {
        let (kind, digest) = (version["kind"].as_str(), version["digest"].as_str().expect("a digest"));
        let is_whole = digests.iter().any(|whole| digest.starts_with(whole));
        assert!(kind == Some("inventory") || is_whole, "{version}");
    }
    host.end();
}

#[test]
fn a_file_that_lacks_only_its_end_waits_for_it() {
    let (plan, folder) = plan();
    let host = start(plan.set("server.plugins_settle_ms=60000"));
    let discount = bytes("checkout_discount");
    let borders = borders(&discount);
    let path = folder.join("checkout.wasm");
    for cut in &borders[borders.len() - 3..borders.len() - 1] {
        put(&path, &discount[..*cut]);
        passed(
            &host,
            &folder,
            if cut == &borders[borders.len() - 3] { "inventory_takes_fewer" } else { "inventory_takes_twice" },
        );
    }
    assert_eq!(actions(&host), by_folder(&["deploy"; 2]));
    put(&path, &discount);
    wait_for(&host, &discount);
    host.stop();
}

#[test]
fn a_storm_of_events_drowns_nothing() {
    let (plan, folder) = plan();
    let host = start(plan);
    let path = folder.join("checkout.wasm");
    let live_bytes = fs::read(&path).expect("read");
    for number in 0..rounds(500, 5_000) {
        File::create(folder.join(format!("{number}.noise"))).expect("a file");
    }
    let buy = || assert_eq!(host.shop.buy("headphones", 1).status, 200);
    let (began, used) = (Instant::now(), host.cpu_time());
    let mut events = 0;
    for turn in 0..rounds(200, 2_000) {
        // Made, closed, renamed from and to, gone: for a file that is none of ours, and one that is.
        let (noise, junk) = (folder.join("new.noise"), folder.join(format!("{turn}.wasm")));
        fs::write(&noise, "noise").expect("written");
        fs::rename(&noise, folder.join(format!("{turn}.noise"))).expect("renamed");
        fs::write(&junk, "").expect("written");
        fs::remove_file(&junk).expect("removed");
        fs::write(&path, &live_bytes).expect("written");
        events += 12;
        if turn % 20 == 0 {
            buy();
        }
    }
    println!("watch: {events} events in {:?} cost {:?} of CPU", began.elapsed(), host.cpu_time() - used);
    let discount = bytes("checkout_discount");
    put(&path, &discount);
    wait_for(&host, &discount);
    host.end();
}
