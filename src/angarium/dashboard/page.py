"""A page: its address, who may see it, and what it shows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from angarium.http.manage.call import Call
from angarium.identity.sessions import PageSession


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for a page. *call* is what the manage API's handlers get, with the grants of the person's role.

    *path* holds the parameters of the path, *query* those of the query string, *form* the fields that were sent.
    """

    call: Call
    session: PageSession
    path: Mapping[str, str]
    query: Mapping[str, str]
    form: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PageView:
    """What a page shows: *values* in *template*. *cli* and *api* are how a program gets the same."""

    template: str
    values: Mapping[str, Any]
    status: int = 200
    cli: str = ""
    api: str = ""


@dataclass(frozen=True, slots=True)
class SentTo:
    """The browser goes on to *path*, below the dashboard's own. *said* is shown there once."""

    path: str
    said: str = ""


View = Callable[[PageRequest], PageView | SentTo]


@dataclass(frozen=True, slots=True)
class DashboardPage:
    """One page, or one thing that is done. *grant* None: for everybody who is logged in. *menu*: its name there."""

    path: str
    view: View
    grant: str | None = None
    method: Literal["GET", "POST"] = "GET"
    menu: str = ""
    key: str = field(default="", kw_only=True)
    """The letter behind `g` that leads there."""
