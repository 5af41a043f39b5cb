//! Till's host: runs a shop's checkout logic as WebAssembly plugins, traced end to end.
//!
//! The main flow reads top-down: `shop/checkout.rs` → `versions/plugin.rs` → `hooks/checkout.rs` →
//! `runtime/guest.rs` → `imports/inventory.rs`. ARCHITECTURE.md says what stands where, and why.

pub mod admin;
pub mod app;
pub mod author;
pub mod catalogue;
pub mod cli;
mod clock;
pub mod config;
pub mod facts;
pub mod failure;
pub mod hooks;
pub mod http;
pub mod imports;
mod nearest;
pub mod oci;
pub mod order;
pub mod outbound;
pub mod pricing;
pub mod recordings;
mod reread;
pub mod runtime;
#[cfg(test)]
mod schema;
pub mod shop;
pub mod store;
pub mod telemetry;
pub mod tls;
pub mod tokens;
pub mod traffic;
pub mod trust;
mod units;
pub mod versions;
