"""Who must not get mail: the list, and adding and lifting."""

from typing import Final

import msgspec

from angarium.dashboard.page import PageRequest, PageView, SentTo
from angarium.http.api.decoding import decode_body
from angarium.http.api.problem import HttpProblem
from angarium.http.manage.suppressions import (
    RemovalBody,
    SuppressionsBody,
    SuppressionsQuery,
    add_suppressions,
    list_suppressions,
    remove_suppressions,
)

PAGE_SIZE: Final = 100


def list_suppressed(asked: PageRequest) -> PageView:
    """Show what suppresses now, the oldest first, or what has *text* in it."""
    said = {name: asked.query[name] for name in ("text", "after") if asked.query.get(name)}
    try:
        query = msgspec.convert({**said, "limit": PAGE_SIZE}, SuppressionsQuery, strict=False)
    except msgspec.ValidationError as error:
        raise HttpProblem("invalid", str(error)) from error
    page = list_suppressions(asked.call, query)
    text = said.get("text", "")
    values = {
        "title": "Suppressions",
        "text": text,
        "suppressions": page.data,
        "more": page.next and page.next.partition("?")[2],
    }
    return PageView(
        "suppressions.html", values, cli="angarium suppressions list", api="/manage/v1/suppressions"
    )


def add(asked: PageRequest) -> SentTo:
    """Suppress an address, a domain or a pattern."""
    address = asked.form.get("address", "").strip()
    note = asked.form.get("note", "").strip()
    body = decode_body(
        msgspec.json.encode({"suppressions": [{"address": address, "note": note}]}), SuppressionsBody
    )
    added = add_suppressions(asked.call, body)
    return SentTo(
        "/suppressions", f"{address} is suppressed" if added.ids else f"{address} was suppressed already"
    )


def lift(asked: PageRequest) -> SentTo:
    """Take an address off its lists."""
    address = asked.form.get("address", "")
    body = decode_body(msgspec.json.encode({"addresses": [address]}), RemovalBody)
    count = remove_suppressions(asked.call, body).lifted
    return SentTo(
        "/suppressions", f"{address} may get mail again" if count else f"{address} was not suppressed"
    )
