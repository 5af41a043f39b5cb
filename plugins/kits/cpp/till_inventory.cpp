#include "till_inventory.hpp"

namespace till {

namespace {

std::string taken(till_string_t text) { return std::string(abi::view(text)); }

void hand_over(const std::vector<StockLevel> &from, exports_till_inventory_list_stock_level_t *to) {
  *to = {abi::array<till_stock_level_t>(from.size()), from.size()};
  for (std::size_t i = 0; i < from.size(); i++) to->ptr[i] = {abi::copied(from[i].item), from[i].remaining};
}

void hand_over(const Error &from, exports_till_inventory_inventory_error_t *to) {
  if (auto rejected = std::get_if<Rejected>(&from)) {
    to->tag = EXPORTS_TILL_INVENTORY_INVENTORY_ERROR_REJECTED;
    to->val.rejected = {abi::copied(rejected->code), abi::copied(rejected->message)};
  } else if (auto shortage = std::get_if<OutOfStock>(&from)) {
    to->tag = EXPORTS_TILL_INVENTORY_INVENTORY_ERROR_OUT_OF_STOCK;
    to->val.out_of_stock = {abi::copied(shortage->item), shortage->requested, shortage->available};
  } else if (auto conflict = std::get_if<Conflict>(&from)) {
    to->tag = EXPORTS_TILL_INVENTORY_INVENTORY_ERROR_CONFLICT;
    to->val.conflict = abi::copied(conflict->message);
  } else if (auto unavailable = std::get_if<Unavailable>(&from)) {
    to->tag = EXPORTS_TILL_INVENTORY_INVENTORY_ERROR_UNAVAILABLE;
    to->val.unavailable = abi::copied(unavailable->message);
  } else {
    to->tag = EXPORTS_TILL_INVENTORY_INVENTORY_ERROR_OTHER;
    to->val.other = abi::copied(std::get<Other>(from).message);
  }
}

}  // namespace

std::optional<std::uint32_t> level(const Span &call, std::string_view item) {
  till_string_t name = abi::borrowed(item);
  std::uint32_t pieces;
  return till_stock_level(call.context(), &name, &pieces) ? std::optional(pieces) : std::nullopt;
}

Result<std::vector<StockLevel>> take(const Span &call, std::span<const StockLine> lines) {
  std::vector<till_stock_line_t> borrowed;
  for (const StockLine &line : lines) borrowed.push_back({abi::borrowed(line.item), line.quantity});
  till_stock_list_stock_line_t wanted{borrowed.data(), borrowed.size()};
  till_stock_list_stock_level_t left;
  till_stock_shortage_t shortage;
  if (!till_stock_take(call.context(), &wanted, &left, &shortage)) {
    Error error = OutOfStock{taken(shortage.item), shortage.requested, shortage.available};
    till_stock_shortage_free(&shortage);
    return std::unexpected(std::move(error));
  }
  std::vector<StockLevel> levels;
  for (const till_stock_level_t &level : std::span(left.ptr, left.len)) {
    levels.push_back({taken(level.item), level.remaining});
  }
  till_stock_list_stock_level_free(&left);
  return levels;
}

}  // namespace till

extern "C" bool exports_till_inventory_deduct(till_trace_context_t *call, exports_till_inventory_list_stock_line_t *lines,
                                              exports_till_inventory_list_stock_level_t *levels,
                                              exports_till_inventory_inventory_error_t *error) {
  std::vector<till::StockLine> views;
  for (const till_stock_line_t &line : std::span(lines->ptr, lines->len)) {
    views.push_back({till::abi::view(line.item), line.quantity});
  }
  till::Result<std::vector<till::StockLevel>> decided = till::deduct(till::Span(call), views);
  if (decided.has_value()) {
    till::hand_over(*decided, levels);
  } else {
    till::hand_over(decided.error(), error);
  }
  till_trace_context_free(call);
  exports_till_inventory_list_stock_line_free(lines);
  return decided.has_value();
}
