//! `till backup` and `till restore`: a backup is complete, and nothing existing is overwritten.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
    sync::Arc,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    Host, Plan, eventually,
    host::run,
    promises::{Acknowledged, Buyers, broken},
};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn plan() -> Plan {
    Host::plan().set("stock.espresso=1000000")
}

fn till(command: &str, file: &Path, data: &Path, more: &[&str]) -> Output {
    let (file, data) = (file.to_string_lossy(), data.to_string_lossy());
    run(&[&[command, &file, "--data", &data], more].concat())
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn refusal(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr.clone()).expect("UTF-8")
}

/// A folder for backups.
fn shelf() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("backup.db");
    (folder, file)
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn data(folder: &Arc<TempDir>) -> PathBuf {
    folder.path().join("data")
}

#[test]
fn a_backup_made_under_load_is_a_whole_store_and_blocks_no_order() {
    let host = plan().start();
    let data = data(&host.folder);
    let before: Vec<_> = (0..20).map(|_| Acknowledged::by(&host.shop.buy("espresso", 1))).collect();
    let buyers = Buyers::start(6, &host.shop, &["espresso".to_owned()]);
    let (shelf, _) = shelf();
    let mut orders = 0;
    for round in 0..5 {
        let file = shelf.path().join(format!("{round}.db"));
        let saved = json(&till("backup", &file, &data, &["--json"]));
        assert_eq!(saved["bytes"].as_u64(), Some(fs::metadata(&file).expect("the backup").len()));
        let now = saved["orders"].as_u64().expect("a number");
        assert!(now >= 20 && now >= orders, "{now} after {orders}");
        orders = now;
    }
    let acknowledged = buyers.stop();
    assert!(!acknowledged.is_empty());
    assert_eq!(names(shelf.path()), ["0.db", "1.db", "2.db", "3.db", "4.db"], "nothing else is left");
    let stopped = host.stop();
    assert_eq!(broken(&stopped.folder.path().join("data"), &[&before[..], &acknowledged].concat()), [""; 0]);

    let new = Arc::new(tempfile::tempdir().expect("a temporary folder"));
    let restored = till("restore", &shelf.path().join("4.db"), &new.path().join("data"), &[]);
    let told = String::from_utf8_lossy(&restored.stdout);
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    assert!(told.contains(&format!("{orders} orders")) && told.contains("INVENTORY_URL"), "{told}");
    // Orders that were under way are settled as after a crash.
    let host = plan().folder(&new).start();
    assert_eq!(broken(&new.path().join("data"), &before), [""; 0]);
    assert_eq!(host.shop.buy("espresso", 1).status, 200);
    host.stop();
}

#[test]
fn a_backup_overwrites_nothing_and_leaves_nothing_half_made() {
    let host = plan().start();
    assert_eq!(host.shop.buy("espresso", 1).status, 200);
    let folder = host.stop().folder;
    let (shelf, file) = shelf();
    fs::write(&file, "precious").expect("writes");
    let refused = refusal(&till("backup", &file, &data(&folder), &[]));
    assert!(refused.contains("exists") && refused.contains(&*file.to_string_lossy()), "{refused}");
    assert_eq!(fs::read(&file).expect("reads"), b"precious");

    let refused = refusal(&till("backup", &shelf.path().join("missing/backup.db"), &data(&folder), &[]));
    let missing = shelf.path().join("missing");
    assert!(refused.contains(&format!("there is no folder {}", missing.display())), "{refused}");
    let refused = refusal(&till("backup", &shelf.path().join("x.db"), shelf.path(), &[]));
    assert!(refused.contains("there is no order store in"), "{refused}");

    // A ledger that doesn't add up is no backup.
    let store = rusqlite::Connection::open(data(&folder).join("till.db")).expect("the store opens");
    store.execute_batch("UPDATE stock SET on_hand = on_hand + 1").expect("a piece appears");
    drop(store);
    let refused = refusal(&till("backup", &shelf.path().join("x.db"), &data(&folder), &[]));
    assert!(refused.contains("espresso has 1000000 on hand, the ledger says 999999"), "{refused}");
    assert_eq!(names(shelf.path()), ["backup.db"]);
}

