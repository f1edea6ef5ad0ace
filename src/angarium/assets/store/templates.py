"""Templates in the store. Blocking; from an event loop call it in a thread.

A version that was given a number says the same for good; the next one has another. What is published changes only when
somebody publishes, and what is being written is the draft until then.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, delete, insert, select, update

from angarium.assets import checks
from angarium.assets.store.owners import check_owner, check_room
from angarium.assets.store.schema import snippets, templates, versions
from angarium.assets.templates.problems import ContentProblems, PartProblem
from angarium.assets.templates.records import (
    CONTENT_FIELDS,
    MOST_TEMPLATES,
    StoredTemplate,
    TemplateContent,
    TemplateKind,
    TemplateVersion,
)
from angarium.assets.templates.validation import CheckedContent, check_content
from angarium.sql.changes import ChangeLog, Changing
from angarium.sql.checks import Check, checked
from angarium.sql.errors import Conflict, Invalid, NotFound
from angarium.sql.rows import before_of, record_of, row_of, said

_KEY: Final = templates.c
_CHANGE: Final[Mapping[str, Check]] = {
    "name": checks.name,
    "alias": checks.alias_or_none,
    "description": checks.description,
}

_decode: Final = msgspec.json.Decoder(TemplateContent).decode


class SavedTemplate(NamedTuple):
    """What was saved, and what is odd in it."""

    template: StoredTemplate
    warnings: list[PartProblem]


class Templates:
    """All templates, of all accounts. Threads may share it."""

    def __init__(self, log: ChangeLog) -> None:
        self._log = log

    # -- written

    def create(
        self,
        account: int,
        name: str,
        content: TemplateContent,
        *,
        server: int | None = None,
        kind: TemplateKind = "standard",
        publish: bool = False,
        actor: str,
        **fields: Any,
    ) -> SavedTemplate:
        """Make a template, with the `alias` and the `description` that somebody says; a draft unless *publish*.

        Raises ContentProblems, Invalid, NotFound, Conflict.
        """
        new = checked({"name": name, **fields}, _CHANGE)
        with self._log.changing(actor) as change:
            check_owner(change.connection, account, server)
            check_room(change.connection, templates, account, MOST_TEMPLATES, "templates")
            _check_alias_is_free(change.connection, account, server, new.get("alias", ""))
            row = {
                "account": account,
                "server": server,
                "scope": server or 0,
                "kind": kind,
                "description": "",
                **new,
                "alias": new.get("alias") or None,
                "language": content.language,
                "versions": 0,
                "created_at": change.at,
                "changed_at": change.at,
            }
            made = _template(change.connection, change.add(templates, **row))
            warnings = self._put(change, made, content, publish=publish)
            made = _template(change.connection, made.id)
            change.note("create", f"template {made.id}", account, after=said(made))
        return SavedTemplate(made, warnings)

    def change(self, id: int, *, publish: bool = False, actor: str, **fields: Any) -> SavedTemplate:
        """Change what is given of `name`, `alias` and `description`, and of the fields of `TemplateContent`: those are
        put into the newest version, which is a draft then unless *publish*; with it alone the draft is published.

        Raises ContentProblems, Invalid, NotFound, Conflict.
        """
        edits = {name: value for name, value in fields.items() if name in CONTENT_FIELDS}
        given = {name: value for name, value in fields.items() if name not in edits}
        if "kind" in given:
            raise Invalid("kind", "a template stays what it is; make another one")
        new = checked(given, _CHANGE)
        with self._log.changing(actor) as change:
            template = _template(change.connection, id)
            new = {name: value for name, value in new.items() if value != getattr(template, name)}
            warnings = self._edit(change, template, edits, publish=publish)
            if new:
                self._rename(change, template, new)
            saved = _template(change.connection, id)
            if saved != template:
                change.set(templates, id, changed_at=change.at)
                saved = _template(change.connection, id)
                names = [name for name in saved.__struct_fields__ if name != "changed_at"]
                after = {
                    name: getattr(saved, name)
                    for name in names
                    if getattr(saved, name) != getattr(template, name)
                }
                change.note("change", f"template {id}", template.account, before_of(template, after), after)
        return SavedTemplate(saved, warnings)

    def publish(self, id: int, *, actor: str) -> StoredTemplate:
        """Have mail made of the draft from now on. Raises NotFound, and Conflict where there is none."""
        with self._log.reading() as connection:
            if _template(connection, id).draft is None:
                raise Conflict(f"template {id} has no draft that could be published; save one first")
        return self.change(id, publish=True, actor=actor).template

    def discard(self, id: int, *, actor: str) -> StoredTemplate:
        """Forget the draft. Raises NotFound, and Conflict where there is none, or nothing else."""
        with self._log.changing(actor) as change:
            template = _template(change.connection, id)
            if template.draft is None or template.published is None:
                what = "no draft" if template.draft is None else "nothing but a draft: delete it"
                raise Conflict(f"template {id} has {what}")
            change.connection.execute(delete(versions).where(_version_is(id, is_draft=True)))
            content = _content(change.connection, id, False)
            assert content is not None
            newest = {"language": content.content.language, "layout": content.content.layout}
            change.set(templates, id, draft=None, changed_at=change.at, **newest)
            change.note("discard", f"template {id}", template.account, {"draft": template.draft})
            return _template(change.connection, id)

    def delete(self, id: int, *, actor: str) -> None:
        """Delete a template with all that it says. Raises NotFound, and Conflict for a layout in use."""
        with self._log.changing(actor) as change:
            template = _template(change.connection, id)
            users = _users(change.connection, id)
            if users:
                shown = ", ".join(f"{user.alias or user.id}" for user in users[:5])
                raise Conflict(f"the layout is put around {len(users)} templates: {shown}; change them first")
            change.connection.execute(delete(templates).where(_KEY.id == id))
            change.note("delete", f"template {id}", template.account, before=said(template))

    def check(
        self,
        account: int,
        kind: TemplateKind,
        content: TemplateContent,
        server: int | None = None,
        **fields: Any,
    ) -> CheckedContent:
        """Say what is wrong with what a template would say, and what is odd. Raises nothing for that; Invalid for its
        *fields*, and NotFound where there is no such layout.
        """
        checked(fields, _CHANGE)
        with self._log.reading() as connection:
            return _checked(connection, account, server, kind, content)

    # -- read

    def get(self, id: int) -> StoredTemplate:
        """Return a template. Raises NotFound."""
        with self._log.reading() as connection:
            return _template(connection, id)

    def find(self, account: int, server: int | None, name: int | str) -> StoredTemplate:
        """Return a template by its id or its alias as mail of *server* names it: the server's own before the account's.
        Raises NotFound.
        """
        with self._log.reading() as connection:
            return found_template(connection, account, server, name)

    def named(self, account: int, alias: str) -> StoredTemplate:
        """Return the only template of an account with an alias, on whichever server. Raises NotFound, Conflict."""
        where = (_KEY.account == account, _KEY.alias == alias)
        query = select(templates).where(*where).order_by(_KEY.id).limit(10)
        with self._log.reading() as connection:
            rows = connection.execute(query).mappings().all() if alias.isprintable() else []
        if not rows:
            raise NotFound(f"template {alias[:100]}")
        if len(rows) > 1:
            ids = ", ".join(str(row["id"]) for row in rows)
            raise Conflict(f"several servers have a template {alias!r}; name it by its id: {ids}")
        return record_of(rows[0], StoredTemplate)

    def page(
        self,
        account: int | None = None,
        after: int | None = None,
        limit: int = 100,
        *,
        server: int | None = None,
        kind: TemplateKind | None = None,
        layout: int | None = None,
    ) -> list[StoredTemplate]:
        """Return templates by rising id: of one account or of all, of a server, of one kind, with one layout."""
        same = {"account": account, "server": server, "kind": kind, "layout": layout}
        where = [_KEY[name] == value for name, value in same.items() if value is not None]
        query = select(templates).where(_KEY.id > (after or 0), *where).order_by(_KEY.id).limit(limit)
        with self._log.reading() as connection:
            return [record_of(row, StoredTemplate) for row in connection.execute(query).mappings()]

    def version(self, id: int, *, draft: bool | None = None) -> TemplateVersion:
        """Return what a template says: the draft, or what is published; None: the newest. Raises NotFound."""
        with self._log.reading() as connection:
            return version_of(connection, _template(connection, id), draft=draft)

    # -- within a change

    def _edit(
        self, change: Changing, template: StoredTemplate, edits: Mapping[str, Any], *, publish: bool
    ) -> list[PartProblem]:
        newest = version_of(change.connection, template)
        content = msgspec.structs.replace(newest.content, **edits)
        if content != newest.content or (publish and newest.is_draft):
            return self._put(change, template, content, publish=publish, newest=newest)
        return []

    def _put(
        self,
        change: Changing,
        template: StoredTemplate,
        content: TemplateContent,
        *,
        publish: bool,
        newest: TemplateVersion | None = None,
    ) -> list[PartProblem]:
        """Write *content* as the draft, or as what is published; a version that says the same keeps its number."""
        connection = change.connection
        found = _checked(connection, template.account, template.server, template.kind, content)
        found.raise_problems()
        if publish:
            _check_layout_is_published(connection, content)
        number = (
            newest.number if newest is not None and newest.content == content else _next(change, template)
        )
        connection.execute(delete(versions).where(_version_is(template.id, is_draft=True)))
        if publish:
            connection.execute(delete(versions).where(_version_is(template.id, is_draft=False)))
        row = {"template": template.id, "is_draft": not publish, "number": number, "made_at": change.at}
        written = msgspec.json.encode(content).decode()
        connection.execute(insert(versions).values({**row, "layout": content.layout, "content": written}))
        numbers = {"draft": None, "published": number} if publish else {"draft": number}
        change.set(templates, template.id, **numbers, language=content.language, layout=content.layout)
        return found.warnings

    def _rename(self, change: Changing, template: StoredTemplate, new: Mapping[str, Any]) -> None:
        if "alias" in new:
            _check_alias_is_free(change.connection, template.account, template.server, new["alias"])
        row = {**new, "alias": new["alias"] or None} if "alias" in new else new
        change.connection.execute(update(templates).where(_KEY.id == template.id).values(row))


def found_template(
    connection: Connection, account: int, server: int | None, name: int | str
) -> StoredTemplate:
    """See `Templates.find`."""
    scopes = (0,) if server is None else (0, server)
    which = _KEY.id == name if isinstance(name, int) else _KEY.alias == name
    is_askable = 0 < name < 1 << 63 if isinstance(name, int) else name.isprintable()
    query = select(templates).where(which, _KEY.account == account, _KEY.scope.in_(scopes))
    rows = connection.execute(query.order_by(_KEY.scope.desc())).mappings() if is_askable else None
    row = rows.first() if rows is not None else None
    if row is None:
        raise NotFound(f"template {str(name)[:100]}")
    return record_of(row, StoredTemplate)


def version_of(
    connection: Connection, template: StoredTemplate, *, draft: bool | None = None
) -> TemplateVersion:
    """See `Templates.version`."""
    wanted = (True, False) if draft is None else (draft,)
    for is_draft in wanted:
        found = _content(connection, template.id, is_draft)
        if found is not None:
            return found
    what = "a draft" if draft else "a published version"
    raise NotFound(f"template {template.alias or template.id} with {what}")


def layout_of(connection: Connection, content: TemplateContent) -> TemplateContent | None:
    """Return what is put around *content*: what the layout has published, or else its draft; None: nothing is."""
    if content.layout is None:
        return None
    for is_draft in (False, True):
        found = _content(connection, content.layout, is_draft)
        if found is not None:
            return found.content
    raise NotFound(f"layout {content.layout}")


def _checked(
    connection: Connection, account: int, server: int | None, kind: TemplateKind, content: TemplateContent
) -> CheckedContent:
    layout = None
    if content.layout is not None:
        found = found_template(connection, account, server, content.layout)
        if found.kind != "layout":
            said = f"template {found.alias or found.id} is no layout"
            raise ContentProblems([PartProblem("layout", f"{said}; name one of the kind layout")])
        layout = layout_of(connection, content)
    names = set(connection.scalars(select(snippets.c.alias).where(snippets.c.account == account)))
    return check_content(kind, content, layout, names)


def _check_layout_is_published(connection: Connection, content: TemplateContent) -> None:
    if content.layout is not None and _template(connection, content.layout).published is None:
        raise Conflict(f"the layout {content.layout} is only a draft; publish it first")


def _check_alias_is_free(connection: Connection, account: int, server: int | None, alias: str) -> None:
    where = (_KEY.account == account, _KEY.scope == (server or 0), _KEY.alias == alias)
    if alias and connection.scalar(select(_KEY.id).where(*where)) is not None:
        raise Conflict(f"there is a template {alias!r} already; choose another alias, or change that one")


def _users(connection: Connection, layout: int) -> list[StoredTemplate]:
    ids = select(versions.c.template).where(versions.c.layout == layout)
    query = select(templates).where(_KEY.id.in_(ids)).order_by(_KEY.id)
    return [record_of(row, StoredTemplate) for row in connection.execute(query).mappings()]


def _next(change: Changing, template: StoredTemplate) -> int:
    raised = update(templates).where(_KEY.id == template.id).values(versions=_KEY.versions + 1)
    return int(change.connection.scalar(raised.returning(_KEY.versions)) or 0)


def _template(connection: Connection, id: int) -> StoredTemplate:
    return record_of(row_of(connection, templates, id, "template"), StoredTemplate)


def _content(connection: Connection, template: int, is_draft: bool) -> TemplateVersion | None:
    row = connection.execute(select(versions).where(_version_is(template, is_draft=is_draft))).first()
    if row is None:
        return None
    return TemplateVersion(row.number, row.is_draft, row.made_at, _decode(row.content))


def _version_is(template: int, *, is_draft: bool) -> Any:
    return (versions.c.template == template) & (versions.c.is_draft == is_draft)
