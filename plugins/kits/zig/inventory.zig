//! What an inventory plugin is asked, and what it answers. Its function is
//! `pub fn deduct(call: till.Span, lines: []const till.inventory.StockLine) ![]const till.inventory.StockLevel`.

const till = @import("till.zig");
const wire = @import("wire");

/// Pieces of an item. Several lines of a call may name the same item.
pub const StockLine = struct { item: []const u8, quantity: u32 };

/// What is left of an item.
pub const StockLevel = struct { item: []const u8, remaining: u32 };

const stock = struct {
    extern "till:plugin/stock@0.1.0" fn level(usize, usize, usize, usize, item: usize, usize, ret: *wire.Option(u32)) void;
    extern "till:plugin/stock@0.1.0" fn take(
        usize,
        usize,
        usize,
        usize,
        lines: usize,
        usize,
        ret: *wire.Result(wire.List(wire.StockLevel), wire.Shortage),
    ) void;
};

/// Returns how many pieces are on hand, null for an item that the shop doesn't know. A hint: other orders take from the same stock.
pub fn level(call: till.Span, item: []const u8) ?u32 {
    var answer: wire.Option(u32) = undefined;
    stock.level(
        wire.place(call.traceparent),
        call.traceparent.len,
        wire.place(call.tracestate),
        call.tracestate.len,
        wire.place(item),
        item.len,
        &answer,
    );
    return answer.get();
}

/// Takes the lines out of the stock, all of them or none. Once a call.
pub fn take(call: till.Span, lines: []const StockLine) till.Error![]const StockLevel {
    const wanted = try till.allocator.alloc(wire.StockLine, lines.len);
    for (lines, wanted) |from, *to| to.* = .{ .item = .of(from.item), .quantity = from.quantity };
    var answer: wire.Result(wire.List(wire.StockLevel), wire.Shortage) = undefined;
    stock.take(
        wire.place(call.traceparent),
        call.traceparent.len,
        wire.place(call.tracestate),
        call.tracestate.len,
        wire.place(wanted),
        wanted.len,
        &answer,
    );
    if (answer.is_error) {
        const shortage = answer.value.err;
        return till.outOfStock(shortage.item.slice(), shortage.requested, shortage.available);
    }
    const left = try till.allocator.alloc(StockLevel, answer.value.ok.len);
    for (answer.value.ok.slice(), left) |from, *to| to.* = .{ .item = from.item.slice(), .remaining = from.remaining };
    return left;
}

/// The lines as the host hands them over, for the kit.
pub fn linesOf(list: wire.List(wire.StockLine)) till.Error![]const StockLine {
    const lines = try till.allocator.alloc(StockLine, list.len);
    for (list.slice(), lines) |from, *to| to.* = .{ .item = from.item.slice(), .quantity = from.quantity };
    return lines;
}

pub fn toWire(levels: []const StockLevel) till.Error!wire.List(wire.StockLevel) {
    const left = try till.allocator.alloc(wire.StockLevel, levels.len);
    for (levels, left) |from, *to| to.* = .{ .item = .of(from.item), .remaining = from.remaining };
    return .of(left);
}
