//! The function that the host calls: it hands the lines to the plugin's `deduct`, and its answer back.

const std = @import("std");
const plugin = @import("plugin");
const till = @import("till");
const wire = @import("wire");

pub const panic = std.debug.FullPanic(till.panicked);

const name = "till:plugin/inventory@0.1.0#deduct";

comptime {
    @export(&call, .{ .name = name });
    wire.exportMemory(name);
}

const Answer = wire.Result(wire.List(wire.StockLevel), wire.Error);

fn call(
    traceparent: usize,
    traceparent_len: usize,
    tracestate: usize,
    tracestate_len: usize,
    lines: usize,
    lines_len: usize,
) callconv(.c) *const Answer {
    const span = till.begin(
        .{ .at = traceparent, .len = traceparent_len },
        .{ .at = tracestate, .len = tracestate_len },
    );
    const answer = till.allocator.create(Answer) catch @panic("no memory is left");
    answer.* = if (decide(span, .{ .at = lines, .len = lines_len })) |levels|
        .{ .is_error = false, .value = .{ .ok = levels } }
    else |err|
        .{ .is_error = true, .value = .{ .err = errorOf(err) } };
    return answer;
}

fn decide(span: till.Span, lines: wire.List(wire.StockLine)) !wire.List(wire.StockLevel) {
    const levels: []const till.inventory.StockLevel = try plugin.deduct(span, try till.inventory.linesOf(lines));
    return till.inventory.toWire(levels);
}

fn errorOf(err: anyerror) wire.Error {
    const why = till.detailsOf(err);
    const message: wire.Text = .of(why.message);
    return switch (err) {
        error.OutOfStock => .{ .tag = .first, .value = .{
            .shortage = .{ .item = message, .requested = why.requested, .available = why.available },
        } },
        error.Rejected => .{ .tag = .second, .value = .{ .rejection = .{ .code = .of(why.code), .message = message } } },
        error.Conflict => .{ .tag = .conflict, .value = .{ .text = message } },
        error.Unavailable => .{ .tag = .unavailable, .value = .{ .text = message } },
        else => .{ .tag = .other, .value = .{ .text = message } },
    };
}
