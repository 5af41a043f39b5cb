"""Refuses more pieces of an item than the setting `most` says, 10 without it."""

from till.validation import number_setting, pieces_of
from wit_world import exports
from wit_world.exports.validation import Subject_Line, Violation
from wit_world.imports.types import Cart, TraceContext


class Validation(exports.Validation):
    def validate(self, ctx: TraceContext, cart: Cart) -> list[Violation]:
        setting = number_setting("most")
        most = 10 if setting is None else setting
        return [
            Violation("too-many", f"At most {most} of {line.title} can be ordered.", Subject_Line(line.id))
            for line in cart.lines
            if pieces_of(cart, line.item) > most
        ]