#[test]
fn a_killed_tills_log_is_in_the_backup() {
    let host = plan().start();
    let sold: Vec<_> = (0..10).map(|_| Acknowledged::by(&host.shop.buy("espresso", 1))).collect();
    let folder = host.kill().folder;
    let log = fs::read(data(&folder).join("till.db-wal")).expect("a log");
    assert!(log.len() > 10 * 4096);
    let (_shelf, file) = shelf();
    assert_eq!(json(&till("backup", &file, &data(&folder), &["--json"]))["orders"], 10);
    assert_eq!(fs::read(data(&folder).join("till.db-wal")).expect("a log"), log, "the log is only read");

    let new = Arc::new(tempfile::tempdir().expect("a temporary folder"));
    json(&till("restore", &file, &data(&new), &["--json"]));
    let host = plan().folder(&new).start();
    assert_eq!(broken(&data(&new), &sold), [""; 0]);
    host.stop();
}

#[test]
fn a_store_is_replaced_only_when_asked_and_kept_aside() {
    let host = plan().start();
    let first = Acknowledged::by(&host.shop.buy("espresso", 1));
    let (_shelf, file) = shelf();
    json(&till("backup", &file, &data(&host.folder), &["--json"]));
    fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o400)).expect("read-only, as backups are");

    let in_use = refusal(&till("restore", &file, &data(&host.folder), &["--replace"]));
    assert!(in_use.contains("another till"), "{in_use}");
    let second = Acknowledged::by(&host.shop.buy("espresso", 1));
    let folder = host.kill().folder;
    let occupied = refusal(&till("restore", &file, &data(&folder), &[]));
    assert!(occupied.contains("--replace"), "{occupied}");

    let restored = json(&till("restore", &file, &data(&folder), &["--replace", "--json"]));
    assert_eq!(restored["orders"], 1);
    let host = plan().folder(&folder).start();
    assert_eq!(host.shop.get(&format!("/orders/{}", first.reference)).status, 200);
    assert_eq!(host.shop.get(&format!("/orders/{}", second.reference)).status, 404, "it came after the backup");
    assert_eq!(host.shop.buy("espresso", 1).status, 200);
    host.stop();

    // What was there is there still, its log with it.
    let replaced = PathBuf::from(restored["replaced"].as_str().expect("a file"));
    let aside = rusqlite::Connection::open(&replaced).expect("the old store opens");
    let completed = "SELECT count(*) FROM orders WHERE status = 'COMPLETED'";
    assert_eq!(aside.query_row(completed, [], |row| row.get::<_, i64>(0)).expect("a count"), 2);
}

