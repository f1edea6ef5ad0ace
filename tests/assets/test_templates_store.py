"""Templates as they are kept: drafts and published versions, aliases, layouts; on both databases."""

from typing import Any

import pytest
from sqlalchemy import Table, select

from angarium.assets.store import schema
from angarium.assets.templates.problems import ContentProblems
from angarium.assets.templates.records import StoredTemplate, TemplateContent
from angarium.core.fields import NamedMailbox
from angarium.core.options import Options
from angarium.identity.store.store import IdentityStore
from angarium.sql.database import Database
from angarium.sql.errors import Conflict, Invalid, NotFound

WHO = "cli:test"
HELLO = TemplateContent(subject="Hello {{name}}", html="<p>{{name}}</p>", text="{{name}}")
FRAME = TemplateContent(html="<body>{{{ @content }}}</body>", text="-- \n{{{@content}}}")


def made(store: IdentityStore, content: TemplateContent = HELLO, **fields: Any) -> StoredTemplate:
    given: dict[str, Any] = {"account": 1, "name": "Welcome", "publish": True, **fields}
    return store.templates.create(content=content, actor=WHO, **given).template


def test_what_was_saved_comes_back_as_it_was(store: IdentityStore) -> None:
    content = TemplateContent(
        language="substitution",
        subject="Order {{ number }}",
        author=NamedMailbox("shop@example.com", "The {{ shop }}"),
        reply_to=(NamedMailbox("help@example.com"),),
        headers=(("X-Order", "{{ number }}"),),
        text="Grüße",
        amp="<html ⚡4email></html>",
        missing="strict",
        variables={"number": 7, "shop": {"name": None}},
        options=Options(track_opens=True, track_links="html"),
    )
    template = made(store, content, alias="order", description="sent at once")
    assert store.templates.version(template.id).content == content
    assert (template.alias, template.description, template.language) == (
        "order",
        "sent at once",
        "substitution",
    )
    assert (template.kind, template.draft, template.published, template.server) == ("standard", None, 1, None)


def test_a_draft_leaves_what_is_published_alone_until_it_is_published(store: IdentityStore) -> None:
    template = made(store)
    saved = store.templates.change(template.id, subject="Welcome {{name}}", actor=WHO).template
    assert (saved.draft, saved.published) == (2, 1)
    assert store.templates.version(template.id, draft=False).content == HELLO
    assert store.templates.version(template.id).content.subject == "Welcome {{name}}"
    assert store.templates.version(template.id).content.html == HELLO.html
    published = store.templates.publish(template.id, actor=WHO)
    assert (published.draft, published.published) == (None, 2)
    assert store.templates.version(template.id, draft=False).content.subject == "Welcome {{name}}"
    with pytest.raises(Conflict, match="no draft"):
        store.templates.publish(template.id, actor=WHO)


def test_a_number_is_given_once(store: IdentityStore) -> None:
    """Whoever has a version by its number has what it said, whatever was written and thrown away since."""
    template = made(store)
    store.templates.change(template.id, text="draft", actor=WHO)
    discarded = store.templates.discard(template.id, actor=WHO)
    assert (discarded.draft, discarded.published) == (None, 1)
    saved = store.templates.change(template.id, text="another", publish=True, actor=WHO).template
    assert (saved.draft, saved.published) == (None, 3)


def test_what_says_the_same_is_no_new_version(store: IdentityStore) -> None:
    template = made(store)
    before = store.generation()
    same = store.templates.change(template.id, subject=HELLO.subject, name="Welcome", publish=True, actor=WHO)
    assert same.template == template
    assert store.generation() == before


def test_there_may_be_nothing_but_a_draft(store: IdentityStore) -> None:
    template = made(store, publish=False)
    assert (template.draft, template.published) == (1, None)
    with pytest.raises(NotFound, match="with a published version"):
        store.templates.version(template.id, draft=False)
    with pytest.raises(Conflict, match="nothing but a draft"):
        store.templates.discard(template.id, actor=WHO)
    assert store.templates.publish(template.id, actor=WHO).published == 1


def test_a_template_is_found_by_id_and_by_alias_and_a_servers_own_goes_first(store: IdentityStore) -> None:
    everybodys = made(store, alias="welcome")
    own = made(store, alias="welcome", server=1)
    assert store.templates.find(1, None, "welcome") == everybodys
    assert store.templates.find(1, 1, "welcome") == own
    assert store.templates.find(1, 1, everybodys.id) == everybodys
    for account, server, name in (
        (2, None, "welcome"),
        (2, None, own.id),
        (1, None, own.id),
        (1, 1, "Welcome"),
        (1, 1, "a\0b"),
        (1, 1, 1 << 80),
        (1, 1, 0),
    ):
        with pytest.raises(NotFound):
            store.templates.find(account, server, name)


@pytest.mark.parametrize("alias", ["7", "a b", "-a", "ä", "a" * 101, ".a", 7, "a/b"])
def test_an_alias_has_a_letter_and_nothing_that_a_path_would_not_take(
    store: IdentityStore, alias: Any
) -> None:
    with pytest.raises(Invalid, match="alias: write 1 to 100 letters"):
        made(store, alias=alias)


def test_an_alias_is_taken_once_and_free_again_when_it_was_given_up(store: IdentityStore) -> None:
    first = made(store, alias="welcome")
    second = made(store)
    made(store, account=2, alias="welcome")
    with pytest.raises(Conflict, match="there is a template 'welcome' already"):
        store.templates.change(second.id, alias="welcome", actor=WHO)
    store.templates.change(first.id, alias="", actor=WHO)
    assert store.templates.change(second.id, alias="welcome", actor=WHO).template.alias == "welcome"


