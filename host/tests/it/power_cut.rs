//! Power cuts at any moment, computed from the record of what was written and synced; a host is started on each result.
//!
//! A killed process loses nothing that it wrote. Only a power cut distinguishes a durable commit from one in the
//! system's cache.

use std::{sync::Arc, time::Duration};

use rand::{RngExt, rngs::StdRng};
use tempfile::TempDir;
use till::store::{Settings, Store};

use crate::support::{
    Host, Plan, dice,
    disk::{Disk, Fault},
    eventually,
    host::till,
    power::{self, Image, Operation, Record, Unsynced},
    promises::{Acknowledged, Buyers, broken},
    rounds,
};

fn plan() -> Plan {
    Host::plan().set("stock.espresso=1000000").set("stock.scarce=100")
}

/// What was recorded of some hosts, and what their clients were told.
struct Recorded {
    record: Record,
    acknowledged: Vec<Acknowledged>,
}

impl Recorded {
    /// Records hosts one after the other, each on what the last one left. The last is stopped in order, so that the log
    /// is moved into the file, the others are killed.
    fn of(hosts: usize, mut load: impl FnMut(&Host) -> Vec<Acknowledged>) -> Self {
        Self::on(hosts, |host, _disk| load(host))
    }

    /// Records hosts in the same way, with a disk that `load` controls.
    fn on(hosts: usize, mut load: impl FnMut(&Host, &Disk) -> Vec<Acknowledged>) -> Self {
        let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
        let disk = Disk::of(&folder);
        let mut recorded = Self { record: Record::default(), acknowledged: Vec::new() };
        for part in 0..hosts {
            let host = disk.recording(plan(), part).start();
            recorded.acknowledged.extend(load(&host, &disk));
            _ = if part + 1 < hosts { host.kill() } else { host.end() };
            disk.read(part, &mut recorded.record);
        }
        assert_eq!(broken(&folder.path().join("data"), &recorded.acknowledged), [""; 0], "without any cut");
        recorded
    }

    fn under_load(dice: &mut StdRng) -> Self {
        Self::of(3, |host| {
            let buyers = Buyers::start(6, &host.shop, &["espresso".to_owned(), "scarce".to_owned()]);
            std::thread::sleep(Duration::from_millis(dice.random_range(500..1_000)));
            buyers.stop()
        })
    }

    /// Returns what had been acknowledged before the entry happened.
    fn before(&self, cut: usize, record: &Record) -> Vec<Acknowledged> {
        let until_ns = record.entries.get(cut).map_or(u64::MAX, |entry| entry.at_ns);
        self.acknowledged.iter().filter(|order| order.at_ns < until_ns).cloned().collect()
    }
}

/// Returns a folder with what a cut has left. In memory, where there is such: thousands of them are written.
fn folder_with(image: &Image) -> Arc<TempDir> {
    let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).expect("a temporary folder");
    power::write(image, folder.path());
    Arc::new(folder)
}

