// What a checkout plugin is asked, and what it answers. The plugin defines till::checkout:
//
//     till::Result<till::Receipt> till::checkout(const Span &call, const Order &order) { … }

#ifndef TILL_CHECKOUT_HPP
#define TILL_CHECKOUT_HPP

#include "till.hpp"

namespace till {

// One line of an order. Several lines of an order may name the same item.
struct Line {
  std::string_view item;
  std::uint32_t quantity;
  Amount unit_price;
  std::vector<Attribute> attributes;

  // What the line costs before any adjustment. The host has checked that it is an amount.
  Amount cost() const { return Amount::of_host(quantity * unit_price.minor_units()); }
};

// An order that the host has accepted. Its views end with the call.
struct Order {
  std::uint64_t id;
  // Milliseconds since 1970-01-01T00:00:00Z.
  std::uint64_t placed_at_ms;
  std::string_view currency;
  // How many decimals a major unit of the currency has.
  std::uint8_t decimals;
  std::vector<Line> lines;
  // What the client sent besides. Claims, not facts.
  std::vector<Attribute> attributes;

  // What the lines cost before any adjustment. The host has checked that it is an amount.
  Amount subtotal() const;
};

// What an adjustment does to the total. `included` changes nothing.
enum class Effect { subtract, add, included };

struct Adjustment {
  Effect effect;
  // The kind, for programs: `discount`, `tax`, `shipping`.
  std::string category;
  // The name, for people.
  std::string label;
  Amount amount;
  // The index of the line that it belongs to; nothing for the whole order.
  std::optional<std::uint32_t> line = std::nullopt;
};

struct Receipt {
  std::vector<Adjustment> adjustments;
  Amount total;
  std::vector<Attribute> attributes;
};

// Returns what the lines cost, with what the adjustments add and without what they subtract.
Result<Amount> total_of(const Order &order, std::span<const Adjustment> adjustments);

struct StockLevel {
  std::string item;
  std::uint32_t remaining;
};

// Asks the shop's inventory for what the order's lines sell: all of it or nothing. Once a call. Its error is the checkout's of the
// same name.
Result<std::vector<StockLevel>> deduct(const Span &call, const Order &order);

// The plugin's decision: what the order costs, or why there is no sale.
Result<Receipt> checkout(const Span &call, const Order &order);

}  // namespace till

#endif
