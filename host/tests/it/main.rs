//! The built `till` program, tried from outside: over HTTP, by signals, by its log, its store file and its traces.
//!
//! One file an area; what they share is in `support`. Every host that a test starts is checked at its end: no
//! warning that wasn't announced, no order without an end, a stock ledger that adds up.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a helper that fails is a test that fails"
)]

mod command_line;
mod concurrency;
mod context;
mod hostile;
mod lifecycle;
mod metrics;
mod money;
mod prometheus;
mod refused;
mod remote;
mod shop;
mod support;
mod traces;
