//! Spans, attributes and log lines. Telemetry never fails a call: a text that isn't UTF-8 is written with question marks, and what has no
//! value or finds no memory is dropped.

const std = @import("std");
const host = @import("track");
const wire = @import("wire");

pub const Level = enum(u8) { debug, info, warn, err };

/// A named value. `Attribute.of` makes one of whatever fits.
pub const Attribute = struct {
    key: []const u8,
    value: Value,

    pub const Value = union(enum) { text: []const u8, integer: i32, decimal: f64, flag: bool };

    /// Makes an attribute of a number, a flag, a text or an optional one; null without a value. A whole number past the interface's 32
    /// bits becomes a decimal, and one that no f64 has exactly becomes a text.
    pub fn of(key: []const u8, value: anytype) ?Attribute {
        return switch (@typeInfo(@TypeOf(value))) {
            .bool => .{ .key = key, .value = .{ .flag = value } },
            .int, .comptime_int => .{ .key = key, .value = ofNumber(value) },
            .float, .comptime_float => .{ .key = key, .value = .{ .decimal = value } },
            .optional => of(key, value orelse return null),
            .null => null,
            else => .{ .key = key, .value = .{ .text = value } },
        };
    }

    fn ofNumber(number: anytype) Value {
        if (std.math.cast(i32, number)) |integer| return .{ .integer = integer };
        if (@abs(number) <= 1 << 53) return .{ .decimal = @floatFromInt(number) };
        return .{ .text = wire.allocator.print("{d}", .{number}) catch "" };
    }

    pub fn ofWire(attribute: wire.Attribute) Attribute {
        const value: Value = switch (attribute.value.tag) {
            .text, .json => .{ .text = attribute.value.value.text.slice() },
            .integer => .{ .integer = attribute.value.value.integer },
            .decimal => .{ .decimal = attribute.value.value.decimal },
            .flag => .{ .flag = attribute.value.value.flag },
        };
        return .{ .key = attribute.key.slice(), .value = value };
    }

    pub fn toWire(attribute: Attribute) wire.Attribute {
        return .{ .key = .of(readable(attribute.key)), .value = switch (attribute.value) {
            .text => |text| .{ .tag = .text, .value = .{ .text = .of(readable(text)) } },
            .integer => |integer| .{ .tag = .integer, .value = .{ .integer = integer } },
            .decimal => |decimal| .{ .tag = .decimal, .value = .{ .decimal = decimal } },
            .flag => |flag| .{ .tag = .flag, .value = .{ .flag = flag } },
        } };
    }
};

/// A span of the call's trace, or the call itself, which the host ends:
///
///     const pricing = call.child("price_cart");
///     defer pricing.end();
pub const Span = struct {
    traceparent: []const u8,
    tracestate: []const u8,

    pub fn child(span: Span, name: []const u8) Span {
        const shown = readable(name);
        var started: [2]wire.Text = undefined;
        host.@"start-span"(
            wire.place(span.traceparent),
            span.traceparent.len,
            wire.place(span.tracestate),
            span.tracestate.len,
            wire.place(shown),
            shown.len,
            &started,
        );
        return .{ .traceparent = started[0].slice(), .tracestate = started[1].slice() };
    }

    pub fn end(span: Span) void {
        host.@"end-span"(
            wire.place(span.traceparent),
            span.traceparent.len,
            wire.place(span.tracestate),
            span.tracestate.len,
        );
    }

    /// Sets an attribute: a number, a flag or a text; null sets nothing.
    pub fn set(span: Span, key: []const u8, value: anytype) void {
        const attribute = (Attribute.of(key, value) orelse return).toWire();
        host.annotate(
            wire.place(span.traceparent),
            span.traceparent.len,
            wire.place(span.tracestate),
            span.tracestate.len,
            @intFromPtr(&attribute),
            1,
        );
    }

    /// Writes a log line that carries the span's ids.
    pub fn log(span: Span, level: Level, message: []const u8, attributes: []const ?Attribute) void {
        const shown = readable(message);
        const wired = wire.allocator.alloc(wire.Attribute, attributes.len) catch return;
        var count: usize = 0;
        for (attributes) |attribute| {
            wired[count] = (attribute orelse continue).toWire();
            count += 1;
        }
        host.log(
            wire.place(span.traceparent),
            span.traceparent.len,
            wire.place(span.tracestate),
            span.tracestate.len,
            @backingInt(level),
            wire.place(shown),
            shown.len,
            wire.place(wired),
            count,
        );
    }
};

/// Returns the text, with a question mark for each byte that isn't UTF-8.
fn readable(text: []const u8) []const u8 {
    if (std.unicode.utf8ValidateSlice(text)) return text;
    const copy = wire.allocator.dupe(u8, text) catch return "";
    var at: usize = 0;
    while (at < copy.len) {
        const length = character(copy[at..]);
        if (length == 0) copy[at] = '?';
        at += @max(length, 1);
    }
    return copy;
}

/// Returns how many bytes the first character has, 0 if it isn't UTF-8.
fn character(text: []const u8) usize {
    const length = std.unicode.utf8ByteSequenceLength(text[0]) catch return 0;
    if (length > text.len or !std.unicode.utf8ValidateSlice(text[0..length])) return 0;
    return length;
}
