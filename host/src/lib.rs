//! Till's host: runs a shop's checkout logic as WebAssembly plugins, traced end to end.

pub mod config;
pub mod imports;
pub mod order;
pub mod plugin;
pub mod store;
pub mod telemetry;
