"""Looks for what an order may not have."""

from till import Span
from till.checkout import deduct, subtotal
from wit_world import exports
from wit_world.exports.checkout import Receipt


class Checkout(exports.Checkout):
    def checkout(self, ctx, order):
        with Span.of_call(ctx) as call:
            coupon = next(attribute for attribute in order.attributes if attribute.key == "coupon")
            call.annotate({"coupon": coupon.value.value})
            deduct(call, order)
            return Receipt([], subtotal(order), [])
