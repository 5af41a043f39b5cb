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

from . import NumberError, Other, PluginError, exporting, setting
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

_COUNT_MAX = 2**32 - 1


class Unavailable(PluginError):
    """Something that the decision needs doesn't work."""

    def __init__(self, message: str) -> None:
        super().__init__(HookError_Unavailable(message))


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
            return text in ("on", "true", "yes", "1")
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


def _subclassed(cls: type, **keywords: object) -> None:
    super(exports.Validation, cls).__init_subclass__(**keywords)
    if "validate" in vars(cls):
        cls.validate = exporting(cls.validate, _checked)


# Every class that is a validation plugin's derives of it.
exports.Validation.__init_subclass__ = classmethod(_subclassed)
