"""What a plugin of the hook validation asks of its cart and its settings, and the errors that it raises.

What the plugin's class answers is checked before the host gets it: a wrong line becomes an error that names its field.
"""

from collections.abc import Iterable

from wit_world import exports
from wit_world.exports.validation import Subject_Line, Violation
from wit_world.imports import facts, settings
from wit_world.imports.facts import Product
from wit_world.imports.types import (
    Attribute,
    AttributeValue_Flag,
    AttributeValue_Text,
    Cart,
    HookError_Other,
    HookError_Unavailable,
    Line,
)

from . import YES, NumberError, Other, Unavailable, export_checked, setting
from .amount import whole

__all__ = [
    "Other",
    "Unavailable",
    "is_on",
    "list_setting",
    "number_setting",
    "only_settings",
    "pieces_of",
    "products_of",
]

Other.of_interface = HookError_Other
Unavailable.of_interface = HookError_Unavailable

_COUNT_MAX = 2**32 - 1


def only_settings(*known: str) -> None:
    """Refuses a setting that isn't one of these: a misspelt one would be as good as not set."""
    for key in settings.keys():
        if key not in known:
            raise Other(f"there is no setting {key}; there are {', '.join(known)}")


def number_setting(key: str) -> int | None:
    """Returns the setting as a whole number; `None` if the operator has set nothing."""
    text = setting(key)
    if text is None:
        return None
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and int(digits) <= _COUNT_MAX):
        raise Other(f'the setting {key} is "{text}", wanted a whole number')
    return int(digits)


def list_setting(key: str) -> list[str]:
    """Returns the texts between the setting's commas, trimmed, without empty ones."""
    return [part.strip() for part in (setting(key) or "").split(",") if part.strip()]


def pieces_of(cart: Cart, item: str) -> int:
    """Returns how many pieces of the item all lines have."""
    return sum(line.quantity for line in cart.lines if line.item == item)


def is_on(attributes: Iterable[Attribute], key: str) -> bool:
    """Returns whether an attribute of that key says yes. What a client sent is a claim, not a fact."""
    return any(attribute.key == key and _says_yes(attribute.value) for attribute in attributes)


def _says_yes(value: object) -> bool:
    match value:
        case AttributeValue_Flag(flag):
            return flag
        case AttributeValue_Text(text):
            return text in YES
    return False


def products_of(lines: Iterable[Line]) -> list[Product]:
    """Returns what the catalogue has of the lines' items, in the lines' order, without those that it doesn't know."""
    items = [line.item for line in lines]
    return [product for product in facts.products(items) if product is not None] if items else []


def _checked(violations: list[Violation]) -> list[Violation]:
    if not isinstance(violations, list):
        raise NumberError(f"the decision answered {violations!r}, wanted a list of Violation")
    for index, violation in enumerate(violations):
        if not isinstance(violation, Violation):
            raise NumberError(f"violations[{index}] is {violation!r}, wanted a Violation")
        if isinstance(violation.subject, Subject_Line):
            whole(f"violations[{index}].subject.line", violation.subject.value, 0, _COUNT_MAX)
    return violations


export_checked(exports.Validation, "validate", _checked)
