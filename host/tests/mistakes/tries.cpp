// Makes the mistake that the setting `do` names.

#include "till_checkout.hpp"

using till::Amount, till::Result;

static Result<Amount> attempt(const till::Span &call, till::Receipt &receipt) {
  std::string mistake = till::setting("do").value_or("");
  Amount total = receipt.total;
  if (mistake == "telemetry") {
    call.set("cart.total", std::int64_t{1} << 31);
    call.set("huge", std::int64_t{1} << 60);
    call.set("low", std::int64_t{INT32_MIN} - 1);
    call.set("unsigned", UINT64_MAX);
    call.set("nan", __builtin_nan(""));
    call.set("flag", true);
    call.set("text", "not \xff UTF-8");
    call.set("key \xff", "value");
    call.log(till::Level::info, "not \xff UTF-8", "one", 1);
    till::Span child(call, "not \xff UTF-8");
  } else if (mistake == "too_large") {
    total = TILL_TRY(till::amount("receipt.total", Amount::max + 1));
  } else if (mistake == "wrapped") {
    total = TILL_TRY(till::amount("receipt.total", total.minor_units() - 5000));
  } else if (mistake == "adjustment") {
    Amount amount = TILL_TRY(till::amount("receipt.adjustments[0].amount", total.minor_units() - 5000));
    receipt.adjustments.push_back({till::Effect::included, "c", "l", amount});
  } else if (mistake == "minus") {
    total = TILL_TRY(till::minus(total, Amount::of(5000)));
  } else if (mistake == "index") {
    total = receipt.adjustments[receipt.adjustments.size()].amount;
  }
  return total;
}

Result<till::Receipt> till::checkout(const Span &call, const Order &order) {
  Receipt receipt{{}, order.subtotal(), {}};
  receipt.total = TILL_TRY(attempt(call, receipt));
  TILL_TRY(deduct(call, order));
  return receipt;
}
