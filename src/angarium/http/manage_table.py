"""Every route of the manage API in one table: the application and its OpenAPI document are made from it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, get_type_hints

import msgspec

from angarium.http import manage_accounts as accounts
from angarium.http import manage_audit as audit
from angarium.http import manage_credentials as credentials
from angarium.http import manage_domains as domains
from angarium.http import manage_people as people
from angarium.identity.grants import NODE_GRANT

PREFIX: Final = "/manage/v1"


@dataclass(frozen=True)
class Endpoint:
    """One method of one path. *grant* is what a key needs for it, None for any key.

    The handler's parameters tell the rest: `body` and `query` are records, the others are taken from the path.
    """

    method: str
    path: str
    handler: Callable[..., Any]
    grant: str | None
    status: int = 200

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
    def answer(self) -> Any:
        """What the body of the answer is; NoneType when there is none."""
        return self.hints["return"]

    @property
    def parameters(self) -> dict[str, type]:
        """The parameters in the path, by name."""
        taken = ("call", "body", "query", "return")
        return {name: kind for name, kind in self.hints.items() if name not in taken}

    @property
    def summary(self) -> str:
        """The handler's docstring."""
        return inspect.getdoc(self.handler) or ""


def _resource(
    path: str, name: str, grant: str, functions: tuple[Callable[..., Any], ...], *, own: str | None = None
) -> tuple[Endpoint, ...]:
    """Return the five routes of a resource: list, create, show, change, delete. *own*: grant to make and delete."""
    one = f"{path}/{{{name}}}"
    listing, create, show, change, delete = functions
    return (
        Endpoint("GET", path, listing, grant),
        Endpoint("POST", path, create, own or grant, 201),
        Endpoint("GET", one, show, grant),
        Endpoint("PATCH", one, change, grant),
        Endpoint("DELETE", one, delete, own or grant, 204),
    )


_STREAMS = "/servers/{server}/streams"
_STREAM = f"{_STREAMS}/{{stream}}"

ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *_resource(
        "/accounts",
        "account",
        "account/manage",
        (
            accounts.list_accounts,
            accounts.create_account,
            accounts.show_account,
            accounts.change_account,
            accounts.delete_account,
        ),
        own=NODE_GRANT,
    ),
    *_resource(
        "/servers",
        "server",
        "account/manage",
        (
            accounts.list_servers,
            accounts.create_server,
            accounts.show_server,
            accounts.change_server,
            accounts.delete_server,
        ),
    ),
    Endpoint("GET", _STREAMS, accounts.list_streams, "account/manage"),
    Endpoint("POST", _STREAMS, accounts.create_stream, "account/manage", 201),
    Endpoint("GET", _STREAM, accounts.show_stream, "account/manage"),
    Endpoint("PATCH", _STREAM, accounts.change_stream, "account/manage"),
    Endpoint("POST", f"{_STREAM}/archive", accounts.archive_stream, "account/manage"),
    Endpoint("POST", f"{_STREAM}/unarchive", accounts.unarchive_stream, "account/manage"),
    *_resource(
        "/people",
        "person",
        "users/manage",
        (
            people.list_people,
            people.create_person,
            people.show_person,
            people.change_person,
            people.delete_person,
        ),
    ),
    *_resource(
        "/keys",
        "key",
        "api_keys/manage",
        (
            credentials.list_keys,
            credentials.create_key,
            credentials.show_key,
            credentials.change_key,
            credentials.delete_key,
        ),
    ),
    *_resource(
        "/tokens",
        "token",
        "api_keys/manage",
        (
            credentials.list_tokens,
            credentials.create_token,
            credentials.show_token,
            credentials.change_token,
            credentials.delete_token,
        ),
    ),
    *_resource(
        "/logins",
        "login",
        "api_keys/manage",
        (
            credentials.list_logins,
            credentials.create_login,
            credentials.show_login,
            credentials.change_login,
            credentials.delete_login,
        ),
    ),
    *_resource(
        "/domains",
        "domain",
        "sending_domains/manage",
        (
            domains.list_domains,
            domains.create_domain,
            domains.show_domain,
            domains.change_domain,
            domains.delete_domain,
        ),
    ),
    Endpoint("GET", "/domains/{domain}/records", domains.domain_records, "sending_domains/manage"),
    Endpoint("POST", "/domains/{domain}/verify", domains.verify_domain, "sending_domains/manage"),
    Endpoint("POST", "/domains/{domain}/rotate", domains.rotate_domain, "sending_domains/manage"),
    Endpoint("GET", "/grants", credentials.list_grants, None),
    Endpoint("GET", "/audit", audit.list_changes, "account/manage"),
)
