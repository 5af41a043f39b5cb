#!/usr/bin/env bash
# wasmtime 48.0.8's pool keeps the pages that an instance wrote (`linear_memory_keep_resident` with `pagemap_scan`), so that the next
# instance in their place writes them without a page fault. It asks the kernel for at most 32 runs of pages, though, however many
# bytes may be kept: what lies behind the 32nd run is given back, and each instance faults there again. An interpreter's call
# writes a page here and there: CPython 107 runs in 144 pages.
#
# Seen: an instance that writes 32 single pages meets no fault, one that writes 64 meets 32. With `MAX_REGIONS` of
# `src/runtime/vm/sys/unix/pagemap.rs` at 256, a call of a plugin in Python in a fresh instance took 0.35 instead of 1.25 ms.
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
use wasmtime::{Config, Enabled, Engine, Instance, InstanceAllocationStrategy, Module, PoolingAllocationConfig, Store};

const INSTANCES: u64 = 100;
/// Writes every other page of 4 KiB.
const GUEST: &str = r#"(module (memory 64)
    (func (export "write") (param $pages i32) (local $at i32)
        (loop $next
            (i32.store (local.get $at) (i32.const 1))
            (local.set $at (i32.add (local.get $at) (i32.const 8192)))
            (br_if $next (i32.lt_u (local.get $at) (i32.mul (local.get $pages) (i32.const 8192)))))))"#;

fn faults() -> u64 {
    let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(7).unwrap().parse().unwrap()
}

fn main() {
    let mut pool = PoolingAllocationConfig::default();
    pool.total_memories(1).total_core_instances(1).max_memory_size(4 << 20);
    pool.pagemap_scan(Enabled::Yes).linear_memory_keep_resident(4 << 20);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, GUEST).unwrap();
    let pages: i32 = std::env::args().nth(1).unwrap().parse().unwrap();
    let call = || {
        let mut store = Store::new(&engine, ());
        let instance = Instance::new(&mut store, &module, &[]).unwrap();
        instance.get_typed_func::<i32, ()>(&mut store, "write").unwrap().call(&mut store, pages).unwrap();
    };
    (0..INSTANCES).for_each(|_| call());
    let before = faults();
    (0..INSTANCES).for_each(|_| call());
    println!("{}", (faults() - before + INSTANCES / 2) / INSTANCES);
}
RUST
cd "$folder"
said="faults of an instance that writes 32 pages: $(cargo run --quiet -- 32), 64 pages: $(cargo run --quiet -- 64)"
echo "$said"
test "$said" = "faults of an instance that writes 32 pages: 0, 64 pages: 32" || { echo "this has changed" >&2; exit 1; }
