"""Reads a file: a plugin has none."""

import json

from till import Span
from till.checkout import deduct, subtotal
from wit_world import exports
from wit_world.exports.checkout import Receipt


class Checkout(exports.Checkout):
    def checkout(self, ctx, order):
        with Span.of_call(ctx) as call:
            with open("prices.json") as prices:
                json.load(prices)
            deduct(call, order)
            return Receipt([], subtotal(order), [])
