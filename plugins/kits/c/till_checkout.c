#include "till_checkout.h"

#include <stdlib.h>

// The error's texts change hands.
static void pass_on(const till_inventory_inventory_error_t *from, till_error_t *to) {
  switch (from->tag) {
    case TILL_INVENTORY_INVENTORY_ERROR_OUT_OF_STOCK:
      *to = (till_error_t){EXPORTS_TILL_CHECKOUT_CHECKOUT_ERROR_OUT_OF_STOCK, {.out_of_stock = from->val.out_of_stock}};
      break;
    case TILL_INVENTORY_INVENTORY_ERROR_REJECTED:
      *to = (till_error_t){EXPORTS_TILL_CHECKOUT_CHECKOUT_ERROR_REJECTED, {.rejected = from->val.rejected}};
      break;
    case TILL_INVENTORY_INVENTORY_ERROR_CONFLICT:
      *to = (till_error_t){EXPORTS_TILL_CHECKOUT_CHECKOUT_ERROR_CONFLICT, {.conflict = from->val.conflict}};
      break;
    case TILL_INVENTORY_INVENTORY_ERROR_UNAVAILABLE:
      *to = (till_error_t){EXPORTS_TILL_CHECKOUT_CHECKOUT_ERROR_UNAVAILABLE, {.unavailable = from->val.unavailable}};
      break;
    default:
      *to = (till_error_t){EXPORTS_TILL_CHECKOUT_CHECKOUT_ERROR_OTHER, {.other = from->val.other}};
  }
}

bool till_deduct(till_span_t *span, const till_order_t *order, till_error_t *error) {
  till_stock_line_t *lines = calloc(order->lines.len, sizeof *lines);
  for (size_t i = 0; i < order->lines.len; i++) {
    lines[i] = (till_stock_line_t){order->lines.ptr[i].item, order->lines.ptr[i].quantity};
  }
  till_inventory_list_stock_line_t wanted = {lines, order->lines.len};
  till_inventory_list_stock_level_t left;
  till_inventory_inventory_error_t why;
  bool is_taken = till_inventory_deduct(span, &wanted, &left, &why);
  free(lines);
  if (is_taken) {
    till_inventory_list_stock_level_free(&left);
  } else {
    pass_on(&why, error);
  }
  return is_taken;
}

uint64_t till_subtotal(const till_order_t *order) {
  uint64_t sum = 0;
  for (size_t i = 0; i < order->lines.len; i++) sum += order->lines.ptr[i].quantity * order->lines.ptr[i].unit_price;
  return sum;
}

bool till_reject(till_error_t *error, const char *code, const char *message) {
  error->tag = EXPORTS_TILL_CHECKOUT_CHECKOUT_ERROR_REJECTED;
  till_string_dup(&error->val.rejected.code, code);
  till_string_dup(&error->val.rejected.message, message);
  return false;
}

bool till_other(till_error_t *error, const char *message) {
  error->tag = EXPORTS_TILL_CHECKOUT_CHECKOUT_ERROR_OTHER;
  till_string_dup(&error->val.other, message);
  return false;
}
