"""Whatever is on hand may be taken, but for the item that the setting `blocked` names."""

from till import Span, setting
from till.inventory import Rejected, take
from wit_world import exports
from wit_world.imports.types import StockLevel, StockLine, TraceContext


class Inventory(exports.Inventory):
    def deduct(self, ctx: TraceContext, lines: list[StockLine]) -> list[StockLevel]:
        with Span.of_call(ctx) as call:
            check(call, lines)
            return take(call, lines)


def check(call: Span, lines: list[StockLine]) -> None:
    with call.child("check_lines"):
        blocked = setting("blocked")
        if any(line.item == blocked for line in lines):
            raise Rejected("blocked", f"{blocked} isn't sold at the moment")
