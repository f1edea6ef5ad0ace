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
from angarium.smtp.client_events import EightBitPolicy, Transaction
from angarium.smtp.extensions import Extensions

_XTEXT_ESCAPED = re.compile(rb"[^!-*,-<>-~]")
_UTF8_ESCAPED = re.compile(r"[^!-*,-<>-\[\]-~]")
_NOTIFY_WORDS = ((NOTIFY_SUCCESS, "SUCCESS"), (NOTIFY_FAILURE, "FAILURE"), (NOTIFY_DELAY, "DELAY"))


def encode_xtext(text: str) -> str:
    """Encode as xtext (RFC 3461 §4): printable ASCII but for `+` and `=`, the rest as `+HH`."""
    return _XTEXT_ESCAPED.sub(lambda m: b"+%02X" % m[0][0], text.encode("utf-8", "replace")).decode("ascii")


def mail_command(transaction: Transaction, extensions: Extensions) -> str:
    """Return the MAIL command with the parameters that the peer offers, with CRLF."""
    parameters = ""
    if extensions.size is not None:
        parameters = f" SIZE={len(transaction.head) + transaction.body_size}"
    if transaction.eight_bit and extensions.eight_bit_mime:
        parameters += " BODY=8BITMIME"
    if extensions.smtputf8 and needs_smtputf8(transaction):
        parameters += " SMTPUTF8"
    if extensions.dsn:
        if transaction.ret:
            parameters += f" RET={transaction.ret}"
        if transaction.envid:
            parameters += f" ENVID={encode_xtext(transaction.envid)}"
    return f"MAIL FROM:<{transaction.reverse_path}>{parameters}\r\n"


def rcpt_command(path: ForwardPath, extensions: Extensions) -> str:
    """Return the RCPT command with its DSN parameters if the peer offers DSN, with CRLF."""
    address = path.address
    if not (extensions.smtputf8 or address.isascii()):
        address = f"{address[: address.rfind('@')]}@{path.domain}"
    if not extensions.dsn or not (path.notify or path.orcpt):
        return f"RCPT TO:<{address}>\r\n"
    return f"RCPT TO:<{address}>{_notify(path.notify)}{_orcpt(path.orcpt)}\r\n"


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
    """Whether the message or an address in its envelope has to travel by SMTPUTF8 (RFC 6531)."""
    if transaction.smtputf8 or not transaction.reverse_path.isascii():
        return True
    return any(not path.address.isascii() for path in transaction.recipients)


def message_refusal(
    transaction: Transaction, extensions: Extensions, eight_bit: EightBitPolicy
) -> Reply | None:
    """Return our own refusal of a message that this peer cannot take, or None when it can be tried."""
    if extensions.size and len(transaction.head) + transaction.body_size > extensions.size:
        return Reply(552, "5.3.4", f"[internal] larger than the {extensions.size} bytes the peer takes")
    if not transaction.reverse_path.isprintable():
        return Reply(553, "5.1.7", "[internal] sender address with control characters")
    if not extensions.smtputf8 and (transaction.smtputf8 or not transaction.reverse_path.isascii()):
        return Reply(553, "5.6.7", "[internal] the message needs SMTPUTF8, which the peer does not offer")
    if transaction.eight_bit and eight_bit == "bounce" and not extensions.eight_bit_mime:
        return Reply(554, "5.6.3", "[internal] 8-bit message, and the peer does not offer 8BITMIME")
    return None


def recipient_refusal(path: ForwardPath, extensions: Extensions) -> Reply | None:
    """Return our own refusal of one address, or None when it can be tried.

    An address whose domain alone is internationalised can go without SMTPUTF8, with the domain in A-labels.
    """
    address = path.address
    if not address.isprintable():
        return Reply(553, "5.1.3", "[internal] recipient address with control characters")
    if extensions.smtputf8 or address.isascii():
        return None
    if address[: address.rfind("@")].isascii() and path.domain.isascii() and path.domain.isprintable():
        return None
    return Reply(553, "5.6.7", "[internal] the address needs SMTPUTF8, which the peer does not offer")
