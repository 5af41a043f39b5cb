//! What a plugin of the hook validation is asked, and what it answers. Its function is
//! `pub fn validate(call: till.Span, cart: till.validation.Cart) ![]const till.validation.Violation`.

const std = @import("std");
const till = @import("till.zig");
const wire = @import("wire");

pub const Line = struct {
    /// The number by which an answer names this line.
    id: u32,
    item: []const u8,
    /// The name for people.
    title: []const u8,
    quantity: u32,
    /// The price of one piece, in minor units.
    unit_price: u64,
    /// The line of which this is a component.
    bundle: ?u32,
    attributes: []const till.Attribute,
};

/// A cart, as the hooks before this one left it.
pub const Cart = struct {
    /// Whether an order can come of it; otherwise it is a quote.
    is_checkout: bool,
    /// Milliseconds since 1970-01-01T00:00:00Z.
    at_ms: u64,
    currency: []const u8,
    decimals: u8,
    lines: []const Line,
    /// What the client sent besides. Claims, not facts.
    attributes: []const till.Attribute,
    /// Codes that the customer entered.
    codes: []const []const u8,

    /// Returns how many pieces of the item all lines have.
    pub fn piecesOf(cart: Cart, item: []const u8) u64 {
        var pieces: u64 = 0;
        for (cart.lines) |line| {
            if (std.mem.eql(u8, line.item, item)) pieces += line.quantity;
        }
        return pieces;
    }

    /// Returns whether the attribute of that key says yes: true, or the text `on`, `true`, `yes` or `1`.
    pub fn attributeIsOn(cart: Cart, key: []const u8) bool {
        for (cart.attributes) |attribute| {
            if (!std.mem.eql(u8, attribute.key, key)) continue;
            const is_on = switch (attribute.value) {
                .flag => |flag| flag,
                .text => |text| till.isListed(text, "on, true, yes, 1"),
                else => false,
            };
            if (is_on) return true;
        }
        return false;
    }
};

/// What a violation is about.
pub const Subject = union(enum) {
    cart,
    /// A line, by its id.
    line: u32,
    /// A field of an address, such as `postal_code`.
    shipping_address: []const u8,
    billing_address: []const u8,
    /// An entered code.
    code: []const u8,
    /// An attribute of the cart, by its key.
    attribute: []const u8,
};

/// One thing that keeps the cart from being sold: the code is for programs, the message for the customer.
pub const Violation = struct { code: []const u8, message: []const u8, subject: Subject = .cart };

/// What the catalogue has of an item.
pub const Product = struct { id: []const u8, title: []const u8, price: ?u64, tags: []const []const u8 };

const WireProduct = extern struct {
    id: wire.Text,
    title: wire.Text,
    price: wire.Option(u64),
    tags: wire.List(wire.Text),
    weight_grams: wire.Option(u32),
    needs_shipping: bool,
    tax_category: wire.Option(wire.Text),
};

const facts = struct {
    extern "till:plugin/facts@0.2.0" fn products(items: usize, usize, ret: *wire.List(wire.Option(WireProduct))) void;
};
const settings = struct {
    extern "till:plugin/settings@0.2.0" fn keys(ret: *wire.List(wire.Text)) void;
};

/// Asks for what the catalogue has of the lines' items, in the lines' order.
pub fn productsOf(cart: Cart) till.Error![]const ?Product {
    const items = try till.allocator.alloc(wire.Text, cart.lines.len);
    for (cart.lines, items) |line, *item| item.* = .of(line.item);
    var answer: wire.List(wire.Option(WireProduct)) = undefined;
    facts.products(wire.place(items), items.len, &answer);
    const products = try till.allocator.alloc(?Product, answer.len);
    for (answer.slice(), products) |from, *to| {
        to.* = null;
        const known = from.get() orelse continue;
        to.* = .{
            .id = known.id.slice(),
            .title = known.title.slice(),
            .price = known.price.get(),
            .tags = try textsOf(known.tags),
        };
    }
    return products;
}

/// Refuses a setting that isn't one of these: a misspelt one would be as good as not set.
pub fn onlySettings(known: []const []const u8) till.Error!void {
    var keys: wire.List(wire.Text) = undefined;
    settings.keys(&keys);
    for (keys.slice()) |key| {
        for (known) |name| {
            if (std.mem.eql(u8, key.slice(), name)) break;
        } else {
            const names = try std.mem.join(till.allocator, ", ", known);
            return till.other("there is no setting {s}; there are {s}", .{ key.slice(), names });
        }
    }
}

/// Returns the setting as a whole number of up to nine digits, null if it isn't set: more pieces than that no cart has.
pub fn numberSetting(key: []const u8) till.Error!?u32 {
    const text = till.setting(key) orelse return null;
    const is_plain = text.len >= 1 and text.len <= 9 and std.mem.indexOfNone(u8, text, "0123456789") == null;
    if (is_plain) return std.fmt.parseInt(u32, text, 10) catch unreachable;
    return till.other("the setting {s} is \"{s}\", wanted a whole number", .{ key, text });
}

fn textsOf(list: wire.List(wire.Text)) till.Error![]const []const u8 {
    const texts = try till.allocator.alloc([]const u8, list.len);
    for (list.slice(), texts) |from, *to| to.* = from.slice();
    return texts;
}

/// The cart as the host hands it over, for the kit.
pub const WireLine = extern struct {
    id: u32,
    item: wire.Text,
    title: wire.Text,
    quantity: u32,
    unit_price: u64,
    bundle: wire.Option(u32),
    attributes: wire.List(wire.Attribute),
};

pub fn linesOf(list: wire.List(WireLine)) till.Error![]const Line {
    const lines = try till.allocator.alloc(Line, list.len);
    for (list.slice(), lines) |from, *to| to.* = .{
        .id = from.id,
        .item = from.item.slice(),
        .title = from.title.slice(),
        .quantity = from.quantity,
        .unit_price = from.unit_price,
        .bundle = from.bundle.get(),
        .attributes = try till.attributesOf(from.attributes),
    };
    return lines;
}

pub const codesOf = textsOf;

const WireSubject = extern struct {
    tag: enum(u8) { cart, line, shipping_address, billing_address, code, attribute },
    value: extern union { line: u32, text: wire.Text },
};

pub const WireViolation = extern struct { code: wire.Text, message: wire.Text, subject: WireSubject };

pub fn toWire(violations: []const Violation) till.Error!wire.List(WireViolation) {
    const wired = try till.allocator.alloc(WireViolation, violations.len);
    for (violations, wired) |from, *to| to.* = .{
        .code = .of(from.code),
        .message = .of(from.message),
        .subject = switch (from.subject) {
            .cart => .{ .tag = .cart, .value = .{ .line = 0 } },
            .line => |line| .{ .tag = .line, .value = .{ .line = line } },
            .shipping_address => |field| .{ .tag = .shipping_address, .value = .{ .text = .of(field) } },
            .billing_address => |field| .{ .tag = .billing_address, .value = .{ .text = .of(field) } },
            .code => |code| .{ .tag = .code, .value = .{ .text = .of(code) } },
            .attribute => |key| .{ .tag = .attribute, .value = .{ .text = .of(key) } },
        },
    };
    return .of(wired);
}
