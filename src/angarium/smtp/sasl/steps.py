"""An exchange written as a generator: it yields what it needs next, and returns how it ends."""

from collections.abc import Callable, Generator
from typing import Any

from angarium.smtp.sasl.exchange import Challenge, Failed, NeedSecrets, Secrets, Step

Course = Generator[Challenge | NeedSecrets, Any, Step]
"""Sent in: bytes after a Challenge, `Secrets | None` after NeedSecrets."""


class Malformed(ValueError):
    """What the client sent is not the mechanism's syntax."""


class CourseExchange:
    """A `sasl.Exchange` that follows a course."""

    __slots__ = ("_begin", "_course", "_last")

    def __init__(self, begin: Callable[[bytes | None], Course]) -> None:
        self._begin = begin
        self._course: Course | None = None
        self._last: Step | None = None

    def start(self, initial: bytes | None) -> Step:
        """See `sasl.Exchange`."""
        if self._course is not None:
            raise RuntimeError("the exchange has started")
        self._course = self._begin(initial)
        return self._go_on(None)

    def respond(self, data: bytes) -> Step:
        """See `sasl.Exchange`."""
        if not isinstance(self._last, Challenge):
            raise RuntimeError(f"no response is due after {self._last}")
        return self._go_on(data)

    def supply(self, secrets: Secrets | None) -> Step:
        """See `sasl.Exchange`."""
        if not isinstance(self._last, NeedSecrets):
            raise RuntimeError(f"no secrets are due after {self._last}")
        return self._go_on(secrets)

    def _go_on(self, value: bytes | Secrets | None) -> Step:
        assert self._course is not None
        try:
            self._last = self._course.send(value)
        except StopIteration as end:
            self._last = end.value
        except Malformed:
            self._last = Failed("malformed")
        assert self._last is not None
        return self._last


def as_text(data: bytes) -> str:
    """Return *data* as UTF-8. Raises Malformed."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Malformed from None


def as_name(text: str) -> str:
    """Return *text* if it can be the name of a user. Raises Malformed when there are control characters in it, for
    it will be written into logs.
    """
    if not text.isprintable():
        raise Malformed
    return text
