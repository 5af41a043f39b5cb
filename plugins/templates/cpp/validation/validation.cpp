// Refuses more pieces of an item than the setting `most` says, 10 without it.

#include "till_validation.hpp"

till::Result<std::vector<till::Violation>> till::validate(const Span &, const Cart &cart) {
  std::uint32_t most = TILL_TRY(number_setting("most")).value_or(10);
  std::vector<Violation> violations;
  for (const Line &line : cart.lines) {
    if (cart.pieces_of(line.item) <= most) continue;
    std::string message = text("At most ", most, " of ", line.title, " can be ordered.");
    violations.push_back({"too-many", message, OfLine{line.id}});
  }
  return violations;
}
