"""What an order costs: what its lines say, and the shipping of the setting `shipping` (minor units) if there is one."""

from till import Span
from till.checkout import amount_setting, deduct, receipt_of
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
        return receipt_of(order, shipping())


def shipping() -> list[Adjustment]:
    amount = amount_setting("shipping")
    return [] if amount is None else [Adjustment(Effect.ADD, "shipping", "Shipping", amount, None)]
