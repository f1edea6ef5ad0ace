"""A mail as it is handed to the node, and as it lies in the drop folder. Pure."""

import json
from typing import Final, NamedTuple

from angarium.core.errors import AngariumError

_VERSION: Final = 1


class BadPosting(AngariumError):
    """A file that is none of ours, or of a newer version."""


class Posting(NamedTuple):
    """*text* has CRLF line ends. *sender* is empty for none; *notify*, *ret* and *envid* are those of RFC 3461, empty
    for none.
    """

    sender: str
    recipients: tuple[str, ...]
    text: bytes
    notify: str = ""
    ret: str = ""
    envid: str = ""

    def encode(self) -> bytes:
        """Return the file: a line of JSON, and the text."""
        envelope = {"version": _VERSION, **self._asdict(), "recipients": list(self.recipients)}
        del envelope["text"]
        return json.dumps(envelope).encode() + b"\n" + self.text


def decode_posting(data: bytes) -> Posting:
    """Read what `Posting.encode` has written; anybody may have written it. Raises BadPosting."""
    line, newline, text = data.partition(b"\n")
    try:
        envelope = json.loads(line)
        if not newline or envelope.pop("version") != _VERSION:
            raise BadPosting("it is of another version")
        recipients = tuple(envelope.pop("recipients"))
        found = Posting(text=text, recipients=recipients, **envelope)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BadPosting("it does not begin with an envelope") from error
    words = (found.sender, *recipients, found.notify, found.ret, found.envid)
    if not recipients or not all(isinstance(word, str) and word.isprintable() for word in words):
        raise BadPosting("its envelope has other things than words in it")
    return found
