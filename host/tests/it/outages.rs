//! The store's disk fails, is full, locked or damaged: nothing is acknowledged, and all is well once the cause is gone.

use std::{fs, os::unix::fs::FileExt, path::Path, sync::Arc};

use rusqlite::Connection;
use rustix::process::Signal;

use crate::support::{
    Answer, Host, Stopped,
    disk::{Disk, Fault},
    eventually,
    promises::{Acknowledged, broken},
};

/// A fault of the store, and its end.
struct Outage {
    name: &'static str,
    begin: Box<dyn Fn() -> Box<dyn FnOnce()>>,
}

/// A fault of the data folder.
type Loss = fn(&Path);

fn assert_unavailable(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (503, "store_unavailable"), "{what}: {}", answer.text());
    assert!(!answer.header("retry-after").is_empty(), "{what}");
}

/// Issue 15.19: it was "Error code 4874".
#[test]
fn a_start_on_a_full_disk_says_so() {
    let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
    let disk = Disk::of(&folder);
    disk.fail(Fault::Full);
    let said = disk.under(Host::plan()).refusal();
    assert!(said.contains("the disk is full or broken") && said.contains("Make room"), "{said}");
}

#[test]
fn while_the_store_cant_be_written_orders_are_refused_and_afterwards_taken() {
    let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
    let disk = Arc::new(Disk::of(&folder));
    let plan = disk.under(Host::plan()).set("store.busy_timeout_ms=100").set("stock.espresso=1000");
    let host = plan.start();
    let of_disk = |name: &'static str, fault: Fault| {
        let disk = Arc::clone(&disk);
        let begin = move || -> Box<dyn FnOnce()> {
            disk.fail(fault);
            let disk = Arc::clone(&disk);
            Box::new(move || disk.repair())
        };
        Outage { name, begin: Box::new(begin) }
    };
    let file = folder.path().join("data/till.db");
    let locked = |name: &'static str, lock: &'static str| {
        let file = file.clone();
        let begin = move || -> Box<dyn FnOnce()> {
            let other = Connection::open(&file).expect("the store opens");
            other.busy_timeout(std::time::Duration::from_secs(10)).expect("a timeout");
            other.execute_batch(lock).expect("a lock");
            Box::new(move || drop(other))
        };
        Outage { name, begin: Box::new(begin) }
    };
    let outages = [
        of_disk("disk full", Fault::Full),
        of_disk("I/O error at a sync", Fault::Sync),
        of_disk("read-only", Fault::ReadOnly),
        locked("locked", "BEGIN IMMEDIATE"),
        locked("locked alone", "BEGIN EXCLUSIVE"),
    ];
    let mut acknowledged = Vec::new();
    for Outage { name, begin } in outages {
        acknowledged.push(Acknowledged::by(&host.shop.buy("espresso", 2)));
        let end = begin();
        for _ in 0..3 {
            assert_unavailable(&host.shop.buy("espresso", 2), name);
        }
        for listener in [&host.shop, &host.admin] {
            assert_unavailable(&listener.get("/readyz"), name);
            assert_eq!(listener.get("/livez").status, 200, "{name}");
        }
        // Reading goes on.
        assert_eq!(host.shop.get(&format!("/orders/{}", acknowledged[0].reference)).status, 200, "{name}");
        end();
        eventually("readiness", || (host.shop.get("/readyz").status == 200).then_some(()));
        host.wait_for_unresolved(0);
        acknowledged.push(Acknowledged::by(&host.shop.buy("espresso", 2)));
    }
    assert_eq!(host.on_hand("espresso"), 1000 - 2 * acknowledged.len() as u64);
    let Stopped { folder, .. } = host.end();
    assert_eq!(broken(&folder.path().join("data"), &acknowledged), [""; 0]);
    let host = Host::plan().folder(&folder).start();
    let completed = host.orders().iter().filter(|order| order["status"] == "COMPLETED").count();
    assert_eq!(completed, acknowledged.len(), "what was refused isn't sold");
    host.stop();
}

/// Returns a folder with a store of some hundred orders, stopped, and the reference of the first.
fn sold() -> (Arc<tempfile::TempDir>, String) {
    let host = Host::plan().set("stock.espresso=1000").start();
    let first = host.shop.buy("espresso", 1).reference();
    for _ in 0..60 {
        assert_eq!(host.shop.buy("espresso", 1).status, 200);
    }
    (host.stop().folder, first)
}

/// Overwrites the file from its second page on.
fn damage(file: &std::path::Path) {
    let bytes = usize::try_from(fs::metadata(file).expect("the store").len()).expect("small");
    let file = fs::File::options().write(true).open(file).expect("the store");
    file.write_all_at(&vec![0xa5; bytes - 4096], 4096).expect("it is damaged");
}

