//! What a checkout plugin is asked, and what it answers. Its function is
//! `pub fn checkout(call: till.Span, order: till.checkout.Order) !till.checkout.Receipt`.

const std = @import("std");
const till = @import("till.zig");
const wire = @import("wire");

/// One line of an order. Several lines of an order may name the same item.
pub const Line = struct {
    item: []const u8,
    quantity: u32,
    /// The price of one piece, in minor units.
    unit_price: u64,
    attributes: []const till.Attribute,

    /// Returns what the line costs before any adjustment. The host has checked that it is an amount.
    pub fn cost(line: Line) u64 {
        return line.quantity * line.unit_price;
    }
};

pub const Order = struct {
    id: u64,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    placed_at_ms: u64,
    currency: []const u8,
    /// How many decimals a major unit of the currency has.
    decimals: u8,
    lines: []const Line,
    /// What the client sent besides. Claims, not facts.
    attributes: []const till.Attribute,

    /// Returns what the lines cost before any adjustment. The host has checked that it is an amount.
    pub fn subtotal(order: Order) u64 {
        var sum: u64 = 0;
        for (order.lines) |line| sum += line.cost();
        return sum;
    }
};

/// What an adjustment does to the total. `included` changes nothing.
pub const Effect = enum(u8) { subtract, add, included };

pub const Adjustment = struct {
    effect: Effect,
    /// The kind, for programs: `discount`, `tax`, `shipping`.
    category: []const u8,
    /// The name, for people.
    label: []const u8,
    /// Minor units.
    amount: u64,
    /// The index of the line that it belongs to; null for the whole order.
    line: ?u32 = null,
};

pub const Receipt = struct {
    adjustments: []const Adjustment = &.{},
    /// Minor units.
    total: u64,
    attributes: []const till.Attribute = &.{},
};

/// Returns what the lines cost, with what the adjustments add and without what they subtract.
pub fn totalOf(order: Order, adjustments: []const Adjustment) till.Error!u64 {
    var added: u64 = 0;
    var subtracted: u64 = 0;
    for (adjustments, 0..) |adjustment, i| {
        _ = try checked(adjustment, i);
        switch (adjustment.effect) {
            .add => added = try till.plus(added, adjustment.amount),
            .subtract => subtracted = try till.plus(subtracted, adjustment.amount),
            .included => {},
        }
    }
    return till.minus(try till.plus(order.subtotal(), added), subtracted);
}

fn checked(adjustment: Adjustment, i: usize) till.Error!u64 {
    if (adjustment.amount <= till.amount_max) return adjustment.amount;
    return till.amount(try till.text("receipt.adjustments[{d}].amount", .{i}), adjustment.amount);
}

const inventory = struct {
    extern "till:plugin/inventory@0.1.0" fn deduct(
        traceparent: usize,
        usize,
        tracestate: usize,
        usize,
        lines: usize,
        usize,
        ret: *wire.Result(wire.List(wire.StockLevel), wire.Error),
    ) void;
};

/// Asks the shop's inventory for what the order's lines sell: all of it or nothing. Once a call. Its error is the checkout's of the
/// same name.
pub fn deduct(call: till.Span, order: Order) till.Error!void {
    const lines = try till.allocator.alloc(wire.StockLine, order.lines.len);
    for (order.lines, lines) |from, *to| to.* = .{ .item = .of(from.item), .quantity = from.quantity };
    var answer: wire.Result(wire.List(wire.StockLevel), wire.Error) = undefined;
    inventory.deduct(
        wire.place(call.traceparent),
        call.traceparent.len,
        wire.place(call.tracestate),
        call.tracestate.len,
        wire.place(lines),
        lines.len,
        &answer,
    );
    if (!answer.is_error) return;
    const why = answer.value.err;
    return switch (why.tag) {
        // An inventory's error begins with the shortage, a checkout's with the rejection.
        .first => till.outOfStock(
            why.value.shortage.item.slice(),
            why.value.shortage.requested,
            why.value.shortage.available,
        ),
        .second => till.reject(why.value.rejection.code.slice(), why.value.rejection.message.slice()),
        .conflict => till.conflict(why.value.text.slice()),
        .unavailable => till.unavailable(why.value.text.slice()),
        .other => till.other("{s}", .{why.value.text.slice()}),
    };
}

/// The order as the host hands it over, for the kit.
pub const WireLine = extern struct { item: wire.Text, quantity: u32, unit_price: u64, attributes: wire.List(wire.Attribute) };

pub fn linesOf(list: wire.List(WireLine)) till.Error![]const Line {
    const lines = try till.allocator.alloc(Line, list.len);
    for (list.slice(), lines) |from, *to| to.* = .{
        .item = from.item.slice(),
        .quantity = from.quantity,
        .unit_price = from.unit_price,
        .attributes = try till.attributesOf(from.attributes),
    };
    return lines;
}

const WireAdjustment = extern struct {
    effect: Effect,
    category: wire.Text,
    label: wire.Text,
    amount: u64,
    line: wire.Option(u32),
};

pub const WireReceipt = extern struct {
    adjustments: wire.List(WireAdjustment),
    total: u64,
    attributes: wire.List(wire.Attribute),
};

/// Checks a receipt on its way out, for the kit: an amount that is none becomes an error that names its field.
pub fn toWire(receipt: Receipt) till.Error!WireReceipt {
    const adjustments = try till.allocator.alloc(WireAdjustment, receipt.adjustments.len);
    for (receipt.adjustments, adjustments, 0..) |from, *to, i| to.* = .{
        .effect = from.effect,
        .category = .of(from.category),
        .label = .of(from.label),
        .amount = try checked(from, i),
        .line = .{ .is_some = from.line != null, .some = from.line orelse 0 },
    };
    const attributes = try till.allocator.alloc(wire.Attribute, receipt.attributes.len);
    for (receipt.attributes, attributes) |from, *to| to.* = from.toWire();
    return .{
        .adjustments = .of(adjustments),
        .total = try till.amount("receipt.total", receipt.total),
        .attributes = .of(attributes),
    };
}
