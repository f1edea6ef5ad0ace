"""MAIL and RCPT with their parameters (RFC 5321 §4.1.1.2, §4.1.1.3; RFC 1870, 3461, 4954, 6152, 6531).

Peers that break the syntax without leaving a doubt what they mean are understood as Postfix understands them, unless
the reader is *pedantic*.
"""

import re
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from angarium.core.errors import AngariumError
from angarium.core.records import NOTIFY_DELAY, NOTIFY_FAILURE, NOTIFY_NEVER, NOTIFY_SUCCESS
from angarium.core.reply import Reply
from angarium.smtp.address import (
    DOT_STRING,
    MAX_ADDRESS_OCTETS,
    MAX_LOCAL_OCTETS,
    PLAIN_DOMAIN,
    AddressError,
    Mailbox,
    is_local_part,
    parse_mailbox,
    parse_path,
)
from angarium.smtp.xtext import decode_orcpt, decode_xtext

MAX_ENVID = 100
MAX_ORCPT = 500
"""Characters of ENVID and ORCPT (RFC 3461 §4.4 and §5.4)."""

_PLAIN_MAIL = re.compile(
    rf"MAIL FROM:<(?:({DOT_STRING}@({PLAIN_DOMAIN})))?+>( .*)?", re.IGNORECASE | re.ASCII
)
_PLAIN_RCPT = re.compile(rf"RCPT TO:<({DOT_STRING}@({PLAIN_DOMAIN}))>( .*)?", re.IGNORECASE | re.ASCII)
_ANY_PATH = re.compile(
    r'(?:MAIL FROM|RCPT TO):[ ]*+<((?:[^"<>]|"(?:[^"\\]|\\.)*+")*+)>( .*)?', re.IGNORECASE | re.ASCII
)
_WORDS = r"(?:MAIL[ \t]++FROM|RCPT[ \t]++TO):[ \t]*+"
_WITHIN = r'((?:[^"<>]|"(?:[^"\\]|\\.)*+")*+)'
_ALONE = r'((?:[^"<> \t]|"(?:[^"\\]|\\.)*+")++)'
_LOOSE_PATH = re.compile(
    rf"{_WORDS}(?:<{_WITHIN}>|<<{_WITHIN}>>|{_ALONE})[,;]?([ \t].*)?", re.IGNORECASE | re.ASCII
)
_BLANKS_AT_SIGN = re.compile(r"(?<![ \t])[ \t]*+@[ \t]*+")
_SURELY_FITS = len("RCPT TO:<@>") + 63
"""In a line of this length no part of an address can be too long."""

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}+")
_VALUE = re.compile(r"[!-<>-~\u00a0-\U0010ffff]++")
_ONCE = frozenset(("RET", "ENVID", "NOTIFY", "ORCPT"))
"""What a sender asks for by these is not to be guessed where they contradict each other."""
_ORCPT_FORM = re.compile(r"[^;]++;(?:[^+]|\+[0-9A-Fa-f]{2})*+")
"""An original recipient that Postfix takes, whatever is in it."""
_NOTIFY = {"SUCCESS": NOTIFY_SUCCESS, "FAILURE": NOTIFY_FAILURE, "DELAY": NOTIFY_DELAY}


class CommandError(AngariumError):
    """A command that is refused without asking anyone. *reply* is the answer to it."""

    def __init__(self, code: int, enhanced: str, text: str) -> None:
        super().__init__(text)
        self.reply = Reply(code, enhanced, text)


