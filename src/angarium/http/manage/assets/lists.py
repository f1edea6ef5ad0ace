"""The manage API: lists of recipients."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import Final

from angarium.assets.lists.records import ListedRecipient, StoredList
from angarium.assets.lists.rows import recipient_of
from angarium.http.api.decoding import MOST_ERRORS
from angarium.http.api.problem import FieldError, HttpProblem
from angarium.http.manage.assets.bodies import (
    ListChange,
    ListNew,
    RecipientNew,
    RecipientsBody,
    RecipientsGone,
    RecipientsQuery,
)
from angarium.http.manage.assets.views import (
    ListView,
    RecipientsPut,
    RecipientsTaken,
    RecipientView,
    list_view,
    recipient_view,
)
from angarium.http.manage.bodies import said
from angarium.http.manage.call import AccountQuery, Call
from angarium.http.manage.views import Page
from angarium.smtp.address import AddressError, parse_mailbox
from angarium.sql.errors import Invalid

_OF_LIST: Final = ("name", "description", "attributes")


def list_recipient_lists(call: Call, query: AccountQuery) -> Page[ListView]:
    """List the lists of recipients, without who is on them."""
    rows = call.store.lists.page(call.listed(query.account), query.after, query.limit + 1)
    return call.page(rows, query, list_view, lambda row: row.id)


def create_recipient_list(call: Call, body: ListNew) -> ListView:
    """Make a list. A million recipients come in pieces, or from a file by `angarium lists import`."""
    recipients = _recipients(body.recipients)
    account = call.account_of(body.account)
    fields = {name: value for name, value in said(body).items() if name in _OF_LIST}
    made = call.store.lists.create(account, body.alias, actor=call.actor, **fields)
    if recipients:
        call.store.lists.add(made.id, recipients, keep=body.keep, actor=call.actor)
    return list_view(call.store.lists.get(made.id))


def show_recipient_list(call: Call, recipient_list: str) -> ListView:
    """Show a list, without who is on it."""
    return list_view(list_of(call, recipient_list))


def change_recipient_list(call: Call, recipient_list: str, body: ListChange) -> ListView:
    """Change what is said of a list."""
    found = list_of(call, recipient_list)
    return list_view(call.store.lists.change(found.id, actor=call.actor, **said(body)))


def delete_recipient_list(call: Call, recipient_list: str) -> None:
    """Delete a list with who is on it. What is being sent to it ends where it is."""
    call.store.lists.delete(list_of(call, recipient_list).id, actor=call.actor)


def list_recipients(call: Call, recipient_list: str, query: RecipientsQuery) -> Page[RecipientView]:
    """List who is on a list, in order, up to 1,000 at a time; or the rows with an `address`."""
    found, lists = list_of(call, recipient_list), call.store.lists
    if query.address is not None:
        return Page([recipient_view(each) for each in lists.rows_of(found.id, _address(query.address))], None)
    pages = lists.editions.get(found.edition).pages if found.edition else 0
    if query.after >= pages:
        return Page([], None)
    shown = [recipient_view(each) for each in lists.editions.page(found.edition, query.after)]
    return Page(shown, call.next_path(query.after + 1) if query.after + 1 < pages else None)


async def export_recipients(call: Call, recipient_list: str) -> AsyncIterator[RecipientView]:
    """Tell who is on a list, one a line, in order."""
    found, editions = await asyncio.to_thread(list_of, call, recipient_list), call.store.lists.editions
    if not found.edition:
        return
    for number in range((await asyncio.to_thread(editions.get, found.edition)).pages):
        for each in await asyncio.to_thread(editions.page, found.edition, number):
            yield recipient_view(each)


def add_recipients(call: Call, recipient_list: str, body: RecipientsBody) -> RecipientsPut:
    """Put recipients on a list: behind those on it, or in place of them."""
    found, recipients = list_of(call, recipient_list), _recipients(body.recipients)
    put = call.store.lists.replace if body.replace else call.store.lists.add
    return RecipientsPut(*put(found.id, recipients, keep=body.keep, actor=call.actor))


def remove_recipients(call: Call, recipient_list: str, body: RecipientsGone) -> RecipientsTaken:
    """Take addresses off a list."""
    found = list_of(call, recipient_list)
    addresses = [_address(each, f"addresses/{number}") for number, each in enumerate(body.addresses)]
    return RecipientsTaken(call.store.lists.remove(found.id, addresses, actor=call.actor))


def list_of(call: Call, name: str) -> StoredList:
    """Return the list with the id or the alias *name*. Raises NotFound."""
    if name.isascii() and name.isdecimal() and len(name) < 19:
        found = call.store.lists.get(int(name))
        call.sees(found.account, f"list {name}")
        return found
    return call.store.lists.find(call.caller.account.id, name)


def _recipients(given: Iterable[RecipientNew]) -> list[ListedRecipient]:
    """Return recipients as they are kept. Raises HttpProblem with what is wrong, up to `MOST_ERRORS`."""
    found: list[ListedRecipient] = []
    errors: list[FieldError] = []
    for number, each in enumerate(given):
        try:
            found.append(
                recipient_of(
                    each.address,
                    name=each.name,
                    to=each.to,
                    tags=each.tags,
                    metadata=each.metadata,
                    data=each.data,
                )
            )
        except Invalid as error:
            errors.append(FieldError(f"/recipients/{number}/{error.field}", error.message))
    if errors:
        sentences = "; ".join(f"{error.pointer}: {error.detail}" for error in errors[:MOST_ERRORS])
        raise HttpProblem("invalid", sentences, errors[:MOST_ERRORS])
    return found


def _address(text: str, field: str = "address") -> str:
    try:
        return parse_mailbox(text.strip(), smtputf8=True).address
    except AddressError as error:
        raise Invalid(field, f"{text[:80]!r} is no address: {error}") from None
