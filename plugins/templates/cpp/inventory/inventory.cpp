// Whatever is on hand may be taken, but for the item that the setting `blocked` names.

#include "till_inventory.hpp"

#include <algorithm>

static till::Result<std::monostate> check(const till::Span &call, std::span<const till::StockLine> lines) {
  till::Span checking(call, "check_lines");
  std::optional<std::string> blocked = till::setting("blocked");
  bool is_blocked = std::ranges::any_of(lines, [&](const till::StockLine &line) { return line.item == blocked; });
  if (is_blocked) return till::rejected("blocked", till::text(*blocked, " isn't sold at the moment"));
  return {};
}

till::Result<std::vector<till::StockLevel>> till::deduct(const Span &call, std::span<const StockLine> lines) {
  TILL_TRY(check(call, lines));
  return take(call, lines);
}
