"""What a checkout plugin asks the host for, and the errors that it raises."""

from componentize_py_types import Err
from wit_world.exports.checkout import (
    CheckoutError,
    CheckoutError_Conflict,
    CheckoutError_Other,
    CheckoutError_OutOfStock,
    CheckoutError_Rejected,
    CheckoutError_Unavailable,
    Order,
)
from wit_world.imports import inventory
from wit_world.imports.types import Rejection, StockLevel, StockLine

from . import PluginError, Span


class Rejected(PluginError):
    """The shop doesn't sell this order as it stands: the code is for programs, the message for the customer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(CheckoutError_Rejected(Rejection(code, message)))


class Unavailable(PluginError):
    """Something that the decision needs doesn't work."""

    def __init__(self, message: str) -> None:
        super().__init__(CheckoutError_Unavailable(message))


class Other(PluginError):
    """Anything else that keeps the plugin from deciding."""

    def __init__(self, message: str) -> None:
        super().__init__(CheckoutError_Other(message))


def deduct(span: Span, order: Order) -> list[StockLevel]:
    """Asks the shop's inventory for what the order's lines sell: all of it or nothing. Once a call.

    Raises: the inventory's error, as the checkout's of the same name
    """
    try:
        return inventory.deduct(span.context, [StockLine(line.item, line.quantity) for line in order.lines])
    except Err as error:
        raise PluginError(_of_inventory(error.value)) from None


def subtotal(order: Order) -> int:
    """Returns what the lines cost before any adjustment, in minor units."""
    return sum(line.quantity * line.unit_price for line in order.lines)


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
