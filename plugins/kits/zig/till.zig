//! What a Till plugin in Zig is written with: errors with a message, settings, amounts, and spans that are ended by `defer`.
//!
//! A plugin is a file `checkout.zig`, `inventory.zig` or `validation.zig` with the function of that name. What it allocates with
//! `till.allocator` is freed after the call. A panic ends the call, and its message is in the log: an overflow, an index past the end.

const std = @import("std");
const host = @import("track");
const wire = @import("wire");
const span = @import("span.zig");
const money = @import("amount.zig");

/// Memory until the end of the call.
pub const allocator = wire.allocator;

pub const Span = span.Span;
pub const Attribute = span.Attribute;
pub const Level = span.Level;

pub const amount_max = money.max;
pub const Rounding = money.Rounding;
pub const amount = money.amount;
pub const amountSetting = money.amountSetting;
pub const plus = money.plus;
pub const minus = money.minus;
pub const percentOf = money.percentOf;
pub const ratioOf = money.ratioOf;
pub const split = money.split;

pub const checkout = @import("checkout.zig");
pub const inventory = @import("inventory.zig");
pub const validation = @import("validation.zig");

/// Why a plugin has no answer. The functions below make one with its text: `return till.reject("expired", "The coupon has expired.");`.
/// Any other error becomes `Other`, with its name. A hook of track 0.2 knows Unavailable and Other only.
pub const Error = error{ Rejected, OutOfStock, Conflict, Unavailable, Other, OutOfMemory };

/// What belongs to the error that was made last.
pub const Details = struct { code: []const u8 = "", message: []const u8 = "", requested: u32 = 0, available: u32 = 0 };

var details: Details = .{};
var current: ?Span = null;

/// The shop doesn't sell this as it stands: the code is for programs, the message for the customer.
pub fn reject(code: []const u8, message: []const u8) Error {
    details = .{ .code = code, .message = message };
    return error.Rejected;
}

/// A write at the same time was faster; the same request may succeed a moment later.
pub fn conflict(message: []const u8) Error {
    details = .{ .message = message };
    return error.Conflict;
}

/// There is less of an item than was asked for.
pub fn outOfStock(item: []const u8, requested: u32, available: u32) Error {
    details = .{ .message = item, .requested = requested, .available = available };
    return error.OutOfStock;
}

/// A part that the decision needs gave no answer.
pub fn unavailable(message: []const u8) Error {
    details = .{ .message = message };
    return error.Unavailable;
}

/// Anything else that keeps the plugin from deciding. The message is a format of std.fmt.
pub fn other(comptime format: []const u8, values: anytype) Error {
    details = .{ .message = try text(format, values) };
    return error.Other;
}

/// Formats a text, which is there until the end of the call.
pub fn text(comptime format: []const u8, values: anytype) Error![]const u8 {
    return allocator.print(format, values);
}

/// Returns what belongs to an error, for the kit.
pub fn detailsOf(err: anyerror) Details {
    return switch (err) {
        error.Rejected, error.OutOfStock, error.Conflict, error.Unavailable, error.Other => details,
        else => .{ .message = @errorName(err) },
    };
}

/// Returns the plugin's setting of that name, null if it isn't set.
pub fn setting(key: []const u8) ?[]const u8 {
    var answer: wire.Option(wire.Text) = undefined;
    host.setting(wire.place(key), key.len, &answer);
    return if (answer.get()) |value| value.slice() else null;
}

/// Returns whether the setting is `on`, `true`, `yes` or `1`.
pub fn settingIsOn(key: []const u8) bool {
    return isListed(setting(key) orelse return false, "on, true, yes, 1");
}

/// Returns whether the text is one of those between the commas of a list. Blanks around them don't count.
pub fn isListed(wanted: []const u8, list: []const u8) bool {
    var entries = std.mem.splitScalar(u8, list, ',');
    while (entries.next()) |entry| {
        const trimmed = std.mem.trim(u8, entry, " ");
        if (trimmed.len > 0 and std.mem.eql(u8, trimmed, wanted)) return true;
    }
    return false;
}

/// Waits, without using up the call's processor time.
pub fn sleep(milliseconds: u32) void {
    if (!host.has_clock) @compileError("a hook of track 0.2 can't wait");
    host.sleep(@bitCast(milliseconds));
}

/// Returns a random number, at least 0 and below 1, that belongs to the order.
pub fn random() f64 {
    if (!host.has_clock) @compileError("a hook of track 0.2 has no random numbers");
    return host.random();
}

/// Begins a call, for the kit.
pub fn begin(traceparent: wire.Text, tracestate: wire.Text) Span {
    details = .{};
    const call: Span = .{ .traceparent = traceparent.slice(), .tracestate = tracestate.slice() };
    current = call;
    return call;
}

/// Copies attributes into memory of the call, for the kit.
pub fn attributesOf(list: wire.List(wire.Attribute)) Error![]const Attribute {
    const attributes = try allocator.alloc(Attribute, list.len);
    for (list.slice(), attributes) |from, *to| to.* = .ofWire(from);
    return attributes;
}

/// What a plugin's file has as its `panic`, by the kit: the message is in the log, and the call ends.
pub fn panicked(message: []const u8, _: ?usize) noreturn {
    @branchHint(.cold);
    if (current) |call| {
        // A panic within is the end.
        current = null;
        call.log(.err, message, &.{});
    }
    @trap();
}
