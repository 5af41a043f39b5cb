#include "till_checkout.h"

#include <stdio.h>
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

uint64_t till_line_cost(const till_line_t *line) { return line->quantity * line->unit_price; }

uint64_t till_subtotal(const till_order_t *order) {
  uint64_t sum = 0;
  for (size_t i = 0; i < order->lines.len; i++) sum += till_line_cost(&order->lines.ptr[i]);
  return sum;
}

static till_adjustment_t *append(till_receipt_t *receipt, exports_till_checkout_effect_t effect, const char *category,
                                 const char *label, uint64_t amount, till_error_t *error) {
  till_wrong_t wrong;
  char field[64];
  snprintf(field, sizeof field, "receipt.adjustments[%zu].amount", receipt->adjustments.len);
  if (!till_amount(field, amount, &wrong)) {
    till_other(error, wrong.text);
    return NULL;
  }
  size_t count = receipt->adjustments.len++;
  receipt->adjustments.ptr = realloc(receipt->adjustments.ptr, (count + 1) * sizeof *receipt->adjustments.ptr);
  till_adjustment_t *adjustment = &receipt->adjustments.ptr[count];
  *adjustment = (till_adjustment_t){.effect = effect, .amount = amount};
  till_string_dup(&adjustment->category, category);
  till_string_dup(&adjustment->label, label);
  return adjustment;
}

bool till_adjust(till_receipt_t *receipt, exports_till_checkout_effect_t effect, const char *category, const char *label,
                 uint64_t amount, till_error_t *error) {
  return append(receipt, effect, category, label, amount, error) != NULL;
}

bool till_adjust_line(till_receipt_t *receipt, exports_till_checkout_effect_t effect, const char *category,
                      const char *label, uint64_t amount, uint32_t line, till_error_t *error) {
  till_adjustment_t *adjustment = append(receipt, effect, category, label, amount, error);
  if (adjustment == NULL) return false;
  adjustment->line.is_some = true;
  adjustment->line.val = line;
  return true;
}

static bool sum(const till_receipt_t *receipt, exports_till_checkout_effect_t effect, uint64_t *sum,
                till_wrong_t *wrong) {
  *sum = 0;
  for (size_t i = 0; i < receipt->adjustments.len; i++) {
    const till_adjustment_t *adjustment = &receipt->adjustments.ptr[i];
    if (adjustment->effect == effect && !till_plus(*sum, adjustment->amount, sum, wrong)) return false;
  }
  return true;
}

bool till_receipt_of(const till_order_t *order, till_receipt_t *receipt, till_error_t *error) {
  uint64_t added, subtracted, before;
  till_wrong_t wrong;
  bool is_sound = sum(receipt, EXPORTS_TILL_CHECKOUT_EFFECT_ADD, &added, &wrong) &&
                  sum(receipt, EXPORTS_TILL_CHECKOUT_EFFECT_SUBTRACT, &subtracted, &wrong) &&
                  till_plus(till_subtotal(order), added, &before, &wrong) &&
                  till_minus(before, subtracted, &receipt->total, &wrong);
  return is_sound || till_other(error, wrong.text);
}

static bool check(const till_receipt_t *receipt, till_wrong_t *wrong) {
  for (size_t i = 0; i < receipt->adjustments.len; i++) {
    char field[64];
    snprintf(field, sizeof field, "receipt.adjustments[%zu].amount", i);
    if (!till_amount(field, receipt->adjustments.ptr[i].amount, wrong)) return false;
  }
  return till_amount("receipt.total", receipt->total, wrong);
}

// The plugin's exports_till_checkout_checkout, which is compiled under this name (plugin.mk).
bool till_decided_checkout(till_trace_context_t *call, till_order_t *order, till_receipt_t *receipt,
                           till_error_t *error);

bool exports_till_checkout_checkout(till_trace_context_t *call, till_order_t *order, till_receipt_t *receipt,
                                    till_error_t *error) {
  till_wrong_t wrong;
  if (!till_decided_checkout(call, order, receipt, error)) return false;
  if (check(receipt, &wrong)) return true;
  exports_till_checkout_receipt_free(receipt);
  return till_other(error, wrong.text);
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
