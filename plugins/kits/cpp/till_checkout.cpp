#include "till_checkout.hpp"

namespace till {

Amount Order::subtotal() const {
  std::uint64_t sum = 0;
  for (const Line &line : lines) sum += line.cost().minor_units();
  return Amount::of_host(sum);
}

Result<Amount> total_of(const Order &order, std::span<const Adjustment> adjustments) {
  Amount added, subtracted;
  for (const Adjustment &adjustment : adjustments) {
    if (adjustment.effect == Effect::add) added = TILL_TRY(plus(added, adjustment.amount));
    if (adjustment.effect == Effect::subtract) subtracted = TILL_TRY(plus(subtracted, adjustment.amount));
  }
  return minus(TILL_TRY(plus(order.subtotal(), added)), subtracted);
}

namespace {

std::string taken(till_string_t text) { return std::string(abi::view(text)); }

Error error_of(const till_inventory_inventory_error_t &error) {
  switch (error.tag) {
    case TILL_INVENTORY_INVENTORY_ERROR_OUT_OF_STOCK: {
      const till_shortage_t &shortage = error.val.out_of_stock;
      return OutOfStock{taken(shortage.item), shortage.requested, shortage.available};
    }
    case TILL_INVENTORY_INVENTORY_ERROR_REJECTED:
      return Rejected{taken(error.val.rejected.code), taken(error.val.rejected.message)};
    case TILL_INVENTORY_INVENTORY_ERROR_CONFLICT:
      return Conflict{taken(error.val.conflict)};
    case TILL_INVENTORY_INVENTORY_ERROR_UNAVAILABLE:
      return Unavailable{taken(error.val.unavailable)};
    default:
      return Other{taken(error.val.other)};
  }
}

Order order_of(const exports_till_checkout_order_t &from) {
  Order order{from.id, from.placed_at_ms, abi::view(from.currency.code), from.currency.decimals, {}, {}};
  for (const till_line_t &line : std::span(from.lines.ptr, from.lines.len)) {
    order.lines.push_back({abi::view(line.item), line.quantity, Amount::of_host(line.unit_price),
                           abi::attributes_of(line.attributes.ptr, line.attributes.len)});
  }
  order.attributes = abi::attributes_of(from.attributes.ptr, from.attributes.len);
  return order;
}

exports_till_checkout_adjustment_t adjustment_of(const Adjustment &from) {
  return {
      .effect = static_cast<exports_till_checkout_effect_t>(from.effect),
      .category = abi::copied(from.category),
      .label = abi::copied(from.label),
      .amount = from.amount.minor_units(),
      .line = {.is_some = from.line.has_value(), .val = from.line.value_or(0)},
  };
}

void hand_over(const Receipt &from, exports_till_checkout_receipt_t *to) {
  std::size_t count = from.adjustments.size(), attributes = from.attributes.size();
  to->adjustments = {abi::array<exports_till_checkout_adjustment_t>(count), count};
  for (std::size_t i = 0; i < count; i++) to->adjustments.ptr[i] = adjustment_of(from.adjustments[i]);
  to->total = from.total.minor_units();
  to->attributes = {abi::array<till_attribute_t>(attributes), attributes};
  for (std::size_t i = 0; i < attributes; i++) to->attributes.ptr[i] = abi::copied(from.attributes[i]);
}

void hand_over(const Error &from, exports_till_checkout_checkout_error_t *to) {
  to->tag = static_cast<std::uint8_t>(from.index());
  if (auto rejected = std::get_if<Rejected>(&from)) {
    to->val.rejected = {abi::copied(rejected->code), abi::copied(rejected->message)};
  } else if (auto shortage = std::get_if<OutOfStock>(&from)) {
    to->val.out_of_stock = {abi::copied(shortage->item), shortage->requested, shortage->available};
  } else if (auto conflict = std::get_if<Conflict>(&from)) {
    to->val.conflict = abi::copied(conflict->message);
  } else if (auto unavailable = std::get_if<Unavailable>(&from)) {
    to->val.unavailable = abi::copied(unavailable->message);
  } else {
    to->val.other = abi::copied(std::get<Other>(from).message);
  }
}

// An error is handed over by its index.
static_assert(EXPORTS_TILL_CHECKOUT_CHECKOUT_ERROR_REJECTED == 0 && EXPORTS_TILL_CHECKOUT_CHECKOUT_ERROR_OUT_OF_STOCK == 1 &&
              EXPORTS_TILL_CHECKOUT_CHECKOUT_ERROR_CONFLICT == 2 && EXPORTS_TILL_CHECKOUT_CHECKOUT_ERROR_UNAVAILABLE == 3 &&
              EXPORTS_TILL_CHECKOUT_CHECKOUT_ERROR_OTHER == 4);
static_assert(EXPORTS_TILL_CHECKOUT_EFFECT_SUBTRACT == 0 && EXPORTS_TILL_CHECKOUT_EFFECT_ADD == 1 &&
              EXPORTS_TILL_CHECKOUT_EFFECT_INCLUDED == 2);

}  // namespace

Result<std::vector<StockLevel>> deduct(const Span &call, const Order &order) {
  std::vector<till_stock_line_t> lines;
  for (const Line &line : order.lines) lines.push_back({abi::borrowed(line.item), line.quantity});
  till_inventory_list_stock_line_t wanted{lines.data(), lines.size()};
  till_inventory_list_stock_level_t left;
  till_inventory_inventory_error_t why;
  if (!till_inventory_deduct(call.context(), &wanted, &left, &why)) {
    Error error = error_of(why);
    till_inventory_inventory_error_free(&why);
    return std::unexpected(std::move(error));
  }
  std::vector<StockLevel> levels;
  for (const till_stock_level_t &level : std::span(left.ptr, left.len)) {
    levels.push_back({taken(level.item), level.remaining});
  }
  till_inventory_list_stock_level_free(&left);
  return levels;
}

}  // namespace till

extern "C" bool exports_till_checkout_checkout(till_trace_context_t *call, exports_till_checkout_order_t *order,
                                               exports_till_checkout_receipt_t *receipt,
                                               exports_till_checkout_checkout_error_t *error) {
  till::Result<till::Receipt> decided = till::checkout(till::Span(call), till::order_of(*order));
  if (decided.has_value()) {
    till::hand_over(*decided, receipt);
  } else {
    till::hand_over(decided.error(), error);
  }
  till_trace_context_free(call);
  exports_till_checkout_order_free(order);
  return decided.has_value();
}
