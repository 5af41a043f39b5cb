// Makes the mistake that the setting `do` names.

#include <stdlib.h>
#include <string.h>

#include "till_checkout.h"

static bool try(till_span_t *call, till_receipt_t *receipt, till_error_t *error) {
  char *setting = till_setting("do");
  const char *mistake = setting == NULL ? "" : setting;
  uint64_t total = receipt->total;
  bool is_sound = true;
  till_wrong_t wrong;
  if (strcmp(mistake, "telemetry") == 0) {
    till_set(call, till_integer("cart.total", INT64_C(1) << 31));
    till_set(call, till_integer("huge", INT64_C(1) << 60));
    till_set(call, till_integer("low", (int64_t)INT32_MIN - 1));
    till_set(call, till_decimal("nan", __builtin_nan("")));
    till_set(call, till_flag("flag", true));
    till_set(call, till_text_of("text", "not \xff UTF-8"));
    till_set(call, till_text_of("nothing", NULL));
    till_set(call, till_text_of("key \xff", "value"));
    till_log(call, 77, "not \xff UTF-8", till_integer("one", 1));
    till_scoped_span child = till_start_span(call, "not \xff UTF-8");
  } else if (strcmp(mistake, "too_large") == 0) {
    receipt->total = TILL_AMOUNT_MAX + 1;
  } else if (strcmp(mistake, "wrapped") == 0) {
    receipt->total = total - 5000;
  } else if (strcmp(mistake, "adjustment") == 0) {
    is_sound = till_adjust(receipt, EXPORTS_TILL_CHECKOUT_EFFECT_INCLUDED, "c", "l", total - 5000, error);
  } else if (strcmp(mistake, "minus") == 0) {
    is_sound = till_minus(total, 5000, &total, &wrong) || till_other(error, wrong.text);
  } else if (strcmp(mistake, "rounding") == 0) {
    is_sound = till_percent_of(total, 7, 9, &total, &wrong) || till_other(error, wrong.text);
  }
  free(setting);
  return is_sound;
}

bool exports_till_checkout_checkout(till_trace_context_t *call, till_order_t *order, till_receipt_t *receipt,
                                    till_error_t *error) {
  *receipt = (till_receipt_t){};
  bool is_sold = till_receipt_of(order, receipt, error) && try(call, receipt, error) && till_deduct(call, order, error);
  if (!is_sold) exports_till_checkout_receipt_free(receipt);
  till_trace_context_free(call);
  exports_till_checkout_order_free(order);
  return is_sold;
}
