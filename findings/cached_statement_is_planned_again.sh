#!/usr/bin/env bash
# rusqlite's statement cache (`prepare_cached`) has SQLite plan some statements anew at each use: a look-up with a LEFT JOIN. The
# cache clears what was bound, and the SQLite that rusqlite 0.41.0 bundles (libsqlite3-sys 0.39.1, compiled with STAT4) may have
# planned by what was bound. A look-up in one table isn't planned anew, nor is the LEFT JOIN on a connection that asks for stable
# plans (SQLITE_DBCONFIG_ENABLE_QPSG). Planning takes longer than the look-up.
#
# Seen: SQLite 3.54.1; of 100 uses 0, 100 and 0 are planned again. Needs cargo and a C compiler.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat > "$folder/Cargo.toml" <<'TOML'
[package]
name = "probe"
version = "0.0.0"
edition = "2021"

[dependencies]
rusqlite = { version = "=0.41.0", features = ["bundled"] }
libsqlite3-sys = "=0.39.1"

[workspace]
TOML
cat > "$folder/src/main.rs" <<'RUST'
use rusqlite::{config::DbConfig, Connection, StatementStatus};

const ONE_TABLE: &str = "SELECT name FROM a WHERE id = ?1 AND status = 'open'";
const LEFT_JOIN: &str = "SELECT a.name, state FROM a LEFT JOIN b USING (name) WHERE id = ?1 AND status = 'open'";

fn planned_again(query: &str, stable: bool) -> i32 {
    let connection = Connection::open_in_memory().unwrap();
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, stable).unwrap();
    let tables = "CREATE TABLE a (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, status TEXT NOT NULL);
                  CREATE TABLE b (name TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;";
    connection.execute_batch(tables).unwrap();
    for id in 1..=100 {
        let mut reading = connection.prepare_cached(query).unwrap();
        let mut rows = reading.query([id]).unwrap();
        while rows.next().unwrap().is_some() {}
    }
    let cached = connection.prepare_cached(query).unwrap();
    let again = cached.get_status(StatementStatus::RePrepare);
    drop(cached);
    again
}

fn main() {
    let version: String =
        Connection::open_in_memory().unwrap().query_row("SELECT sqlite_version()", [], |row| row.get(0)).unwrap();
    println!(
        "SQLite {version}, of 100 uses planned again: one table {}, left join {}, left join with stable plans {}",
        planned_again(ONE_TABLE, false),
        planned_again(LEFT_JOIN, false),
        planned_again(LEFT_JOIN, true)
    );
}
RUST
said=$(cd "$folder" && cargo run --quiet)
echo "$said"
case $said in
*"one table 0, left join 100, left join with stable plans 0") ;;
*) echo "this has changed" >&2 && exit 1 ;;
esac