/// Returns what is broken once the store was opened on what a cut has left.
fn broken_after(image: &Image, acknowledged: &[Acknowledged]) -> Vec<String> {
    let folder = folder_with(image);
    let data = folder.path().join("data");
    let settings = Settings {
        folder: data.clone(),
        queue_commands_max: 10,
        batch_commands_max: 10,
        linger: Duration::ZERO,
        readers: 1,
        busy_timeout: Duration::from_secs(10),
        look_within: Duration::from_secs(60),
        log_bytes_warn: u64::MAX,
    };
    let (store, _opened) = match Store::open(&settings) {
        Ok(opened) => opened,
        Err(error) => return vec![format!("{error}: {:?}", std::error::Error::source(&error))],
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(store.close());
    broken(&data, acknowledged)
}

/// Returns cuts at any operation; every other one within a sync, for that is when an answer could come too early.
fn random_cuts(count: usize, record: &Record, dice: &mut StdRng) -> Vec<usize> {
    let is_sync = |entry: &power::Entry| entry.operation == power::Operation::Sync;
    let cuts = (0..count).map(|index| {
        let cut = dice.random_range(0..=record.entries.len());
        let next_sync = || record.entries.iter().skip(cut).position(is_sync);
        if index % 2 == 0 { cut } else { cut + next_sync().unwrap_or(0) }
    });
    let mut cuts: Vec<usize> = cuts.collect();
    cuts.sort_unstable();
    cuts
}

#[test]
fn nothing_acknowledged_is_lost_in_a_power_cut() {
    let mut dice = dice("power cut");
    let recorded = Recorded::under_load(&mut dice);
    let record = &recorded.record;
    let cuts = random_cuts(rounds(25, 200), record, &mut dice);
    let mut at_stake = 0;
    for (round, cut) in cuts.iter().copied().enumerate() {
        let unsynced = match dice.random_range(0..4) {
            0 => Unsynced::Nothing,
            1 => Unsynced::All,
            _ => Unsynced::Some(&mut dice),
        };
        let what = format!("cut {cut} of {}, {unsynced:?}", record.entries.len());
        let image = record.disk(cut).image(unsynced);
        let acknowledged = recorded.before(cut, record);
        at_stake += acknowledged.len();
        if round % 10 == 9 {
            // The whole program, now and then.
            let folder = folder_with(&image);
            plan().folder(&folder).start().stop();
            assert_eq!(broken(&folder.path().join("data"), &acknowledged), [""; 0], "{what}");
        } else {
            assert_eq!(broken_after(&image, &acknowledged), [""; 0], "{what}");
        }
    }
    println!(
        "power cut: {} cuts in {} operations, none of {at_stake} acknowledged orders lost ({} in all)",
        cuts.len(),
        record.entries.len(),
        recorded.acknowledged.len()
    );
    assert!(at_stake > cuts.len(), "the load was too light to show anything");
}

#[test]
fn a_failed_sync_takes_nothing_acknowledged_with_it() {
    let mut dice = dice("failed sync");
    let mut fails = 0;
    let recorded = Recorded::on(2, |host, disk| {
        let buyers = Buyers::start(6, &host.shop, &["espresso".to_owned()]);
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(dice.random_range(50..200)));
            disk.fail(Fault::Sync);
            fails += 1;
            eventually("a refused order", || (host.shop.buy("espresso", 1).status == 503).then_some(()));
            disk.repair();
        }
        std::thread::sleep(Duration::from_millis(200));
        buyers.stop()
    });
    let record = &recorded.record;
    let failed = record.entries.iter().filter(|entry| entry.operation == Operation::SyncFailed).count();
    assert!(failed >= fails, "{failed} syncs failed");
    for cut in random_cuts(rounds(25, 200), record, &mut dice) {
        let image = record.disk(cut).image(if dice.random() { Unsynced::Nothing } else { Unsynced::Some(&mut dice) });
        assert_eq!(broken_after(&image, &recorded.before(cut, record)), [""; 0], "cut {cut}");
    }
    println!(
        "failed sync: none of {} acknowledged orders lost after {failed} failed syncs",
        recorded.acknowledged.len()
    );
}

