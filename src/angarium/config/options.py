"""One row of the option table: what an option is called, where it may stand, what it takes and what it means.

Python type and default of an option stand in `records`, as the field with its name in lower case.
"""

from dataclasses import MISSING, dataclass, fields
from typing import Literal

from angarium.config.kinds import Kind, number_of
from angarium.config.reading import BadValue
from angarium.config.records import (
    GlobalOptions,
    HostOptions,
    InboundOptions,
    ListenOptions,
    OutboundOptions,
)
from angarium.config.syntax import Value

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
class Option:
    """One option. *scopes* are the stanzas it may stand in, *unit* is empty for what has none.

    *minimum* and *maximum* are inclusive; None means no bound. *reload* says whether a reload applies a
    change; otherwise it takes a restart.
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
        return self.kind.none if value is None else self.kind.show(value)

    def read(self, value: Value) -> object:
        """Return the value as its Python type. Raises BadValue when it is of another kind or out of range."""
        found = self.kind.read(value)
        number = number_of(found)
        if number is None:
            return found
        if self.minimum is not None and number < self.minimum:
            raise BadValue(f"{number} is too small", f"write {self.minimum} or more")
        if self.maximum is not None and number > self.maximum:
            raise BadValue(f"{number} is too large", f"write {self.maximum} or less")
        return found
