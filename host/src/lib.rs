//! Till's host: runs a shop's checkout logic as WebAssembly plugins, traced end to end.
//!
//! The main flow reads top-down: `http/checkout.rs` → `plugin/call.rs` → `imports/inventory.rs` →
//! `imports/stock.rs` → `store/sqlite.rs`. ARCHITECTURE.md says what stands where, and why.

pub mod admin;
pub mod app;
pub mod cli;
pub mod config;
pub mod http;
pub mod imports;
pub mod order;
pub mod plugin;
#[cfg(test)]
mod schema;
pub mod store;
pub mod telemetry;
pub mod traffic;
