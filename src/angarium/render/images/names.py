"""What hosted pictures are called, and the paths that they are asked for by. Pure.

A picture is named by what is in it, so that the same one is kept once; its path is signed with a key of the node, so
that nobody finds out what is kept by guessing, nor has a file shown as something else.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from angarium.render.tracking.addresses import PREFIX

ImageKind = Literal["png", "jpeg", "gif", "webp", "bmp"]

LARGEST: Final = 5_000_000
"""Bytes of a picture that is hosted; a larger one stays in the mail."""

_LETTERS: Final[dict[ImageKind, bytes]] = {"png": b"p", "jpeg": b"j", "gif": b"g", "webp": b"w", "bmp": b"b"}
_KINDS: Final = {letter: kind for kind, letter in _LETTERS.items()}
_DIGEST_BYTES, _CODE_BYTES = 20, 9
_PATH: Final = re.compile(PREFIX + r"p([A-Za-z0-9_-]{40})")
_BEGINNINGS: Final[tuple[tuple[re.Pattern[bytes], ImageKind], ...]] = (
    (re.compile(rb"\x89PNG\r\n\x1a\n"), "png"),
    (re.compile(rb"\xff\xd8\xff"), "jpeg"),
    (re.compile(rb"GIF8[79]a"), "gif"),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), "webp"),
    (re.compile(rb"BM.{8}", re.DOTALL), "bmp"),
)


class HostedImage(NamedTuple):
    """A picture: what it is, and the beginning of the SHA-256 of what is in it."""

    kind: ImageKind
    digest: bytes

    @property
    def media_type(self) -> str:
        """What HTTP calls it."""
        return f"image/{self.kind}"


def image_of(data: bytes) -> HostedImage | None:
    """Return what a picture is called; None where it is too large, or none that is hosted. What it is is seen by how it
    begins, whatever the mail says. SVG is a document with scripts, and not hosted.
    """
    kind = next((kind for begins, kind in _BEGINNINGS if begins.match(data)), None)
    if kind is None or len(data) > LARGEST:
        return None
    return HostedImage(kind, hashlib.sha256(data).digest()[:_DIGEST_BYTES])


class SignedImagePaths:
    """Writes and reads paths. *keys* returns the keys in force: the first signs, any is believed."""

    def __init__(self, keys: Callable[[], Sequence[bytes]]) -> None:
        self._keys = keys

    def path(self, image: HostedImage) -> str:
        """Return the path that *image* is asked for by."""
        named = _LETTERS[image.kind] + image.digest
        token = base64.urlsafe_b64encode(named + _code(self._keys()[0], named)).decode()
        return f"{PREFIX}p{token}"

    def read(self, path: str) -> HostedImage | None:
        """Return what the raw *path* of a request names, None for one that this node has not made."""
        match = _PATH.fullmatch(path)
        if match is None:
            return None
        try:
            data = base64.b64decode(match[1], b"-_", validate=True)
        except binascii.Error:
            return None
        named, code = data[: 1 + _DIGEST_BYTES], data[1 + _DIGEST_BYTES :]
        kind = _KINDS.get(named[:1])
        if kind is None or not any(hmac.compare_digest(code, _code(key, named)) for key in self._keys()):
            return None
        return HostedImage(kind, named[1:])


def _code(key: bytes, named: bytes) -> bytes:
    return hmac.digest(key, b"P" + named, "sha256")[:_CODE_BYTES]
