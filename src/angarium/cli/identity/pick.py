"""Finds what a command speaks of, by id or by name; where there is only one, it need not be named."""

from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, TypeVar

import idna

from angarium.cli.identity.store import everything
from angarium.cli.options import Failure
from angarium.identity.records import Account, Credential, Domain, Person, Server

if TYPE_CHECKING:  # see cli.identity.store
    from angarium.identity.store.store import IdentityStore


R = TypeVar("R")


def pick_account(store: "IdentityStore", text: str | None) -> Account:
    """Return the account called *text*, or the only one."""
    if text is not None:
        return store.accounts.get(int(text) if text.isdecimal() else text)
    return _only(everything(store.accounts.page), "account", lambda row: row.name, "--account")


def account_id(store: "IdentityStore", text: str | None) -> int | None:
    """Return the id of the account called *text*; None is all of them."""
    return None if text is None else pick_account(store, text).id


def pick_server(store: "IdentityStore", text: str | None, account: int | None = None) -> Server:
    """Return the server called *text*, or the only one: of *account*, if it is given."""
    if text is not None and text.isdecimal():
        found = store.servers.get(int(text))
        if account not in (None, found.account):
            raise Failure(
                f"server {text} belongs to account {found.account}, not to {account}: leave --account out"
            )
        return found
    rows = list(everything(lambda **page: store.servers.page(account, **page)))
    if text is None:
        return _only(rows, "server", lambda row: f"{row.id} {row.name}", "--server")
    return _named(rows, text, "server", lambda row: row.name)


def pick_person(store: "IdentityStore", text: str) -> Person:
    """Return the person with the id or the e-mail address *text*."""
    return store.people.get(int(text) if text.isdecimal() else text)


def pick_domain(store: "IdentityStore", text: str, account: str | None) -> Domain:
    """Return the domain with the id or the name *text*; several accounts may have one of that name."""
    if text.isdecimal():
        return store.domains.get(int(text))
    if account is not None:
        return store.domains.get((pick_account(store, account).id, text))
    found = list(everything(lambda **page: store.domains.page(**page)))
    owners = {row.account for row in found if row.name == _ascii(text)}
    if len(owners) > 1:
        raise Failure(f"several accounts have {text}; say which with --account")
    return store.domains.get((owners.pop() if owners else 0, text))


def pick_credential(store: "IdentityStore", text: str, kinds: Collection[str], noun: str) -> Credential:
    """Return the key, token or login with the id or the user name *text*."""
    if text.isdecimal() and len(text) < 19:
        found = store.credentials.get(int(text))
        if found.kind not in kinds:
            raise Failure(
                f"{text} is no {noun} but of the kind {found.kind}; `angarium {noun}s list` shows them"
            )
        return found
    rows = everything(lambda **page: store.credentials.page(**page))
    return _named((row for row in rows if row.kind in kinds), text, noun, lambda row: row.username)


def _only(rows: Iterable[R], noun: str, name: Callable[[R], str], option: str) -> R:
    found = list(rows)
    if len(found) == 1:
        return found[0]
    if not found:
        raise Failure(f"there is no {noun} yet; make one with `angarium {noun}s create`")
    some = ", ".join(name(row) for row in found[:10])
    raise Failure(f"there are several {noun}s; say which with {option}: {some}")


def _named(rows: Iterable[R], text: str, noun: str, name: Callable[[R], str]) -> R:
    found = [row for row in rows if name(row).casefold() == text.casefold()]
    if len(found) == 1:
        return found[0]
    if not found:
        raise Failure(f"there is no {noun} {text}; `angarium {noun}s list` shows them")
    raise Failure(f"there are several {noun}s called {text}; give the id, as in `angarium {noun}s list`")


def _ascii(name: str) -> str:
    try:
        return idna.encode(name.rstrip("."), uts46=True).decode()
    except idna.IDNAError:
        return name.lower()
