//! The function that the host calls: it hands the order to the plugin's `checkout`, and its answer back.

const std = @import("std");
const plugin = @import("plugin");
const till = @import("till");
const wire = @import("wire");

pub const panic = std.debug.FullPanic(till.panicked);

const name = "till:plugin/checkout@0.1.0#checkout";

comptime {
    @export(&call, .{ .name = name });
    wire.exportMemory(name);
}

const Answer = wire.Result(till.checkout.WireReceipt, wire.Error);

fn call(
    traceparent: usize,
    traceparent_len: usize,
    tracestate: usize,
    tracestate_len: usize,
    id: u64,
    placed_at_ms: u64,
    currency: usize,
    currency_len: usize,
    decimals: i32,
    lines: usize,
    lines_len: usize,
    attributes: usize,
    attributes_len: usize,
) callconv(.c) *const Answer {
    const span = till.begin(
        .{ .at = traceparent, .len = traceparent_len },
        .{ .at = tracestate, .len = tracestate_len },
    );
    const code: wire.Text = .{ .at = currency, .len = currency_len };
    const answer = till.allocator.create(Answer) catch @panic("no memory is left");
    answer.* = if (decide(span, .{
        .id = id,
        .placed_at_ms = placed_at_ms,
        .currency = code.slice(),
        .decimals = @intCast(decimals),
        .lines = till.checkout.linesOf(.{ .at = lines, .len = lines_len }) catch @panic("no memory is left"),
        .attributes = till.attributesOf(.{ .at = attributes, .len = attributes_len }) catch @panic("no memory is left"),
    })) |receipt|
        .{ .is_error = false, .value = .{ .ok = receipt } }
    else |err|
        .{ .is_error = true, .value = .{ .err = errorOf(err) } };
    return answer;
}

fn decide(span: till.Span, order: till.checkout.Order) !till.checkout.WireReceipt {
    const receipt: till.checkout.Receipt = try plugin.checkout(span, order);
    return till.checkout.toWire(receipt);
}

fn errorOf(err: anyerror) wire.Error {
    const why = till.detailsOf(err);
    const message: wire.Text = .of(why.message);
    return switch (err) {
        error.Rejected => .{ .tag = .first, .value = .{ .rejection = .{ .code = .of(why.code), .message = message } } },
        error.OutOfStock => .{ .tag = .second, .value = .{
            .shortage = .{ .item = message, .requested = why.requested, .available = why.available },
        } },
        error.Conflict => .{ .tag = .conflict, .value = .{ .text = message } },
        error.Unavailable => .{ .tag = .unavailable, .value = .{ .text = message } },
        else => .{ .tag = .other, .value = .{ .text = message } },
    };
}
