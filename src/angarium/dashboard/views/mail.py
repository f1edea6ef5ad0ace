"""Mail: what is found, and the story of one message."""

import shlex
from typing import Final
from urllib.parse import urlencode

import msgspec

from angarium.dashboard.page import PageRequest, PageView
from angarium.events.views import EventView
from angarium.http.api.problem import HttpProblem
from angarium.http.manage.happened import MailPage, MailQuery, OneQuery, list_messages, story_of

PAGE_SIZE: Final = 50


def list_mail(asked: PageRequest) -> PageView:
    """Show mail, newest first: all, or what a query finds. A wrong query is shown with its place."""
    text = asked.query.get("query", "")
    wrong, page = "", MailPage([], None, None)
    try:
        page = list_messages(asked.call, _query(asked))
    except HttpProblem as problem:
        wrong = "\n".join([str(problem), *(error.shown for error in problem.errors if error.shown)])
    values = {
        "title": "Messages",
        "query": text,
        "mail": page.data,
        "older": page.next and page.next.partition("?")[2],
        "wrong": wrong,
    }
    address = f"/manage/v1/messages?{urlencode({'query': text})}" if text else "/manage/v1/messages"
    return PageView(
        "messages.html",
        values,
        400 if wrong else 200,
        cli=f"angarium search {shlex.quote(text)}" if text else "angarium search",
        api=address,
    )


def _query(asked: PageRequest) -> MailQuery:
    said = {"query": asked.query.get("query", ""), "limit": PAGE_SIZE}
    if asked.query.get("after"):
        said["after"] = asked.query["after"]
    try:
        return msgspec.convert(said, MailQuery)
    except msgspec.ValidationError as error:
        raise HttpProblem("invalid", str(error)) from error


def show_mail(asked: PageRequest) -> PageView:
    """Show everything that is known of a message."""
    name = asked.path["message"]
    found = story_of(asked.call, name, OneQuery())
    first = found.recipients[0] if found.recipients else None
    values = {
        "title": (first.subject if first else "") or "Message",
        "found": found,
        "first": first,
        "events": [(event, _dialogue(event)) for event in found.events],
    }
    return PageView(
        "message.html", values, cli=f"angarium message {found.id}", api=f"/manage/v1/messages/{found.id}"
    )


def _dialogue(event: EventView) -> list[str]:
    """Return what was said in an attempt, where it is kept."""
    attempt = event.details.get("attempt")
    said = attempt.get("dialogue", ()) if isinstance(attempt, dict) else ()
    return [str(line) for line in said]