/// oq-engine PR 11749, fider #1210: numbers that were given out once aren't given out again.
#[test]
fn a_restored_store_goes_on_past_every_number_that_its_folder_knows() {
    let new_version = |host: &Host| {
        let changed = host.admin.send("POST", "/plugins/checkout/settings", &JSON, Some(br#"{"set":{"reuse":"1"}}"#));
        let changed = changed.expect("an answer");
        assert_eq!(changed.status, 200, "{}", changed.text());
        changed.json()["version"]["id"].as_u64().expect("a number")
    };
    let buy = |host: &Host| host.shop.buy("espresso", 1).json()["order_id"].as_u64().expect("a number");
    let host = plan().start();
    let (shelf, file) = shelf();
    let first = buy(&host);
    json(&till("backup", &file, &data(&host.folder), &["--json"]));
    let (mut last, mut version) = (buy(&host), new_version(&host));
    let folder = host.stop().folder;

    for round in 0..2 {
        // The store that the first restore moved aside still counts at the second.
        let restored = json(&till("restore", &file, &data(&folder), &["--replace", "--json"]));
        assert_eq!((&restored["next_order"], &restored["numbers_may_repeat"]), (&(last + 1).into(), &false.into()));
        let host = plan().folder(&folder).start();
        assert_eq!(buy(&host), last + 1, "round {round}");
        last += 1;
        let new = new_version(&host);
        assert!(new > version, "round {round}: {new} after {version}");
        version = new;
        host.stop();
    }

    // Without another store the numbers can't be known, and restore says so.
    let elsewhere = shelf.path().join("elsewhere");
    let restored = json(&till("restore", &file, &elsewhere, &["--json"]));
    assert_eq!((&restored["next_order"], &restored["numbers_may_repeat"]), (&(first + 1).into(), &true.into()));
    let again = till("restore", &file, &elsewhere, &["--replace"]);
    let said = String::from_utf8(again.stdout).expect("UTF-8");
    assert!(said.contains("next order is number 2, past all numbers") && said.contains("buys again"), "{said}");
}

#[test]
fn a_file_that_is_no_sound_store_isnt_restored() {
    let host = plan().start();
    for _ in 0..60 {
        assert_eq!(host.shop.buy("espresso", 1).status, 200);
    }
    let (shelf, good) = shelf();
    json(&till("backup", &good, &data(&host.folder), &["--json"]));
    host.stop();
    let bytes = fs::read(&good).expect("the backup");
    let sql = |sql: &'static str| {
        move |file: &Path| {
            let store = rusqlite::Connection::open(file).expect("the backup opens");
            store.execute_batch(sql).expect("it is changed");
        }
    };
    type Change = Box<dyn Fn(&Path)>;
    let changes: [(&str, Change); 8] = [
        ("no SQLite file", Box::new(|file| fs::write(file, "no SQLite file at all".repeat(100)).expect("writes"))),
        (
            "damaged",
            Box::new({
                let mut bytes = bytes.clone();
                let half = bytes.len() / 2;
                bytes[half..].fill(0xa5);
                move |file| fs::write(file, &bytes).expect("writes")
            }),
        ),
        (
            "damaged",
            Box::new({
                let bytes = bytes[..bytes.len() / 4096 / 2 * 4096].to_vec();
                move |file| fs::write(file, &bytes).expect("writes")
            }),
        ),
        ("isn't an order store", Box::new(sql("PRAGMA application_id = 7"))),
        ("newer till", Box::new(sql("PRAGMA user_version = 99"))),
        ("the ledger says", Box::new(sql("UPDATE stock SET on_hand = on_hand - 1"))),
        (
            "sold 1 of espresso and took 0",
            Box::new(sql("UPDATE orders SET lines = replace(lines, 'espresso', 'laptop') WHERE id = 1;
             UPDATE orders SET lines = replace(lines, 'laptop', 'espresso') WHERE id = 1;
             DROP TRIGGER stock_movements_are_never_deleted;
             DELETE FROM stock_movements WHERE id = (SELECT min(id) FROM stock_movements WHERE reference IS NOT NULL);
             UPDATE stock SET on_hand = on_hand + 1 WHERE item = 'espresso'")),
        ),
        ("write-ahead log", Box::new(|file| fs::write(format!("{}-wal", file.display()), "frames").expect("writes"))),
    ];
    for (number, (reason, change)) in changes.into_iter().enumerate() {
        let file = shelf.path().join(format!("bad_{number}.db"));
        fs::write(&file, &bytes).expect("writes");
        change(&file);
        let new = shelf.path().join(format!("new_{number}"));
        let refused = refusal(&till("restore", &file, &new, &[]));
        assert!(refused.contains(reason), "{reason}: {refused}");
        assert!(refused.contains(&*file.to_string_lossy()), "{refused}");
        assert!(!new.join("till.db").exists(), "{reason}");
    }
    let missing = refusal(&till("restore", &shelf.path().join("missing.db"), &shelf.path().join("new"), &[]));
    assert!(missing.contains("missing.db"), "{missing}");
}

#[test]
fn half_a_store_isnt_taken_for_an_empty_one() {
    let host = plan().start();
    let sold = Acknowledged::by(&host.shop.buy("espresso", 1));
    let (_shelf, file) = shelf();
    json(&till("backup", &file, &data(&host.folder), &["--json"]));
    let folder = host.kill().folder;
    let (store, aside) = (data(&folder).join("till.db"), data(&folder).join("elsewhere.db"));

    fs::rename(&store, &aside).expect("it is moved");
    let refused = plan().folder(&folder).refusal();
    assert!(refused.contains("till.db-wal") && refused.contains("don't delete"), "{refused}");
    fs::rename(&aside, &store).expect("it is moved back");
    plan().folder(&folder).start().stop();
    assert_eq!(broken(&data(&folder), std::slice::from_ref(&sold)), [""; 0]);

    // The state after a restore that was interrupted at the worst moment.
    fs::rename(&store, &aside).expect("it is moved");
    fs::write(data(&folder).join("till.db.restoring"), "half").expect("writes");
    let refused = plan().folder(&folder).refusal();
    assert!(refused.contains("till restore"), "{refused}");
    json(&till("restore", &file, &data(&folder), &["--json"]));
    let host = plan().folder(&folder).start();
    eventually("readiness", || (host.shop.get("/readyz").status == 200).then_some(()));
    host.stop();
    assert_eq!(broken(&data(&folder), &[sold]), [""; 0]);
}

#[test]
fn a_restore_that_was_cut_short_is_refused_at_the_start_and_goes_on() {
    let files = ["till.db", "till.db-wal", "till.db-shm"];
    for moved in 1..=files.len() {
        let host = plan().start();
        let first = Acknowledged::by(&host.shop.buy("espresso", 1));
        let (_shelf, file) = shelf();
        json(&till("backup", &file, &data(&host.folder), &["--json"]));
        let second = Acknowledged::by(&host.shop.buy("espresso", 1));
        let folder = host.kill().folder;
        let gathered = data(&folder).join("till.db.replacing");
        fs::create_dir(&gathered).expect("a folder");
        fs::write(data(&folder).join("till.db.restoring"), "half").expect("writes");
        for name in &files[..moved] {
            fs::rename(data(&folder).join(name), gathered.join(name)).expect("it is moved");
        }

        let refused = plan().folder(&folder).refusal();
        assert!(refused.contains("run `till restore` again"), "{refused}");
        let restored = json(&till("restore", &file, &data(&folder), &["--json"]));
        let host = plan().folder(&folder).start();
        assert_eq!(host.shop.get(&format!("/orders/{}", first.reference)).status, 200);
        host.stop();
        assert!(!gathered.exists());

        // The newest orders were in the log: it is beside its file still.
        let replaced = PathBuf::from(restored["replaced"].as_str().expect("a file"));
        assert_eq!(broken(replaced.parent().expect("a folder"), &[first, second]), [""; 0], "{moved} files moved");
    }
}

#[test]
fn a_restore_overwrites_nothing_that_an_earlier_one_gathered() {
    let host = plan().start();
    let (_shelf, file) = shelf();
    json(&till("backup", &file, &data(&host.folder), &["--json"]));
    let folder = host.stop().folder;
    let gathered = data(&folder).join("till.db.replacing");
    fs::create_dir(&gathered).expect("a folder");
    fs::write(gathered.join("till.db"), "precious").expect("writes");
    let occupied = refusal(&till("restore", &file, &data(&folder), &[]));
    assert!(occupied.contains("--replace"), "{occupied}");
    json(&till("restore", &file, &data(&folder), &["--replace", "--json"]));
    let kept = names(&data(&folder)).into_iter().filter(|name| name.starts_with("replaced-"));
    let kept: Vec<_> = kept.map(|name| fs::read(data(&folder).join(name).join("till.db")).expect("a file")).collect();
    assert_eq!(kept.len(), 2);
    assert!(kept.iter().any(|bytes| bytes == b"precious"));
}
