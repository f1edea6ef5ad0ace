"""One row of the option table: what an option is called, where it may stand, what it takes and what it means.

Python type and default of an option stand in `records`, as the field with its name in lower case.
"""

from dataclasses import MISSING, dataclass, fields
from typing import Literal

from angarium.config.kinds import SHARED_LIMIT, Kind, number_of
from angarium.config.quantities import NO_LIMIT
from angarium.config.reading import BadValue
from angarium.config.records import (
    GlobalOptions,
    HostOptions,
    InboundOptions,
    ListenOptions,
    OutboundOptions,
)
from angarium.config.syntax import Scalar, Value

Family = Literal["outbound", "host", "inbound", "listen", "global"]
"""Which record an option ends up in, and by which chain of scopes it is looked up."""

ScopeKind = Literal[
    "global",
    "domain",
    "host",
    "binding",
    "binding_group",
    "esmtp_listener",
    "listen",
    "peer",
    "http_listener",
]

O: tuple[ScopeKind, ...] = ("global", "binding_group", "binding", "domain")  # noqa: E741
DG: tuple[ScopeKind, ...] = ("global", "domain")
BINDINGS: tuple[ScopeKind, ...] = ("global", "binding_group", "binding")
HOST: tuple[ScopeKind, ...] = ("host",)
I: tuple[ScopeKind, ...] = ("global", "esmtp_listener", "listen", "peer")  # noqa: E741
LISTENERS: tuple[ScopeKind, ...] = ("esmtp_listener", "listen", "peer")
LISTENERS_ONLY: tuple[ScopeKind, ...] = ("esmtp_listener", "listen")
SMTP_SOCKETS: tuple[ScopeKind, ...] = ("esmtp_listener", "listen")
SOCKETS: tuple[ScopeKind, ...] = ("esmtp_listener", "http_listener", "listen")
G: tuple[ScopeKind, ...] = ("global",)

RECORDS: dict[Family, type] = {
    "outbound": OutboundOptions,
    "host": HostOptions,
    "inbound": InboundOptions,
    "listen": ListenOptions,
    "global": GlobalOptions,
}


@dataclass(frozen=True, slots=True)
class NoLimit:
    """What an option holds where no limit is written, as -1, `none` or `unlimited`, and *by_zero* as 0."""

    value: int
    by_zero: bool = True

    @property
    def written(self) -> str:
        """How it is written first of all."""
        return "0" if self.by_zero else "-1"


@dataclass(frozen=True, slots=True)
class Option:
    """One option. *scopes* are the stanzas it may stand in, *unit* is empty for what has none.

    *minimum* and *maximum* are inclusive; None means no bound. *reload* says whether a reload applies a
    change; otherwise it takes a restart. *no_limit* is None where there always is one.
    """

    name: str
    family: Family
    scopes: tuple[ScopeKind, ...]
    kind: Kind
    unit: str
    sentence: str
    minimum: int | None = None
    maximum: int | None = None
    reload: bool = True
    no_limit: NoLimit | None = None

    @property
    def field(self) -> str:
        """The name of its field in the record of its family."""
        return self.name.lower()

    @property
    def default(self) -> object:
        """What holds when nothing sets it."""
        for field in fields(RECORDS[self.family]):
            if field.name == self.field and field.default is not MISSING:
                return field.default
        raise LookupError(f"{self.name} has no field in {RECORDS[self.family].__name__}")

    def show(self, value: object) -> str:
        """Write a value as it may stand in a file; empty for None where nothing can be written."""
        if self.no_limit is not None and value == self.no_limit.value:
            return self.no_limit.written
        return self.kind.none if value is None else self.kind.show(value)

    def read(self, value: Value) -> object:
        """Return the value as its Python type. Raises BadValue when it is of another kind or out of range."""
        if self.no_limit is not None and isinstance(value, Scalar):
            text = value.text.lower()
            if text in NO_LIMIT or (text == "0" and self.no_limit.by_zero):
                return self.no_limit.value
        found = self.kind.read(value)
        number = number_of(found)
        if number is None:
            return found
        if self.minimum is not None and number < self.minimum:
            raise BadValue(f"{number} is too small", f"write {self.minimum} or more{self._or_none}")
        if self.maximum is not None and number > self.maximum:
            raise BadValue(f"{number} is too large", f"write {self.maximum} or less")
        return found

    @property
    def _or_none(self) -> str:
        is_shared = self.kind is SHARED_LIMIT
        return ", or -1 for no limit" if is_shared or (self.no_limit and not self.no_limit.by_zero) else ""
