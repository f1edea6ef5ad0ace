"""What there is to say of the fields of a record, said once: beside the field, in the record's class.

The tables of the store, its checks, the options of the commands, the bodies and answers of the manage API and the page
of the documentation are all made from that. So a new field is one line in its record, and a migration.
"""

from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from angarium.sql.checks import Check

When = Literal["new", "change"]
"""When a field is said: as the thing is made, or later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What is said of a field beside its name, type and default, as an annotation.

    *help* is one sentence. *check* returns a value as it is kept; None: nobody says it. *new* and *change* tell whether
    it can be said when the thing is made, or changed later, and what the option of the command line says: True, *help*;
    a text, that; an empty text, there is no such option.

    *longest* is the most characters that the database takes; None: any number. *owner* is the table of which it has an
    id, *unique* keeps two from having the same. *without* are fields of a record within that this one does not have.
    *added*: a text that came to a table that was there before, so that the database itself knows its default.
    """

    help: str
    check: Check | None = None
    new: bool | str = False
    change: bool | str = False
    longest: int | None = 200
    owner: str = ""
    unique: bool = False
    without: tuple[str, ...] = ()
    added: bool = False

    def can_be_said(self, when: When) -> bool:
        """Whether it can be said then."""
        return self._said(when) is not False

    def option(self, when: When) -> str:
        """Return what the option of the command line says; empty: there is none."""
        said = self._said(when)
        return said if isinstance(said, str) else self.help * said

    def _said(self, when: When) -> bool | str:
        return self.new if when == "new" else self.change


@dataclass(frozen=True, slots=True)
class DescribedField:
    """A field of a record. *kind* is its type without annotations, None left out; *optional*: it may be None."""

    name: str
    kind: Any
    optional: bool
    default: Any
    about: About

    @property
    def required(self) -> bool:
        """Whether it has no default."""
        return self.default is msgspec.NODEFAULT

    @property
    def is_record(self) -> bool:
        """Whether it is a record within."""
        return isinstance(self.kind, type) and issubclass(self.kind, msgspec.Struct)

    @property
    def is_moment(self) -> bool:
        """Whether it is an instant, in seconds of Unix time."""
        return self.kind is float and self.name.endswith("_at")


_NOTHING_SAID = About(help="", new=True, change=True)


@lru_cache
def fields_of(record: type[msgspec.Struct]) -> MappingProxyType[str, DescribedField]:
    """Return the fields of *record* by name, in their order. Where nothing is said of one, anybody may say it."""
    hints = get_type_hints(record, include_extras=True)
    return MappingProxyType(
        {field.name: _described(field, hints[field.name]) for field in msgspec.structs.fields(record)}
    )


def sayable(record: type[msgspec.Struct], when: When) -> list[DescribedField]:
    """Return the fields of *record* that can be said then."""
    return [field for field in fields_of(record).values() if field.about.can_be_said(when)]


def checks_of(record: type[msgspec.Struct], when: When) -> dict[str, Check]:
    """Return the checks of those fields, by name."""
    return {field.name: field.about.check for field in sayable(record, when) if field.about.check is not None}


def _described(field: msgspec.structs.FieldInfo, hint: Any) -> DescribedField:
    about = _NOTHING_SAID
    if get_origin(hint) is Annotated:
        hint, *said = get_args(hint)
        about = next((each for each in said if isinstance(each, About)), about)
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    (kind,) = (each for each in kinds if each is not type(None))
    default = field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()
    return DescribedField(field.name, kind, len(kinds) > 1, default, about)
