"""The manage API: accounts, servers and streams."""

from angarium.core.options import NO_OPTIONS
from angarium.http.manage.bodies import (
    AccountChange,
    AccountNew,
    ServerChange,
    ServerNew,
    StreamChange,
    StreamNew,
    changes,
)
from angarium.http.manage.call import AccountQuery, Call, LimitQuery, PageQuery
from angarium.http.manage.shapes import StreamId
from angarium.http.manage.views import (
    AccountView,
    Page,
    ServerView,
    StreamView,
    account_view,
    server_view,
    stream_view,
)
from angarium.identity.records import Account, Server, Stream


class StreamQuery(LimitQuery):
    """A listing of streams; archived ones only when asked for."""

    after: StreamId | None = None
    archived: bool = False


def list_accounts(call: Call, query: PageQuery) -> Page[AccountView]:
    """List accounts: the key's own, or all for a key with node/manage."""
    if not call.operator:
        own = call.store.accounts.get(call.caller.account.id)
        return Page([account_view(own)] if own.id > (query.after or 0) else [], None)
    rows = call.store.accounts.page(after=query.after, limit=query.limit + 1)
    return call.page(rows, query, account_view, lambda row: row.id)


def create_account(call: Call, body: AccountNew) -> AccountView:
    """Make an account."""
    fields = changes(body, Account(0, "", 0.0))
    return account_view(call.store.accounts.create(**fields, actor=call.actor))


def show_account(call: Call, account: int) -> AccountView:
    """Show an account."""
    call.sees(account, f"account {account}")
    return account_view(call.store.accounts.get(account))


def change_account(call: Call, account: int, body: AccountChange) -> AccountView:
    """Change an account. Its limits, its suspension and its binding are the operator's (node/manage)."""
    call.sees(account, f"account {account}")
    found = call.store.accounts.get(account)
    fields = changes(body, found)
    call.may_choose(fields, found.options)
    if "limits" in fields or "suspended" in fields:
        call.operators_only("changing an account's limits or suspension")
    return account_view(call.store.accounts.change(account, actor=call.actor, **fields))


def delete_account(call: Call, account: int) -> None:
    """Delete an account with all that belongs to it."""
    call.store.accounts.delete(account, actor=call.actor)


def list_servers(call: Call, query: AccountQuery) -> Page[ServerView]:
    """List servers."""
    rows = call.store.servers.page(call.listed(query.account), after=query.after, limit=query.limit + 1)
    return call.page(rows, query, server_view, lambda row: row.id)


def create_server(call: Call, body: ServerNew) -> ServerView:
    """Make a server with its two default streams."""
    fields = changes(body, Server(0, 0, "", 0.0))
    account = call.account_of(fields.pop("account", None))
    call.may_choose(fields, NO_OPTIONS)
    return server_view(call.store.servers.create(account, **fields, actor=call.actor))


def show_server(call: Call, server: int) -> ServerView:
    """Show a server."""
    return server_view(server_of(call, server))


def change_server(call: Call, server: int, body: ServerChange) -> ServerView:
    """Change a server. Its suspension and its binding are the operator's (node/manage); `smtp` is the account's."""
    found = server_of(call, server)
    fields = changes(body, found)
    call.may_choose(fields, found.options)
    if "suspended" in fields:
        call.operators_only("changing a server's suspension")
    return server_view(call.store.servers.change(server, actor=call.actor, **fields))


def delete_server(call: Call, server: int) -> None:
    """Delete a server with its streams, tokens and logins."""
    server_of(call, server)
    call.store.servers.delete(server, actor=call.actor)


def list_streams(call: Call, server: int, query: StreamQuery) -> Page[StreamView]:
    """List the streams of a server, the oldest first."""
    server_of(call, server)
    found = call.store.streams.of_server(server, archived=query.archived, after=query.after)
    return call.page(found[: query.limit + 1], query, stream_view, lambda row: row.id)


def create_stream(call: Call, server: int, body: StreamNew) -> StreamView:
    """Make a stream."""
    server_of(call, server)
    fields = changes(body, _NO_STREAM)
    call.may_choose(fields, NO_OPTIONS)
    made = call.store.streams.create(server, **fields, actor=call.actor)
    return stream_view(made)


def show_stream(call: Call, server: int, stream: str) -> StreamView:
    """Show a stream."""
    server_of(call, server)
    return stream_view(call.store.streams.get(server, stream))


def change_stream(call: Call, server: int, stream: str, body: StreamChange) -> StreamView:
    """Change a stream; its id and kind stay."""
    server_of(call, server)
    found = call.store.streams.get(server, stream)
    fields = changes(body, found)
    call.may_choose(fields, found.options)
    return stream_view(call.store.streams.change(server, stream, actor=call.actor, **fields))


def archive_stream(call: Call, server: int, stream: str) -> StreamView:
    """Archive a stream: mail that names it is refused from then on."""
    server_of(call, server)
    return stream_view(call.store.streams.archive(server, stream, actor=call.actor))


def unarchive_stream(call: Call, server: int, stream: str) -> StreamView:
    """Take a stream into use again."""
    server_of(call, server)
    return stream_view(call.store.streams.unarchive(server, stream, actor=call.actor))


def server_of(call: Call, server: int) -> Server:
    """Return a server that the caller may see. Raises NotFound."""
    found = call.store.servers.get(server)
    call.sees(found.account, f"server {server}")
    return found


_NO_STREAM = Stream("", 0, "", "transactional", 0.0)
