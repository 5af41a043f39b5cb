"""Refuses more than so many pieces of an item, and items that want a confirmation without it.

| setting | what it is | without it |
|---|---|---|
| `most` | pieces of an item, over all its lines | any number |
| `items` | the items that `most` is about, with commas between | all items |
| `tag` | the catalogue's tag of items that want a confirmation | `age-restricted` |
| `confirmation` | the cart's attribute that confirms, with `true`, `yes`, `on` or `1` | `age_confirmed` |
"""

from till import setting
from till.validation import is_on, list_setting, number_setting, only_settings, pieces_of, products_of
from wit_world import exports
from wit_world.exports.validation import Subject_Attribute, Subject_Line, Violation
from wit_world.imports.types import Cart, TraceContext


class Validation(exports.Validation):
    def validate(self, ctx: TraceContext, cart: Cart) -> list[Violation]:
        only_settings("most", "items", "tag", "confirmation")
        most = number_setting("most")
        limited = [] if most is None else too_many(cart, most, list_setting("items"))
        tag, key = setting("tag") or "age-restricted", setting("confirmation") or "age_confirmed"
        return limited + unconfirmed(cart, tag, key)


def too_many(cart: Cart, most: int, items: list[str]) -> list[Violation]:
    """Returns a violation for each item of which there are too many, about its first line."""
    first = {line.item: line for line in reversed(cart.lines)}
    limited = [line for line in cart.lines if first[line.item] is line and (not items or line.item in items)]
    return [
        Violation("too-many", f"At most {most} of {line.title} can be ordered.", Subject_Line(line.id))
        for line in limited
        if pieces_of(cart, line.item) > most
    ]


def unconfirmed(cart: Cart, tag: str, key: str) -> list[Violation]:
    """Returns the violation of a cart that holds an item with the tag and isn't confirmed."""
    if is_on(cart.attributes, key):
        return []
    # An item that the catalogue doesn't know has no tags.
    for product in products_of(cart.lines):
        if tag in product.tags:
            return [Violation("unconfirmed", f"{product.title} needs a confirmation.", Subject_Attribute(key))]
    return []
