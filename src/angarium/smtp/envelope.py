"""The envelope of a transaction on its way out: MAIL and RCPT with their parameters, and what cannot be
sent."""

import re

from angarium.core.records import (
    NOTIFY_DELAY,
    NOTIFY_FAILURE,
    NOTIFY_NEVER,
    NOTIFY_SUCCESS,
    ForwardPath,
)
from angarium.core.reply import Reply
from angarium.smtp.address import AddressError, domain_to_ascii
from angarium.smtp.client.events import EightBitPolicy, Transaction
from angarium.smtp.extensions import Extensions
from angarium.smtp.refusals import ANOTHER_TIME, temporary

_XTEXT_ESCAPED = re.compile(rb"[^!-*,-<>-~]")
_UTF8_ESCAPED = re.compile(r"[^!-*,-<>-\[\]-~]")
_NOTIFY_WORDS = ((NOTIFY_SUCCESS, "SUCCESS"), (NOTIFY_FAILURE, "FAILURE"), (NOTIFY_DELAY, "DELAY"))


def encode_xtext(text: str) -> str:
    """Encode as xtext (RFC 3461 §4): printable ASCII but for `+` and `=`, the rest as `+HH`."""
    return _XTEXT_ESCAPED.sub(lambda m: b"+%02X" % m[0][0], text.encode("utf-8", "replace")).decode("ascii")


def mail_command(transaction: Transaction, extensions: Extensions) -> str:
    """Return the MAIL command (RFC 5321 §4.1.1.2) with the parameters that the peer offers, with CRLF."""
    parameters = ""
    if extensions.size is not None:  # RFC 1870 §6
        parameters = f" SIZE={len(transaction.head) + transaction.body_size}"
    if transaction.eight_bit and extensions.eight_bit_mime:  # RFC 6152 §2
        parameters += " BODY=8BITMIME"
    if extensions.smtputf8 and needs_smtputf8(transaction):  # RFC 6531 §3.4
        parameters += " SMTPUTF8"
    if extensions.dsn:  # RFC 3461 §4.3, §4.4
        if transaction.ret:
            parameters += f" RET={transaction.ret}"
        if transaction.envid:
            parameters += f" ENVID={encode_xtext(transaction.envid)}"
    address = transaction.reverse_path
    if not (extensions.smtputf8 or address.isascii()):
        address = ascii_form(address) or address
    return f"MAIL FROM:<{address}>{parameters}\r\n"


def rcpt_command(path: ForwardPath, extensions: Extensions) -> str:
    """Return the RCPT command (RFC 5321 §4.1.1.3), with its parameters if the peer offers DSN (RFC 3461 §4.1, §4.2),
    with CRLF.
    """
    address = path.address
    if not (extensions.smtputf8 or address.isascii()):
        address = f"{address[: address.rfind('@')]}@{path.domain}"
    if not extensions.dsn or not (path.notify or path.orcpt):
        return f"RCPT TO:<{address}>\r\n"
    return f"RCPT TO:<{address}>{_notify(path.notify)}{_orcpt(path.orcpt)}\r\n"


def ascii_form(address: str) -> str | None:
    """Return *address* with its domain in A-labels, None when that is not all that is beyond ASCII."""
    local, at, domain = address.rpartition("@")
    if not (at and local.isascii()):
        return None
    try:
        return f"{local}@{domain_to_ascii(domain)}"
    except AddressError:
        return None


def _notify(bits: int) -> str:
    if bits & NOTIFY_NEVER:
        return " NOTIFY=NEVER"
    words = [word for bit, word in _NOTIFY_WORDS if bits & bit]
    return f" NOTIFY={','.join(words)}" if words else ""


def _orcpt(orcpt: str) -> str:
    kind, separator, address = orcpt.partition(";")
    if not separator:
        return ""
    if kind.lower() != "utf-8":
        return f" ORCPT={encode_xtext(kind)};{encode_xtext(address)}"
    encoded = _UTF8_ESCAPED.sub(lambda m: f"\\x{{{ord(m[0]):02X}}}", address)
    return f" ORCPT=utf-8;{encoded}"  # RFC 6533 §3, in the form that needs no SMTPUTF8


def needs_smtputf8(transaction: Transaction) -> bool:
    """Whether the header or an address in this envelope is to travel by SMTPUTF8 (RFC 6531)."""
    if transaction.smtputf8 or not transaction.reverse_path.isascii():
        return True
    return any(not path.address.isascii() for path in transaction.recipients)


def said_in_mail(transaction: Transaction, extensions: Extensions) -> frozenset[str]:
    """Return the keywords of extensions whose parameters MAIL has, SMTPUTF8 excepted, which is never said in vain."""
    said = {
        "SIZE": extensions.size is not None,
        "8BITMIME": transaction.eight_bit and extensions.eight_bit_mime,
        "DSN": extensions.dsn and bool(transaction.ret or transaction.envid),
    }
    return frozenset(keyword for keyword, is_said in said.items() if is_said)


def message_refusal(
    transaction: Transaction, extensions: Extensions, eight_bit: EightBitPolicy
) -> Reply | None:
    """Return our own refusal of a message that this peer cannot take, or None when it can be tried.

    A sender whose domain alone is internationalised can go without SMTPUTF8, with the domain in A-labels. The refusal
    is temporary where the peer may offer more another time.
    """
    if extensions.size and len(transaction.head) + transaction.body_size > extensions.size:
        return Reply(552, "5.3.4", f"[internal] larger than the {extensions.size} bytes the peer takes")
    if not transaction.reverse_path.isprintable():
        return Reply(553, "5.1.7", "[internal] sender address with control characters")
    if not extensions.smtputf8 and not _goes_without_smtputf8(transaction):
        return _missing(
            Reply(553, "5.6.7", "the message needs SMTPUTF8, which the peer does not offer"), extensions
        )
    if transaction.eight_bit and eight_bit == "bounce" and not extensions.eight_bit_mime:
        return _missing(
            Reply(554, "5.6.3", "8-bit message, and the peer does not offer 8BITMIME"), extensions
        )
    return None


def _goes_without_smtputf8(transaction: Transaction) -> bool:
    address = transaction.reverse_path
    return not transaction.smtputf8 and (address.isascii() or ascii_form(address) is not None)


def _missing(refusal: Reply, extensions: Extensions) -> Reply:
    if extensions.is_reduced:
        return temporary(refusal, ANOTHER_TIME)
    return Reply(refusal.code, refusal.enhanced, f"[internal] {refusal.text}")


def recipient_refusal(path: ForwardPath, extensions: Extensions) -> Reply | None:
    """Return our own refusal of one address, or None when it can be tried. Temporary as for messages.

    An address whose domain alone is internationalised can go without SMTPUTF8, with the domain in A-labels.
    """
    address = path.address
    if not address.isprintable():
        return Reply(553, "5.1.3", "[internal] recipient address with control characters")
    if extensions.smtputf8 or address.isascii():
        return None
    if address[: address.rfind("@")].isascii() and path.domain.isascii() and path.domain.isprintable():
        return None
    return _missing(
        Reply(553, "5.6.7", "the address needs SMTPUTF8, which the peer does not offer"), extensions
    )
