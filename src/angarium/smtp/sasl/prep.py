"""SASLprep (RFC 4013): names and passwords that look the same become the same."""

import stringprep
import unicodedata

_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
)


def saslprep(text: str) -> str:
    """Return *text* prepared as a query: characters that Unicode 3.2 did not know may be in it.

    Raises ValueError for characters that are prohibited, for mixed writing directions, and when nothing is left.
    """
    if text.isascii() and text.isprintable() and text:
        return text
    mapped = "".join(
        " " if stringprep.in_table_c12(char) else char for char in text if not stringprep.in_table_b1(char)
    )
    prepared = unicodedata.normalize("NFKC", mapped)
    if not prepared:
        raise ValueError("nothing is left of it")
    for char in prepared:
        if any(is_in(char) for is_in in _PROHIBITED):
            raise ValueError(f"the character U+{ord(char):04X} is prohibited")
    _check_direction(prepared)
    return prepared


def _check_direction(text: str) -> None:
    """Refuse what mixes writing directions (RFC 3454 §6). Raises ValueError."""
    if not any(map(stringprep.in_table_d1, text)):
        return
    if any(map(stringprep.in_table_d2, text)):
        raise ValueError("it mixes writing directions")
    if not (stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])):
        raise ValueError("it neither begins nor ends from right to left")
