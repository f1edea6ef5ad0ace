"""Rows of files read as recipients: CSV, and lines of JSON. Pure; what is wrong with a row is told with its line.

CSV names its columns in the first line. A column with another name than those of `ListedRecipient` is a value for
templates; `metadata.plan` is one for events.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

import msgspec

from angarium.assets.lists.records import (
    LONGEST_NAME,
    LONGEST_TAG,
    MOST_DATA_BYTES,
    MOST_TAGS,
    ListedRecipient,
)
from angarium.core.suggest import closest
from angarium.smtp.address import AddressError, parse_mailbox
from angarium.sql.errors import Invalid

RowFormat = Literal["csv", "jsonl"]
COLUMNS: Final = ("address", "name", "to", "tags", "metadata", "data")
"""What is written, in both formats."""
LONGEST_LINE: Final = 1_000_000

_NAMES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("address", "email", "emailaddress", "recipient", "recipientaddress"), "address"),
    **dict.fromkeys(("name", "fullname", "recipientname"), "name"),
    **dict.fromkeys(("to", "headerto"), "to"),
    "tags": "tags",
    "metadata": "metadata",
    **dict.fromkeys(("data", "substitutiondata", "templatemodel"), "data"),
}
"""How columns and fields are called, by vendors too: in lower case, without blanks, dashes and underscores."""

_encode: Final = msgspec.json.Encoder().encode
_decode_line: Final = msgspec.json.Decoder(dict[str, Any]).decode


class ReadRow(NamedTuple):
    """What a line of a file says, by its number: a recipient, or what is wrong with it."""

    number: int
    recipient: ListedRecipient | None
    problem: str = ""


def format_of(name: str) -> RowFormat:
    """Return how a file of that name is read."""
    return "jsonl" if name.lower().endswith((".jsonl", ".ndjson", ".json")) else "csv"


def read_rows(lines: Iterable[str], kind: RowFormat) -> Iterator[ReadRow]:
    """Yield what *lines* say. Raises Invalid for a first line of CSV that names no address, and is none."""
    return _json_rows(lines) if kind == "jsonl" else _csv_rows(lines)


def recipient_of(
    address: Any,
    *,
    name: Any = "",
    to: Any = "",
    tags: Any = (),
    metadata: Any = None,
    data: Any = None,
) -> ListedRecipient:
    """Return a recipient of what somebody says. Raises Invalid."""
    return ListedRecipient(
        _address("address", address),
        _line("name", name, LONGEST_NAME),
        _address("to", to) if to else "",
        _tags(tags),
        _object("metadata", metadata),
        _object("data", data),
    )


def row_of_json(recipient: ListedRecipient) -> dict[str, Any]:
    """Return a recipient as a record that `read_rows` reads again; what it has not is left out."""
    return {
        name: msgspec.Raw(value) if isinstance(value, bytes) else value
        for name, value in zip(COLUMNS, recipient, strict=True)
        if value
    }


def row_of_csv(recipient: ListedRecipient) -> tuple[str, ...]:
    """Return a recipient as a line of `COLUMNS` that `read_rows` reads again."""
    address, name, to, tags, metadata, data = recipient
    return address, name, to, _encode(tags).decode() if tags else "", metadata.decode(), data.decode()


# -- lines of JSON


def _json_rows(lines: Iterable[str]) -> Iterator[ReadRow]:
    for number, line in enumerate(lines, 1):
        line = line.lstrip("\ufeff").strip()
        if not line:
            continue
        try:
            yield ReadRow(number, _of_json(line))
        except (Invalid, msgspec.DecodeError) as error:
            yield ReadRow(number, None, str(error))


def _of_json(line: str) -> ListedRecipient:
    if len(line) > LONGEST_LINE:
        raise Invalid("row", f"this is too long; write {LONGEST_LINE:,} characters at most")
    if line in "[]":
        raise Invalid("row", "write an object in each line, without brackets and commas around")
    given = _decode_line(line.rstrip(","))
    said: dict[str, Any] = {}
    for name, value in given.items():
        field = _NAMES.get(_plain(name))
        if field is None:
            near = closest(name, COLUMNS)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(COLUMNS)}"
            raise Invalid(name[:60], f"no field is called so; {hint}")
        if value is not None:
            said[field] = value
    if isinstance(said.get("address"), Mapping):
        inner = said.pop("address")
        said = {
            "address": inner.get("email"),
            "name": inner.get("name") or "",
            "to": inner.get("header_to"),
            **said,
        }
    return recipient_of(said.pop("address", None), **said)


# -- CSV


class _CsvHead(NamedTuple):
    """Where the columns are that have a meaning, and the names of all others by their place."""

    columns: dict[str, int]
    data: dict[int, str]
    metadata: dict[int, str]


def _csv_rows(lines: Iterable[str]) -> Iterator[ReadRow]:
    reader = csv.reader(_short(lines), skipinitialspace=True)
    head: _CsvHead | None = None
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield ReadRow(reader.line_num, None, str(error))
            continue
        if not any(row):
            continue
        if head is None:
            head, is_named = _head(row)
            if is_named:
                continue
        try:
            yield ReadRow(reader.line_num, _of_csv(row, head))
        except (Invalid, msgspec.DecodeError) as error:
            yield ReadRow(reader.line_num, None, str(error))


def _short(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        yield line[:LONGEST_LINE]


def _head(row: list[str]) -> tuple[_CsvHead, bool]:
    """Return what the first line says of the columns, and whether it does so. Raises Invalid."""
    names = [cell.lstrip("\ufeff").strip() for cell in row]
    fields = [_NAMES.get(_plain(name), "") for name in names]
    if "address" not in fields:
        if "@" in names[0]:
            return _CsvHead({"address": 0}, {}, {}), False
        raise Invalid("file", "no column is the address: call one `address` in the first line")
    columns: dict[str, int] = {field: fields.index(field) for field in COLUMNS if field in fields}
    others = {place: name for place, name in enumerate(names) if place not in columns.values() and name}
    metadata = {place: name[9:] for place, name in others.items() if name.lower().startswith("metadata.")}
    data = {place: name.removeprefix("data.") for place, name in others.items() if place not in metadata}
    return _CsvHead(columns, data, metadata), True


def _of_csv(row: list[str], head: _CsvHead) -> ListedRecipient:
    def cell(name: str) -> str:
        place = head.columns.get(name, -1)
        return row[place].strip() if 0 <= place < len(row) else ""

    return recipient_of(
        cell("address").lstrip("\ufeff"),
        name=cell("name"),
        to=cell("to"),
        tags=_tags_in(cell("tags")),
        metadata=_values(row, head.metadata, "metadata", cell("metadata")),
        data=_values(row, head.data, "data", cell("data")),
    )


def _values(row: list[str], named: Mapping[int, str], field: str, written: str) -> dict[str, Any] | None:
    """Return what stands in columns of their own, over what one column has as JSON."""
    whole: Any = msgspec.json.decode(written) if written else {}
    if not isinstance(whole, dict):
        raise Invalid(field, 'write an object: {"name": "value"}')
    whole |= {name: row[place] for place, name in named.items() if place < len(row)}
    return whole or None


def _tags_in(cell: str) -> Any:
    if cell.startswith("["):
        return msgspec.json.decode(cell)
    return [tag.strip() for tag in cell.replace(";", ",").split(",") if tag.strip()]


# -- what may stand there


def _address(field: str, value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise Invalid(field, "is missing")
    try:
        mailbox = parse_mailbox(value.strip(), smtputf8=True)
    except AddressError as error:
        raise Invalid(field, f"{value[:80]!r} is no address: {error}") from None
    if not mailbox.domain:
        raise Invalid(field, f"{value[:80]!r} is no address: it has no domain")
    return mailbox.address


def _line(field: str, value: Any, longest: int) -> str:
    if not isinstance(value, str):
        raise Invalid(field, "write a text")
    if len(value) > longest:
        raise Invalid(field, f"{len(value)} characters are too many; write {longest} at most")
    if not value.isprintable():
        value = "".join(char if char.isprintable() else " " for char in value)
    return " ".join(value.split())


def _tags(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(tag, str) for tag in value):
        raise Invalid("tags", "write a list of texts")
    if len(value) > MOST_TAGS:
        raise Invalid("tags", f"{len(value)} are too many; write {MOST_TAGS} at most")
    return tuple(_line("tags", tag, LONGEST_TAG) for tag in value)


def _object(field: str, value: Any) -> bytes:
    if value is None or value == {}:
        return b""
    if not isinstance(value, dict):
        raise Invalid(field, 'write an object: {"name": "value"}')
    written = _encode(value)
    if len(written) > MOST_DATA_BYTES:
        raise Invalid(
            field, f"{len(written):,} bytes of JSON are too many; write {MOST_DATA_BYTES:,} at most"
        )
    return written


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "").replace("_", "").replace("-", "")
