"""Till's default inventory in Python: whatever is on hand may be taken.

With the setting `faults` on it also has the demo's two faults: large smartphone orders are slow, large laptop orders
often meet a deadlock.
"""

from till import Level, Span, random, setting_is_on, sleep
from till.inventory import Conflict, take
from wit_world import exports
from wit_world.imports.types import StockLevel, StockLine, TraceContext


class Inventory(exports.Inventory):
    def deduct(self, ctx: TraceContext, lines: list[StockLine]) -> list[StockLevel]:
        with Span.of_call(ctx) as call:
            if setting_is_on("faults"):
                simulate_faults(call, lines)
            return take(call, lines)


def simulate_faults(call: Span, lines: list[StockLine]) -> None:
    """Waits for a large smartphone order, and fails 60 % of the large laptop orders."""

    def has_large(item: str, pieces: int) -> bool:
        return any(line.item == item and line.quantity >= pieces for line in lines)

    if has_large("smartphone", 3):
        add_latency(call)
    if has_large("laptop", 2) and random() < 0.6:
        raise Conflict("Database deadlock conflict during write")


def add_latency(call: Span) -> None:
    """Waits 1.0 to 2.5 s, and says so on the call's span."""
    seconds = 1.0 + 1.5 * random()
    latency = {"simulation.latency_added": seconds}
    call.annotate(latency)
    call.log(Level.INFO, "simulating a slow inventory", latency)
    with call.child("simulated_latency"):
        sleep(seconds)
