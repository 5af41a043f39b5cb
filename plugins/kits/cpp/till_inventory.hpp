// What an inventory plugin is asked, and what it answers. The plugin defines till::deduct:
//
//     till::Result<std::vector<till::StockLevel>> till::deduct(const Span &call, std::span<const StockLine> lines) { … }

#ifndef TILL_INVENTORY_HPP
#define TILL_INVENTORY_HPP

#include "till.hpp"

namespace till {

// Pieces of an item. Several lines of a call may name the same item.
struct StockLine {
  std::string_view item;
  std::uint32_t quantity;
};

// What is left of an item.
struct StockLevel {
  std::string item;
  std::uint32_t remaining;
};

// Returns how many pieces are on hand, or nothing for an item that the shop doesn't know. A hint: other orders take from the same stock.
std::optional<std::uint32_t> level(const Span &call, std::string_view item);

// Takes the lines out of the stock, all of them or none. Once a call.
Result<std::vector<StockLevel>> take(const Span &call, std::span<const StockLine> lines);

// The plugin's decision: what is left of each item, or why nothing is taken.
Result<std::vector<StockLevel>> deduct(const Span &call, std::span<const StockLine> lines);

}  // namespace till

#endif
