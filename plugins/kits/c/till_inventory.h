// What an inventory plugin asks the host for, and its errors, each of which returns false: `return till_conflict(…)`.

#ifndef TILL_INVENTORY_H
#define TILL_INVENTORY_H

#include "till_kit.h"

typedef exports_till_inventory_list_stock_line_t till_lines_t;
typedef exports_till_inventory_list_stock_level_t till_levels_t;
typedef exports_till_inventory_inventory_error_t till_error_t;

// Takes the lines out of the stock, all of them or none. Once a call.
bool till_take(till_span_t *span, const till_lines_t *lines, till_levels_t *levels, till_error_t *error);

// The same lines would be refused again: the code is for programs, the message for the customer.
bool till_reject(till_error_t *error, const char *code, const char *message);

// A write at the same time was faster; the same lines may succeed a moment later.
bool till_conflict(till_error_t *error, const char *message);

// Anything else that keeps the plugin from deciding.
bool till_other(till_error_t *error, const char *message);

#endif
