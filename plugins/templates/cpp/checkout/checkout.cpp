// What an order costs: what its lines say, and the shipping of the setting `shipping` (minor units) if there is one.

#include "till_checkout.hpp"

static till::Result<till::Receipt> price(const till::Span &call, const till::Order &order) {
  till::Span pricing(call, "price_cart");
  till::Receipt receipt;
  std::optional<till::Amount> shipping = TILL_TRY(till::amount_setting("shipping"));
  if (shipping) receipt.adjustments.push_back({till::Effect::add, "shipping", "Shipping", *shipping});
  receipt.total = TILL_TRY(till::total_of(order, receipt.adjustments));
  return receipt;
}

till::Result<till::Receipt> till::checkout(const Span &call, const Order &order) {
  Receipt receipt = TILL_TRY(price(call, order));
  TILL_TRY(deduct(call, order));
  return receipt;
}
