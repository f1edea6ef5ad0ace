"""The audit log of the identity store: who changed what, and when."""

from collections.abc import Iterable

from sqlalchemy import RowMapping, select

from angarium.identity import checks
from angarium.identity.records import Change
from angarium.identity.store import schema
from angarium.identity.store.credentials import WORDS
from angarium.sql.changes import ChangeLog


class AuditLog:
    """The audit log: who changed what, and when."""

    def __init__(self, log: ChangeLog) -> None:
        self._log = log

    def page(
        self,
        account: int | None = None,
        after: int | None = None,
        limit: int = 100,
        *,
        newest_first: bool = False,
    ) -> list[Change]:
        """Return changes, of one account or of all, by rising id, or by falling id with *newest_first*.

        The page begins behind the id *after*, in either direction. The id rises with the generation.
        """
        id, owner = schema.audit.c.id, schema.audit.c.owner
        query = select(schema.audit).order_by(id.desc() if newest_first else id)
        if account is not None:
            query = query.where(owner == account)
        if after is not None:
            query = query.where(id < after if newest_first else id > after)
        with self._log.reading() as connection:
            rows = connection.execute(query.limit(checks.page(limit))).mappings()
            return [_change_of(row) for row in rows]

    def keys_of(self, account: int, keys: Iterable[int]) -> set[int]:
        """Return those of *keys*, by id, that were made for *account*, whether or not they are still there."""
        what = {f"{WORDS['api_key']} {key}": key for key in keys}
        columns = schema.audit.c
        made = (columns.owner == account, columns.action == "create", columns.what.in_(list(what)))
        with self._log.reading() as connection:
            return {what[name] for name in connection.scalars(select(columns.what).where(*made))}


def _change_of(row: RowMapping) -> Change:
    return Change(
        row["id"], row["at"], row["actor"], row["action"], row["what"], row["owner"], row["details"]
    )
