"""Makes the mistake that the setting `do` names."""

import time
from datetime import datetime

from till import Level, Span, setting
from till.checkout import Rounding, deduct, minus, percent_of, receipt_of, subtotal
from wit_world import exports
from wit_world.exports.checkout import Adjustment, Effect, Receipt


class Throws:
    def __str__(self):
        raise ValueError("no text")


class Checkout(exports.Checkout):
    def checkout(self, ctx, order):
        with Span.of_call(ctx) as call:
            receipt = receipt_of(order)
            changed = tried(call, order)
            deduct(call, order)
            match changed:
                case Adjustment():
                    return Receipt([changed], receipt.total, [])
                case (total,):
                    return Receipt([], total, [])
            return receipt


def tried(call, order):
    match setting("do"):
        case "telemetry":
            call.set("cart.total", 2**31)
            call.annotate({"huge": 2**60, "none": None, "nan": float("nan"), "flag": True, "low": -(2**31) - 1})
            call.annotate({"list": [1], "throws": Throws(), "surrogate": "\ud800x", "text": "t", 5: 5})
            call.annotate(None)
            call.event("happened", huge=10**30)
            call.log("warning", None, {"none": None})
            with call.child(5):
                pass
        case "clock":
            call.set("exact", round(time.time() * 1000) == order.placed_at_ms)
        case "print":
            print("printed", subtotal(order))
        case "strptime":
            call.set("year", datetime.strptime("2026-11-28", "%Y-%m-%d").year)
        case "import_within":
            from decimal import Decimal

            call.set("decimal", Decimal("1.10") * 3)
        case "import_rarely":
            import graphlib

            call.set("sorted", list(graphlib.TopologicalSorter({1: [2]}).static_order()))
        case "import_by_name":
            __import__("tom" + "llib")
        case "codec":
            call.set("encoded", "bücher.example".encode("idna").decode() + repr("é".encode("utf-16-le")))
        case "exception":
            next(attribute for attribute in order.attributes if attribute.key == "coupon")
        case "file_system":
            open("prices.json")
        case "negative":
            return (-5,)
        case "text":
            return ("9.00",)
        case "fraction":
            return (subtotal(order) * 0.119,)
        case "not_a_number":
            return (float("nan"),)
        case "left_out":
            return (None,)
        case "too_large":
            return (2**53,)
        case "adjustment":
            return Adjustment(Effect.SUBTRACT, "c", "l", subtotal(order) * 19 / 119, None)
        case "line":
            return Adjustment(Effect.INCLUDED, "c", "l", 1, -1)
        case "minus":
            minus(subtotal(order), 5_000)
        case "percent":
            percent_of(subtotal(order), 7.5, Rounding.DOWN)
        case "rounding":
            percent_of(subtotal(order), 7, "down")
        case "quantity":
            order.lines[0].quantity = -1
