// Whatever is on hand may be taken, but for the item that the setting `blocked` names.

#include <stdio.h>
#include <stdlib.h>

#include "till_inventory.h"

static bool has(const till_lines_t *lines, const char *item) {
  for (size_t i = 0; i < lines->len; i++) {
    if (till_equals(lines->ptr[i].item, item)) return true;
  }
  return false;
}

static bool check(till_span_t *call, const till_lines_t *lines, till_error_t *error) {
  till_scoped_span checking = till_start_span(call, "check_lines");
  char *blocked = till_setting("blocked");
  bool is_sold = blocked == NULL || !has(lines, blocked);
  if (!is_sold) {
    char message[128];
    snprintf(message, sizeof message, "%s isn't sold at the moment", blocked);
    till_reject(error, "blocked", message);
  }
  free(blocked);
  return is_sold;
}

bool exports_till_inventory_deduct(till_trace_context_t *call, till_lines_t *lines, till_levels_t *levels,
                                   till_error_t *error) {
  bool is_taken = check(call, lines, error) && till_take(call, lines, levels, error);
  till_trace_context_free(call);
  exports_till_inventory_list_stock_line_free(lines);
  return is_taken;
}