#[test]
fn a_cut_within_a_restore_leaves_one_store_or_the_other_or_a_start_that_says_so() {
    let mut dice = dice("restore");
    let folder = Arc::new(tempfile::tempdir().expect("a temporary folder"));
    let (disk, backup) = (Disk::of(&folder), tempfile::tempdir().expect("a temporary folder"));
    let (data, file) = (folder.path().join("data"), backup.path().join("backup.db"));
    let host = disk.recording(plan(), 0).start();
    let mut old: Vec<_> = (0..2).map(|_| Acknowledged::by(&host.shop.buy("espresso", 1))).collect();
    let backed_up = till().arg("backup").arg(&file).arg("--data").arg(&data).output().expect("till starts");
    assert!(backed_up.status.success(), "{backed_up:?}");
    let new = old.clone();
    old.push(Acknowledged::by(&host.shop.buy("espresso", 1)));
    host.kill();
    let mut record = Record::default();
    disk.read(0, &mut record);
    let first = record.entries.len();
    let mut restore = till();
    restore.arg("restore").arg(&file).arg("--data").arg(&data).arg("--replace");
    disk.record(&mut restore, 1);
    let restored = restore.output().expect("till starts");
    assert!(restored.status.success(), "{restored:?}");
    disk.read(1, &mut record);

    let (mut olds, mut news, mut refusals) = (0, 0, 0);
    for cut in first..=record.entries.len() {
        for round in 0..5 {
            let unsynced = match round {
                0 => Unsynced::Nothing,
                1 => Unsynced::All,
                _ => Unsynced::Some(&mut dice),
            };
            let image = record.disk(cut).image(unsynced);
            if broken_after(&image, &old).is_empty() {
                olds += 1;
            } else if broken_after(&image, &new).is_empty() {
                news += 1;
            } else {
                let said = broken_after(&image, &new);
                assert!(said.iter().any(|said| said.contains("run `till restore` again")), "cut {cut}: {said:?}");
                refusals += 1;
            }
        }
    }
    println!("restore: {olds} cuts leave the old store, {news} the new one, {refusals} a start that is refused");
    assert!(olds > 0 && news > 0 && refusals > 0, "the cuts miss something");
}

#[test]
fn the_model_sees_what_synchronous_normal_would_lose() {
    let mut dice = dice("synchronous=NORMAL");
    let recorded = Recorded::under_load(&mut dice);
    let record = recorded.record.with_synchronous_normal();
    let cuts = random_cuts(25, &record, &mut dice);
    let (mut losing, mut orders) = (0, 0);
    for cut in &cuts {
        let found = broken_after(&record.disk(*cut).image(Unsynced::Nothing), &recorded.before(*cut, &record));
        // Only the last orders are lost and nothing else is wrong, as NORMAL promises.
        assert!(found.iter().all(|broken| broken.starts_with("lost: ")), "{found:?}");
        losing += usize::from(!found.is_empty());
        orders += found.len();
    }
    println!("synchronous=NORMAL: {losing} of {} cuts lose {orders} acknowledged orders", cuts.len());
    assert!(losing > 0, "the model can't tell NORMAL from FULL");
}

#[test]
fn a_cut_at_any_operation_leaves_a_sound_store() {
    let recorded = Recorded::of(6, |host| {
        let buy = |_| Acknowledged::by(&host.shop.buy("espresso", 1));
        (0..10).map(buy).collect()
    });
    let record = &recorded.record;
    let mut disk = power::Disk::default();
    let mut cuts = Vec::new();
    for cut in 0..=record.entries.len() {
        cuts.push((cut, disk.image(Unsynced::Nothing)));
        cuts.push((cut, disk.image(Unsynced::All)));
        if let Some(entry) = record.entries.get(cut) {
            disk.apply(entry);
        }
    }
    // Of the cuts that leave the same, the last has the most to keep.
    let prefixes = cuts.len();
    let mut last_of: std::collections::HashMap<Image, usize> = std::collections::HashMap::new();
    last_of.extend(cuts.into_iter().map(|(cut, image)| (image, cut)));
    let mut cuts: Vec<(Image, usize)> = last_of.into_iter().collect();
    cuts.sort_unstable_by_key(|(_image, cut)| *cut);
    let started = std::time::Instant::now();
    for (image, cut) in &cuts {
        let what = format!("cut {cut} of {}: {:?}", record.entries.len(), record.entries.get(*cut));
        assert_eq!(broken_after(image, &recorded.before(*cut, record)), [""; 0], "{what}");
    }
    println!(
        "enumeration: {prefixes} prefixes of {} operations leave {} states, each started on: {:?}",
        record.entries.len(),
        cuts.len(),
        started.elapsed()
    );
}
