//! The host's functions of track 0.1, as they are imported. wit/v0.1 says what they do.

const wire = @import("wire");

const At = usize;

pub const has_clock = true;

pub extern "till:plugin/telemetry@0.1.0" fn @"start-span"(At, usize, At, usize, At, usize, ret: *[2]wire.Text) void;
pub extern "till:plugin/telemetry@0.1.0" fn annotate(At, usize, At, usize, attributes: At, usize) void;
pub extern "till:plugin/telemetry@0.1.0" fn @"end-span"(At, usize, At, usize) void;
pub extern "till:plugin/telemetry@0.1.0" fn log(At, usize, At, usize, level: i32, At, usize, attributes: At, usize) void;

pub extern "till:plugin/host@0.1.0" fn setting(At, usize, ret: *wire.Option(wire.Text)) void;
pub extern "till:plugin/host@0.1.0" fn sleep(milliseconds: i32) void;
pub extern "till:plugin/host@0.1.0" fn random() f64;
