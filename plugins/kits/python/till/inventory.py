"""What an inventory plugin asks the host for, and the errors that it raises.

What the plugin's class answers is checked before the host gets it: a wrong number becomes an error that names its field.
"""

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.inventory import (
    InventoryError_Conflict,
    InventoryError_Other,
    InventoryError_OutOfStock,
    InventoryError_Rejected,
    InventoryError_Unavailable,
)
from wit_world.imports import stock
from wit_world.imports.types import Rejection, Shortage, StockLevel, StockLine

from . import NumberError, Other, PluginError, Span, Unavailable, export_checked
from .amount import whole

__all__ = ["Conflict", "Other", "OutOfStock", "Rejected", "Unavailable", "level", "take"]

Other.of_interface = InventoryError_Other
Unavailable.of_interface = InventoryError_Unavailable

_COUNT_MAX = 2**32 - 1


class OutOfStock(PluginError):
    """There is less of an item than asked for."""

    def __init__(self, shortage: Shortage) -> None:
        super().__init__(InventoryError_OutOfStock(shortage))


class Rejected(PluginError):
    """The same lines would be refused again: the code is for programs, the message for the customer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(InventoryError_Rejected(Rejection(code, message)))


class Conflict(PluginError):
    """A write at the same time was faster; the same lines may succeed a moment later."""

    def __init__(self, message: str) -> None:
        super().__init__(InventoryError_Conflict(message))


def take(span: Span, lines: list[StockLine]) -> list[StockLevel]:
    """Takes the lines out of the stock, all of them or none, and returns what is left. Once a call.

    Raises: `OutOfStock`
    """
    for index, line in enumerate(lines):
        whole(f"lines[{index}].quantity", line.quantity, 0, _COUNT_MAX)
    try:
        return stock.take(span.context, lines)
    except Err as error:
        raise OutOfStock(error.value) from None


def level(span: Span, item: str) -> int | None:
    """Returns how many pieces are on hand now, if the shop knows the item: a hint, for others take from it too."""
    return stock.level(span.context, item)


def _checked(levels: list[StockLevel]) -> list[StockLevel]:
    if not isinstance(levels, list):
        raise NumberError(f"the decision answered {levels!r}, wanted the list of what is left, as take returns it")
    for index, level in enumerate(levels):
        whole(f"levels[{index}].remaining", level.remaining, 0, _COUNT_MAX)
    return levels


export_checked(exports.Inventory, "deduct", _checked)
