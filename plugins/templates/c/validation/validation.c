// Refuses more pieces of an item than the setting `most` says, 10 without it.

#include "till_validation.h"

#include <inttypes.h>

static void add_too_many(const till_cart_t *cart, uint32_t most, till_violations_t *to) {
  for (size_t i = 0; i < cart->lines.len; i++) {
    const till_line_t *line = &cart->lines.ptr[i];
    if (till_pieces_of(cart, line->item) <= most) continue;
    till_violate_line(to, line->id, "too-many", "At most %" PRIu32 " of %.*s can be ordered.", most, (int)line->title.len,
                      (const char *)line->title.ptr);
  }
}

bool exports_till_validation_validate(till_span_t *call, till_cart_t *cart, till_violations_t *violations,
                                      till_error_t *error) {
  *violations = (till_violations_t){};
  uint32_t most;
  bool is_set;
  bool is_decided = till_number_setting("most", &most, &is_set, error);
  if (is_decided) add_too_many(cart, is_set ? most : 10, violations);
  till_trace_context_free(call);
  exports_till_validation_cart_free(cart);
  return is_decided;
}
