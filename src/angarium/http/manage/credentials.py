"""The manage API: API keys, tokens and SMTP logins. The answer to a creation is the only one with the secret."""

from collections.abc import Collection
from typing import Any

from angarium.core.options import NO_OPTIONS, Options
from angarium.http.api.problem import FieldError, HttpProblem
from angarium.http.manage.accounts import server_of
from angarium.http.manage.bodies import (
    Id,
    KeyChange,
    KeyNew,
    LoginChange,
    LoginNew,
    TokenChange,
    TokenNew,
    changes,
    options_with,
)
from angarium.http.manage.call import Call, PageQuery
from angarium.http.manage.shapes import Moment
from angarium.http.manage.views import CredentialView, GrantView, Page, credential_view
from angarium.identity.grants import GRANTS
from angarium.identity.records import Credential, Kind
from angarium.sql.errors import NotFound

_KEYS: tuple[Kind, ...] = ("api_key",)
_TOKENS: tuple[Kind, ...] = ("server_token", "smtp_token")
_LOGINS: tuple[Kind, ...] = ("smtp_login",)


class CredentialQuery(PageQuery):
    """A listing of keys, tokens or logins; `server`: those of one server."""

    account: Id | None = None
    server: Id | None = None


def list_keys(call: Call, query: CredentialQuery) -> Page[CredentialView]:
    """List API keys."""
    return _list(call, query, _KEYS)


def create_key(call: Call, body: KeyNew) -> CredentialView:
    """Make an API key. A key cannot give grants that it has not."""
    account = call.account_of(body.account)
    call.may_grant(body.grants)
    if body.server is not None:
        server_of(call, body.server)
    made = call.store.credentials.create_api_key(
        account,
        body.label,
        body.grants,
        networks=body.networks,
        expires_at=_seconds(body.expires_at),
        server=body.server,
        stream=body.stream,
        actor=call.actor,
    )
    return credential_view(*made)


def show_key(call: Call, key: int) -> CredentialView:
    """Show an API key."""
    return credential_view(_seen(call, key, _KEYS))


def change_key(call: Call, key: int, body: KeyChange) -> CredentialView:
    """Change an API key. A key changes none that may do more, and gives no grants that it has not."""
    found = _seen(call, key, _KEYS)
    call.may_touch(found)
    fields = changes(body, found)
    call.may_grant(fields.get("grants", ()))
    return credential_view(call.store.credentials.change(key, actor=call.actor, **fields))


def delete_key(call: Call, key: int) -> None:
    """Delete an API key. It is refused within a second."""
    call.may_touch(_seen(call, key, _KEYS))
    call.store.credentials.delete(key, actor=call.actor)


def list_tokens(call: Call, query: CredentialQuery) -> Page[CredentialView]:
    """List server tokens and SMTP tokens."""
    return _list(call, query, _TOKENS)


def create_token(call: Call, body: TokenNew) -> CredentialView:
    """Make a server token, or an SMTP token for one stream. Only by a key that may send itself."""
    server_of(call, body.server)
    call.may_let_send()
    options = options_with(NO_OPTIONS, body.options)
    call.may_choose({"options": options}, NO_OPTIONS)
    return credential_view(*_make_token(call, body, options))


def _make_token(call: Call, body: TokenNew, options: Options) -> tuple[Credential, str]:
    fields: dict[str, Any] = {
        "label": body.label,
        "challenge": body.challenge,
        "networks": body.networks,
        "expires_at": _seconds(body.expires_at),
        "options": options,
    }
    if body.kind == "server_token":
        if body.stream is not None:
            raise _wrong(
                "/kind", "only an smtp_token is bound to a stream: write that, or leave the stream out"
            )
        return call.store.credentials.create_server_token(body.server, actor=call.actor, **fields)
    if body.stream is None:
        raise _wrong("/stream", "an smtp_token is bound to a stream: name it, as in outbound")
    return call.store.credentials.create_smtp_token(body.server, body.stream, actor=call.actor, **fields)


def show_token(call: Call, token: int) -> CredentialView:
    """Show a token."""
    return credential_view(_seen(call, token, _TOKENS))


def change_token(call: Call, token: int, body: TokenChange) -> CredentialView:
    """Change a token."""
    return _change(call, _seen(call, token, _TOKENS), body)


def delete_token(call: Call, token: int) -> None:
    """Delete a token. It is refused within a second."""
    _seen(call, token, _TOKENS)
    call.store.credentials.delete(token, actor=call.actor)


def list_logins(call: Call, query: CredentialQuery) -> Page[CredentialView]:
    """List SMTP logins."""
    return _list(call, query, _LOGINS)


def create_login(call: Call, body: LoginNew) -> CredentialView:
    """Make an SMTP login; its user name and password are generated. Only by a key that may send itself."""
    server_of(call, body.server)
    call.may_let_send()
    options = options_with(NO_OPTIONS, body.options)
    call.may_choose({"options": options}, NO_OPTIONS)
    made = call.store.credentials.create_smtp_login(
        body.server,
        body.label,
        stream=body.stream,
        options=options,
        challenge=body.challenge,
        networks=body.networks,
        expires_at=_seconds(body.expires_at),
        actor=call.actor,
    )
    return credential_view(*made)


def show_login(call: Call, login: int) -> CredentialView:
    """Show an SMTP login."""
    return credential_view(_seen(call, login, _LOGINS))


def change_login(call: Call, login: int, body: LoginChange) -> CredentialView:
    """Change an SMTP login."""
    return _change(call, _seen(call, login, _LOGINS), body)


def delete_login(call: Call, login: int) -> None:
    """Delete an SMTP login. It is refused within a second."""
    _seen(call, login, _LOGINS)
    call.store.credentials.delete(login, actor=call.actor)


def list_grants(call: Call, query: PageQuery) -> Page[GrantView]:
    """List the grants that API keys can have."""
    return call.part([GrantView(key, label) for key, label in GRANTS.items()], query)


def _list(call: Call, query: CredentialQuery, kinds: Collection[Kind]) -> Page[CredentialView]:
    if query.server is not None:
        server_of(call, query.server)
    rows = [
        row
        for kind in kinds
        for row in call.store.credentials.page(
            call.listed(query.account), query.server, kind, after=query.after, limit=query.limit + 1
        )
    ]
    rows.sort(key=lambda row: row.id)
    return call.page(rows, query, credential_view, lambda row: row.id)


def _change(call: Call, found: Credential, body: TokenChange | LoginChange) -> CredentialView:
    call.may_let_send()
    fields = changes(body, found)
    call.may_choose(fields, found.options)
    return credential_view(call.store.credentials.change(found.id, actor=call.actor, **fields))


def _seen(call: Call, wanted: int, kinds: Collection[Kind]) -> Credential:
    found = call.store.credentials.get(wanted)
    if found.kind not in kinds:
        raise NotFound(f"credential {wanted}")
    call.sees(found.account, f"credential {wanted}")
    return found


def _seconds(at: Moment | None) -> float | None:
    return None if at is None else at.timestamp()


def _wrong(pointer: str, detail: str) -> HttpProblem:
    return HttpProblem("invalid", f"{pointer}: {detail}", [FieldError(pointer, detail)])
