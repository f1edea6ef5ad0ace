"""What has happened to mail, in the shapes of Postmark's API and webhooks. Pure."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from angarium.dialects.agents import AgentName, UserAgent
from angarium.dialects.postmark.dates import moment

DESCRIPTIONS: Final[Mapping[str, str]] = {
    "HardBounce": "The server was unable to deliver your message (ex: unknown user, mailbox not found).",
    "Transient": "The server could not temporarily deliver your message (ex: Message is delayed due to network "
    "troubles).",
    "Unsubscribe": "Unsubscribe or Remove request.",
    "Subscribe": "Subscribe request from someone wanting to get added to the mailing list.",
    "AutoResponder": 'Automatic email responder (ex: "Out of Office" or "On Vacation").',
    "AddressChange": "The recipient has requested an address change.",
    "DnsError": "A temporary DNS error.",
    "SpamNotification": "The message was delivered, but was either blocked by the user, or classified as spam, bulk "
    "mail, or had rejected content.",
    "OpenRelayTest": "The NDR is actually a test email message to see if the mail server is an open relay.",
    "Unknown": "Unable to classify the NDR.",
    "SoftBounce": "Unable to temporarily deliver message (i.e. mailbox full, account disabled, exceeds quota, out of "
    "disk space).",
    "VirusNotification": "The bounce is actually a virus notification warning about a virus/code infected message.",
    "ChallengeVerification": "The bounce is a challenge asking for verification you actually sent the email.",
    "BadEmailAddress": "The address is not a valid email address.",
    "SpamComplaint": "The subscriber explicitly marked this message as spam.",
    "ManuallyDeactivated": "The email was manually deactivated.",
    "Unconfirmed": "The subscriber has not clicked on the confirmation link upon registration or import.",
    "Blocked": "Blocked from this ISP due to content or blacklisting.",
    "SMTPApiError": "An error occurred while accepting an email through the SMTP API.",
    "InboundError": "Processing failed: unable to deliver inbound message to destination inbound hook.",
    "DMARCPolicy": "Email rejected due DMARC Policy.",
    "TemplateRenderingFailed": "An error occurred while attempting to render your template.",
}
"""What each type of bounce means."""


class OfMessage(NamedTuple):
    """What each event tells of its message. *id* is the UUID; *tag* empty: there is none."""

    id: str
    server: int
    stream: str
    tag: str
    sender: str
    subject: str
    metadata: Mapping[str, Any]


class BounceType(NamedTuple):
    """A type of bounce: its *name*, *code* and *title*."""

    name: str
    code: int
    title: str


def uuid_of(message: str) -> str:
    """Return an id of 32 hex digits as a UUID."""
    return f"{message[:8]}-{message[8:12]}-{message[12:16]}-{message[16:20]}-{message[20:]}"


def details(reply: str) -> str:
    """Return what a peer has answered, in the form of an action field (RFC 3464 §2.3.6)."""
    return f"smtp;{reply}" if reply else ""


def bounce(
    of: OfMessage,
    *,
    id: int,
    type: BounceType,
    reply: str,
    email: str,
    at: float,
    is_inactive: bool,
    has_dump: bool,
    said_at: str = "",
) -> dict[str, Any]:
    """Return a bounce, or a complaint. *is_inactive*: the address gets no mail now. *said_at*: the time in other words
    than the API's.
    """
    return {
        "RecordType": "SpamComplaint" if type.name == "SpamComplaint" else "Bounce",
        "ID": id,
        "Type": type.name,
        "TypeCode": type.code,
        "Name": type.title,
        "Tag": of.tag,
        "MessageID": of.id,
        "ServerID": of.server,
        "MessageStream": of.stream,
        "Description": DESCRIPTIONS[type.name],
        "Details": details(reply),
        "Email": email,
        "From": of.sender,
        "BouncedAt": said_at or moment(at),
        "DumpAvailable": has_dump,
        "Inactive": is_inactive,
        "CanActivate": is_inactive and type.name != "SpamComplaint",
        "Subject": of.subject,
        "Metadata": metadata_of(of),
    }


def opened(
    of: OfMessage, *, recipient: str, agent: UserAgent, user_agent: str, at: str, is_first: bool
) -> dict[str, Any]:
    """Return an opening. *at* is the time as it is to be said."""
    read = {"FirstOpen": is_first, "ReadSeconds": 0}
    return {"RecordType": "Open", **read, **_by_reader(of, recipient, agent, user_agent, at)}


def clicked(
    of: OfMessage, *, recipient: str, agent: UserAgent, user_agent: str, at: str, link: str, is_html: bool
) -> dict[str, Any]:
    """Return a click. *at* is the time as it is to be said."""
    place = {"ClickLocation": "HTML" if is_html else "Text", "OriginalLink": link}
    return {"RecordType": "Click", **place, **_by_reader(of, recipient, agent, user_agent, at)}


def delivered(of: OfMessage, *, recipient: str, reply: str, at: str) -> dict[str, Any]:
    """Return a delivery. *at* is the time as it is to be said."""
    return {
        "RecordType": "Delivery",
        "ServerID": of.server,
        "MessageStream": of.stream,
        "MessageID": of.id,
        "Recipient": recipient,
        "Tag": of.tag,
        "DeliveredAt": at,
        "Details": details(reply),
        "Metadata": metadata_of(of),
    }


def metadata_of(of: OfMessage) -> dict[str, str]:
    """Return what the sender has said of a message; all values are texts."""
    return {name: str(value) for name, value in of.metadata.items()}


def _by_reader(of: OfMessage, recipient: str, agent: UserAgent, user_agent: str, at: str) -> dict[str, Any]:
    return {
        "MessageStream": of.stream,
        "Client": _words(agent.client),
        "OS": _words(agent.system),
        "Platform": agent.device,
        "UserAgent": user_agent,
        "Geo": {},
        "MessageID": of.id,
        "Metadata": metadata_of(of),
        "ReceivedAt": at,
        "Tag": of.tag,
        "Recipient": recipient,
    }


def _words(named: AgentName) -> dict[str, str]:
    return {"Name": named.name, "Company": named.company, "Family": named.family}
