// A checkout that prices a cart, in C++: 10 % off what an item's lines cost from 3 pieces on, rounded down, and what the settings
// say: `surcharge` (minor units), `voucher` (minor units, split over the lines by what they cost), and the tax within the
// prices: `tax_percent`, rounded as `tax_rounding` says.

#include "till_checkout.hpp"

#include <algorithm>
#include <array>

using till::Amount, till::Effect, till::Line, till::Order, till::Receipt, till::Result;

namespace {

constexpr std::uint64_t pieces_for_discount = 3;
constexpr std::uint64_t discount_percent = 10;

struct Bought {
  std::string_view item;
  std::uint64_t pieces = 0;
  Amount cost;
  // The indexes of its lines.
  std::vector<std::uint32_t> lines;
};

// Returns what the order has of each item, in the order of their first lines.
Result<std::vector<Bought>> by_item(const Order &order) {
  std::vector<Bought> items;
  for (std::uint32_t i = 0; const Line &line : order.lines) {
    auto bought = std::ranges::find(items, line.item, &Bought::item);
    if (bought == items.end()) bought = items.insert(bought, Bought{line.item, 0, {}, {}});
    bought->pieces += line.quantity;
    bought->cost = TILL_TRY(till::plus(bought->cost, line.cost()));
    bought->lines.push_back(i++);
  }
  return items;
}

Result<std::vector<till::Adjustment>> discounts(const Order &order) {
  std::vector<till::Adjustment> discounts;
  for (const Bought &bought : TILL_TRY(by_item(order))) {
    if (bought.pieces < pieces_for_discount) continue;
    Amount amount = TILL_TRY(till::percent_of(bought.cost, discount_percent, till::Rounding::down));
    auto line = bought.lines.size() == 1 ? std::optional(bought.lines.front()) : std::nullopt;
    discounts.push_back({Effect::subtract, "discount", "10 % off from 3 pieces", amount, line});
  }
  return discounts;
}

// Takes a part of the voucher off each line.
Result<std::vector<till::Adjustment>> voucher(const Order &order) {
  std::vector<till::Adjustment> parts;
  std::optional<Amount> whole = TILL_TRY(till::amount_setting("voucher"));
  if (!whole) return parts;
  std::vector<std::uint64_t> costs;
  for (const Line &line : order.lines) costs.push_back(line.cost().minor_units());
  for (std::uint32_t i = 0; Amount part : TILL_TRY(till::split(*whole, costs))) {
    parts.push_back({Effect::subtract, "voucher", "Voucher", part, i++});
  }
  return parts;
}

till::Rounding rounding() {
  static constexpr std::array<std::string_view, 4> names = {"down", "half-up", "half-even", "up"};
  auto at = std::ranges::find(names, till::setting("tax_rounding").value_or("half-up"));
  return at == names.end() ? till::Rounding::half_up : static_cast<till::Rounding>(at - names.begin());
}

// Returns the tax within the total.
Result<std::optional<till::Adjustment>> tax(Amount total) {
  std::optional<Amount> percent = TILL_TRY(till::amount_setting("tax_percent"));
  if (!percent) return std::nullopt;
  Amount by = TILL_TRY(till::plus(Amount::of(100), *percent));
  Amount amount = TILL_TRY(till::ratio_of(total, percent->minor_units(), by.minor_units(), rounding()));
  Amount net = TILL_TRY(till::minus(total, amount));
  std::string label = till::text(percent->minor_units(), " % of ", net.minor_units());
  return till::Adjustment{Effect::included, "tax", label, amount};
}

Result<Receipt> price(const till::Span &call, const Order &order) {
  till::Span pricing(call, "price_cart");
  Receipt receipt;
  receipt.adjustments = TILL_TRY(discounts(order));
  std::optional<Amount> surcharge = TILL_TRY(till::amount_setting("surcharge"));
  if (surcharge) receipt.adjustments.push_back({Effect::add, "surcharge", "Surcharge", *surcharge});
  receipt.adjustments.append_range(TILL_TRY(voucher(order)));
  receipt.total = TILL_TRY(till::total_of(order, receipt.adjustments));
  pricing.set("cart.total", receipt.total);
  std::optional<till::Adjustment> included = TILL_TRY(tax(receipt.total));
  if (included) receipt.adjustments.push_back(*included);
  return receipt;
}

}  // namespace

Result<Receipt> till::checkout(const Span &call, const Order &order) {
  Receipt receipt = TILL_TRY(price(call, order));
  TILL_TRY(deduct(call, order));
  return receipt;
}
