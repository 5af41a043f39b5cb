"""What an order costs: what its lines say, and the shipping of the setting `shipping` (minor units) if there is one."""

from till import Span, setting
from till.checkout import Other, deduct, subtotal
from wit_world import exports
from wit_world.exports.checkout import Adjustment, Effect, Order, Receipt
from wit_world.imports.types import TraceContext


class Checkout(exports.Checkout):
    def checkout(self, ctx: TraceContext, order: Order) -> Receipt:
        with Span.of_call(ctx) as call:
            receipt = price(call, order)
            deduct(call, order)
            return receipt


def price(call: Span, order: Order) -> Receipt:
    with call.child("price_cart"):
        adjustments = shipping()
        return Receipt(adjustments, subtotal(order) + sum(added.amount for added in adjustments), [])


def shipping() -> list[Adjustment]:
    text = setting("shipping")
    if text is None:
        return []
    if not (text.isascii() and text.isdigit()):
        raise Other(f"the setting shipping is no amount: {text}")
    return [Adjustment(Effect.ADD, "shipping", "Shipping", int(text), None)]
