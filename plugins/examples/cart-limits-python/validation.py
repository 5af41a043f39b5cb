"""Refuses more than so many pieces of an item, and items that want a confirmation without it.

| setting | what it is | without it |
|---|---|---|
| `most` | pieces of an item, over all its lines | any number |
| `items` | the items that `most` is about, with commas between | all items |
| `tag` | the catalogue's tag of items that want a confirmation | `age-restricted` |
| `confirmation` | the cart's attribute that confirms, with `true`, `yes`, `on` or `1` | `age_confirmed` |
"""

from collections import Counter

from componentize_py_types import Err
from wit_world import exports
from wit_world.exports.validation import Subject_Attribute, Subject_Line, Violation
from wit_world.imports import facts, settings
from wit_world.imports.types import AttributeValue_Flag, AttributeValue_Text, Cart, HookError_Other, TraceContext

KNOWN = ["most", "items", "tag", "confirmation"]


class Validation(exports.Validation):
    def validate(self, ctx: TraceContext, cart: Cart) -> list[Violation]:
        unknown = next((key for key in settings.keys() if key not in KNOWN), None)
        if unknown is not None:
            raise Err(HookError_Other(f"there is no setting {unknown}; there are {', '.join(KNOWN)}"))
        items = [item.strip() for item in (settings.get("items") or "").split(",") if item.strip()]
        tag, key = settings.get("tag") or "age-restricted", settings.get("confirmation") or "age_confirmed"
        return too_many(cart, most(), items) + unconfirmed(cart, tag, key)


def most() -> int | None:
    text = settings.get("most")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()):
        raise Err(HookError_Other(f'the setting most is "{text}", wanted a whole number'))
    return int(text)


def too_many(cart: Cart, most: int | None, items: list[str]) -> list[Violation]:
    """Returns a violation for each item of which there are too many, about its first line."""
    pieces = Counter()
    for line in cart.lines:
        pieces[line.item] += line.quantity
    first = {line.item: line for line in reversed(cart.lines)}
    return [
        Violation("too-many", f"At most {most} of {line.title} can be ordered.", Subject_Line(line.id))
        for line in cart.lines
        if most is not None and first[line.item] is line and pieces[line.item] > most and (not items or line.item in items)
    ]


def unconfirmed(cart: Cart, tag: str, key: str) -> list[Violation]:
    """Returns the violation of a cart that holds an item with the tag and isn't confirmed."""
    if any(attribute.key == key and confirms(attribute.value) for attribute in cart.attributes):
        return []
    # An item that the catalogue doesn't know has no tags.
    for product in facts.products([line.item for line in cart.lines]):
        if product is not None and tag in product.tags:
            return [Violation("unconfirmed", f"{product.title} needs a confirmation.", Subject_Attribute(key))]
    return []


def confirms(value: object) -> bool:
    match value:
        case AttributeValue_Flag(flag):
            return flag
        case AttributeValue_Text(text):
            return text in ("on", "true", "yes", "1")
    return False
