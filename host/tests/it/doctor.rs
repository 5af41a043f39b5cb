//! `till doctor`: what it finds, that it says what to do, and that it changes nothing.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Output,
};

use serde_json::Value;

use crate::support::{Host, eventually, host::run, promises::Buyers};

fn doctor(data: &Path) -> Output {
    run(&["doctor", "--data", &data.to_string_lossy()])
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Returns the files of a data folder; compiled code, in a folder of its own in it, is none of the doctor's business.
fn files(data: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = fs::read_dir(data).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<_> =
        entries.filter(|path| path.is_file()).map(|file| (file.clone(), fs::read(&file).expect("a file"))).collect();
    files.sort();
    files
}

#[test]
fn a_store_that_is_in_order_is_sound() {
    let host = Host::start();
    for _ in 0..3 {
        assert_eq!(host.shop.buy("headphones", 2).status, 200);
    }
    assert_eq!(host.shop.buy("laptop", 51).status, 400);
    let data = host.folder.path().join("data");
    let in_use = doctor(&data);
    assert_eq!(in_use.status.code(), Some(1));
    assert!(text(&in_use).contains("another till uses"), "{}", text(&in_use));

    let _folder = host.stop().folder;
    let before = files(&data);
    let sound = doctor(&data);
    assert_eq!((sound.status.code(), text(&sound)), (Some(0), format!("{}: 4 orders, sound\n", data.display())));
    assert!(files(&data) == before, "it changes nothing");
}

#[test]
fn what_a_kill_left_open_is_no_fault() {
    let host = Host::plan().set("stock.espresso=100000").start();
    let buyers = Buyers::start(6, &host.shop, &["espresso".to_owned()]);
    eventually("orders", || (host.on_hand("espresso") < 100_000 - 20).then_some(()));
    let folder = host.kill().folder;
    buyers.until_gone();
    let data = folder.path().join("data");
    // Killed between two commits of an order, whether or not this one was.
    let store = rusqlite::Connection::open(data.join("till.db")).expect("the store opens");
    store.pragma_update(None, "wal_autocheckpoint", 0).expect("no checkpoint");
    store
        .execute_batch(
            "INSERT INTO orders (id, reference, status, inventory, currency, decimals, lines, attributes, subtotal,
                                 trace_id, plugins, placed_at_ms)
             VALUES (900001, 'left', 'PENDING', 'local', 'USD', 2, '[]', '[]', 0, '', '', 0);
             INSERT INTO reservations (reference, state, at_ms) VALUES ('left', 'held', 0);
             INSERT INTO stock_movements (reference, item, delta, kind, at_ms)
             VALUES ('left', 'espresso', -2, 'reserved', 0);
             UPDATE stock SET on_hand = on_hand - 2 WHERE item = 'espresso'",
        )
        .expect("an order is left");
    // Its log, as a kill leaves it: a connection that closes would move it into the file.
    let after = tempfile::tempdir().expect("a temporary folder");
    for (file, bytes) in files(&data) {
        let name = file.file_name().expect("a name").to_owned();
        if !name.to_string_lossy().ends_with("-shm") {
            fs::write(after.path().join(name), bytes).expect("copies");
        }
    }
    let before = files(after.path());
    let sound = doctor(after.path());
    let told = text(&sound);
    assert_eq!(sound.status.code(), Some(0), "{told}");
    for part in ["orders have no end yet", "is PENDING", "stock is held for", "the next start settles it", "sound"] {
        assert!(told.contains(part), "{told}");
    }
    // Like the crash it leaves SQLite's index, for a till that starts meanwhile would use the same one.
    let (index, rest): (Vec<_>, Vec<_>) =
        files(after.path()).into_iter().partition(|(file, _)| file.to_string_lossy().ends_with("-shm"));
    assert!(rest == before, "it changes nothing");
    assert_eq!(index.len(), 1, "it deletes nothing");
}

