// What a checkout plugin asks the host for, and its errors, each of which returns false: `return till_reject(…)`.

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

// What the lines cost before any adjustment, in minor units.
uint64_t till_subtotal(const till_order_t *order);

// The shop doesn't sell this order as it stands: the code is for programs, the message for the customer.
bool till_reject(till_error_t *error, const char *code, const char *message);

// Anything else that keeps the plugin from deciding.
bool till_other(till_error_t *error, const char *message);

#endif
