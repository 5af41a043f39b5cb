"""What a Till plugin in Python needs beside its decision: spans, log lines, settings, waiting, errors.

The types come from the generated `wit_world`, which is made of the interface's WIT. Telemetry never fails a call: an
attribute that the interface has no type for is dropped or written as text. `random` and `sleep` are track 0.1's.
"""

from collections.abc import Callable
from functools import wraps
from traceback import walk_tb
from types import TracebackType
from typing import ClassVar, Self

from componentize_py_types import Err
from wit_world.imports import telemetry
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

__all__ = ["Level", "NumberError", "Other", "PluginError", "Span", "random", "setting", "setting_is_on", "sleep"]

try:
    from wit_world.imports import host

    random = host.random
    setting = host.setting
except ImportError:
    from wit_world.imports import settings

    setting = settings.get

# What says yes, in a setting and an attribute.
YES = ("on", "true", "yes", "1")
_SLEEP_MS_MAX = 2**32 - 1
_INTEGER_MIN, _INTEGER_MAX = -(2**31), 2**31 - 1
_DECIMAL_MAX = 2**53


def setting_is_on(key: str) -> bool:
    """Returns whether the setting is `on`, `true`, `yes` or `1`."""
    return setting(key) in YES


def sleep(seconds: float) -> None:
    """Waits without using up the call's CPU limit; its wall limit goes on. Whole milliseconds."""
    if not 0 <= seconds * 1000 <= _SLEEP_MS_MAX:
        raise NumberError(f"what is slept is {seconds!r} seconds, wanted 0 to {_SLEEP_MS_MAX // 1000}")
    host.sleep(int(seconds * 1000))


class PluginError(Exception):
    """A "no" or a failure that the interface has a word for. Raise it within the call's block, and the host gets that."""

    def __init__(self, value: object) -> None:
        super().__init__(value)
        self.value = value


class Other(PluginError):
    """Anything else that keeps the plugin from deciding."""

    # Each kind of plugin has its own: till.checkout or till.inventory says which.
    of_interface: ClassVar[Callable[[str], object]]

    def __init__(self, message: str) -> None:
        super().__init__(Other.of_interface(message))
        self.message = message

    def __str__(self) -> str:
        return self.message


class Unavailable(PluginError):
    """Something that the decision needs doesn't work."""

    # As Other's.
    of_interface: ClassVar[Callable[[str], object]]

    def __init__(self, message: str) -> None:
        super().__init__(Unavailable.of_interface(message))


class NumberError(Other):
    """A number that can't be handed over, or be worked with; raised by the kit, with the field named."""


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
        return Span(telemetry.start_span(self.context, _text(name)), is_own=True)

    def set(self, key: str, value: object) -> None:
        self.annotate({key: value})

    def annotate(self, attributes: dict[str, object]) -> None:
        """Sets attributes: `None` is dropped, and what is no text, number or bool is written as text."""
        telemetry.annotate(self.context, _attributes(attributes))

    def event(self, name: str, **attributes: object) -> None:
        telemetry.add_event(self.context, _text(name), _attributes(attributes))

    def fail(self, message: str) -> None:
        """Marks the span as failed: for what went wrong, not for a business "no"."""
        telemetry.fail_span(self.context, _text(message))

    def log(self, level: Level, message: str, attributes: dict[str, object] | None = None) -> None:
        """Writes a log line that carries this span's ids. What is no level is taken for `INFO`."""
        known = level if isinstance(level, Level) else Level.INFO
        telemetry.log(self.context, known, _text(message), _attributes(attributes))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._is_own:
            telemetry.end_span(self.context)
        elif isinstance(error, PluginError):
            # A wrong number is a mistake in the plugin, so its author wants to know where.
            if isinstance(error, NumberError):
                self._log_once(error)
            # componentize-py takes nothing but an Err for the function's error, and no class derived of it.
            raise Err(error.value) from error
        elif error is not None and not isinstance(error, Err):
            self._log_once(error)

    def _log_once(self, error: BaseException) -> None:
        # The kit's block around the export comes after the author's own.
        if not getattr(error, "_is_logged", False):
            error._is_logged = True
            self.log(Level.ERROR, _described(error))


def exporting[Given, Answer](
    decide: Callable[[object, TraceContext, Given], Answer], checked: Callable[[Answer], Answer]
) -> Callable[[object, TraceContext, Given], Answer]:
    """Returns the exported method: what it raises becomes the interface's or is logged, and what it answers is checked."""

    @wraps(decide)
    def exported(self: object, ctx: TraceContext, given: Given) -> Answer:
        with Span.of_call(ctx):
            return checked(decide(self, ctx, given))

    return exported


def export_checked[Answer](interface: type, method: str, checked: Callable[[Answer], Answer]) -> None:
    """Has each class that derives of the interface, as every plugin's does, export that method as `exporting` makes it."""

    def subclassed(cls: type, **keywords: object) -> None:
        super(interface, cls).__init_subclass__(**keywords)
        if method in vars(cls):
            setattr(cls, method, exporting(vars(cls)[method], checked))

    interface.__init_subclass__ = classmethod(subclassed)


def _described(error: BaseException) -> str:
    """Returns the error with its traceback. Python's own way looks for the sources, and there are no files."""
    codes = [(frame.f_code, line) for frame, line in walk_tb(error.__traceback__)]
    places = [f"  {code.co_filename}:{line} in {code.co_qualname}" for code, line in codes]
    lines = [f"{type(error).__name__}: {error}", *places]
    if isinstance(error, ModuleNotFoundError):
        lines.append("  a plugin has the modules that were imported when it was built: import this one by a statement")
    return "\n".join(lines)


def _attributes(attributes: dict[str, object] | None) -> list[Attribute]:
    given = ((_text(key), _value(value)) for key, value in (attributes or {}).items())
    return [Attribute(key, value) for key, value in given if value is not None]


def _value(value: object) -> AttributeValue | None:
    match value:
        case None:
            return None
        case bool():
            return AttributeValue_Flag(value)
        case int() if _INTEGER_MIN <= value <= _INTEGER_MAX:
            return AttributeValue_Integer(int(value))
        # A float has these exactly.
        case int() if -_DECIMAL_MAX <= value <= _DECIMAL_MAX:
            return AttributeValue_Decimal(float(value))
        case float():
            return AttributeValue_Decimal(float(value))
        case _:
            return AttributeValue_Text(_text(value))


def _text(value: object) -> str:
    """Returns any value as a text that the host can read: never raises, and has no lone surrogates."""
    try:
        text = str(value)
    except Exception as error:
        text = f"[{type(value).__name__}: {type(error).__name__}]"
    return text.encode("utf-8", "replace").decode("utf-8")
