"""What an inventory plugin asks the host for, and the errors that it raises.

To be raised: they are functions, for componentize-py hands the host an `Err` and no class derived of it.
"""

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

from . import Span


def out_of_stock(shortage: Shortage) -> Err:
    """There is less of an item than asked for."""
    return Err(InventoryError_OutOfStock(shortage))


def rejected(code: str, message: str) -> Err:
    """The same lines would be refused again: the code is for programs, the message for the customer."""
    return Err(InventoryError_Rejected(Rejection(code, message)))


def conflict(message: str) -> Err:
    """A write at the same time was faster; the same lines may succeed a moment later."""
    return Err(InventoryError_Conflict(message))


def unavailable(message: str) -> Err:
    """Something that the decision needs doesn't work."""
    return Err(InventoryError_Unavailable(message))


def other(message: str) -> Err:
    """Anything else that keeps the plugin from deciding."""
    return Err(InventoryError_Other(message))


def take(span: Span, lines: list[StockLine]) -> list[StockLevel]:
    """Takes the lines out of the stock, all of them or none, and returns what is left. Once a call.

    Raises: `out_of_stock`
    """
    try:
        return stock.take(span.context, lines)
    except Err as error:
        raise out_of_stock(error.value) from None


def level(span: Span, item: str) -> int | None:
    """Returns how many pieces are on hand now, if the shop knows the item: a hint, for others take from it too."""
    return stock.level(span.context, item)
