"""Which message is meant by what somebody calls it."""

from pathlib import Path

from angarium.cli.where import find_folder
from angarium.core.ids import format_id, parse_id


def message_called(text: str, data: Path | None) -> tuple[str, Path | None]:
    """Return the id of the message whose id or Message-ID begins with *text*, or that is to it, and the data folder it
    was found in.

    A whole id is believed. Raises Failure when there is none, or when several fit: then it names them.
    """
    try:
        return format_id(parse_id(text)), data
    except ValueError:
        folder = data or find_folder()
    from angarium.cli.find import id_beginning  # what reads spools: a whole id does not wait for it

    return id_beginning(text, folder), folder
