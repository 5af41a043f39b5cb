#!/usr/bin/env bash
# `EnvFilter::new("info").and(filter_fn(…))` of tracing-subscriber 0.3.23 writes only what both let through, as it should, but has no
# level any more: a closure says nothing of levels, and two filters together have one only if both do. The process's highest level
# is TRACE then, for the `log` crate too, so that libraries make each of their finest lines, to be thrown away. With
# `with_max_level_hint(LevelFilter::TRACE)` on the closure, the level is INFO again.
#
# Seen: TRACE without the hint, INFO with it.
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
log = "=0.4.35"
tracing-subscriber = { version = "=0.3.23", features = ["env-filter"] }

[workspace]
TOML
cat > "$folder/src/main.rs" <<'RUST'
use tracing_subscriber::filter::{filter_fn, EnvFilter, FilterExt, LevelFilter};
use tracing_subscriber::{layer::SubscriberExt, util::SubscriberInitExt, Layer};

fn main() {
    let mut other = filter_fn(|event| event.target() != "noisy");
    if std::env::args().nth(1).as_deref() == Some("hinted") {
        other = other.with_max_level_hint(LevelFilter::TRACE);
    }
    let lines = tracing_subscriber::fmt::layer().with_filter(EnvFilter::new("info").and(other));
    tracing_subscriber::registry().with(lines).init();
    println!("{}", log::max_level());
}
RUST
cd "$folder"
said="without the hint $(cargo run --quiet), with it $(cargo run --quiet -- hinted)"
echo "$said"
test "$said" = "without the hint TRACE, with it INFO" || { echo "this has changed" >&2; exit 1; }
