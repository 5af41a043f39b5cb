// What an order costs: what its lines say, and the shipping of the setting `shipping` (minor units) if there is one.

#include "till_checkout.h"

static bool price(till_span_t *call, const till_order_t *order, till_receipt_t *receipt, till_error_t *error) {
  till_scoped_span pricing = till_start_span(call, "price_cart");
  *receipt = (till_receipt_t){};
  uint64_t shipping;
  bool is_set;
  till_wrong_t wrong;
  if (!till_amount_setting("shipping", &shipping, &is_set, &wrong)) return till_other(error, wrong.text);
  return (!is_set || till_adjust(receipt, EXPORTS_TILL_CHECKOUT_EFFECT_ADD, "shipping", "Shipping", shipping, error)) &&
         till_receipt_of(order, receipt, error);
}

bool exports_till_checkout_checkout(till_trace_context_t *call, till_order_t *order, till_receipt_t *receipt,
                                    till_error_t *error) {
  bool is_sold = price(call, order, receipt, error) && till_deduct(call, order, error);
  if (!is_sold) exports_till_checkout_receipt_free(receipt);
  till_trace_context_free(call);
  exports_till_checkout_order_free(order);
  return is_sold;
}