class MailCommand(msgspec.Struct, frozen=True):
    """MAIL, checked.

    *path* is the reverse path without brackets, empty for the null sender; *domain* is its domain in
    lower-case A-labels or an address literal, empty for the null sender and for a local part alone. *size* is what
    SIZE declared, in bytes, 0 without. *ret* is "", "FULL" or "HDRS"; *envid* is decoded. *auth* is the decoded
    AUTH mailbox, "<>" when it said so or made no sense, empty without; it is not verified.
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
    """RCPT, checked. The fields are those of `core.records.ForwardPath`; a local part alone has no domain."""

    address: str
    domain: str
    notify: int = 0
    orcpt: str = ""


def parse_mail(line: str, offered: Collection[str], pedantic: bool = False) -> MailCommand:
    """Parse a MAIL line without line end; *offered* holds the extensions in force. Raises CommandError."""
    match = _PLAIN_MAIL.fullmatch(line)
    if match is None or (len(line) > _SURELY_FITS and not _fits(match)):
        return _unusual_mail(line, offered, pedantic)
    path, domain, rest = match.groups("")
    domain = domain.lower()
    if not rest:
        return MailCommand(path, domain)
    return _mail_with(path, domain, _parameters(rest, pedantic), offered, pedantic)


def parse_rcpt(line: str, offered: Collection[str], smtputf8: bool, pedantic: bool = False) -> RcptCommand:
    """Parse a RCPT line without line end. *smtputf8* says whether MAIL had SMTPUTF8. Raises CommandError."""
    match = _PLAIN_RCPT.fullmatch(line)
    if match is None or (len(line) > _SURELY_FITS and not _fits(match)):
        return _unusual_rcpt(line, offered, smtputf8, pedantic)
    address, domain, rest = match.groups("")
    domain = domain.lower()
    if not rest:
        return RcptCommand(address, domain)
    return _rcpt_with(address, domain, _parameters(rest, pedantic), offered, pedantic)


def _fits(match: re.Match[str]) -> bool:
    """Whether lengths need no closer look."""
    address, domain, _ = match.groups("")
    local_octets = len(address) - len(domain) - 1
    return local_octets <= MAX_LOCAL_OCTETS and len(domain) <= 63 and len(address) <= MAX_ADDRESS_OCTETS


def _unusual_mail(line: str, offered: Collection[str], pedantic: bool) -> MailCommand:
    text, rest = _path_and_rest(line, "MAIL FROM:<address>", pedantic)
    parameters = _parameters(rest, pedantic)
    if not text:
        return _mail_with("", "", parameters, offered, pedantic)
    try:
        mailbox = _mailbox(text, "SMTPUTF8" in parameters, pedantic)
    except AddressError as error:
        raise _bad_address(error, "5.1.7") from None
    return _mail_with(mailbox.address, mailbox.domain, parameters, offered, pedantic)


def _unusual_rcpt(line: str, offered: Collection[str], smtputf8: bool, pedantic: bool) -> RcptCommand:
    text, rest = _path_and_rest(line, "RCPT TO:<address>", pedantic)
    try:
        is_ours = text.lower() == "postmaster"
        mailbox = Mailbox(text, "") if is_ours else _mailbox(text, smtputf8, pedantic)
    except AddressError as error:
        raise _bad_address(error, "5.1.3") from None
    return _rcpt_with(mailbox.address, mailbox.domain, _parameters(rest, pedantic), offered, pedantic)


def _mailbox(text: str, smtputf8: bool, pedantic: bool) -> Mailbox:
    if not pedantic and '"' not in text:
        text = _BLANKS_AT_SIGN.sub("@", text)
        if is_local_part(text):
            return Mailbox(text, "")
    return parse_path(text, smtputf8=smtputf8, pedantic=pedantic)


def _path_and_rest(line: str, form: str, pedantic: bool) -> tuple[str, str]:
    match = (_ANY_PATH if pedantic else _LOOSE_PATH).fullmatch(line)
    if match is None:
        raise CommandError(501, "5.5.4", f"write it as {form}")
    *paths, rest = match.groups()
    path = next(path for path in paths if path is not None)
    return path if pedantic else path.strip(" \t"), rest or ""


def _bad_address(error: AddressError, enhanced: str) -> CommandError:
    if error.needs_smtputf8:
        return CommandError(553, "5.6.7", str(error))
    return CommandError(501, enhanced, str(error))


def _parameters(rest: str, pedantic: bool) -> dict[str, str]:
    """Split ` KEY=value KEY …`; keywords in upper case, a missing value is empty. Raises CommandError.

    Of what is given twice the last counts; a `=` inside a value, which xtext has as `+3D`, is understood.
    """
    found: dict[str, str] = {}
    for item in rest.split(" ") if pedantic else rest.replace("\t", " ").split(" "):
        if not item:
            continue
        keyword, equals, value = item.partition("=")
        keyword = keyword.upper()
        if not pedantic:
            value = value.replace("=", "+3D") if "=" in value else value
            equals = value  # nothing behind it is as if it were not there
        # The usual ones are seen to be well written without a closer look.
        is_keyword = keyword in _USUAL or _KEYWORD.fullmatch(keyword) is not None
        if not is_keyword or (equals and not value.isalnum() and _VALUE.fullmatch(value) is None):
            raise CommandError(501, "5.5.4", "a parameter is written KEYWORD or KEYWORD=value")
        if keyword in found and (pedantic or keyword in _ONCE):
            raise CommandError(501, "5.5.4", f"{keyword} is given twice")
        found[keyword] = value
    return found


def _mail_with(
    path: str, domain: str, parameters: dict[str, str], offered: Collection[str], pedantic: bool
) -> MailCommand:
    return MailCommand(path, domain, **_read(parameters, _MAIL_PARAMETERS, offered, pedantic))


def _rcpt_with(
    address: str, domain: str, parameters: dict[str, str], offered: Collection[str], pedantic: bool
) -> RcptCommand:
    return RcptCommand(address, domain, **_read(parameters, _RCPT_PARAMETERS, offered, pedantic))


def _read(
    parameters: dict[str, str], known: "Mapping[str, _Parameter]", offered: Collection[str], pedantic: bool
) -> dict[str, Any]:
    values = {}
    for keyword, text in parameters.items():
        parameter = known.get(keyword)
        if parameter is None or (parameter.extension and parameter.extension not in offered):
            raise CommandError(555, "5.5.4", f"parameter {keyword} is not known here")
        if len(text) > parameter.longest and not pedantic:
            continue  # it only serves reports; the next host might refuse the mail for it
        try:
            values[parameter.field] = parameter.read(text)
        except ValueError:
            if not pedantic and parameter.passed_over is not None and parameter.passed_over.fullmatch(text):
                continue
            if parameter.otherwise is None or pedantic:
                raise CommandError(501, "5.5.4", f"the value of {keyword} is not valid") from None
            values[parameter.field] = parameter.otherwise
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


@dataclass(frozen=True, slots=True)
class _Parameter:
    """The extension a parameter belongs to (empty: always allowed), the field it fills, how it is read.

    *otherwise* stands for a value that cannot be read; None: it is refused. One with more than *longest* characters is
    passed over, and one that cannot be read and looks like *passed_over*.
    """

    extension: str
    field: str
    read: Callable[[str], object]
    otherwise: object = None
    longest: int = sys.maxsize
    passed_over: re.Pattern[str] | None = None


_MAIL_PARAMETERS = {
    "SIZE": _Parameter("SIZE", "size", _size),  # RFC 1870 §4
    "BODY": _Parameter("8BITMIME", "body", _body),  # RFC 6152 §2
    "SMTPUTF8": _Parameter("SMTPUTF8", "smtputf8", _no_value),  # RFC 6531 §3.4
    "RET": _Parameter("DSN", "ret", _ret),  # RFC 3461 §4.3
    "ENVID": _Parameter("DSN", "envid", _envid, longest=MAX_ENVID),  # RFC 3461 §4.4
    "AUTH": _Parameter("", "auth", _auth, otherwise="<>"),  # RFC 4954 §5: so is all that is not trusted
}
_RCPT_PARAMETERS = {
    "NOTIFY": _Parameter("DSN", "notify", _notify),  # RFC 3461 §4.1
    # RFC 3461 §4.2; of the type utf-8: RFC 6533 §3
    "ORCPT": _Parameter("DSN", "orcpt", _orcpt, longest=MAX_ORCPT, passed_over=_ORCPT_FORM),
}
_USUAL = _MAIL_PARAMETERS.keys() | _RCPT_PARAMETERS.keys()
