//! Refuses more pieces of an item than the setting `most` says, 10 without it.

const std = @import("std");
const till = @import("till");

const Violation = till.validation.Violation;

pub fn validate(_: till.Span, cart: till.validation.Cart) ![]const Violation {
    const most = try till.validation.numberSetting("most") orelse 10;
    var violations: std.ArrayList(Violation) = .empty;
    for (cart.lines) |line| {
        if (cart.piecesOf(line.item) <= most) continue;
        try violations.append(till.allocator, .{
            .code = "too-many",
            .message = try till.text("At most {d} of {s} can be ordered.", .{ most, line.title }),
            .subject = .{ .line = line.id },
        });
    }
    return violations.items;
}
