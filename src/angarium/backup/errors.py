"""What keeps a backup from being made or taken."""

from angarium.core.errors import AngariumError


class BackupError(AngariumError):
    """It was not done; the text says why, and what to do."""
