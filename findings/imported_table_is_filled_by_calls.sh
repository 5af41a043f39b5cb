#!/usr/bin/env bash
# wasmtime fills a table when its module is compiled, and makes the reference to a function when it is called first, if the table is
# the module's own. An element segment for an imported table is filled at each instantiation instead, by one call into the
# engine for each element, and so is one whose place is a global. A program that is linked dynamically (componentize-py,
# componentize-qjs) has all of its functions in such segments: 5,682 in CPython.
#
# Seen: an instance of a module with 5,000 elements in its own table is made in less than a tenth of the time of one whose table is
# another module's.
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
wasmtime = { version = "=48.0.8", default-features = false, features = ["std", "runtime", "cranelift", "pooling-allocator", "wat"] }

[workspace]
TOML
cat > "$folder/src/main.rs" <<'RUST'
use std::time::Instant;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, Linker, Module, Store};

const ELEMENTS: usize = 5_000;
const INSTANCES: u32 = 200;

/// Returns the µs that an instance takes: of a module with the table, and of one that fills it.
fn time(engine: &Engine, table: &str, filling: &str) -> u128 {
    let (table, filling) = (Module::new(engine, table).unwrap(), Module::new(engine, filling).unwrap());
    let make = || {
        let (mut store, mut linker) = (Store::new(engine, ()), Linker::new(engine));
        let first = linker.instantiate(&mut store, &table).unwrap();
        linker.instance(&mut store, "main", first).unwrap();
        linker.instantiate(&mut store, &filling).unwrap();
    };
    (0..INSTANCES).for_each(|_| make());
    let began = Instant::now();
    (0..INSTANCES).for_each(|_| make());
    (began.elapsed() / INSTANCES).as_micros()
}

fn main() {
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::pooling());
    let engine = Engine::new(&config).unwrap();
    let functions: String = (0..ELEMENTS).map(|one| format!("(func $f{one} (result i32) (i32.const {one}))")).collect();
    let names: String = (0..ELEMENTS).map(|one| format!(" $f{one}")).collect();
    let segment = format!("(elem (i32.const 0) func {names}) {functions}");
    let table = format!("(table (export \"table\") {ELEMENTS} funcref)");
    let own = time(&engine, "(module)", &format!("(module {table} {segment})"));
    let imported = format!("(module (import \"main\" \"table\" (table {ELEMENTS} funcref)) {segment})");
    let imported = time(&engine, &format!("(module {table})"), &imported);
    eprintln!("{own} µs with its own table, {imported} µs with an imported one");
    println!("{}", if own * 10 < imported { "slower by far" } else { "alike" });
}
RUST
cd "$folder"
said="an imported table is $(cargo run --quiet)"
echo "$said"
test "$said" = "an imported table is slower by far" || { echo "this has changed" >&2; exit 1; }
