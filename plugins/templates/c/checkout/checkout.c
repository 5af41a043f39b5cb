// What an order costs: what its lines say, and the shipping of the setting `shipping` (minor units) if there is one.

#include <stdlib.h>

#include "till_checkout.h"

static void add_shipping(till_receipt_t *receipt, uint64_t amount) {
  till_adjustment_t *shipping = calloc(1, sizeof *shipping);
  shipping->effect = EXPORTS_TILL_CHECKOUT_EFFECT_ADD;
  shipping->amount = amount;
  till_string_dup(&shipping->category, "shipping");
  till_string_dup(&shipping->label, "Shipping");
  receipt->adjustments.ptr = shipping;
  receipt->adjustments.len = 1;
  receipt->total += amount;
}

static bool price(till_span_t *call, const till_order_t *order, till_receipt_t *receipt, till_error_t *error) {
  till_scoped_span pricing = till_start_span(call, "price_cart");
  *receipt = (till_receipt_t){.total = till_subtotal(order)};
  char *text = till_setting("shipping");
  if (text == NULL) return true;
  char *end;
  uint64_t amount = strtoull(text, &end, 10);
  bool is_amount = *text != '\0' && *end == '\0';
  free(text);
  if (!is_amount) return till_other(error, "the setting shipping is no amount");
  add_shipping(receipt, amount);
  return true;
}

bool exports_till_checkout_checkout(till_trace_context_t *call, till_order_t *order, till_receipt_t *receipt,
                                    till_error_t *error) {
  bool is_sold = price(call, order, receipt, error);
  if (is_sold && !till_deduct(call, order, error)) {
    exports_till_checkout_receipt_free(receipt);
    is_sold = false;
  }
  till_trace_context_free(call);
  exports_till_checkout_order_free(order);
  return is_sold;
}
