"""Hosted pictures as those need them who write mail, and those who answer readers. Blocks: called in threads."""

from typing import Protocol

from angarium.core.clock import Clock
from angarium.render.images.names import HostedImage, SignedImagePaths


class KeptImages(Protocol):
    """Where pictures are; `files.ImageFiles` is one."""

    def keep(self, data: bytes, now: float) -> HostedImage | None:
        """Keep a picture, as used *now*; None where it is not one that is hosted. Raises OSError."""
        ...

    def read(self, image: HostedImage) -> bytes | None:
        """Return what is in a picture, None where it is not kept any more. Raises OSError."""
        ...

    def drop(self, before: float) -> int:
        """Remove what was not used since *before*; return how many that were. Raises OSError."""
        ...


class ImageShelf:
    """Keeps pictures in *files*, and calls them by *paths*."""

    def __init__(self, files: KeptImages, paths: SignedImagePaths, clock: Clock) -> None:
        self._files = files
        self._paths = paths
        self._clock = clock

    def host(self, data: bytes) -> str:
        """Keep a picture and return its path; empty where it is none that is hosted. Raises OSError."""
        image = self._files.keep(data, self._clock.now())
        return "" if image is None else self._paths.path(image)

    def named(self, path: str) -> HostedImage | None:
        """Return what a path names, None where it names none. Does not block."""
        return self._paths.read(path)

    def read(self, image: HostedImage) -> bytes | None:
        """Return the bytes of a picture, None where it is not kept any more. Raises OSError."""
        return self._files.read(image)

    def drop_unused(self, days: int) -> int:
        """Remove the pictures that no mail has left with for so many *days*; return how many those were. Raises
        OSError.
        """
        return self._files.drop(self._clock.now() - days * 86_400)
