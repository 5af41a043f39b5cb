//! Makes the mistake that the setting `do` names.

const std = @import("std");
const till = @import("till");

pub fn checkout(call: till.Span, order: till.checkout.Order) !till.checkout.Receipt {
    const receipt = try attempt(call, order.subtotal());
    try till.checkout.deduct(call, order);
    return receipt;
}

fn attempt(call: till.Span, total: u64) !till.checkout.Receipt {
    const Mistake = enum { telemetry, too_large, wrapped, adjustment, minus, overflow };
    const mistake = std.meta.stringToEnum(Mistake, till.setting("do") orelse "") orelse return .{ .total = total };
    switch (mistake) {
        .telemetry => {
            call.set("cart.total", @as(i64, 1) << 31);
            call.set("huge", @as(i64, 1) << 60);
            call.set("low", @as(i64, std.math.minInt(i32)) - 1);
            call.set("unsigned", @as(u64, std.math.maxInt(u64)));
            call.set("nan", std.math.nan(f64));
            call.set("flag", true);
            call.set("text", "not \xff UTF-8");
            call.set("nothing", @as(?u32, null));
            call.set("key \xff", "value");
            call.log(.info, "not \xff UTF-8", &.{.of("one", 1)});
            const child = call.child("not \xff UTF-8");
            defer child.end();
        },
        .too_large => return .{ .total = till.amount_max + 1 },
        .wrapped => return .{ .total = total -% 5000 },
        .adjustment => return .{ .total = total, .adjustments = try till.allocator.dupe(till.checkout.Adjustment, &.{
            .{ .effect = .included, .category = "c", .label = "l", .amount = total -% 5000 },
        }) },
        .minus => return .{ .total = try till.minus(total, 5000) },
        .overflow => return .{ .total = total - 5000 },
    }
    return .{ .total = total };
}
