//! A checkout that prices a cart, in Zig: 10 % off what an item's lines cost from 3 pieces on, rounded down, and what the settings
//! say: `surcharge` (minor units), `voucher` (minor units, split over the lines by what they cost), and the tax within the
//! prices: `tax_percent`, rounded as `tax_rounding` says.

const std = @import("std");
const till = @import("till");

const Adjustment = till.checkout.Adjustment;
const Order = till.checkout.Order;
const Receipt = till.checkout.Receipt;
const Adjustments = std.ArrayList(Adjustment);

const pieces_for_discount = 3;
const discount_percent = 10;

pub fn checkout(call: till.Span, order: Order) !Receipt {
    const receipt = try price(call, order);
    try till.checkout.deduct(call, order);
    return receipt;
}

fn price(call: till.Span, order: Order) !Receipt {
    const pricing = call.child("price_cart");
    defer pricing.end();
    var adjustments: Adjustments = .empty;
    for (0..order.lines.len) |line| try addDiscount(order, line, &adjustments);
    if (try till.amountSetting("surcharge")) |surcharge| {
        try add(&adjustments, .{ .effect = .add, .category = "surcharge", .label = "Surcharge", .amount = surcharge });
    }
    try addVoucher(order, &adjustments);
    const total = try till.checkout.totalOf(order, adjustments.items);
    pricing.set("cart.total", total);
    try addTax(total, &adjustments);
    return .{ .adjustments = adjustments.items, .total = total };
}

fn add(adjustments: *Adjustments, adjustment: Adjustment) !void {
    try adjustments.append(till.allocator, adjustment);
}

/// Takes something off the lines of the item that the order's line `first` has, if it is the first of them.
fn addDiscount(order: Order, first: usize, adjustments: *Adjustments) !void {
    var pieces: u64 = 0;
    var cost: u64 = 0;
    var count: usize = 0;
    for (order.lines, 0..) |line, i| {
        if (!std.mem.eql(u8, line.item, order.lines[first].item)) continue;
        if (i < first) return;
        count += 1;
        pieces += line.quantity;
        cost = try till.plus(cost, line.cost());
    }
    if (pieces < pieces_for_discount) return;
    try add(adjustments, .{
        .effect = .subtract,
        .category = "discount",
        .label = "10 % off from 3 pieces",
        .amount = try till.percentOf(cost, discount_percent, .down),
        .line = if (count == 1) @intCast(first) else null,
    });
}

/// Takes a part of the voucher off each line.
fn addVoucher(order: Order, adjustments: *Adjustments) !void {
    const voucher = try till.amountSetting("voucher") orelse return;
    const costs = try till.allocator.alloc(u64, order.lines.len);
    for (order.lines, costs) |line, *cost| cost.* = line.cost();
    for (try till.split(voucher, costs), 0..) |part, i| {
        try add(adjustments, .{
            .effect = .subtract,
            .category = "voucher",
            .label = "Voucher",
            .amount = part,
            .line = @intCast(i),
        });
    }
}

/// States the tax within the total.
fn addTax(total: u64, adjustments: *Adjustments) !void {
    const percent = try till.amountSetting("tax_percent") orelse return;
    const amount = try till.ratioOf(total, percent, try till.plus(100, percent), rounding());
    const label = try till.text("{d} % of {d}", .{ percent, try till.minus(total, amount) });
    try add(adjustments, .{ .effect = .included, .category = "tax", .label = label, .amount = amount });
}

fn rounding() till.Rounding {
    const names = std.StaticStringMap(till.Rounding).initComptime(.{
        .{ "down", .down },
        .{ "half-up", .half_up },
        .{ "half-even", .half_even },
        .{ "up", .up },
    });
    return names.get(till.setting("tax_rounding") orelse "half-up") orelse .half_up;
}
