//! Money: whole minor units from 0 to `max`, which every language of a plugin holds exactly.
//!
//! These functions are the one right way to take a share: nothing goes through a fraction, and nothing wraps. What can't be an amount is
//! `error.Other`, with a message that names it. Zig's own operators end the call where they would wrap (ReleaseSafe).

const std = @import("std");
const till = @import("till.zig");
const wire = @import("wire");

pub const max: u64 = (1 << 53) - 1;

/// What becomes of the part of a share that is smaller than a minor unit.
pub const Rounding = enum { down, half_up, half_even, up };

/// Checks that a number is an amount; `field` is what an error calls it.
pub fn amount(field: []const u8, value: u64) till.Error!u64 {
    if (value <= max) return value;
    return till.other("{s} is {d}, wanted a whole number of minor units from 0 to {d}", .{ field, value, max });
}

/// Returns the setting as an amount in minor units, null if it isn't set.
pub fn amountSetting(key: []const u8) till.Error!?u64 {
    const text = till.setting(key) orelse return null;
    const is_plain = text.len >= 1 and text.len <= 16 and std.mem.indexOfNone(u8, text, "0123456789") == null;
    const value = if (is_plain) std.fmt.parseInt(u64, text, 10) catch max + 1 else max + 1;
    if (value <= max) return value;
    return till.other("the setting {s} is no amount of minor units: {s}", .{ key, text });
}

pub fn plus(one: u64, addend: u64) till.Error!u64 {
    _ = try amount("the amount", one);
    _ = try amount("what is added", addend);
    const sum = one + addend;
    if (sum <= max) return sum;
    return till.other("{d} plus {d} is past {d}", .{ one, addend, max });
}

/// Subtracts at most one from one: an amount is never below 0.
pub fn minus(one: u64, subtrahend: u64) till.Error!u64 {
    _ = try amount("the amount", one);
    _ = try amount("what is subtracted", subtrahend);
    if (subtrahend <= one) return one - subtrahend;
    return till.other("{d} minus {d} is below 0", .{ one, subtrahend });
}

/// Takes a whole percentage of an amount. For a fraction of a percent take ratioOf: 7.5 % is the ratio 75 to 1000.
pub fn percentOf(of: u64, percent: u64, rounding: Rounding) till.Error!u64 {
    return share(of, "the percent", percent, 100, rounding);
}

/// Takes a share of an amount: 19 to 119 is the tax of 19 % within a price.
pub fn ratioOf(of: u64, numerator: u64, denominator: u64, rounding: Rounding) till.Error!u64 {
    return share(of, "the numerator", numerator, denominator, rounding);
}

fn share(of: u64, field: []const u8, numerator: u64, denominator: u64, rounding: Rounding) till.Error!u64 {
    _ = try amount("the amount", of);
    try whole(field, numerator, 0);
    try whole("the denominator", denominator, 1);
    const parts = @as(u128, of) * numerator;
    const down = parts / denominator;
    const twice = 2 * (parts % denominator);
    const is_up = switch (rounding) {
        .down => false,
        .half_up => twice >= denominator,
        .half_even => twice > denominator or (twice == denominator and down % 2 == 1),
        .up => twice > 0,
    };
    const rounded = down + @intFromBool(is_up);
    if (rounded <= max) return @intCast(rounded);
    return till.other("the share is past {d}", .{max});
}

fn whole(field: []const u8, value: u64, least: u64) till.Error!void {
    if (least <= value and value <= max) return;
    return till.other("{s} is {d}, wanted a whole number from {d} to {d}", .{ field, value, least, max });
}

/// Splits an amount by weights, which are what lines cost or any other whole numbers. The parts sum to the amount: each gets its share
/// rounded down, and what is left goes in single units to those whose shares were cut most, the first line first where they were cut
/// alike. Where all weights are 0, all weigh the same.
pub fn split(of: u64, weights: []const u64) till.Error![]u64 {
    _ = try amount("the amount", of);
    if (weights.len == 0 and of > 0) return till.other("there are no weights to split {d} by", .{of});
    var all: u128 = 0;
    for (weights, 0..) |weight, i| {
        _ = try amount(try till.text("weights[{d}]", .{i}), weight);
        all += weight;
    }
    const are_alike = all == 0;
    if (are_alike) all = weights.len;
    const parts = try wire.allocator.alloc(u64, weights.len);
    const cut = try wire.allocator.alloc(u64, weights.len);
    var left = of;
    for (weights, parts, cut) |weight, *part, *lost| {
        const exact = @as(u128, of) * if (are_alike) 1 else weight;
        part.* = @intCast(exact / all);
        lost.* = @intCast(exact % all);
        left -= part.*;
    }
    // Each unit that is left goes to the first of the most cut that hasn't got one. Fewer are left than were cut.
    while (left > 0) : (left -= 1) {
        const most = std.mem.indexOfMax(u64, cut);
        parts[most] += 1;
        cut[most] = 0;
    }
    return parts;
}
