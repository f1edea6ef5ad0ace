"""What a database is for, as those who have tables in it say."""

from pathlib import Path
from typing import NamedTuple


class DatabaseKind(NamedTuple):
    """*called* names it in sentences, *option* is that of the configuration which says where it is, *file* its usual
    name where it is SQLite.

    *migrations* are the folders with the migrations of each who has tables in it. Each folder is a branch of the one
    history of the database, with a first revision of its own: a revision of another folder that has to come before is
    named in `depends_on`. A revision's id is that of no other folder.
    """

    called: str
    option: str
    file: str
    migrations: tuple[Path, ...]
