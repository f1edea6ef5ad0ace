"""MAIL and RCPT with their parameters (RFC 5321 §4.1.1.2, §4.1.1.3; RFC 1870, 3461, 4954, 6152, 6531)."""

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from angarium.core.errors import AngariumError
from angarium.core.records import NOTIFY_DELAY, NOTIFY_FAILURE, NOTIFY_NEVER, NOTIFY_SUCCESS
from angarium.core.reply import Reply
from angarium.smtp.address import (
    DOMAIN,
    DOT_STRING,
    MAX_ADDRESS_OCTETS,
    MAX_LOCAL_OCTETS,
    AddressError,
    Mailbox,
    parse_mailbox,
    parse_path,
)
from angarium.smtp.xtext import decode_orcpt, decode_xtext

MAX_ENVID = 100
MAX_ORCPT = 500
"""Characters of ENVID and ORCPT (RFC 3461 §4.4 and §5.4)."""

_PLAIN_MAIL = re.compile(rf"MAIL FROM:<(?:({DOT_STRING}@({DOMAIN})))?+>( .*)?", re.IGNORECASE | re.ASCII)
_PLAIN_RCPT = re.compile(rf"RCPT TO:<({DOT_STRING}@({DOMAIN}))>( .*)?", re.IGNORECASE | re.ASCII)
_ANY_PATH = re.compile(
    r'(?:MAIL FROM|RCPT TO):[ ]*+<((?:[^"<>]|"(?:[^"\\]|\\.)*+")*+)>( .*)?', re.IGNORECASE | re.ASCII
)
_SURELY_FITS = len("RCPT TO:<@>") + 63
"""In a line of this length no part of an address can be too long."""

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}+")
_VALUE = re.compile(r"[!-<>-~\u00a0-\U0010ffff]++")
_NOTIFY = {"SUCCESS": NOTIFY_SUCCESS, "FAILURE": NOTIFY_FAILURE, "DELAY": NOTIFY_DELAY}


class CommandError(AngariumError):
    """A command that is refused without asking anyone. *reply* is the answer to it."""

    def __init__(self, code: int, enhanced: str, text: str) -> None:
        super().__init__(text)
        self.reply = Reply(code, enhanced, text)


class MailCommand(msgspec.Struct, frozen=True):
    """MAIL, checked.

    *path* is the reverse path without brackets, empty for the null sender; *domain* is its domain in
    lower-case A-labels or an address literal, empty for the null sender. *size* is what SIZE declared, in
    bytes, 0 without. *ret* is "", "FULL" or "HDRS"; *envid* is decoded. *auth* is the decoded AUTH mailbox,
    "<>" when it said so, empty without; nobody has vouched for it.
    """

    path: str
    domain: str
    size: int = 0
    body: Literal["7BIT", "8BITMIME"] = "7BIT"
    smtputf8: bool = False
    ret: str = ""
    envid: str = ""
    auth: str = ""


class RcptCommand(msgspec.Struct, frozen=True):
    """RCPT, checked. The fields are those of `core.records.ForwardPath`; bare `postmaster` has no domain."""

    address: str
    domain: str
    notify: int = 0
    orcpt: str = ""


def parse_mail(line: str, offered: Collection[str]) -> MailCommand:
    """Parse a MAIL line without line end; *offered* holds the extensions in force. Raises CommandError."""
    match = _PLAIN_MAIL.fullmatch(line)
    if match is None or (len(line) > _SURELY_FITS and not _fits(match)):
        return _unusual_mail(line, offered)
    path, domain, rest = match.groups("")
    domain = domain.lower()
    return _mail_with(path, domain, _parameters(rest), offered) if rest else MailCommand(path, domain)


def parse_rcpt(line: str, offered: Collection[str], smtputf8: bool) -> RcptCommand:
    """Parse a RCPT line without line end. *smtputf8* says whether MAIL had SMTPUTF8. Raises CommandError."""
    match = _PLAIN_RCPT.fullmatch(line)
    if match is None or (len(line) > _SURELY_FITS and not _fits(match)):
        return _unusual_rcpt(line, offered, smtputf8)
    address, domain, rest = match.groups("")
    domain = domain.lower()
    return _rcpt_with(address, domain, _parameters(rest), offered) if rest else RcptCommand(address, domain)


def _fits(match: re.Match[str]) -> bool:
    """Whether lengths need no closer look."""
    address, domain, _ = match.groups("")
    local_octets = len(address) - len(domain) - 1
    return local_octets <= MAX_LOCAL_OCTETS and len(domain) <= 63 and len(address) <= MAX_ADDRESS_OCTETS


def _unusual_mail(line: str, offered: Collection[str]) -> MailCommand:
    text, rest = _path_and_rest(line, "MAIL FROM:<address>")
    parameters = _parameters(rest)
    if not text:
        return _mail_with("", "", parameters, offered)
    try:
        mailbox = parse_path(text, smtputf8="SMTPUTF8" in parameters)
    except AddressError as error:
        raise _bad_address(error, "5.1.7") from None
    return _mail_with(mailbox.address, mailbox.domain, parameters, offered)


