// Till's default inventory in C++: whatever is on hand may be taken.
//
// With the setting `faults` on it also has the demo's two faults: large smartphone orders are slow, large laptop orders
// often meet a deadlock.

#include "till_inventory.hpp"

#include <algorithm>

namespace {

bool has_large(std::span<const till::StockLine> lines, std::string_view item, std::uint32_t pieces) {
  return std::ranges::any_of(lines, [&](const auto &line) { return line.item == item && line.quantity >= pieces; });
}

// Waits 1.0 to 2.5 s, and says so on the call's span.
void add_latency(const till::Span &call) {
  double seconds = 1.0 + 1.5 * till::random();
  call.set("simulation.latency_added", seconds);
  call.log(till::Level::info, "simulating a slow inventory", "simulation.latency_added", seconds);
  till::Span waiting(call, "simulated_latency");
  till::sleep(static_cast<std::uint32_t>(seconds * 1000.0));
}

// Whether a large laptop order meets a deadlock, which 60 % do; a large smartphone order waits.
bool meets_deadlock(const till::Span &call, std::span<const till::StockLine> lines) {
  if (has_large(lines, "smartphone", 3)) add_latency(call);
  return has_large(lines, "laptop", 2) && till::random() < 0.6;
}

}  // namespace

till::Result<std::vector<till::StockLevel>> till::deduct(const Span &call, std::span<const StockLine> lines) {
  if (setting_is_on("faults") && meets_deadlock(call, lines)) {
    return conflict("Database deadlock conflict during write");
  }
  return take(call, lines);
}
