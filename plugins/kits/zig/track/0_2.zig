//! The host's functions of track 0.2, as they are imported. wit/v0.2 says what they do.

const wire = @import("wire");

const At = usize;

pub const has_clock = false;

pub extern "till:plugin/telemetry@0.2.0" fn @"start-span"(At, usize, At, usize, At, usize, ret: *[2]wire.Text) void;
pub extern "till:plugin/telemetry@0.2.0" fn annotate(At, usize, At, usize, attributes: At, usize) void;
pub extern "till:plugin/telemetry@0.2.0" fn @"end-span"(At, usize, At, usize) void;
pub extern "till:plugin/telemetry@0.2.0" fn log(At, usize, At, usize, level: i32, At, usize, attributes: At, usize) void;

const settings = struct {
    extern "till:plugin/settings@0.2.0" fn get(At, usize, ret: *wire.Option(wire.Text)) void;
};
pub const setting = settings.get;