def _unusual_rcpt(line: str, offered: Collection[str], smtputf8: bool) -> RcptCommand:
    text, rest = _path_and_rest(line, "RCPT TO:<address>")
    try:
        mailbox = Mailbox(text, "") if text.lower() == "postmaster" else parse_path(text, smtputf8=smtputf8)
    except AddressError as error:
        raise _bad_address(error, "5.1.3") from None
    return _rcpt_with(mailbox.address, mailbox.domain, _parameters(rest), offered)


def _path_and_rest(line: str, form: str) -> tuple[str, str]:
    match = _ANY_PATH.fullmatch(line)
    if match is None:
        raise CommandError(501, "5.5.4", f"write it as {form}")
    return match[1], match[2] or ""


def _bad_address(error: AddressError, enhanced: str) -> CommandError:
    if error.needs_smtputf8:
        return CommandError(553, "5.6.7", str(error))
    return CommandError(501, enhanced, str(error))


def _parameters(rest: str) -> dict[str, str]:
    """Split ` KEY=value KEY …`; keywords in upper case, a missing value is empty. Raises CommandError."""
    found: dict[str, str] = {}
    for item in rest.split(" "):
        if not item:
            continue
        keyword, equals, value = item.partition("=")
        keyword = keyword.upper()
        if _KEYWORD.fullmatch(keyword) is None or (equals and _VALUE.fullmatch(value) is None):
            raise CommandError(501, "5.5.4", "a parameter is written KEYWORD or KEYWORD=value")
        if keyword in found:
            raise CommandError(501, "5.5.4", f"{keyword} is given twice")
        found[keyword] = value
    return found


def _mail_with(path: str, domain: str, parameters: dict[str, str], offered: Collection[str]) -> MailCommand:
    return MailCommand(path, domain, **_read(parameters, _MAIL_PARAMETERS, offered))


def _rcpt_with(
    address: str, domain: str, parameters: dict[str, str], offered: Collection[str]
) -> RcptCommand:
    return RcptCommand(address, domain, **_read(parameters, _RCPT_PARAMETERS, offered))


def _read(
    parameters: dict[str, str], known: "Mapping[str, _Parameter]", offered: Collection[str]
) -> dict[str, Any]:
    values = {}
    for keyword, text in parameters.items():
        parameter = known.get(keyword)
        if parameter is None or (parameter.extension and parameter.extension not in offered):
            raise CommandError(555, "5.5.4", f"parameter {keyword} is not known here")
        try:
            values[parameter.field] = parameter.read(text)
        except ValueError:
            raise CommandError(501, "5.5.4", f"the value of {keyword} is not valid") from None
    return values


def _size(text: str) -> int:
    if not (text.isdigit() and text.isascii() and len(text) <= 20):
        raise ValueError
    return int(text)


def _body(text: str) -> str:
    text = text.upper()
    if text == "BINARYMIME":
        raise CommandError(555, "5.5.4", "BINARYMIME is not offered here")
    if text not in ("7BIT", "8BITMIME"):
        raise ValueError
    return text


def _no_value(text: str) -> bool:
    if text:
        raise ValueError
    return True


def _ret(text: str) -> str:
    text = text.upper()
    if text not in ("FULL", "HDRS"):
        raise ValueError
    return text


def _envid(text: str) -> str:
    if not 0 < len(text) <= MAX_ENVID:
        raise ValueError
    return decode_xtext(text)


def _auth(text: str) -> str:
    if text == "<>":
        return text
    try:
        return parse_mailbox(decode_xtext(text), smtputf8=True).address
    except AddressError:
        raise ValueError from None


def _notify(text: str) -> int:
    text = text.upper()
    if text == "NEVER":
        return NOTIFY_NEVER
    bits = 0
    for word in text.split(","):
        if word not in _NOTIFY:
            raise ValueError
        bits |= _NOTIFY[word]
    return bits


def _orcpt(text: str) -> str:
    if len(text) > MAX_ORCPT:
        raise ValueError
    return decode_orcpt(text)


class _Parameter(NamedTuple):
    """The extension a parameter belongs to (empty: always allowed), the field it fills, how it is read."""

    extension: str
    field: str
    read: Callable[[str], object]


_MAIL_PARAMETERS = {
    "SIZE": _Parameter("SIZE", "size", _size),
    "BODY": _Parameter("8BITMIME", "body", _body),
    "SMTPUTF8": _Parameter("SMTPUTF8", "smtputf8", _no_value),
    "RET": _Parameter("DSN", "ret", _ret),
    "ENVID": _Parameter("DSN", "envid", _envid),
    "AUTH": _Parameter("", "auth", _auth),
}
_RCPT_PARAMETERS = {
    "NOTIFY": _Parameter("DSN", "notify", _notify),
    "ORCPT": _Parameter("DSN", "orcpt", _orcpt),
}
