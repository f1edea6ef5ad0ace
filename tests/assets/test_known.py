"""What whoever sends gets of a template, how long it is believed, and what it makes of data."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from angarium.assets import known
from angarium.assets.known import KnownTemplates, TemplateName
from angarium.assets.templates.preview import preview
from angarium.assets.templates.records import TemplateContent
from angarium.core.fields import NamedMailbox
from angarium.core.options import Options
from angarium.identity.directory.directory import Directory
from angarium.identity.directory.lookup import generation
from angarium.identity.secrets import KeyRing
from angarium.identity.store.store import IdentityStore
from angarium.sql.database import Database
from angarium.sql.errors import NotFound
from angarium.testing.clock import ManualClock
from angarium.testing.log import kept_log

WHO = "cli:test"
WELCOME = TemplateName(1, 1, "welcome")

Scenario = Callable[[Directory, KnownTemplates], Awaitable[None]]


def played(database: Database, clock: ManualClock, folder: Path, scenario: Scenario) -> None:
    """Play *scenario* with a directory that looks only when it is told to, and what knows templates by it."""

    async def run() -> None:
        directory = Directory(database, KeyRing.load_or_create(folder / "secrets.key"), clock, kept_log())
        templates = KnownTemplates(database, generation, directory.changes)
        try:
            await directory.poll()
            await scenario(directory, templates)
        finally:
            await templates.close()
            await directory.close()

    asyncio.run(run())


def test_a_change_is_heard_of_and_until_then_nobody_asks(
    store: IdentityStore, database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    made = store.templates.create(
        1, "Welcome", TemplateContent(text="one"), alias="welcome", publish=True, actor=WHO
    )

    async def scenario(directory: Directory, templates: KnownTemplates) -> None:
        assert templates.now(WELCOME) is None
        first = await templates.get(WELCOME)
        assert (first.id, first.version, first.fields.text) == (made.template.id, 1, "one")
        assert templates.now(WELCOME) is first
        store.templates.change(first.id, text="two", publish=True, actor=WHO)
        store.accounts.change(2, name="another account", actor=WHO)
        assert await templates.get(WELCOME) is first  # nothing was heard yet
        await directory.poll()
        assert templates.now(WELCOME) is None
        assert (await templates.get(WELCOME)).fields.text == "two"
        second = templates.now(WELCOME)
        store.accounts.change(2, name="once more", actor=WHO)
        await directory.poll()
        assert templates.now(WELCOME) is second  # what others change is theirs
        store.templates.delete(first.id, actor=WHO)
        await directory.poll()
        with pytest.raises(NotFound, match="template welcome"):
            await templates.get(WELCOME)

    played(database, clock, tmp_path, scenario)


def test_what_is_sent_is_what_is_published_unless_the_draft_is_asked_for(
    store: IdentityStore, database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    made = store.templates.create(1, "Welcome", TemplateContent(text="draft"), alias="welcome", actor=WHO)

    async def scenario(directory: Directory, templates: KnownTemplates) -> None:
        with pytest.raises(NotFound, match="template welcome with a published version"):
            await templates.get(WELCOME)
        draft = await templates.get(WELCOME._replace(is_draft=True))
        assert (draft.fields.text, draft.is_draft, draft.version) == ("draft", True, 1)
        store.templates.publish(made.template.id, actor=WHO)
        await directory.poll()
        assert (await templates.get(WELCOME)).fields.text == "draft"
        assert (await templates.get(WELCOME._replace(is_draft=True))).is_draft is False

    played(database, clock, tmp_path, scenario)


def test_what_is_kept_is_bounded(
    store: IdentityStore,
    database: Database,
    clock: ManualClock,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(known, "MOST_KEPT_BYTES", 100_000)
    for alias in ("a", "b", "c"):
        content = TemplateContent(text="x" * 20_000)
        store.templates.create(1, alias, content, alias=alias, publish=True, actor=WHO)

    async def scenario(_: Directory, templates: KnownTemplates) -> None:
        names = [TemplateName(1, None, alias) for alias in ("a", "b", "c")]
        for name in names:
            await templates.get(name)
        assert [templates.now(name) is not None for name in names] == [False, False, True]

    played(database, clock, tmp_path, scenario)


def test_layout_snippets_and_defaults_are_found_with_it(
    store: IdentityStore, database: Database, clock: ManualClock, tmp_path: Path
) -> None:
    store.snippets.create(1, "footer", html="<hr>{{ shop }}", text="-- {{ shop }}", actor=WHO)
    frame = TemplateContent(
        language="substitution", html='<b>{{{ @content }}}</b>{{ render_snippet("footer") }}'
    )
    layout = store.templates.create(1, "Frame", frame, kind="layout", publish=True, actor=WHO).template
    content = TemplateContent(
        language="substitution",
        subject="Hello {{ name }}",
        author=NamedMailbox("shop@example.com", "{{ shop }}"),
        headers=(("X-Shop", "{{ shop }}"),),
        html="{{ name }} &amp; you",
        text='{{ name }} {{ render_snippet("footer") }}',
        layout=layout.id,
        missing="default",
        variables={"name": "friend", "shop": "Our shop"},
        options=Options(track_opens=False),
    )
    store.templates.create(1, "Welcome", content, alias="welcome", publish=True, actor=WHO)

    async def scenario(_: Directory, templates: KnownTemplates) -> None:
        ready = await templates.get(WELCOME)
        html = '<b>{{ name }} &amp; you</b>{{ render_snippet("footer") }}'
        assert (ready.fields.html, ready.fields.text) == (html, content.text)
        assert ready.snippets == {"footer": {"html": "<hr>{{ shop }}", "text": "-- {{ shop }}"}}
        assert ready.options == Options(track_opens=False)
        form = ready.form({"shop": "A & B"})
        assert (form.language, form.is_strict, form.snippets) == ("substitution", False, ready.snippets)
        assert msgspec.json.decode(form.shared) == {"name": "friend", "shop": "A & B"}
        shown = preview(ready, {"shop": "A & B"})
        assert shown.failures == {}
        assert (shown.subject, shown.author) == ("Hello friend", NamedMailbox("shop@example.com", "A & B"))
        assert (shown.html, shown.text) == ("<b>friend &amp; you</b><hr>A &amp; B", "friend -- A & B")
        assert shown.headers == (("X-Shop", "A & B"),)

    played(database, clock, tmp_path, scenario)


def test_a_strict_template_says_which_part_lacks_what(store: IdentityStore, database: Database) -> None:
    content = TemplateContent(subject="{{a}}", text="{{b}}", html="<p>fine", missing="strict")
    made = store.templates.create(1, "Strict", content, publish=True, actor=WHO).template
    with database.reading() as connection:
        ready = known.ready_template(connection, 1, None, made.id)
    assert ready.form().is_strict
    shown = preview(ready, {"a": 1})
    assert (shown.subject, shown.text, shown.html) == ("1", None, "<p>fine")
    assert shown.failures == {"text": "line 1, column 1: b is not in the data"}
