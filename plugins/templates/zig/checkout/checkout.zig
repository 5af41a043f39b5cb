//! What an order costs: what its lines say, and the shipping of the setting `shipping` (minor units) if there is one.

const std = @import("std");
const till = @import("till");

const Order = till.checkout.Order;
const Receipt = till.checkout.Receipt;

pub fn checkout(call: till.Span, order: Order) !Receipt {
    const receipt = try price(call, order);
    try till.checkout.deduct(call, order);
    return receipt;
}

fn price(call: till.Span, order: Order) !Receipt {
    const pricing = call.child("price_cart");
    defer pricing.end();
    var adjustments: std.ArrayList(till.checkout.Adjustment) = .empty;
    if (try till.amountSetting("shipping")) |shipping| {
        try adjustments.append(till.allocator, .{
            .effect = .add,
            .category = "shipping",
            .label = "Shipping",
            .amount = shipping,
        });
    }
    return .{ .adjustments = adjustments.items, .total = try till.checkout.totalOf(order, adjustments.items) };
}
