//! How the component model passes values through memory, and the memory of a call.
//!
//! Zig's extern structs have the layout of the canonical ABI. What the host hands over and what the plugin makes is in one arena, which
//! is emptied when the host has read the answer: nothing has to be freed.

const std = @import("std");

var arena: std.heap.ArenaAllocator = .init(std.heap.wasm_allocator);

/// Memory until the end of the call.
pub const allocator = arena.allocator();

/// The host asks for memory for what it hands over.
fn realloc(old: usize, old_size: usize, alignment: usize, new_size: usize) callconv(.c) usize {
    if (new_size == 0) return alignment;
    const new = allocator.rawAlloc(new_size, .fromByteUnits(alignment), @returnAddress()) orelse @trap();
    if (old_size > 0) {
        const kept = @min(old_size, new_size);
        @memcpy(new[0..kept], @as([*]const u8, @ptrFromInt(old))[0..kept]);
    }
    return @intFromPtr(new);
}

/// The host has read the answer.
fn afterwards(_: usize) callconv(.c) void {
    _ = arena.reset(.retain_capacity);
}

/// Exports what every plugin has beside its function, which is named as the interface names it.
pub fn exportMemory(comptime function: []const u8) void {
    @export(&realloc, .{ .name = "cabi_realloc" });
    @export(&afterwards, .{ .name = "cabi_post_" ++ function });
}

/// Returns where a slice is. The host checks the place of an empty one, too, and Zig has that of an allocation of nothing past the end
/// of memory.
pub fn place(slice: anytype) usize {
    return if (slice.len == 0) @alignOf(@TypeOf(slice.ptr[0])) else @intFromPtr(slice.ptr);
}

pub const Text = extern struct {
    at: usize,
    len: usize,

    pub fn of(text: []const u8) Text {
        return .{ .at = place(text), .len = text.len };
    }

    pub fn slice(text: Text) []const u8 {
        if (text.len == 0) return "";
        return @as([*]const u8, @ptrFromInt(text.at))[0..text.len];
    }
};

pub fn List(comptime Element: type) type {
    return extern struct {
        at: usize,
        len: usize,

        const Self = @This();

        pub fn of(elements: []const Element) Self {
            return .{ .at = place(elements), .len = elements.len };
        }

        pub fn slice(list: Self) []const Element {
            if (list.len == 0) return &.{};
            return @as([*]const Element, @ptrFromInt(list.at))[0..list.len];
        }
    };
}

pub fn Option(comptime Some: type) type {
    return extern struct {
        is_some: bool,
        some: Some,

        pub fn get(option: @This()) ?Some {
            return if (option.is_some) option.some else null;
        }
    };
}

pub const ValueTag = enum(u8) { text, integer, decimal, flag, json };

pub const Value = extern struct {
    tag: ValueTag,
    value: extern union { text: Text, integer: i32, decimal: f64, flag: bool },
};

pub const Attribute = extern struct { key: Text, value: Value };

pub const Shortage = extern struct { item: Text, requested: u32, available: u32 };

pub const Rejection = extern struct { code: Text, message: Text };

/// The errors of checkout and of inventory, which have the same cases.
pub const Error = extern struct {
    tag: enum(u8) { first, second, conflict, unavailable, other },
    value: extern union { rejection: Rejection, shortage: Shortage, text: Text },
};

pub const StockLine = extern struct { item: Text, quantity: u32 };

pub const StockLevel = extern struct { item: Text, remaining: u32 };

pub fn Result(comptime Ok: type, comptime Err: type) type {
    return extern struct { is_error: bool, value: extern union { ok: Ok, err: Err } };
}
