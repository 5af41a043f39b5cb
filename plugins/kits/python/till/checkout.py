"""What a checkout plugin asks the host for, and the errors that it raises.

What the plugin's class answers is checked before the host gets it: a wrong number becomes an error that names its field.
"""

from collections.abc import Iterable
from functools import reduce

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.checkout import (
    Adjustment,
    CheckoutError,
    CheckoutError_Conflict,
    CheckoutError_Other,
    CheckoutError_OutOfStock,
    CheckoutError_Rejected,
    CheckoutError_Unavailable,
    Effect,
    Order,
    Receipt,
)
from wit_world.imports import inventory
from wit_world.imports.types import Line, Rejection, StockLevel, StockLine

from . import NumberError, Other, PluginError, Span, Unavailable, export_checked
from .amount import Rounding, amount, amount_setting, minus, percent_of, plus, ratio_of, split, whole

__all__ = [
    "Other",
    "Rejected",
    "Rounding",
    "Unavailable",
    "amount",
    "amount_setting",
    "deduct",
    "line_cost",
    "minus",
    "percent_of",
    "plus",
    "ratio_of",
    "receipt_of",
    "split",
    "subtotal",
]

Other.of_interface = CheckoutError_Other
Unavailable.of_interface = CheckoutError_Unavailable

_COUNT_MAX = 2**32 - 1


class Rejected(PluginError):
    """The shop doesn't sell this order as it stands: the code is for programs, the message for the customer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(CheckoutError_Rejected(Rejection(code, message)))


def deduct(span: Span, order: Order) -> list[StockLevel]:
    """Asks the shop's inventory for what the order's lines sell: all of it or nothing. Once a call.

    Raises: the inventory's error, as the checkout's of the same name
    """
    lines = [
        StockLine(line.item, whole(f"lines[{index}].quantity", line.quantity, 0, _COUNT_MAX))
        for index, line in enumerate(order.lines)
    ]
    try:
        return inventory.deduct(span.context, lines)
    except Err as error:
        raise PluginError(_of_inventory(error.value)) from None


def line_cost(line: Line) -> int:
    """Returns what the line costs before any adjustment: quantity times unit price."""
    return amount("quantity times unit price", line.quantity * line.unit_price)


def subtotal(order: Order) -> int:
    """Returns what the lines cost before any adjustment, in minor units."""
    return reduce(plus, map(line_cost, order.lines), 0)


def receipt_of(order: Order, adjustments: Iterable[Adjustment] = ()) -> Receipt:
    """Returns the receipt of an order with these adjustments.

    Its total is what the lines cost, with what is added and without what is subtracted.
    """
    listed = list(adjustments)
    for index, adjustment in enumerate(listed):
        amount(f"receipt.adjustments[{index}].amount", adjustment.amount)

    def sum_of(effect: Effect) -> int:
        return reduce(plus, (adjustment.amount for adjustment in listed if adjustment.effect is effect), 0)

    return Receipt(listed, minus(plus(subtotal(order), sum_of(Effect.ADD)), sum_of(Effect.SUBTRACT)), [])


def _checked(receipt: Receipt) -> Receipt:
    if not isinstance(receipt, Receipt):
        raise NumberError(f"the decision answered {receipt!r}, wanted a Receipt")
    for index, adjustment in enumerate(receipt.adjustments):
        field = f"receipt.adjustments[{index}]"
        amount(f"{field}.amount", adjustment.amount)
        if adjustment.line is not None:
            whole(f"{field}.line", adjustment.line, 0, _COUNT_MAX)
    amount("receipt.total", receipt.total)
    return receipt


export_checked(exports.Checkout, "checkout", _checked)


def _of_inventory(error: inventory.InventoryError) -> CheckoutError:
    match error:
        case inventory.InventoryError_OutOfStock(shortage):
            return CheckoutError_OutOfStock(shortage)
        case inventory.InventoryError_Rejected(rejection):
            return CheckoutError_Rejected(rejection)
        case inventory.InventoryError_Conflict(message):
            return CheckoutError_Conflict(message)
        case inventory.InventoryError_Unavailable(message):
            return CheckoutError_Unavailable(message)
        case inventory.InventoryError_Other(message):
            return CheckoutError_Other(message)