#[test]
fn damage_met_while_running_is_answered_with_503_and_named_in_the_log_once() {
    let (folder, reference) = sold();
    let file = folder.path().join("data/till.db");
    let host = Host::plan().folder(&folder).start();
    damage(&file);
    for _ in 0..3 {
        assert_unavailable(&host.shop.get(&format!("/orders/{reference}")), "damage");
    }
    assert_eq!(host.shop.get("/livez").status, 200);
    let stopped = host.kill();
    let errors: Vec<_> = stopped.log.iter().filter(|line| line["level"] == "ERROR").collect();
    let [error] = errors.as_slice() else { panic!("{errors:#?}") };
    let message = error["message"].as_str().expect("a message");
    assert!(message.contains(&*file.to_string_lossy()) && message.contains("till doctor"), "{message}");
}

#[test]
fn a_damaged_store_isnt_served() {
    let (folder, _reference) = sold();
    let file = folder.path().join("data/till.db");
    damage(&file);
    let message = Host::plan().folder(&folder).refusal();
    for part in [&*file.to_string_lossy(), "till doctor", "till restore"] {
        assert!(message.contains(part), "{message}");
    }
}

/// Issue 15.20: the data folder or the lock was deleted under a running till, which went on selling into files that nobody
/// would see again.
#[test]
fn a_store_that_isnt_at_its_path_takes_no_order_and_is_told_of() {
    let cases: [(&str, Loss); 6] = [
        ("till.lock", |data| fs::remove_dir_all(data).expect("the folder goes")),
        ("till.lock", |data| fs::rename(data, data.with_extension("aside")).expect("the folder is moved")),
        ("till.lock", |data| fs::remove_file(data.join("till.lock")).expect("the lock goes")),
        ("till.db", |data| fs::remove_file(data.join("till.db")).expect("the store goes")),
        ("till.db-wal", |data| fs::remove_file(data.join("till.db-wal")).expect("the log goes")),
        ("till.db", |data| {
            fs::copy(data.join("till.db"), data.join("copy")).expect("a copy");
            fs::rename(data.join("copy"), data.join("till.db")).expect("the copy takes its place");
        }),
    ];
    for (number, (file, lose)) in cases.iter().enumerate() {
        let host = Host::plan().set("stock.espresso=1000").start();
        let data = host.folder.path().join("data");
        assert_eq!(host.shop.buy("espresso", 1).status, 200);
        lose(&data);
        // Nobody buys, and it is noticed.
        let path = data.join(file).display().to_string();
        let told = || host.log().iter().any(|line| line["level"] == "ERROR" && line["file"] == *path);
        eventually("a line in the log", || told().then_some(()));
        for _ in 0..3 {
            let refused = host.shop.buy("espresso", 1);
            assert_unavailable(&refused, file);
            assert!(refused.text().contains(&path), "{}", refused.text());
            assert_unavailable(&host.shop.get("/readyz"), file);
        }
        assert_eq!(host.shop.get("/livez").status, 200);
        let errors = host.log().iter().filter(|line| line["level"] == "ERROR").count();
        assert_eq!(errors, 1, "case {number} is said once: {:#?}", host.log());
        host.kill();
    }
}

#[test]
fn a_store_that_is_moved_back_is_used_on_and_nothing_in_its_place_is_touched() {
    let host = Host::plan().set("stock.espresso=1000").start();
    let data = host.folder.path().join("data");
    let aside = data.with_extension("aside");
    fs::rename(&data, &aside).expect("the folder is moved");
    assert_unavailable(&host.shop.buy("espresso", 1), "moved");
    fs::rename(&aside, &data).expect("and moved back");
    assert_eq!(host.shop.buy("espresso", 1).status, 200);
    assert_eq!(host.shop.get("/readyz").status, 200);

    // Another store, that was killed: its newest orders are in its log.
    let other = Host::plan().set("stock.espresso=1000").start();
    let sold = other.shop.buy("espresso", 1).reference();
    let other = other.kill();
    fs::rename(&data, &aside).expect("the folder is moved");
    fs::rename(other.folder.path().join("data"), &data).expect("the other takes its place");
    assert_unavailable(&host.shop.buy("espresso", 1), "another's");
    host.signal(Signal::TERM);
    let stopped = host.wait();
    assert!(stopped.status.success(), "{:#?}", stopped.log);
    assert_eq!(stopped.completed(), [sold], "of the other store, whole");
}

#[test]
fn a_log_that_only_grows_is_warned_of_once() {
    let plan = Host::plan().set("store.wal_warn_mib=1").set("stock.espresso=1000").warns("store.wal_warn_mib");
    let host = plan.start();
    let log = host.folder.path().join("data/till.db-wal");
    let reader = Connection::open(host.folder.path().join("data/till.db")).expect("the store opens");
    reader.execute_batch("BEGIN; SELECT count(*) FROM orders").expect("a long read");
    let bytes = || fs::metadata(&log).expect("the log").len();
    while bytes() < (1 << 20) + (1 << 18) {
        assert_eq!(host.shop.buy("espresso", 1).status, 200);
    }
    drop(reader);
    let is_warning = |line: &&serde_json::Value| line["level"] == "WARN";
    let stopped = host.stop();
    assert_eq!(stopped.log.iter().filter(is_warning).count(), 1);
}
