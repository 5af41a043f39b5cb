// What a checkout plugin asks the host for, and its errors, each of which returns false: `return till_reject(…)`.
//
// What exports_till_checkout_checkout answers is checked before the host gets it: a receipt with a wrong amount becomes an
// error that names the field.

#ifndef TILL_CHECKOUT_H
#define TILL_CHECKOUT_H

#include "till_kit.h"

typedef exports_till_checkout_order_t till_order_t;
typedef exports_till_checkout_adjustment_t till_adjustment_t;
typedef exports_till_checkout_receipt_t till_receipt_t;
typedef exports_till_checkout_checkout_error_t till_error_t;

// Asks the shop's inventory for what the order's lines sell: all of it or nothing. Once a call. Its error becomes the
// checkout's of the same name.
bool till_deduct(till_span_t *span, const till_order_t *order, till_error_t *error);

// What a line costs before any adjustment: quantity times unit price. The host has checked that it is an amount.
uint64_t till_line_cost(const till_line_t *line);

// What the lines cost before any adjustment, in minor units. The host has checked that it is an amount.
uint64_t till_subtotal(const till_order_t *order);

// Appends an adjustment to the receipt; its texts are copied.
bool till_adjust(till_receipt_t *receipt, exports_till_checkout_effect_t effect, const char *category, const char *label,
                 uint64_t amount, till_error_t *error);

// The same for one line of the order, by its index.
bool till_adjust_line(till_receipt_t *receipt, exports_till_checkout_effect_t effect, const char *category,
                      const char *label, uint64_t amount, uint32_t line, till_error_t *error);

// Makes the receipt's total what the lines cost, with what its adjustments add and without what they subtract.
bool till_receipt_of(const till_order_t *order, till_receipt_t *receipt, till_error_t *error);

// The shop doesn't sell this order as it stands: the code is for programs, the message for the customer.
bool till_reject(till_error_t *error, const char *code, const char *message);

// Anything else that keeps the plugin from deciding.
bool till_other(till_error_t *error, const char *message);

#endif
