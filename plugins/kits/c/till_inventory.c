#include "till_inventory.h"

bool till_take(till_span_t *span, const till_lines_t *lines, till_levels_t *levels, till_error_t *error) {
  till_stock_list_stock_line_t wanted = {lines->ptr, lines->len};
  till_stock_list_stock_level_t left;
  if (!till_stock_take(span, &wanted, &left, &error->val.out_of_stock)) {
    error->tag = EXPORTS_TILL_INVENTORY_INVENTORY_ERROR_OUT_OF_STOCK;
    return false;
  }
  *levels = (till_levels_t){left.ptr, left.len};
  return true;
}

bool till_reject(till_error_t *error, const char *code, const char *message) {
  error->tag = EXPORTS_TILL_INVENTORY_INVENTORY_ERROR_REJECTED;
  till_string_dup(&error->val.rejected.code, code);
  till_string_dup(&error->val.rejected.message, message);
  return false;
}

bool till_conflict(till_error_t *error, const char *message) {
  error->tag = EXPORTS_TILL_INVENTORY_INVENTORY_ERROR_CONFLICT;
  till_string_dup(&error->val.conflict, message);
  return false;
}

bool till_other(till_error_t *error, const char *message) {
  error->tag = EXPORTS_TILL_INVENTORY_INVENTORY_ERROR_OTHER;
  till_string_dup(&error->val.other, message);
  return false;
}
