"""A checkout that prices a cart, in Python: 10 % off what an item's lines cost from 3 pieces on, rounded down, and what the
settings say: `surcharge` (minor units), `voucher` (minor units, split over the lines by what they cost), and the tax within
the prices: `tax_percent`, rounded as `tax_rounding` says.
"""

from collections import defaultdict
from collections.abc import Iterator
from functools import reduce

from till import Span, setting
from till.checkout import (
    Rounding,
    amount_setting,
    deduct,
    line_cost,
    minus,
    percent_of,
    plus,
    ratio_of,
    receipt_of,
    split,
)
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
        receipt = receipt_of(order, [*discounts(order.lines), *surcharges(), *vouchers(order.lines)])
        span.set("cart.total", receipt.total)
        receipt.adjustments += taxes(receipt.total)
        return receipt


def discounts(lines: list[Line]) -> Iterator[Adjustment]:
    """Yields one for each item of which there are enough, in the order of their first lines."""
    items = defaultdict[str, list[int]](list)
    for index, line in enumerate(lines):
        items[line.item].append(index)
    for indices in items.values():
        if sum(lines[index].quantity for index in indices) < PIECES_FOR_DISCOUNT:
            continue
        cost = reduce(plus, (line_cost(lines[index]) for index in indices), 0)
        amount = percent_of(cost, DISCOUNT_PERCENT, Rounding.DOWN)
        label = f"{DISCOUNT_PERCENT} % off from {PIECES_FOR_DISCOUNT} pieces"
        yield Adjustment(Effect.SUBTRACT, "discount", label, amount, indices[0] if len(indices) == 1 else None)


def surcharges() -> list[Adjustment]:
    amount = amount_setting("surcharge")
    return [] if amount is None else [Adjustment(Effect.ADD, "surcharge", "Surcharge", amount, None)]


def vouchers(lines: list[Line]) -> list[Adjustment]:
    """Returns one for each line."""
    amount = amount_setting("voucher")
    if amount is None:
        return []
    parts = split(amount, [line_cost(line) for line in lines])
    return [Adjustment(Effect.SUBTRACT, "voucher", "Voucher", part, index) for index, part in enumerate(parts)]


def taxes(total: int) -> list[Adjustment]:
    percent = amount_setting("tax_percent")
    if percent is None:
        return []
    amount = ratio_of(total, percent, plus(100, percent), Rounding(setting("tax_rounding") or "half-up"))
    return [Adjustment(Effect.INCLUDED, "tax", f"{percent} % of {minus(total, amount)}", amount, None)]
