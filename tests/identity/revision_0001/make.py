"""Make the store of revision 0001 that `test_store_upgrade.py` upgrades: its rows as SQL, and its key file.

.venv/bin/python tests/identity/revision_0001/make.py tests/identity/revision_0001
"""

import shutil
import sqlite3
import sys
import tempfile
from pathlib import Path

from angarium.core.options import Options
from angarium.identity.limits import Limits
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import IDENTITY
from angarium.identity.store.store import IdentityStore
from angarium.sql.database import Database

WHEN = 1_790_000_000.0
WHO = "cli:then"


def fill(store: IdentityStore) -> None:
    """Make something of everything."""
    account = store.accounts.create("shop", actor=WHO, limits=Limits(daily_quota=5, sender_domains="any"))
    server = store.servers.create(account.id, "web", actor=WHO, options=Options(track_opens=True))
    store.streams.create(server.id, "news", "News", kind="broadcast", actor=WHO)
    store.people.create(account.id, "ann@example.com", "Ann", "correct horse battery", actor=WHO)
    store.credentials.create_smtp_login(server.id, "with challenge", actor=WHO, challenge=True)
    store.credentials.create_api_key(account.id, "deploy", ("smtp/inject",), actor=WHO)
    store.domains.create(account.id, "example.com", actor=WHO)


def main(target: Path) -> None:
    """Write `identity.sql` and `secrets.key` into *target*."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (first,) = IDENTITY.migrations[0].glob("0001_*.py")
        (folder / "migrations").mkdir()
        shutil.copy(first, folder / "migrations")
        database = Database(
            f"sqlite:///{folder}/identity.db", IDENTITY._replace(migrations=(folder / "migrations",))
        )
        database.migrate()
        fill(IdentityStore(database, KeyRing.load_or_create(folder / "secrets.key"), lambda: WHEN))
        database.close()
        with sqlite3.connect(folder / "identity.db") as rows:
            (target / "identity.sql").write_text("\n".join(rows.iterdump()) + "\n")
        shutil.copy(folder / "secrets.key", target / "secrets.key")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
