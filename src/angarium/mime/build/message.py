"""A message from fields: text, HTML, AMP, attachments, images in the text (RFC 2045, 2046, 2387; AMP for email).

By hand, since it is in the way of every mail that comes by HTTP: a seventh of what the library takes. Line ends are
CRLF, text is UTF-8, and nothing is longer than a line may be. Pure: what must be new in each message is an argument.
"""

import binascii
import re
from collections.abc import Callable, Sequence
from typing import Final, Literal

from angarium.core.fields import Attachment, Fields
from angarium.mime.build.fields import mailbox_field, parameter, text_field
from angarium.mime.eightbit import base64_lines, is_seven_bit
from angarium.mime.words import CONTROLS

_KIND: Final = re.compile(r"[-A-Za-z0-9!#$&^_.+]{1,64}/[-A-Za-z0-9!#$&^_.+]{1,64}")
_LINE_END: Final = re.compile(r"\r\n?|\n")
_BYTES_LINE_END: Final = re.compile(rb"\r\n?|\n")
_SEED: Final = re.compile(r"[^A-Za-z0-9]")
_DENSE: Final = 5
"""Where one byte in so many is not ASCII, base64 is shorter than quoted-printable."""

Part = tuple[str, Sequence[bytes]]
"""The header of a part, whole lines; and its body, without the line end that belongs to the boundary after it."""


def file_part(file: Attachment, disposition: str) -> Part:
    """Return a file as a part of a message."""
    kind = file.kind.lower() if _KIND.fullmatch(file.kind) else "application/octet-stream"
    encoding, body = _file_body(kind, file.content)
    if encoding == "base64" and kind.startswith(("message/", "multipart/")):
        kind = "application/octet-stream"  # neither may be encoded (RFC 2046 §5)
    name = file.name.replace("/", "_").replace("\\", "_")
    header = f"Content-Type: {kind}{parameter('name', name)}\r\nContent-Transfer-Encoding: {encoding}\r\n"
    header += f"Content-Disposition: {disposition}{parameter('filename', name)}\r\n"
    if file.content_id:
        header += f"Content-ID: <{_id(file.content_id)}>\r\n"
    return header, [body]


def compose(fields: Fields, *, seed: str, file_part: Callable[[Attachment, str], Part] = file_part) -> bytes:
    """Return the message, header and body. *seed* makes its boundaries, the same for the same seed. Raises ValueError
    for an address that cannot be one. Without Date and Message-ID unless `Fields.headers` has them. *file_part* is
    another where parts are remembered.
    """
    header, body = _content(fields, _SEED.sub("", seed)[:40], file_part)
    return b"".join([(head_of(fields) + header + "\r\n").encode(), *body])


def head_of(fields: Fields) -> str:
    """Return the header fields that say nothing of the parts. Raises ValueError for an address that cannot be one."""
    lists = {"From": fields.author, "Reply-To": fields.reply_to, "To": fields.to, "Cc": fields.cc}
    lines = [mailbox_field(name, mailboxes) for name, mailboxes in lists.items() if mailboxes]
    lines.append(text_field("Subject", fields.subject))
    lines += [text_field(name, text) for name, text in fields.headers]
    return "".join([*lines, "MIME-Version: 1.0\r\n"])


def _content(fields: Fields, seed: str, file_part: Callable[[Attachment, str], Part]) -> Part:
    """Return mixed(alternative(text, amp, related(html, images)), files), without what holds one part only."""
    images = [each for each in fields.attachments if each.content_id and fields.html is not None]
    files = [each for each in fields.attachments if each not in images]
    parts = [_text_part("plain", fields.text)] if fields.text is not None else []
    if fields.amp is not None:
        parts.append(_text_part("x-amp-html", fields.amp))
    if fields.html is not None:
        html = _text_part("html", fields.html)
        related = [html, *(file_part(image, "inline") for image in images)]
        parts.append(_multipart("related", related, f"r{seed}", ';\r\n type="text/html"'))
    content = _multipart("alternative", parts or [_text_part("plain", "")], f"a{seed}")
    return _multipart("mixed", [content, *(file_part(file, "attachment") for file in files)], f"m{seed}")


def _multipart(
    kind: Literal["mixed", "alternative", "related"], parts: list[Part], seed: str, more: str = ""
) -> Part:
    if len(parts) == 1:
        return parts[0]
    boundary = _boundary(parts, seed)
    delimiter = f"--{boundary}\r\n".encode()
    body: list[bytes] = []
    for header, content in parts:
        body += [delimiter, header.encode(), b"\r\n", *content, b"\r\n"]
    body.append(f"--{boundary}--\r\n".encode())
    return f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"{more}\r\n', body


def _boundary(parts: list[Part], seed: str) -> str:
    """Return what no line of *parts* begins with. Encoded parts have no `=_` in them (RFC 2045 §6.7)."""
    boundary = f"=_{seed}"
    while any(b"--" + boundary.encode() in piece for _, body in parts for piece in body):
        boundary += "_"
    return boundary


def _text_part(subtype: str, text: str) -> Part:
    body = _LINE_END.sub("\r\n", text).encode("utf-8", "replace")
    body = body if body.endswith(b"\r\n") else body + b"\r\n"
    encoding, encoded = _encoded(body)
    charset = "us-ascii" if encoding == "7bit" else "utf-8"
    return f"Content-Type: text/{subtype}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n", [
        encoded
    ]


def _encoded(body: bytes) -> tuple[str, bytes]:
    if is_seven_bit(body):
        return "7bit", body
    if sum(byte > 127 for byte in body[:4096]) * _DENSE > len(body[:4096]):
        return "base64", base64_lines(body)
    return "quoted-printable", binascii.b2a_qp(body, istext=True)


def _file_body(kind: str, content: bytes) -> tuple[str, bytes]:
    """A message within goes as it is, if it can; all else in base64."""
    if kind == "message/rfc822":
        lines = _BYTES_LINE_END.sub(b"\r\n", content)
        if is_seven_bit(lines):
            return "7bit", lines
    return "base64", base64_lines(content).removesuffix(b"\r\n")


def _id(content_id: str) -> str:
    """What a Content-ID may not hold goes: it ends with `>`, in one line, in ASCII."""
    inside = CONTROLS.sub("", content_id.removeprefix("cid:")).strip("<> ")
    return "".join(char if "!" <= char <= "~" and char not in "<>" else "_" for char in inside)
