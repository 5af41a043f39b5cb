//! Checks a store: the file by SQLite's own checks, and the rows by the shop's rules.
//!
//! The checks change neither the file nor its log and delete nothing, because a till may have started meanwhile. What a
//! crash leaves open isn't a fault: the next start settles it.

use std::{fs, path::Path};

use rusqlite::Connection;

use super::{OpenError, folder, open, orders::is_damage, schema};

/// What was found, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Whether the finding is a fault; otherwise it is only worth knowing.
    pub is_fault: bool,
    pub what: String,
    pub advice: &'static str,
}

/// The result of examining a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Examined {
    pub orders: u64,
    pub findings: Vec<Finding>,
}

impl Examined {
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.faults().next().is_none()
    }

    pub fn faults(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.is_fault)
    }

    fn fault(&mut self, what: String, advice: &'static str) {
        self.findings.push(Finding { is_fault: true, what, advice });
    }

    fn note(&mut self, what: String, advice: &'static str) {
        self.findings.push(Finding { is_fault: false, what, advice });
    }
}

/// A rule of the rows. The query returns a text for each row that breaks it.
struct Rule {
    is_fault: bool,
    what: &'static str,
    query: &'static str,
    advice: &'static str,
}

const RESTORE: &str = "restore the latest sound backup with `till restore`, and keep this folder to find out why";
const SETTLED: &str = "nothing: the next start settles it";

/// The file's rules, checked in this order. The first are SQLite's own; if they fail, the others mean nothing.
const OF_THE_FILE: &[Rule] = &[
    Rule {
        is_fault: true,
        what: "the file is damaged",
        query: "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
        advice: RESTORE,
    },
    Rule {
        is_fault: true,
        what: "rows point at rows that aren't there",
        query: "SELECT format('%s row %d', \"table\", rowid) FROM pragma_foreign_key_check",
        advice: RESTORE,
    },
];

const OF_THE_SHOP: &[Rule] = &[
    Rule {
        is_fault: true,
        what: "what is on hand isn't opening stock plus movements",
        query: "WITH moved AS (SELECT item, sum(delta) AS pieces FROM stock_movements GROUP BY item)
                SELECT format('%s has %d on hand, the ledger says %d', item, on_hand, opening + coalesce(pieces, 0))
                FROM stock LEFT JOIN moved USING (item) WHERE on_hand <> opening + coalesce(pieces, 0)",
        advice: "something other than till wrote to the file: restore the latest sound backup with `till restore`, count \
                 the item and `till stock set` it",
    },
    Rule {
        is_fault: true,
        what: "completed orders took other stock than they sold",
        query: "WITH completed AS (SELECT id, reference, lines FROM orders
                                   WHERE status = 'COMPLETED' AND inventory = 'local'),
                     pieces AS (SELECT completed.id AS id, value ->> 'item' AS item, value ->> 'quantity' AS sold, 0 AS taken
                                FROM completed, json_each(lines)
                                UNION ALL
                                SELECT completed.id, item, 0, -delta FROM completed JOIN stock_movements USING (reference))
                SELECT format('order %d sold %d of %s and took %d', id, sum(sold), item, sum(taken))
                FROM pieces GROUP BY id, item HAVING sum(sold) <> sum(taken)",
        advice: RESTORE,
    },
    Rule {
        is_fault: true,
        what: "completed orders hold no final reservation",
        query: "SELECT format('order %d', id) FROM orders LEFT JOIN reservations USING (reference)
                WHERE status = 'COMPLETED' AND inventory = 'local' AND state IS NOT 'final'",
        advice: RESTORE,
    },
    Rule {
        is_fault: true,
        what: "failed orders keep their stock",
        query: "SELECT format('order %d', id) FROM orders JOIN reservations USING (reference)
                WHERE status = 'FAILED' AND inventory = 'local' AND state <> 'released'",
        advice: RESTORE,
    },
    Rule {
        is_fault: true,
        what: "reservations don't fit their movements",
        query: "SELECT format('%s is %s, its movements sum up to %d', reference, state, coalesce(sum(delta), 0))
                FROM reservations LEFT JOIN stock_movements USING (reference)
                GROUP BY reference HAVING (state = 'released') <> (coalesce(sum(delta), 0) = 0)",
        advice: RESTORE,
    },
    Rule {
        is_fault: false,
        what: "orders have no end yet",
        query: "SELECT format('order %d is %s', id, status) FROM orders WHERE ended_at_ms IS NULL AND status = 'PENDING'",
        advice: SETTLED,
    },
    Rule {
        is_fault: false,
        what: "stock is held for orders and deducts that never ended",
        query: "SELECT format('reservation %s', reference) FROM reservations WHERE state = 'held'",
        advice: SETTLED,
    },
    Rule {
        is_fault: false,
        what: "orders wait until another till confirms that their stock is released",
        query: "SELECT format('order %d, at %s', id, inventory_url) FROM orders WHERE status = 'PENDING_RELEASE'",
        advice: "nothing: a till that serves with an INVENTORY_URL goes on asking there",
    },
];

/// How many rows a finding names.
const NAMED_MAX: usize = 5;

