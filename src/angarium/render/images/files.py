"""Hosted pictures on the disk: a file each, named by what is in it. Blocks: called in threads."""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import Final

from angarium.core.files import make_folder, sync_folder
from angarium.render.images.names import HostedImage, image_of

FOLDER: Final = "images"
"""In the data folder."""

_FRESH_S: Final = 86_400.0
"""The time of a file says when mail last left with it, give or take a day."""


class ImageFiles:
    """The pictures in *folder*. Any number of processes may use it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, data: bytes, now: float) -> HostedImage | None:
        """Keep a picture, safe on the disk, as used *now*; None where it is not one that is hosted. Raises OSError."""
        image = image_of(data)
        if image is None:
            return None
        path = self._path(image)
        try:
            if path.stat().st_mtime < now - _FRESH_S:
                os.utime(path, (now, now))
        except FileNotFoundError:
            self._write(path, data, now)
        return image

    def _write(self, path: Path, data: bytes, now: float) -> None:
        make_folder(path.parent)
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
            try:
                file.write(data)
                file.flush()
                os.utime(file.fileno(), (now, now))
                os.fsync(file.fileno())
                os.rename(file.name, path)
            except OSError:
                os.unlink(file.name)
                raise
        sync_folder(path.parent)

    def read(self, image: HostedImage) -> bytes | None:
        """Return what is in a picture, None where it is not kept any more. Raises OSError."""
        try:
            return self._path(image).read_bytes()
        except FileNotFoundError:
            return None

    def drop(self, before: float) -> int:
        """Remove what no mail has left with since *before*; return how many that were. Raises OSError."""
        dropped = 0
        for path in self._folder.glob("*/*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime < before:
                    path.unlink()
                    dropped += 1
        return dropped

    def _path(self, image: HostedImage) -> Path:
        name = image.digest.hex()
        return self._folder / name[:2] / f"{name}.{image.kind}"
