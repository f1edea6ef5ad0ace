"""The manage API: snippets."""

from angarium.assets.templates.problems import ContentProblems
from angarium.assets.templates.records import Snippet
from angarium.http.manage.assets.bodies import SnippetChange, SnippetNew
from angarium.http.manage.assets.templates import refused
from angarium.http.manage.assets.views import SnippetView, snippet_view
from angarium.http.manage.bodies import said
from angarium.http.manage.call import AccountQuery, Call
from angarium.http.manage.views import Page


def list_snippets(call: Call, query: AccountQuery) -> Page[SnippetView]:
    """List snippets."""
    rows = call.store.snippets.page(call.listed(query.account), query.after, query.limit + 1)
    return call.page(rows, query, snippet_view, lambda row: row.id)


def create_snippet(call: Call, body: SnippetNew) -> SnippetView:
    """Make a snippet, which templates in the substitution language ask for by its alias."""
    fields = said(body)
    account = call.account_of(fields.pop("account", None))
    try:
        return snippet_view(call.store.snippets.create(account, actor=call.actor, **fields))
    except ContentProblems as wrong:
        raise refused(wrong) from wrong


def show_snippet(call: Call, snippet: str) -> SnippetView:
    """Show a snippet."""
    return snippet_view(snippet_of(call, snippet))


def change_snippet(call: Call, snippet: str, body: SnippetChange) -> SnippetView:
    """Change a snippet, for all mail that is taken from now on."""
    found = snippet_of(call, snippet)
    try:
        return snippet_view(call.store.snippets.change(found.id, actor=call.actor, **said(body)))
    except ContentProblems as wrong:
        raise refused(wrong) from wrong


def delete_snippet(call: Call, snippet: str) -> None:
    """Delete a snippet. Mail made of a template that asks for it fails from then on."""
    call.store.snippets.delete(snippet_of(call, snippet).id, actor=call.actor)


def snippet_of(call: Call, name: str) -> Snippet:
    """Return the snippet with the id or the alias *name*. Raises NotFound."""
    if name.isascii() and name.isdecimal() and len(name) < 19:
        found = call.store.snippets.get(int(name))
        call.sees(found.account, f"snippet {name}")
        return found
    return call.store.snippets.find(call.caller.account.id, name)
