"""Postmark's API: servers, by the account's token, and the server of a server's token."""

from dataclasses import replace
from typing import Any, Final

import msgspec

from angarium.core.options import Options
from angarium.dialects.postmark.headers import LINKS, LINKS_WORDS
from angarium.dialects.postmark.problem import PostmarkProblem
from angarium.dialects.postmark.reading import Given
from angarium.http.postmark.call import Paged, PostmarkCall, page_of, refusals
from angarium.identity.principal import options_for
from angarium.identity.records import COLORS, Server
from angarium.sql.errors import NotFound

QUERY: Final = 600
NAME_TAKEN: Final = 603
BAD_COLOR: Final = 607
BAD_NAME: Final = 608
NO_DATA: Final = 609
BAD_LINKS: Final = 612
BAD_DELIVERY: Final = 613
MISSING: Final = (501, "The server was not found.")
_BATCH: Final = 500


class ServersQuery(Paged):
    """Which servers are listed; *name* is a part of theirs."""

    name: str | None = None


class ServerBody(Given):
    """A server, made or changed. What it names of inbound mail and of hooks is ignored: there are webhooks."""

    name: str | None = None
    color: str | None = None
    delivery_type: str | None = None
    smtp_api_activated: bool | None = None
    track_opens: bool | None = None
    track_links: str | None = None


def show_own_server(call: PostmarkCall) -> dict[str, Any]:
    """Show the server of the token."""
    return server_view(call, call.store.servers.get(call.server.id))


def change_own_server(call: PostmarkCall, body: ServerBody) -> dict[str, Any]:
    """Change the server of the token."""
    return _changed(call, call.store.servers.get(call.server.id), body)


def list_servers(call: PostmarkCall, query: ServersQuery) -> dict[str, Any]:
    """List the servers of the account."""
    count, offset = page_of(query, QUERY, most=None)
    wanted = (query.name or "").lower()
    found = [each for each in _all(call) if wanted in each.name.lower()]
    shown = [server_view(call, each) for each in found[offset : offset + count]]
    return {"TotalCount": len(found), "Servers": shown}


def show_server(call: PostmarkCall, server: int) -> dict[str, Any]:
    """Show a server of the account."""
    return server_view(call, server_of(call, server))


def create_server(call: PostmarkCall, body: ServerBody) -> dict[str, Any]:
    """Make a server, and a token for it, which is told this once."""
    if body.name is None:
        raise PostmarkProblem(BAD_NAME, "The 'Name' of a server is required.")
    fields = {**_fields(body, Options()), "delivery_type": _delivery_type(body), "name": body.name}
    with refusals(conflict=NAME_TAKEN, invalid=BAD_NAME):
        made = call.store.servers.create(call.account, actor=call.actor, **fields)
        _, token = call.store.credentials.create_server_token(made.id, made.name, actor=call.actor)
    return server_view(call, made, token)


def change_server(call: PostmarkCall, server: int, body: ServerBody) -> dict[str, Any]:
    """Change a server of the account."""
    return _changed(call, server_of(call, server), body)


def delete_server(call: PostmarkCall, server: int) -> dict[str, Any]:
    """Delete a server with its streams and tokens."""
    found = server_of(call, server)
    call.store.servers.delete(found.id, actor=call.actor)
    return {"ErrorCode": 0, "Message": f"Server {found.name} removed."}


def server_of(call: PostmarkCall, server: int) -> Server:
    """Return a server of the account. Raises PostmarkProblem."""
    with refusals(missing=MISSING):
        found = call.store.servers.get(server)
        if found.account != call.account:
            raise NotFound(f"server {server}")
        return found


def server_view(call: PostmarkCall, server: Server, *tokens: str) -> dict[str, Any]:
    """Return a server as Postmark shows it. Tokens are not kept in a form in which they could be told again."""
    options = options_for(replace(call.principal, server=server), Options())
    return {
        "ID": server.id,
        "Name": server.name,
        "ApiTokens": list(tokens),
        "Color": server.color.capitalize(),
        "SmtpApiActivated": server.smtp,
        "RawEmailEnabled": False,
        "DeliveryType": server.delivery_type.capitalize(),
        "ServerLink": "",
        "InboundAddress": "",
        "InboundHookUrl": "",
        "BounceHookUrl": "",
        "OpenHookUrl": "",
        "DeliveryHookUrl": "",
        "ClickHookUrl": "",
        "PostFirstOpenOnly": False,
        "InboundDomain": "",
        "InboundHash": "",
        "InboundSpamThreshold": 0,
        "TrackOpens": bool(options.track_opens),
        "TrackLinks": LINKS_WORDS[options.track_links or "none"],
        "IncludeBounceContentInHook": False,
        "EnableSmtpApiErrorHooks": False,
    }


def _changed(call: PostmarkCall, server: Server, body: ServerBody) -> dict[str, Any]:
    if body.delivery_type is not None and _delivery_type(body) != server.delivery_type:
        raise PostmarkProblem(
            BAD_DELIVERY, "The 'DeliveryType' of a server stays what it is; make another server."
        )
    fields = _fields(body, server.options)
    if body.name is not None:
        fields["name"] = body.name
    if not fields and body.delivery_type is None:
        raise PostmarkProblem(NO_DATA, "There is nothing to change: send a field such as 'Name'.")
    with refusals(missing=MISSING, conflict=NAME_TAKEN, invalid=BAD_NAME):
        return server_view(call, call.store.servers.change(server.id, actor=call.actor, **fields))


def _fields(body: ServerBody, options: Options) -> dict[str, Any]:
    """Return what is said but the name and the type of delivery. Raises PostmarkProblem."""
    fields: dict[str, Any] = {}
    if body.color is not None:
        if body.color.lower() not in COLORS:
            raise PostmarkProblem(BAD_COLOR, f"The 'Color' must be one of {', '.join(COLORS)}.")
        fields["color"] = body.color.lower()
    if body.smtp_api_activated is not None:
        fields["smtp"] = body.smtp_api_activated
    tracking: dict[str, Any] = {}
    if body.track_opens is not None:
        tracking["track_opens"] = body.track_opens
    if body.track_links is not None:
        if body.track_links.lower() not in LINKS:
            raise PostmarkProblem(
                BAD_LINKS, "The 'TrackLinks' must be None, HtmlAndText, HtmlOnly or TextOnly."
            )
        tracking["track_links"] = LINKS[body.track_links.lower()]
    if tracking:
        fields["options"] = msgspec.structs.replace(options, **tracking)
    return fields


def _delivery_type(body: ServerBody) -> str:
    said = (body.delivery_type or "live").lower()
    if said not in ("live", "sandbox"):
        raise PostmarkProblem(BAD_DELIVERY, "The 'DeliveryType' must be Live or Sandbox.")
    return said


def _all(call: PostmarkCall) -> list[Server]:
    found: list[Server] = []
    after: int | None = None
    while page := call.store.servers.page(call.account, after=after, limit=_BATCH):
        found += page
        after = page[-1].id
    return found