/// Examines a data folder that no till uses, and keeps tills off it meanwhile.
///
/// # Errors
/// `InUse` while a till uses the folder; otherwise names what can't be read.
pub fn examine(folder: &Path) -> Result<Examined, OpenError> {
    let _guard = folder::guard_existing(folder)?;
    let file = folder.join("till.db");
    let mut examined = Examined::default();
    let log_bytes = open::bytes(&folder.join("till.db-wal"));
    if open::bytes(&file) == 0 {
        match (log_bytes, folder.join(open::RESTORING).exists()) {
            (0, false) => examined.fault(
                format!("there is no order store in {}", folder.display()),
                "name the folder with --data, or start till, which makes one",
            ),
            (_, true) => examined.fault("a restore was interrupted".into(), "run `till restore` again"),
            (_, false) => examined.fault(
                format!("there is a write-ahead log of {log_bytes} bytes, but no till.db that it belongs to"),
                "put the till.db back that it belongs to; don't delete the log, the newest orders are in it",
            ),
        }
        return Ok(examined);
    }
    permissions(folder, &mut examined);
    read(&file, log_bytes > 0, examined)
}

/// Examines one file that nobody writes to, without a log: a backup.
///
/// # Errors
/// Names what can't be read.
pub(super) fn examine_file(file: &Path) -> Result<Examined, OpenError> {
    read(file, false, Examined::default())
}

fn read(file: &Path, with_log: bool, mut examined: Examined) -> Result<Examined, OpenError> {
    match look(file, with_log, &mut examined) {
        Ok(()) => {}
        Err(error) if is_damage(&error) => {
            examined.fault(format!("{} is damaged, or no SQLite file: {error}", file.display()), RESTORE);
        }
        Err(error) => return Err(OpenError::of_sqlite(file, error)),
    }
    Ok(examined)
}

/// Examines the file as it is. With a log, as a crash leaves one, reads the log as well; for that SQLite makes the
/// log's index (-shm) if there is none, and both stay. Without a log nothing is made beside the file.
fn look(file: &Path, with_log: bool, examined: &mut Examined) -> rusqlite::Result<()> {
    let connection = open::for_reading(file, !with_log, open::PATIENCE)?;
    let (found, known) = (schema::version(&connection)?, schema::known());
    let Some(found) = found else {
        examined.fault("the file isn't an order store of till".into(), "choose another file, or folder with --data");
        return Ok(());
    };
    if found > known {
        examined.fault(
            format!("the file was written by a newer till (schema {found}, this one knows up to {known})"),
            "use that till",
        );
        return Ok(());
    }
    if found < known {
        examined.note(
            format!("the file has schema {found}, this till's is {known}"),
            "nothing: the next start brings it up to date",
        );
    }
    for rule in OF_THE_FILE {
        rule.look(&connection, examined)?;
    }
    if !examined.is_sound() {
        return Ok(());
    }
    examined.orders =
        connection.query_row("SELECT count(*) FROM orders", [], |row| row.get::<_, i64>(0))?.unsigned_abs();
    OF_THE_SHOP.iter().try_for_each(|rule| rule.look(&connection, examined))
}

impl Rule {
    fn look(&self, connection: &Connection, examined: &mut Examined) -> rusqlite::Result<()> {
        let mut reading = connection.prepare(self.query)?;
        let rows = reading.query_map([], |row| row.get::<_, String>(0))?;
        let (mut named, mut count) = (Vec::new(), 0_usize);
        for row in rows {
            count += 1;
            let row = row?;
            if count <= NAMED_MAX {
                named.push(row);
            }
        }
        if count > 0 {
            let more = if count > NAMED_MAX { format!(" and {} more", count - NAMED_MAX) } else { String::new() };
            let what = format!("{}: {}{more}", self.what, named.join("; "));
            examined.findings.push(Finding { is_fault: self.is_fault, what, advice: self.advice });
        }
        Ok(())
    }
}

#[cfg(unix)]
fn permissions(folder: &Path, examined: &mut Examined) {
    use std::os::unix::fs::MetadataExt;

    const OTHERS_WRITE: u32 = 0o002;
    let names = ["till.db", "till.db-wal", "till.db-shm", "till.lock"];
    let found = names.map(|name| Some((name, fs::metadata(folder.join(name)).ok()?)));
    let found: Vec<_> = found.into_iter().flatten().collect();
    for (name, metadata) in &found {
        if metadata.mode() & OTHERS_WRITE != 0 {
            examined.fault(format!("every user of this machine may write to {name}"), "chmod o-w it");
        }
        if metadata.permissions().readonly() {
            examined.fault(format!("{name} can't be written"), "chmod u+w it");
        }
    }
    let mut owners = found.iter().map(|(_name, metadata)| metadata.uid());
    if let Some(owner) = owners.next()
        && owners.any(|other| other != owner)
    {
        examined.fault(
            "the files of the store belong to different users".into(),
            "chown all of them to the user that till runs as",
        );
    }
}

#[cfg(not(unix))]
fn permissions(_folder: &Path, _examined: &mut Examined) {}
