// Till's default inventory in C: whatever is on hand may be taken.
//
// With the setting `faults` on it also has the demo's two faults: large smartphone orders are slow, large laptop orders
// often meet a deadlock.

#include "till_inventory.h"

static bool has_large(const till_lines_t *lines, const char *item, uint32_t pieces) {
  for (size_t i = 0; i < lines->len; i++) {
    if (lines->ptr[i].quantity >= pieces && till_equals(lines->ptr[i].item, item)) return true;
  }
  return false;
}

// Waits 1.0 to 2.5 s, and says so on the call's span.
static void add_latency(till_span_t *call) {
  double seconds = 1.0 + 1.5 * till_host_random();
  till_attribute_t latency = till_decimal("simulation.latency_added", seconds);
  till_set(call, latency);
  till_log(call, TILL_TELEMETRY_LEVEL_INFO, "simulating a slow inventory", latency);
  till_scoped_span waiting = till_start_span(call, "simulated_latency");
  till_host_sleep((uint32_t)(seconds * 1000.0));
}

// Waits for a large smartphone order, and fails 60 % of the large laptop orders.
static bool simulate_faults(till_span_t *call, const till_lines_t *lines, till_error_t *error) {
  if (has_large(lines, "smartphone", 3)) add_latency(call);
  if (has_large(lines, "laptop", 2) && till_host_random() < 0.6) {
    return till_conflict(error, "Database deadlock conflict during write");
  }
  return true;
}

bool exports_till_inventory_deduct(till_trace_context_t *call, till_lines_t *lines, till_levels_t *levels,
                                   till_error_t *error) {
  bool is_taken = (!till_setting_is_on("faults") || simulate_faults(call, lines, error)) &&
                  till_take(call, lines, levels, error);
  till_trace_context_free(call);
  exports_till_inventory_list_stock_line_free(lines);
  return is_taken;
}
