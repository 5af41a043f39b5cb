"""A checkout that prices a cart, in Python: 10 % off what an item's lines cost from 3 pieces on, and the surcharge of the
setting `surcharge` (minor units) if there is one.
"""

from collections import defaultdict

from till import Span, setting
from till.checkout import Other, deduct, subtotal
from wit_world import exports
from wit_world.exports.checkout import Adjustment, Effect, Order, Receipt
from wit_world.imports.types import Line, TraceContext

PIECES_FOR_DISCOUNT = 3
DISCOUNT_PERCENT = 10


class Checkout(exports.Checkout):
    def checkout(self, ctx: TraceContext, order: Order) -> Receipt:
        with Span.of_call(ctx) as call:
            receipt = price(call, order)
            deduct(call, order)
            return receipt


def price(call: Span, order: Order) -> Receipt:
    with call.child("price_cart") as span:
        adjustments = discounts(order.lines) + surcharges()
        before = subtotal(order)
        total = before + sum(a.amount if a.effect is Effect.ADD else -a.amount for a in adjustments)
        span.annotate({"cart.subtotal": float(before), "cart.total": float(total)})
        return Receipt(adjustments, total, [])


def discounts(lines: list[Line]) -> list[Adjustment]:
    indices = defaultdict[str, list[int]](list)
    for index, line in enumerate(lines):
        indices[line.item].append(index)
    of_items = ((of_item, [lines[index] for index in of_item]) for of_item in indices.values())
    return [
        Adjustment(
            Effect.SUBTRACT,
            "discount",
            f"{DISCOUNT_PERCENT} % off from {PIECES_FOR_DISCOUNT} pieces",
            sum(line.quantity * line.unit_price for line in of_item) * DISCOUNT_PERCENT // 100,
            indices[0] if len(indices) == 1 else None,
        )
        for indices, of_item in of_items
        if sum(line.quantity for line in of_item) >= PIECES_FOR_DISCOUNT
    ]


def surcharges() -> list[Adjustment]:
    text = setting("surcharge")
    if text is None:
        return []
    if not (text.isascii() and text.isdigit() and len(text) <= 15):
        raise Other(f"the setting surcharge is no amount of minor units: {text}")
    return [Adjustment(Effect.ADD, "surcharge", "Surcharge", int(text), None)]
