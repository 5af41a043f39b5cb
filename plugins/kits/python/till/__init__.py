"""What a Till plugin in Python needs beside its decision: spans, log lines, settings, waiting, errors.

The types come from the generated `wit_world`, which is made of the interface's WIT.
"""

import traceback
from types import TracebackType
from typing import Self

from componentize_py_types import Err
from wit_world.imports import host, telemetry
from wit_world.imports.telemetry import Level
from wit_world.imports.types import (
    Attribute,
    AttributeValue,
    AttributeValue_Decimal,
    AttributeValue_Flag,
    AttributeValue_Integer,
    AttributeValue_Text,
    TraceContext,
)

__all__ = ["Level", "PluginError", "Span", "random", "setting", "setting_is_on", "sleep"]

random = host.random
setting = host.setting


def setting_is_on(key: str) -> bool:
    """Returns whether the setting is `on`, `true`, `yes` or `1`."""
    return setting(key) in ("on", "true", "yes", "1")


def sleep(seconds: float) -> None:
    """Waits without using up the call's CPU limit; its wall limit goes on. Whole milliseconds."""
    host.sleep(int(seconds * 1000))


class PluginError(Exception):
    """A "no" or a failure that the interface has a word for. Raise it within the call's block, and the host gets that."""

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value


class Span:
    """A span of this call's trace. `with call.child("price_cart"):` ends with its block.

    `with Span.of_call(ctx) as call:` is the host's span. Its block is the decision: a `PluginError` leaves it as the
    interface's error, and any other exception is logged with its traceback and ends the call.
    """

    def __init__(self, context: TraceContext, *, is_own: bool) -> None:
        self.context = context
        self._is_own = is_own

    @classmethod
    def of_call(cls, context: TraceContext) -> Self:
        return cls(context, is_own=False)

    def child(self, name: str) -> "Span":
        """Starts a span below this one."""
        return Span(telemetry.start_span(self.context, name), is_own=True)

    def set(self, key: str, value: str | int | float | bool) -> None:
        self.annotate({key: value})

    def annotate(self, attributes: dict[str, str | int | float | bool]) -> None:
        telemetry.annotate(self.context, _attributes(attributes))

    def event(self, name: str, **attributes: str | int | float | bool) -> None:
        telemetry.add_event(self.context, name, _attributes(attributes))

    def fail(self, message: str) -> None:
        """Marks the span as failed: for what went wrong, not for a business "no"."""
        telemetry.fail_span(self.context, message)

    def log(
        self, level: Level, message: str, attributes: dict[str, str | int | float | bool] | None = None
    ) -> None:
        """Writes a log line that carries this span's ids."""
        telemetry.log(self.context, level, message, _attributes(attributes or {}))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._is_own:
            telemetry.end_span(self.context)
        elif isinstance(error, PluginError):
            # componentize-py takes nothing but an Err for the function's error, and no class derived of it.
            raise Err(error.value) from error
        elif error is not None:
            self.log(Level.ERROR, _told(error))


def _told(error: BaseException) -> str:
    """Returns the exception and where it arose; without the lines' text, for there are no files to read it from."""
    frames = [
        f"  {frame.f_code.co_filename}:{line} in {frame.f_code.co_name}"
        for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return "\n".join([f"{type(error).__name__}: {error}", *frames])


def _attributes(attributes: dict[str, str | int | float | bool]) -> list[Attribute]:
    return [Attribute(key, _value(value)) for key, value in attributes.items()]


def _value(value: str | int | float | bool) -> AttributeValue:
    match value:
        case bool():
            return AttributeValue_Flag(value)
        case int():
            return AttributeValue_Integer(value)
        case float():
            return AttributeValue_Decimal(value)
        case _:
            return AttributeValue_Text(value)
