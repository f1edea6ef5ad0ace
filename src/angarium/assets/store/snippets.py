"""Snippets in the store. Blocking."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, delete, select

from angarium.assets import checks
from angarium.assets.store.owners import check_owner, check_room
from angarium.assets.store.schema import snippets
from angarium.assets.templates.ready import PARTS
from angarium.assets.templates.records import MOST_SNIPPETS, Snippet
from angarium.assets.templates.validation import check_snippet
from angarium.sql.changes import ChangeLog
from angarium.sql.checks import Check, checked
from angarium.sql.errors import Conflict, Invalid, NotFound
from angarium.sql.rows import record_of, row_of

_KEY: Final = snippets.c


def _text(field: str, value: Any) -> str | None:
    """A part; nothing is none."""
    if value is not None and not isinstance(value, str):
        raise Invalid(field, "write a text")
    return value or None


_CHECKS: Final[Mapping[str, Check]] = {"name": checks.name, "html": _text, "text": _text, "amp": _text}


class Snippets:
    """All snippets, of all accounts. Threads may share it."""

    def __init__(self, log: ChangeLog) -> None:
        self._log = log

    def create(self, account: int, alias: str, *, actor: str, name: str = "", **parts: Any) -> Snippet:
        """Make a snippet of some *parts*: `html`, `text`, `amp`.

        Raises ContentProblems, Invalid, NotFound, Conflict.
        """
        alias = checks.alias("alias", alias)
        new = checked({"name": name or alias, **parts}, _CHECKS)
        check_snippet({part: new[part] for part in PARTS if new.get(part)})
        with self._log.changing(actor) as change:
            check_owner(change.connection, account, None)
            check_room(change.connection, snippets, account, MOST_SNIPPETS, "snippets")
            if _found(change.connection, account, alias) is not None:
                raise Conflict(f"there is a snippet {alias!r} already; choose another id, or change that one")
            times = {"created_at": change.at, "changed_at": change.at}
            made = _snippet(
                change.connection, change.add(snippets, account=account, alias=alias, **new, **times)
            )
            change.note("create", f"snippet {made.id}", account, after=_told(made))
        return made

    def get(self, id: int) -> Snippet:
        """Return a snippet. Raises NotFound."""
        with self._log.reading() as connection:
            return _snippet(connection, id)

    def find(self, account: int, name: int | str) -> Snippet:
        """Return a snippet of an account by its id or its alias. Raises NotFound."""
        with self._log.reading() as connection:
            found = _snippet(connection, name) if isinstance(name, int) else _found(connection, account, name)
        if found is None or found.account != account:
            raise NotFound(f"snippet {str(name)[:100]}")
        return found

    def page(self, account: int | None = None, after: int | None = None, limit: int = 100) -> list[Snippet]:
        """Return snippets, of one account or of all, by rising id."""
        where = [_KEY.account == account] if account is not None else []
        query = select(snippets).where(_KEY.id > (after or 0), *where).order_by(_KEY.id).limit(limit)
        with self._log.reading() as connection:
            return [record_of(row, Snippet) for row in connection.execute(query).mappings()]

    def change(self, id: int, *, actor: str, **fields: Any) -> Snippet:
        """Change the name, or parts; a part that is empty or None goes. Raises ContentProblems, Invalid, NotFound."""
        with self._log.changing(actor) as change:
            snippet = _snippet(change.connection, id)
            given = checked(fields, _CHECKS)
            new = {name: value for name, value in given.items() if value != getattr(snippet, name)}
            if not new:
                return snippet
            parts = {part: text for part in PARTS if (text := new.get(part, getattr(snippet, part)))}
            check_snippet(parts)
            change.set(snippets, id, **new, changed_at=change.at)
            changed = _snippet(change.connection, id)
            change.note("change", f"snippet {id}", snippet.account, _told(snippet), _told(changed))
        return changed

    def delete(self, id: int, *, actor: str) -> None:
        """Delete a snippet: mail of templates that ask for it fails from now on. Raises NotFound."""
        with self._log.changing(actor) as change:
            snippet = _snippet(change.connection, id)
            change.connection.execute(delete(snippets).where(_KEY.id == id))
            change.note("delete", f"snippet {id}", snippet.account, before=_told(snippet))


def snippets_named(
    connection: Connection, account: int, aliases: Iterable[str]
) -> Mapping[str, Mapping[str, str]]:
    """Return the parts of those of *aliases* that there are."""
    wanted = [alias for alias in aliases if alias.isprintable()]
    if not wanted:
        return {}
    query = select(snippets).where(_KEY.account == account, _KEY.alias.in_(wanted))
    found = [record_of(row, Snippet) for row in connection.execute(query).mappings()]
    return {snippet.alias: snippet.parts() for snippet in found}


def _found(connection: Connection, account: int, alias: str) -> Snippet | None:
    where = (_KEY.account == account, _KEY.alias == alias)
    row = (
        connection.execute(select(snippets).where(*where)).mappings().first() if alias.isprintable() else None
    )
    return None if row is None else record_of(row, Snippet)


def _snippet(connection: Connection, id: int) -> Snippet:
    return record_of(row_of(connection, snippets, id, "snippet"), Snippet)


def _told(snippet: Snippet) -> dict[str, object]:
    """Return what the audit log says of a snippet: of its parts how long they are."""
    sizes = {part: len(text) for part, text in snippet.parts().items()}
    return {"alias": snippet.alias, "name": snippet.name, "characters": sizes}
