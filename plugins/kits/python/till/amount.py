"""Amounts: whole minor units from 0 to 2^53 - 1, and the one right way to take a share of one.

Nothing here goes through a float. What can't be an amount is raised as a `NumberError`, which the host gets as the
interface's `other`: a broken plugin sells nothing.
"""

from collections.abc import Sequence
from enum import Enum

from . import NumberError, Other, setting

AMOUNT_MAX = 2**53 - 1
_AMOUNT = f"a whole number of minor units from 0 to {AMOUNT_MAX}"


class Rounding(Enum):
    DOWN = "down"
    HALF_UP = "half-up"
    HALF_EVEN = "half-even"
    UP = "up"


def amount(field: str, value: object) -> int:
    """Returns the number if it is an amount. For what comes from elsewhere: a table of prices, a setting of several parts."""
    return whole(field, value, 0, AMOUNT_MAX, _AMOUNT)


def amount_setting(key: str) -> int | None:
    """Returns the plugin's setting of that name as an amount in minor units, `None` if it isn't set."""
    text = setting(key)
    if text is None:
        return None
    is_amount = text.isascii() and text.isdigit() and len(text) <= 16 and int(text) <= AMOUNT_MAX
    if not is_amount:
        raise Other(f"the setting {key} is no amount of minor units: {text}")
    return int(text)


def plus(one: int, other: int) -> int:
    total = amount("the amount", one) + amount("what is added", other)
    if total > AMOUNT_MAX:
        raise NumberError(f"{one} plus {other} is past {AMOUNT_MAX}")
    return total


def minus(one: int, other: int) -> int:
    """Subtracts at most `one`: an amount is never below 0."""
    rest = amount("the amount", one) - amount("what is subtracted", other)
    if rest < 0:
        raise NumberError(f"{one} minus {other} is below 0")
    return rest


def percent_of(of: int, percent: int, rounding: Rounding) -> int:
    """Takes a whole percentage of an amount. For a fraction of a percent take `ratio_of`: 7.5 % is the ratio 75 to 1000."""
    return _share(of, "the percent", percent, 100, rounding)


def ratio_of(of: int, numerator: int, denominator: int, rounding: Rounding) -> int:
    """Takes a share of an amount: 19 to 119 is the tax of 19 % within a price."""
    return _share(of, "the numerator", numerator, denominator, rounding)


def split(whole_amount: int, weights: Sequence[int]) -> list[int]:
    """Splits an amount over lines by their weights, which are what each costs or any other whole numbers.

    The parts sum to the amount: each gets its share rounded down, and what is left goes in single units to those whose shares
    were cut most, the first line first where they were cut alike. Where all weights are 0, all weigh the same.
    """
    amount("the amount", whole_amount)
    given = [amount(f"weights[{index}]", weight) for index, weight in enumerate(weights)]
    if not given and whole_amount > 0:
        raise NumberError(f"there are no weights to split {whole_amount} by")
    counted = given if any(given) else [1] * len(given)
    total = sum(counted)
    parts = [whole_amount * weight // total for weight in counted]
    # The sort is stable.
    most_cut_first = sorted(range(len(parts)), key=lambda index: -(whole_amount * counted[index] % total))
    for index in most_cut_first[: whole_amount - sum(parts)]:
        parts[index] += 1
    return parts


def whole(field: str, value: object, least: int, most: int, wanted: str | None = None) -> int:
    """Returns the number if it is whole and within its bounds."""
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return int(value)
    shown = str(value) if isinstance(value, int) else repr(value)
    raise NumberError(f"{field} is {shown}, wanted {wanted or f'a whole number from {least} to {most}'}")


def _share(of: int, field: str, numerator: int, denominator: int, rounding: Rounding) -> int:
    parts = amount("the amount", of) * whole(field, numerator, 0, AMOUNT_MAX)
    by = whole("the denominator", denominator, 1, AMOUNT_MAX)
    down, rest = divmod(parts, by)
    match rounding:
        case Rounding.DOWN:
            is_up = False
        case Rounding.HALF_UP:
            is_up = 2 * rest >= by
        case Rounding.HALF_EVEN:
            is_up = 2 * rest > by or (2 * rest == by and down % 2 == 1)
        case Rounding.UP:
            is_up = rest > 0
        case _:
            named = ", ".join(f"Rounding.{rounding.name}" for rounding in Rounding)
            raise NumberError(f"the rounding is {rounding!r}, wanted one of {named}")
    result = down + 1 if is_up else down
    if result > AMOUNT_MAX:
        raise NumberError(f"the share is past {AMOUNT_MAX}")
    return result
