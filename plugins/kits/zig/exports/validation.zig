//! The function that the host calls: it hands the cart to the plugin's `validate`, and its answer back.

const std = @import("std");
const plugin = @import("plugin");
const till = @import("till");
const wire = @import("wire");

pub const panic = std.debug.FullPanic(till.panicked);

const name = "till:plugin/validation@0.2.0#validate";

comptime {
    @export(&call, .{ .name = name });
    wire.exportMemory(name);
}

const HookError = extern struct { tag: enum(u8) { unavailable, other }, message: wire.Text };
const Answer = wire.Result(wire.List(till.validation.WireViolation), HookError);

fn call(
    traceparent: usize,
    traceparent_len: usize,
    tracestate: usize,
    tracestate_len: usize,
    purpose: i32,
    at_ms: u64,
    currency: usize,
    currency_len: usize,
    decimals: i32,
    lines: usize,
    lines_len: usize,
    attributes: usize,
    attributes_len: usize,
    codes: usize,
    codes_len: usize,
) callconv(.c) *const Answer {
    const span = till.begin(
        .{ .at = traceparent, .len = traceparent_len },
        .{ .at = tracestate, .len = tracestate_len },
    );
    const code: wire.Text = .{ .at = currency, .len = currency_len };
    const answer = till.allocator.create(Answer) catch @panic("no memory is left");
    answer.* = if (decide(span, .{
        .is_checkout = purpose == 1,
        .at_ms = at_ms,
        .currency = code.slice(),
        .decimals = @intCast(decimals),
        .lines = till.validation.linesOf(.{ .at = lines, .len = lines_len }) catch @panic("no memory is left"),
        .attributes = till.attributesOf(.{ .at = attributes, .len = attributes_len }) catch @panic("no memory is left"),
        .codes = till.validation.codesOf(.{ .at = codes, .len = codes_len }) catch @panic("no memory is left"),
    })) |violations|
        .{ .is_error = false, .value = .{ .ok = violations } }
    else |err|
        .{ .is_error = true, .value = .{ .err = errorOf(err) } };
    return answer;
}

fn decide(span: till.Span, cart: till.validation.Cart) !wire.List(till.validation.WireViolation) {
    const violations: []const till.validation.Violation = try plugin.validate(span, cart);
    return till.validation.toWire(violations);
}

fn errorOf(err: anyerror) HookError {
    const message: wire.Text = .of(till.detailsOf(err).message);
    return .{ .tag = if (err == error.Unavailable) .unavailable else .other, .message = message };
}
