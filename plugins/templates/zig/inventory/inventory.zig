//! Whatever is on hand may be taken, but for the item that the setting `blocked` names.

const std = @import("std");
const till = @import("till");

const StockLine = till.inventory.StockLine;

pub fn deduct(call: till.Span, lines: []const StockLine) ![]const till.inventory.StockLevel {
    try check(call, lines);
    return till.inventory.take(call, lines);
}

fn check(call: till.Span, lines: []const StockLine) !void {
    const checking = call.child("check_lines");
    defer checking.end();
    const blocked = till.setting("blocked") orelse return;
    for (lines) |line| {
        if (!std.mem.eql(u8, line.item, blocked)) continue;
        return till.reject("blocked", try till.text("{s} isn't sold at the moment", .{blocked}));
    }
}