#[test]
fn what_is_wrong_is_named_with_what_to_do() {
    let host = Host::start();
    for item in ["headphones", "laptop", "smartphone"] {
        assert_eq!(host.shop.buy(item, 1).status, 200);
    }
    assert_eq!(host.shop.buy("laptop", 51).status, 400);
    let folder = host.stop().folder;
    let good = folder.path().join("data");
    let unlock = "DROP TRIGGER stock_movements_are_never_changed; DROP TRIGGER stock_movements_are_never_deleted;";
    let sql = |sql: &str| {
        let sql = format!("PRAGMA foreign_keys = OFF; {unlock} {sql}");
        Box::new(move |data: &Path| {
            let store = rusqlite::Connection::open(data.join("till.db")).expect("the store opens");
            store.execute_batch(&sql).expect("it is changed");
        })
    };
    type Change = Box<dyn Fn(&Path)>;
    let rows: Vec<(&str, &str, Change)> = vec![
        (
            "headphones has 198 on hand, the ledger says 199",
            "till stock set",
            sql("UPDATE stock SET on_hand = 198 WHERE item = 'headphones'"),
        ),
        (
            "order 2 sold 1 of laptop and took 2",
            "till restore",
            sql("UPDATE stock_movements SET delta = -2 WHERE item = 'laptop';
             UPDATE stock SET on_hand = on_hand - 1 WHERE item = 'laptop'"),
        ),
        (
            "order 1 sold 0 of laptop and took 1",
            "till restore",
            sql("UPDATE stock_movements SET item = 'laptop' WHERE item = 'headphones';
             UPDATE stock SET on_hand = on_hand - 1 WHERE item = 'laptop';
             UPDATE stock SET on_hand = on_hand + 1 WHERE item = 'headphones'"),
        ),
        (
            "completed orders hold no final reservation: order 3",
            "till restore",
            sql(
                "UPDATE reservations SET state = 'released' WHERE reference = (SELECT reference FROM orders WHERE id = 3)",
            ),
        ),
        (
            "failed orders keep their stock: order 4",
            "till restore",
            sql(
                "INSERT INTO reservations (reference, state, at_ms) SELECT reference, 'final', 0 FROM orders WHERE id = 4",
            ),
        ),
        (
            "nobody is final, its movements sum up to 0",
            "till restore",
            sql("INSERT INTO reservations (reference, state, at_ms) VALUES ('nobody', 'final', 0)"),
        ),
        (
            "rows point at rows that aren't there: stock_movements",
            "till restore",
            sql("DELETE FROM reservations WHERE reference = (SELECT reference FROM orders WHERE id = 3)"),
        ),
        ("newer till (schema 99", "use that till", sql("PRAGMA user_version = 99")),
        ("isn't an order store of till", "choose another", sql("PRAGMA application_id = 7")),
        ("there is no order store", "--data", Box::new(|data| fs::remove_file(data.join("till.db")).expect("removes"))),
        (
            "no till.db that it belongs to",
            "don't delete the log",
            Box::new(|data| {
                fs::rename(data.join("till.db"), data.join("till.db-wal")).expect("renames");
            }),
        ),
        (
            "a restore was interrupted",
            "till restore",
            Box::new(|data| {
                fs::rename(data.join("till.db"), data.join("till.db.restoring")).expect("renames");
            }),
        ),
        (
            "every user of this machine may write to till.db",
            "chmod o-w",
            Box::new(|data| {
                fs::set_permissions(data.join("till.db"), PermissionsExt::from_mode(0o666)).expect("chmod");
            }),
        ),
        (
            "till.db can't be written",
            "chmod u+w",
            Box::new(|data| {
                fs::set_permissions(data.join("till.db"), PermissionsExt::from_mode(0o444)).expect("chmod");
            }),
        ),
    ];
    for (what, advice, change) in rows {
        let copy = tempfile::tempdir().expect("a temporary folder");
        for (file, bytes) in files(&good) {
            fs::write(copy.path().join(file.file_name().expect("a name")), bytes).expect("copies");
        }
        change(copy.path());
        let before = files(copy.path());
        let found = doctor(copy.path());
        let told = text(&found);
        assert_eq!(found.status.code(), Some(1), "{what}: {told}");
        assert!(told.contains(what) && told.contains(advice), "{what}: {told}");
        assert!(files(copy.path()) == before, "{what}: it changes nothing");

        let found = run(&["doctor", "--json", "--data", &copy.path().to_string_lossy()]);
        let json: Value = serde_json::from_slice(&found.stdout).expect("JSON");
        assert_eq!((found.status.code(), &json["sound"]), (Some(1), &Value::Bool(false)));
        assert!(json["findings"].as_array().is_some_and(|findings| !findings.is_empty()), "{json}");
    }
}

#[test]
fn damage_is_told_whichever_page_it_is_in() {
    let host = Host::plan().set("stock.espresso=1000").start();
    for _ in 0..80 {
        assert_eq!(host.shop.buy("espresso", 1).status, 200);
    }
    let folder = host.stop().folder;
    let data = folder.path().join("data");
    let file = data.join("till.db");
    let good = fs::read(&file).expect("the store");
    for page in 0..good.len() / 4096 {
        let mut bytes = good.clone();
        bytes[page * 4096 + if page == 0 { 100 } else { 0 }..][..600].fill(0xa5);
        fs::write(&file, &bytes).expect("writes");
        let found = doctor(&data);
        let told = text(&found);
        assert_eq!(found.status.code(), Some(1), "page {page}: {told}");
        assert!(told.contains("till restore") && told.contains(&*data.to_string_lossy()), "page {page}: {told}");
    }
}
