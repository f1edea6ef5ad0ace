"""From options and records to what the client machine wants. Pure."""

import msgspec

from angarium.config.records import OutboundOptions
from angarium.core.records import Message, Recipient
from angarium.delivery.smtputf8 import header_needs_smtputf8
from angarium.smtp.client.events import (
    ClientSettings,
    EightBitPolicy,
    Method,
    Timeouts,
    Transaction,
    XclientAttributes,
)
from angarium.spool.port import Body

TIMEOUT_OPTIONS = {
    "banner_s": "Banner_Timeout",
    "ehlo_s": "EHLO_Timeout",
    "tls_s": "TLS_Timeout",
    "mail_s": "MailFrom_Timeout",
    "rcpt_s": "RcptTo_Timeout",
    "data_s": "Data_Timeout",
    "body_s": "Data_Block_Timeout",
    "final_s": "Body_Timeout",
    "rset_s": "RSET_Timeout",
    "quit_s": "QUIT_Timeout",
}
"""By field of `Timeouts`, the option that it is set by."""

_EIGHT_BIT: dict[str, EightBitPolicy] = {"ifneeded": "convert", "bounce": "bounce", "no": "send"}


def client_settings(options: OutboundOptions, method: Method) -> ClientSettings:
    """Return how a session is to be led."""
    return ClientSettings(
        ehlo_name=options.ehlo_hostname,
        method=method,
        timeouts=Timeouts(
            banner_s=options.banner_timeout,
            ehlo_s=options.ehlo_timeout,
            tls_s=options.tls_timeout,
            mail_s=options.mailfrom_timeout,
            rcpt_s=options.rcptto_timeout,
            data_s=options.data_timeout,
            body_s=options.data_block_timeout,
            final_s=options.body_timeout,
            rset_s=options.rset_timeout,
            quit_s=options.quit_timeout,
        ),
        eight_bit=_EIGHT_BIT[options.transform_8bitmime_content],
        tls=options.tls,
        xclient=options.xclient,
        discarded=options.discard_ehlo_keywords,
    )


def bind_ip(options: OutboundOptions, peer_ip: str) -> str | None:
    """Return the local address to connect from, None for the kernel's choice."""
    chosen = options.bind_address_secondary if ":" in peer_ip else options.bind_address
    first = options.bind_address
    if chosen is None and first is not None and (":" in first) == (":" in peer_ip):
        chosen = first
    return None if chosen in (None, "*") else chosen


def transaction_of(
    recipients: list[Recipient],
    body: Body,
    head: bytes,
    xclient: XclientAttributes = (),
    *,
    return_path: str = "",
) -> Transaction:
    """Return the transaction that hands *recipients*, all of one message, over; *head* leaves before *body*.

    *xclient* tells where the message came from, if the peer is to know. Where mail comes back to a *return_path* of
    ours, the peer is asked for no other notifications than it makes anyway: the sender would not get them.
    """
    message = recipients[0].message
    paths = [recipient.path for recipient in recipients]
    return Transaction(
        return_path or message.reverse_path,
        [msgspec.structs.replace(path, notify=0) for path in paths] if return_path else paths,
        head,
        body if isinstance(body, bytes) else None,
        len(body) if isinstance(body, bytes) else message.body_size,
        message.eight_bit,
        message.smtputf8 and header_needs_smtputf8(message, body),
        message.ret,
        message.envid,
        xclient,
    )


def xclient_of(message: Message, our_name: str, our_address: str) -> XclientAttributes:
    """Return what XCLIENT says of *message*: the client that gave it to us; for mail made here, ourselves.

    A sender who logged in is known to the peer by account: `account-7`. A name from the DNS is never claimed.
    """
    origin = message.origin
    is_ours = not origin.peer
    ip, _, port = (our_address if is_ours else origin.peer).rpartition(":")
    ip = ip.strip("[]")
    has_login = bool(message.account) and origin.protocol.upper().endswith("A")
    return (
        ("NAME", ""),
        ("ADDR", f"IPV6:{ip}" if ":" in ip else ip),
        ("PORT", port),
        ("PROTO", "SMTP" if origin.protocol == "SMTP" else "ESMTP"),
        ("HELO", our_name if is_ours else origin.helo),
        ("LOGIN", f"account-{message.account}" if has_login else ""),
    )
