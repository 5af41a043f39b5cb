"""What an inventory plugin asks the host for, and the errors that it raises."""

from componentize_py_types import Err
from wit_world.exports.inventory import (
    InventoryError_Conflict,
    InventoryError_Other,
    InventoryError_OutOfStock,
    InventoryError_Rejected,
    InventoryError_Unavailable,
)
from wit_world.imports import stock
from wit_world.imports.types import Rejection, Shortage, StockLevel, StockLine

from . import PluginError, Span


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


class Unavailable(PluginError):
    """Something that the decision needs doesn't work."""

    def __init__(self, message: str) -> None:
        super().__init__(InventoryError_Unavailable(message))


class Other(PluginError):
    """Anything else that keeps the plugin from deciding."""

    def __init__(self, message: str) -> None:
        super().__init__(InventoryError_Other(message))


def take(span: Span, lines: list[StockLine]) -> list[StockLevel]:
    """Takes the lines out of the stock, all of them or none, and returns what is left. Once a call.

    Raises: `OutOfStock`
    """
    try:
        return stock.take(span.context, lines)
    except Err as error:
        raise OutOfStock(error.value) from None


def level(span: Span, item: str) -> int | None:
    """Returns how many pieces are on hand now, if the shop knows the item: a hint, for others take from it too."""
    return stock.level(span.context, item)
