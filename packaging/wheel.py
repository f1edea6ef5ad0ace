"""What a wheel has in it besides the package: the man pages and completions that `packaging/manual.py` has made."""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MADE = "build/share"


class SharedFiles(BuildHookInterface):  # type: ignore[type-arg, misc]
    """Adds them under `share`, where they exist. An editable installation needs none."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See BuildHookInterface."""
        made = Path(self.root, MADE)
        if version == "standard" and made.is_dir():
            build_data["shared_data"][str(made)] = "share"
