//! Till's default inventory in Zig: whatever is on hand may be taken.
//!
//! With the setting `faults` on it also has the demo's two faults: large smartphone orders are slow, large laptop orders
//! often meet a deadlock.

const std = @import("std");
const till = @import("till");

const StockLine = till.inventory.StockLine;

pub fn deduct(call: till.Span, lines: []const StockLine) ![]const till.inventory.StockLevel {
    if (till.settingIsOn("faults")) try simulateFaults(call, lines);
    return till.inventory.take(call, lines);
}

/// Waits for a large smartphone order, and fails 60 % of the large laptop orders.
fn simulateFaults(call: till.Span, lines: []const StockLine) !void {
    if (hasLarge(lines, "smartphone", 3)) addLatency(call);
    if (hasLarge(lines, "laptop", 2) and till.random() < 0.6) {
        return till.conflict("Database deadlock conflict during write");
    }
}

/// Waits 1.0 to 2.5 s, and says so on the call's span.
fn addLatency(call: till.Span) void {
    const seconds = 1.0 + 1.5 * till.random();
    call.set("simulation.latency_added", seconds);
    call.log(.info, "simulating a slow inventory", &.{.of("simulation.latency_added", seconds)});
    const waiting = call.child("simulated_latency");
    defer waiting.end();
    till.sleep(@trunc(seconds * 1000.0));
}

fn hasLarge(lines: []const StockLine, item: []const u8, pieces: u32) bool {
    for (lines) |line| {
        if (line.quantity >= pieces and std.mem.eql(u8, line.item, item)) return true;
    }
    return false;
}
