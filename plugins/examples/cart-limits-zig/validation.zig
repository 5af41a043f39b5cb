//! Refuses more than so many pieces of an item, and items that want a confirmation without it.

const std = @import("std");
const till = @import("till");

const Cart = till.validation.Cart;
const Violations = std.ArrayList(till.validation.Violation);

pub fn validate(_: till.Span, cart: Cart) ![]const till.validation.Violation {
    try till.validation.onlySettings(&.{ "most", "items", "tag", "confirmation" });
    var violations: Violations = .empty;
    if (try till.validation.numberSetting("most")) |most| {
        try addTooMany(cart, most, till.setting("items") orelse "", &violations);
    }
    const tag = till.setting("tag") orelse "age-restricted";
    try addUnconfirmed(cart, tag, till.setting("confirmation") orelse "age_confirmed", &violations);
    return violations.items;
}

/// Adds a violation for each item of which there are too many, about its first line. Without `items` that is any item.
fn addTooMany(cart: Cart, most: u32, items: []const u8, to: *Violations) !void {
    for (cart.lines, 0..) |line, i| {
        const is_limited = items.len == 0 or till.isListed(line.item, items);
        if (!is_limited or !isFirst(cart, i) or cart.piecesOf(line.item) <= most) continue;
        try to.append(till.allocator, .{
            .code = "too-many",
            .message = try till.text("At most {d} of {s} can be ordered.", .{ most, line.title }),
            .subject = .{ .line = line.id },
        });
    }
}

/// Returns whether the line is the first of its item.
fn isFirst(cart: Cart, at: usize) bool {
    for (cart.lines[0..at]) |line| {
        if (std.mem.eql(u8, line.item, cart.lines[at].item)) return false;
    }
    return true;
}

/// Adds the violation of a cart that holds an item with the tag and isn't confirmed. An item that the catalogue doesn't know has no
/// tags.
fn addUnconfirmed(cart: Cart, tag: []const u8, key: []const u8, to: *Violations) !void {
    if (cart.attributeIsOn(key)) return;
    for (try till.validation.productsOf(cart)) |product| {
        const known = product orelse continue;
        for (known.tags) |other| {
            if (!std.mem.eql(u8, other, tag)) continue;
            return to.append(till.allocator, .{
                .code = "unconfirmed",
                .message = try till.text("{s} needs a confirmation.", .{known.title}),
                .subject = .{ .attribute = key },
            });
        }
    }
}
