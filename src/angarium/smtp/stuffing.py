"""Dot-stuffing of a message that leaves (RFC 5321 §4.5.2), for bodies that come whole or in pieces."""

import re

_has_dot = re.compile(rb"\n\.").search
_MIDDLE, _AFTER_CR, _AFTER_LF, _LINE_START = range(4)


class DotStuffer:
    """Doubles each dot that begins a line.

    A dot after a bare LF is doubled too. Bodies should have none; but some peers take a bare LF for a line
    end, and for those the sequence LF, dot, CRLF in the middle of a message would end it and smuggle in
    another.
    """

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at = _LINE_START

    def stuff(self, piece: bytes) -> bytes:
        """Return *piece* as it goes on the wire; the very same object when there is nothing to double."""
        if not piece:
            return piece
        needs_first = self._at >= _AFTER_LF and piece.startswith(b".")
        self._note_end(piece)
        if _has_dot(piece):  # three times as fast as `in`
            piece = piece.replace(b"\n.", b"\n..")
        return b"." + piece if needs_first else piece

    def pass_by(self, piece: bytes) -> None:
        """Take notice of *piece* without stuffing it: it goes by BDAT."""
        if piece:
            self._note_end(piece)

    def line_end(self) -> bytes:
        """Return what is missing for what was given so far to end with CRLF, often nothing."""
        return (b"\r\n", b"\n", b"\r\n", b"")[self._at]

    def _note_end(self, piece: bytes) -> None:
        last = piece[-1]
        if last == 10:
            has_cr = piece[-2] == 13 if len(piece) > 1 else self._at == _AFTER_CR
            self._at = _LINE_START if has_cr else _AFTER_LF
        else:
            self._at = _AFTER_CR if last == 13 else _MIDDLE
