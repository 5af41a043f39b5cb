// A checkout that prices a cart, in C: 10 % off what an item's lines cost from 3 pieces on, rounded down, and what the settings
// say: `surcharge` (minor units), `voucher` (minor units, split over the lines by what they cost), and the tax within the
// prices: `tax_percent`, rounded as `tax_rounding` says.

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "till_checkout.h"

#define PIECES_FOR_DISCOUNT 3
#define DISCOUNT_PERCENT 10

static bool is_same(till_string_t one, till_string_t other) {
  return one.len == other.len && memcmp(one.ptr, other.ptr, one.len) == 0;
}

// Takes something off the lines of the item that the order's line `first` has, if it is the first of them.
static bool discount(const till_order_t *order, size_t first, till_receipt_t *receipt, till_error_t *error) {
  const till_line_t *lines = order->lines.ptr;
  uint64_t pieces = 0, cost = 0, amount;
  size_t count = 0;
  till_wrong_t wrong;
  for (size_t i = 0; i < order->lines.len; i++) {
    if (!is_same(lines[i].item, lines[first].item)) continue;
    if (i < first) return true;
    count++;
    pieces += lines[i].quantity;
    if (!till_plus(cost, till_line_cost(&lines[i]), &cost, &wrong)) return till_other(error, wrong.text);
  }
  if (pieces < PIECES_FOR_DISCOUNT) return true;
  if (!till_percent_of(cost, DISCOUNT_PERCENT, TILL_DOWN, &amount, &wrong)) return till_other(error, wrong.text);
  const char *label = "10 % off from 3 pieces";
  exports_till_checkout_effect_t effect = EXPORTS_TILL_CHECKOUT_EFFECT_SUBTRACT;
  if (count > 1) return till_adjust(receipt, effect, "discount", label, amount, error);
  return till_adjust_line(receipt, effect, "discount", label, amount, (uint32_t)first, error);
}

static bool surcharge(till_receipt_t *receipt, till_error_t *error) {
  uint64_t amount;
  bool is_set;
  till_wrong_t wrong;
  if (!till_amount_setting("surcharge", &amount, &is_set, &wrong)) return till_other(error, wrong.text);
  return !is_set || till_adjust(receipt, EXPORTS_TILL_CHECKOUT_EFFECT_ADD, "surcharge", "Surcharge", amount, error);
}

// Takes a part of the voucher off each line.
static bool voucher(const till_order_t *order, till_receipt_t *receipt, till_error_t *error) {
  uint64_t amount;
  bool is_set;
  till_wrong_t wrong;
  if (!till_amount_setting("voucher", &amount, &is_set, &wrong)) return till_other(error, wrong.text);
  if (!is_set) return true;
  size_t count = order->lines.len;
  uint64_t *costs = calloc(count, sizeof *costs), *parts = calloc(count, sizeof *parts);
  for (size_t i = 0; i < count; i++) costs[i] = till_line_cost(&order->lines.ptr[i]);
  bool is_sound = till_split(amount, costs, count, parts, &wrong) || till_other(error, wrong.text);
  for (size_t i = 0; is_sound && i < count; i++) {
    is_sound = till_adjust_line(receipt, EXPORTS_TILL_CHECKOUT_EFFECT_SUBTRACT, "voucher", "Voucher", parts[i],
                                (uint32_t)i, error);
  }
  free(costs);
  free(parts);
  return is_sound;
}

static till_rounding_t rounding(void) {
  static const char *names[] = {"down", "half-up", "half-even", "up"};
  till_rounding_t rounding = TILL_HALF_UP;
  char *text = till_setting("tax_rounding");
  for (int i = TILL_DOWN; text != NULL && i <= TILL_UP; i++) {
    if (strcmp(text, names[i]) == 0) rounding = (till_rounding_t)i;
  }
  free(text);
  return rounding;
}

static bool tax(till_receipt_t *receipt, till_error_t *error) {
  uint64_t percent, by, amount, net;
  bool is_set;
  till_wrong_t wrong;
  if (!till_amount_setting("tax_percent", &percent, &is_set, &wrong)) return till_other(error, wrong.text);
  if (!is_set) return true;
  if (!till_plus(100, percent, &by, &wrong) ||
      !till_ratio_of(receipt->total, percent, by, rounding(), &amount, &wrong) ||
      !till_minus(receipt->total, amount, &net, &wrong)) {
    return till_other(error, wrong.text);
  }
  char label[64];
  snprintf(label, sizeof label, "%" PRIu64 " %% of %" PRIu64, percent, net);
  return till_adjust(receipt, EXPORTS_TILL_CHECKOUT_EFFECT_INCLUDED, "tax", label, amount, error);
}

static bool price(till_span_t *call, const till_order_t *order, till_receipt_t *receipt, till_error_t *error) {
  till_scoped_span pricing = till_start_span(call, "price_cart");
  *receipt = (till_receipt_t){};
  for (size_t i = 0; i < order->lines.len; i++) {
    if (!discount(order, i, receipt, error)) return false;
  }
  if (!surcharge(receipt, error) || !voucher(order, receipt, error) || !till_receipt_of(order, receipt, error)) {
    return false;
  }
  till_set(&pricing, till_integer("cart.total", (int64_t)receipt->total));
  return tax(receipt, error);
}

bool exports_till_checkout_checkout(till_trace_context_t *call, till_order_t *order, till_receipt_t *receipt,
                                    till_error_t *error) {
  bool is_sold = price(call, order, receipt, error) && till_deduct(call, order, error);
  if (!is_sold) exports_till_checkout_receipt_free(receipt);
  till_trace_context_free(call);
  exports_till_checkout_order_free(order);
  return is_sold;
}
