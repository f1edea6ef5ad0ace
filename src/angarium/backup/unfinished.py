"""What tells that a folder is being restored: nothing may be begun in it before all of it is there."""

from pathlib import Path
from typing import Final

from angarium.backup.errors import BackupError

MARK: Final = "restore-unfinished"


def refuse_unfinished(data: Path) -> None:
    """Raise BackupError when a restore into the data folder *data* is under way, or was broken off."""
    if (data / MARK).exists():
        raise BackupError(
            f"a restore into {data} has not finished: wait for it, or run it again with `angarium restore`"
        )