def test_a_template_belongs_to_an_account_and_its_server(store: IdentityStore) -> None:
    with pytest.raises(Conflict, match="server 2 belongs to another account"):
        made(store, server=2)
    with pytest.raises(NotFound, match="server 9"):
        made(store, server=9)
    with pytest.raises(NotFound, match="account 9"):
        made(store, account=9)


def test_all_that_is_wrong_is_told_and_nothing_is_saved(store: IdentityStore) -> None:
    with pytest.raises(ContentProblems) as raised:
        made(store, TemplateContent(subject="{{#a}}", html="x\n{{a/b}} {{/c}}", headers=(("Subject", "x"),)))
    told = [(problem.part, problem.found and problem.found.place) for problem in raised.value.problems]
    assert told == [
        ("headers/Subject", None),
        ("subject", (1, 1)),
        ("html", (2, 1)),
        ("html", (2, 9)),
    ]
    assert store.templates.page() == []


def test_a_layout_in_use_is_not_deleted_and_stays_one(store: IdentityStore) -> None:
    layout = made(store, FRAME, kind="layout", alias="frame")
    template = made(store, TemplateContent(html="<p>", layout=layout.id), alias="letter")
    with pytest.raises(Conflict, match="put around 1 templates: letter"):
        store.templates.delete(layout.id, actor=WHO)
    with pytest.raises(Invalid, match="stays what it is"):
        store.templates.change(layout.id, kind="standard", actor=WHO)
    store.templates.change(template.id, layout=None, actor=WHO)
    with pytest.raises(Conflict):  # what is published has it still
        store.templates.delete(layout.id, actor=WHO)
    store.templates.publish(template.id, actor=WHO)
    store.templates.delete(layout.id, actor=WHO)
    assert [each.alias for each in store.templates.page()] == ["letter"]


def test_what_is_put_around_has_to_be_a_layout_that_is_published(store: IdentityStore) -> None:
    layout = made(store, FRAME, kind="layout", publish=False)
    inside = TemplateContent(html="<p>", layout=layout.id)
    with pytest.raises(Conflict, match="only a draft; publish it first"):
        made(store, inside)
    assert made(store, inside, publish=False).layout == layout.id
    other = made(store)
    with pytest.raises(ContentProblems, match="is no layout"):
        made(store, TemplateContent(html="<p>", layout=other.id))
    with pytest.raises(NotFound):
        made(store, inside, account=2)


def test_a_listing_has_those_that_are_asked_for(store: IdentityStore) -> None:
    layout = made(store, FRAME, kind="layout")
    inside = made(store, TemplateContent(html="<p>", layout=layout.id), server=1)
    others = made(store, account=2)
    pages = store.templates.page
    assert pages() == [layout, inside, others]
    assert pages(1) == [layout, inside]
    assert pages(kind="layout") == [layout]
    assert pages(layout=layout.id) == [inside]
    assert pages(server=1) == [inside]
    assert pages(after=layout.id, limit=1) == [inside]


def test_templates_go_with_their_account_and_their_server(store: IdentityStore, database: Database) -> None:
    made(store, server=1)
    made(store, account=2)
    store.snippets.create(2, "footer", html="<hr>", actor=WHO)
    store.servers.delete(1, actor=WHO)
    assert [each.account for each in store.templates.page()] == [2]
    store.accounts.delete(2, actor=WHO)
    tables: tuple[Table, ...] = (schema.templates, schema.versions, schema.snippets)
    with database.reading() as connection:
        assert [connection.execute(select(table)).all() for table in tables] == [[], [], []]


def test_the_audit_log_tells_who_did_what_and_nothing_of_the_text(store: IdentityStore) -> None:
    template = made(store, alias="welcome")
    store.templates.change(template.id, text="secret", actor="cli:ann")
    store.templates.publish(template.id, actor="cli:ann")
    store.templates.delete(template.id, actor="cli:ann")
    told = [change for change in store.audit.page() if change.what == f"template {template.id}"]
    assert [(change.actor, change.action, change.account) for change in told] == [
        (WHO, "create", 1),
        ("cli:ann", "change", 1),
        ("cli:ann", "change", 1),
        ("cli:ann", "delete", 1),
    ]
    assert told[1].details == {"before": {"draft": None}, "after": {"draft": 2}}
    assert "secret" not in str(told)


def test_snippets_are_made_changed_and_deleted(store: IdentityStore) -> None:
    made_one = store.snippets.create(1, "footer", html="<hr>{{ shop }}", text="--", actor=WHO)
    assert store.snippets.find(1, "footer") == store.snippets.find(1, made_one.id) == made_one
    changed = store.snippets.change(made_one.id, text="", name="Footer", actor=WHO)
    assert (changed.name, changed.parts()) == ("Footer", {"html": "<hr>{{ shop }}"})
    with pytest.raises(Conflict):
        store.snippets.create(1, "footer", text="x", actor=WHO)
    with pytest.raises(NotFound):
        store.snippets.find(2, "footer")
    with pytest.raises(ContentProblems, match="a part at least"):
        store.snippets.change(made_one.id, html=None, actor=WHO)
    store.snippets.delete(made_one.id, actor=WHO)
    assert store.snippets.page(1) == []


def test_a_snippet_asks_for_no_other_and_is_no_book(store: IdentityStore) -> None:
    with pytest.raises(ContentProblems) as raised:
        store.snippets.create(
            1, "a", html='<p>{{ render_snippet("b") }}', text="x" * 100_001, amp="{{ a + }}", actor=WHO
        )
    assert [problem.part for problem in raised.value.problems] == ["text", "html", "amp"]
