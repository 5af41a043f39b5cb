//! The built `till` program, tried from outside: over HTTP, by signals, by its log, its store file and its traces.
//!
//! One file an area; what they share is in `support`. Every host that a test starts is checked at its end: no
//! warning that wasn't announced, no order without an end, a stock ledger that adds up.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a helper that fails is a test that fails"
)]

mod admission;
mod approval;
mod backup;
mod bad_http;
mod catalogue;
mod cent;
mod command_line;
mod concurrency;
mod conformance;
mod console;
mod context;
mod dev;
mod docs;
mod doctor;
mod evolution;
mod fuzz;
mod guest_log;
mod hostile;
mod hostile_hooks;
mod idempotency;
mod keys;
mod kill;
mod lifecycle;
mod machines;
mod many_hosts;
mod metrics;
mod mistakes;
mod model;
mod moment;
mod money;
mod new_plugin;
mod openapi;
mod outages;
mod overload;
mod page;
mod power_cut;
mod private;
mod processor_time;
mod prometheus;
mod quoted_carts;
mod quotes;
mod recent;
mod recordings;
mod refused;
mod registry;
mod registry_watch;
mod rehearsal;
mod remote;
mod replays;
mod reuse;
mod rollouts;
mod said;
mod sampling;
mod shop;
mod stack;
mod story;
mod support;
mod swap;
mod telemetry_outages;
mod terminal;
mod tls;
mod tokens;
mod traces;
mod traffic;
mod trust;
mod two_hosts;
mod watch;
