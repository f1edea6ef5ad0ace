"""One method of one path, as a table of routes has it: the application and the OpenAPI document are made from these."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import NoneType, UnionType
from typing import Any, Final, NamedTuple, get_args, get_type_hints

import msgspec

REFERENCES: Final = frozenset(("account", "server"))
"""Fields of bodies and queries that name something else."""


class Api(NamedTuple):
    """An interface: the path it begins at, its endpoints, and how its OpenAPI document names and describes it.

    *refusals* are the errors of handlers that are the caller's to hear as a conflict. *wants_key*: who asks must show
    one. *elsewhere* are endpoints below the same path that another application answers: the document tells of them.
    """

    prefix: str
    endpoints: tuple["Endpoint", ...]
    title: str
    version: str
    description: str
    refusals: tuple[type[Exception], ...] = ()
    wants_key: bool = True
    elsewhere: tuple["Endpoint", ...] = ()

    @property
    def told(self) -> tuple["Endpoint", ...]:
        """What the document tells of."""
        return (*self.endpoints, *self.elsewhere)


@dataclass(frozen=True)
class Endpoint:
    """One method of one path. *grant* is what a key needs for it, None for any key. *conflicts*: what there is may
    stand against what is asked. *lines*: what the handler yields is answered as lines of JSON, not as events; *media*:
    as pieces, which are bytes, of one document of that type. *also* are further statuses with the same answer.
    *headers* are fields that a request may have, with what each is; *problems* are sorts of problem that the rest does
    not tell.

    The handler's parameters tell the rest: `body` and `query` are records, the others are taken from the path.
    """

    method: str
    path: str
    handler: Callable[..., Any]
    grant: str | None
    status: int = 200
    conflicts: bool = False
    lines: bool = False
    media: str = ""
    also: tuple[int, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    problems: tuple[str, ...] = ()

    @cached_property
    def hints(self) -> dict[str, Any]:
        """The types of the handler's parameters, and of its answer under `return`."""
        return get_type_hints(self.handler, include_extras=True)

    @property
    def body(self) -> type[msgspec.Struct] | None:
        """What the body of a request must be."""
        return self.hints.get("body")

    @property
    def query(self) -> type[msgspec.Struct] | None:
        """What the query string may say."""
        return self.hints.get("query")

    @property
    def answers(self) -> tuple[Any, ...]:
        """What the body of the answer is, or one item of the stream: one of these; none when there is no body, or one
        that is not JSON.
        """
        if self.media:
            return ()
        answer = self.hints["return"]
        if self.streams:
            (answer,) = get_args(answer)
        kinds = get_args(answer) if isinstance(answer, UnionType) else (answer,)
        return tuple(kind for kind in kinds if kind is not NoneType)

    @property
    def streams(self) -> bool:
        """Whether the answer is a stream of items."""
        return inspect.isasyncgenfunction(self.handler)

    @property
    def names_things(self) -> bool:
        """Whether a request names something that may not be there: in the path, the body or the query."""
        said = (*_fields(self.body), *_fields(self.query))
        return bool(self.parameters) or not REFERENCES.isdisjoint(said)

    @property
    def parameters(self) -> dict[str, type]:
        """The parameters in the path, by name."""
        taken = ("call", "body", "query", "return")
        return {name: kind for name, kind in self.hints.items() if name not in taken}

    @property
    def summary(self) -> str:
        """The handler's docstring."""
        return inspect.getdoc(self.handler) or ""


def resource(
    path: str,
    name: str,
    grant: str,
    functions: tuple[Callable[..., Any], ...],
    *,
    own: str | None = None,
    conflicts: bool = True,
) -> tuple[Endpoint, ...]:
    """Return the five routes of a resource: list, create, show, change, delete. *own*: grant to make and delete.
    *conflicts*: a change may be one, as a new thing may.
    """
    one = f"{path}/{{{name}}}"
    listing, create, show, change, delete = functions
    return (
        Endpoint("GET", path, listing, grant),
        Endpoint("POST", path, create, own or grant, 201, conflicts=True),
        Endpoint("GET", one, show, grant),
        Endpoint("PATCH", one, change, grant, conflicts=conflicts),
        Endpoint("DELETE", one, delete, own or grant, 204),
    )


def _fields(kind: type[msgspec.Struct] | None) -> tuple[str, ...]:
    return kind.__struct_fields__ if kind is not None else ()
