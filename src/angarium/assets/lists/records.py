"""What is kept of lists and of those on them, as values. Times are seconds of Unix time."""

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from angarium.core.fields import Personal

DuplicateRule = Literal["first", "last", "all"]
"""Which rows stay where several have one address: the first, the last, or all of them."""

MOST_LISTS: Final = 1_000
"""Of an account."""
MOST_RECIPIENTS: Final = 10_000_000
PAGE: Final = 1_000
"""Recipients of a page, at most."""
MOST_TAGS: Final = 10
LONGEST_TAG: Final = 255
LONGEST_NAME: Final = 500
MOST_DATA_BYTES: Final = 100_000
"""Of the data of one recipient, and of its metadata, as JSON."""
MOST_ATTRIBUTES_BYTES: Final = 10_000

_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_encode: Final = msgspec.json.Encoder().encode


class ListedRecipient(NamedTuple):
    """Somebody on a list. *address* was checked. *to* is an address that stands in To in place of it; empty: none.
    *metadata* goes into events, *data* into templates; both are JSON objects, empty bytes where there is nothing.

    Durable, as a MessagePack array: fields may only be appended, each with a default.
    """

    address: str
    name: str = ""
    to: str = ""
    tags: tuple[str, ...] = ()
    metadata: bytes = b""
    data: bytes = b""

    def personal(self) -> Personal:
        """Return what the recipient of a form has of its own: its metadata can be asked for, too, below its data."""
        data = self.data
        if self.metadata:
            data = _encode({**_decode(self.metadata), **_decode(data)}) if data else self.metadata
        return Personal(self.name, data, self.to)


class StoredList(msgspec.Struct, frozen=True, kw_only=True):
    """A list without those on it, of which there are *count*. *alias* is its id as a text, unique in its account.
    *edition* is the id of what is on it now: who reads a list in pieces reads one edition. *attributes* are its
    owner's own.
    """

    id: int
    account: int
    alias: str
    name: str
    created_at: float
    changed_at: float
    description: str = ""
    attributes: Mapping[str, Any] = {}
    edition: int = 0
    count: int = 0


class ListEdition(NamedTuple):
    """What is or was on the list with the id *list*: so many *recipients* in so many *pages*."""

    id: int
    list: int
    recipients: int
    pages: int


class ListLoaded(NamedTuple):
    """What became of rows: so many are on the list, so many were left out, for they had the address of another."""

    recipients: int
    duplicates: int
