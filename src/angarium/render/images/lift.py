"""Pictures that an HTML part shows by their Content-ID, lifted out of the message (RFC 2387, RFC 2392). Pure.

Only pictures of a multipart/related, behind its first part: there mail programs put what the HTML shows. Those that the
HTML does not name stay, and so does what stands elsewhere.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import unquote_to_bytes

from angarium.mime.conversion import Conversion, ConversionImpossible, ConvertedLeaf, MimeEntity, MimeForm
from angarium.mime.texts import decoded, edited, shown_text
from angarium.render.html.references import unescaped

Hosting = Callable[[bytes], str]
"""Returns the URL that a picture is asked for by from now on; empty: it stays in the mail."""

_REFERENCE: Final = re.compile(rb"(?<=[\"'(=])cid:([^\"'()<>\s]++)", re.IGNORECASE)
_RELATED: Final = b"multipart/related"


def lift_images(message: bytes, hosting: Hosting) -> bytes:
    """Return *message* with URLs in the place of `cid:` wherever its HTML parts have one in an attribute or in a style
    (conditionals for Outlook too), and without the pictures. The very object where there are none, and where it is
    signed, encrypted or contradicts itself. Every other byte stays. Linear in time.
    """
    seen = _Seen()
    try:
        Conversion(message, MimeForm(seen.look, opens_messages=False)).result()
        urls = {name: url for name in seen.shown() if (url := hosting(seen.images[name]))}
        if not urls:
            return message
        return Conversion(message, MimeForm(_Lifting(urls).leaf, opens_messages=False)).result()
    except ConversionImpossible:
        return message


class _Seen:
    """The pictures of a message, by their Content-ID, and what its HTML parts refer to, in order."""

    def __init__(self) -> None:
        self.images: dict[bytes, bytes] = {}
        self._doubled: set[bytes] = set()
        self._named: list[bytes] = []

    def look(self, entity: MimeEntity, body: bytes, is_sealed: bool) -> None:
        """Look at a part."""
        if is_sealed:
            return
        name = _name_of(entity)
        if name and entity.within == _RELATED and entity.place > 1:
            data = decoded(entity.encoding, body)
            if name in self.images:
                self._doubled.add(name)
            elif data is not None:
                self.images[name] = data
        html = shown_text(entity, body)
        if html is not None and html.kind == "html":
            self._named += [_named(match) for match in _REFERENCE.finditer(html.data)]

    def shown(self) -> list[bytes]:
        """Return the names of the pictures that some HTML shows."""
        return [
            name for name in dict.fromkeys(self._named) if name in self.images and name not in self._doubled
        ]


class _Lifting:
    """Puts *urls* in, and takes the pictures out."""

    def __init__(self, urls: Mapping[bytes, str]) -> None:
        self._urls = urls

    def leaf(self, entity: MimeEntity, body: bytes, is_sealed: bool) -> ConvertedLeaf | None:
        """Take a part, or let it stay."""
        if is_sealed:
            return None
        if entity.within == _RELATED and entity.place > 1 and _name_of(entity) in self._urls:
            return ConvertedLeaf(b"", is_gone=True)
        return edited(entity, body, lambda text: self._html(text.data) if text.kind == "html" else None)

    def _html(self, html: bytes) -> bytes:
        return _REFERENCE.sub(self._url, html)

    def _url(self, match: re.Match[bytes]) -> bytes:
        url = self._urls.get(_named(match))
        return match[0] if url is None else url.encode()


def _named(match: re.Match[bytes]) -> bytes:
    """Return the Content-ID that a reference means."""
    return unquote_to_bytes(unescaped(match[1].decode("latin-1")).encode("latin-1", "replace"))


def _name_of(entity: MimeEntity) -> bytes:
    """Return the Content-ID of a picture, empty where it has none, or is none."""
    if not entity.kind.startswith(b"image/"):
        return b""
    values = [field.value.strip() for field in entity.fields if field.name == b"content-id"]
    return values[0].removeprefix(b"<").removesuffix(b">") if len(values) == 1 else b""
