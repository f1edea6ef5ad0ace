"""What fields there are to look in: each store of things that can be found says it once, in a `QueryFields`."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from angarium.core.suggest import closest

FieldKind = Literal[
    "text",  # searched by words, as a person remembers them
    "value",  # one piece: a tag, an id, a name; case makes no difference
    "number",
    "size",  # bytes; written with k, M or G too
    "time",
]


@dataclass(frozen=True, slots=True)
class QueryField:
    """One field. *about* is a sentence for the documentation. *values* are all that a `value` may be, when they are
    known. *is_bare*: words without a field are looked for here too. A *name* that ends in a dot is followed by a name
    that the user has chosen (`meta.order`).
    """

    name: str
    kind: FieldKind
    about: str
    values: tuple[str, ...] = ()
    is_bare: bool = False


class QueryFields:
    """The fields of one kind of thing."""

    def __init__(self, fields: Iterable[QueryField], aliases: Mapping[str, str] | None = None) -> None:
        self.fields = {field.name: field for field in fields}
        self.bare = tuple(field.name for field in self.fields.values() if field.is_bare)
        self._aliases = dict(aliases or {})
        self._families = [name for name in self.fields if name.endswith(".")]

    def find(self, written: str) -> tuple[str, QueryField] | None:
        """Return the full name and the field that is *written*, in any case; None when there is none."""
        lower = written.lower()
        name = self._aliases.get(lower, lower)
        if field := self.fields.get(name):
            return None if name.endswith(".") else (name, field)
        for family in self._families:
            if name.startswith(family):
                return family + written[len(family) :], self.fields[family]
        return None

    def like(self, written: str) -> str | None:
        """Return the name of the field that may have been meant, None when none is like it."""
        return closest(written, [*self.fields, *self._aliases])

    def kind_of(self, name: str) -> FieldKind:
        """Return the kind of a field by its full name. Raises KeyError for one that is not there."""
        found = self.find(name)
        if found is None:
            raise KeyError(name)
        return found[1].kind
