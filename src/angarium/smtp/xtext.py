"""Reading xtext, the encoding of SMTP parameters (RFC 3461 §4), and its kin for addresses beyond ASCII (RFC
6533 §3).
"""

import re

_XTEXT = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*+")
_HEX = re.compile(r"\+([0-9A-F]{2})")
_HEX_OCTET = re.compile(rb"\+([0-9A-Fa-f]{2})")
_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9-]{1,64}")
_CODE_POINT = re.compile(r"\\x\{([0-9A-F]{2,6})\}")


def decode_xtext(text: str) -> str:
    """Return what *text* stands for.

    Raises ValueError for bad xtext, and when it hides anything but printable ASCII: a sender must not put
    that there (RFC 3461 §4.2, §4.4), and it could forge lines in a report.
    """
    if _XTEXT.fullmatch(text) is None:
        raise ValueError("not xtext")
    decoded = _HEX.sub(_character, text)
    if not (decoded.isascii() and decoded.isprintable()):
        raise ValueError("xtext of something else than printable ASCII")
    return decoded


def xtext_octets(octets: bytes) -> bytes:
    """Return what *octets* stand for, which should be xtext; what is none stands for itself."""
    return _HEX_OCTET.sub(lambda match: bytes.fromhex(match[1].decode("ascii")), octets)


def decode_orcpt(text: str) -> str:
    """Return `type;address` with the address decoded. Raises ValueError."""
    kind, separator, address = text.partition(";")
    if not separator or not address or _ADDRESS_TYPE.fullmatch(kind) is None:
        raise ValueError("an original recipient is written type;address")
    if kind.lower() != "utf-8":
        return f"{kind};{decode_xtext(address)}"
    decoded = _CODE_POINT.sub(_code_point, _HEX.sub(_character, address))
    if not decoded.isprintable():
        raise ValueError("the original recipient has control characters")
    return f"{kind};{decoded}"


def _character(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def _code_point(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    if number > 0x10FFFF or 0xD800 <= number < 0xE000:
        raise ValueError("not a Unicode character")
    return chr(number)
