"""The addresses whose mail this node takes for itself, from anybody: return paths that it has signed, addresses for
reports, and those that every host has (RFC 5321 §4.5.1, RFC 2142). Pure.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

from angarium.config.records import GlobalOptions
from angarium.core.bounded import Bounded
from angarium.core.records import NOTIFY_NEVER, ForwardPath
from angarium.core.reply import Reply
from angarium.mime.header import HeaderBlock
from angarium.render.return_path import ReturnPaths, looks_signed
from angarium.smtp.address import parse_mailbox

Purpose = Literal["feedback", "person"]
"""What is read: a report of a program, by the recorder; or what is for a person, see `Postmaster_Address`."""

_OF_PEOPLE: Final = frozenset({"postmaster", "abuse", "mailer-daemon"})
_OF_REPORTS: Final = frozenset({"fbl", "complaints"})

ALTERED: Final = Reply(550, "5.1.1", "no such address: it is not as this server has written it")
EXPIRED: Final = Reply(550, "5.1.6", "this address is no longer in use: the mail it was made for is too old")
NO_SUCH_ADDRESS: Final = Reply(550, "5.1.1", "no such address here")
TOO_LARGE: Final = Reply(
    552, "5.3.4", "reports of this size are not taken; send the header of the message alone"
)
TOO_MANY: Final = Reply(451, "4.7.1", "too many reports from your address in a minute; try again later")
NOT_TOGETHER: Final = Reply(
    452, "4.5.3", "this address gets its mail in a transaction of its own; send it again"
)

REFUSALS: Final = {ALTERED: "altered", EXPIRED: "expired", NO_SUCH_ADDRESS: "unknown", TOO_LARGE: "size",
                   TOO_MANY: "rate"}  # fmt: skip
"""What the counters call them."""

_MINUTE_S: Final = 60.0
_MICROSOFTS: Final = "complaint about message from "
"""How the subject of a complaint begins that Microsoft's programme (JMRP) sends, which is no report by its form."""


class FeedbackRate:
    """Counts what each network has sent in a minute that began with its first mail. Of the most recent networks."""

    def __init__(self, networks: int = 10_000) -> None:
        self._counts: Bounded[str, tuple[float, int]] = Bounded(networks)

    def count(self, network: str, now: float) -> None:
        """There is one more of it."""
        began, number = self._counts.get(network) or (now, 0)
        self._counts.put(network, (began, number + 1) if now - began < _MINUTE_S else (now, 1))

    def is_used_up(self, network: str, now: float, most: int) -> bool:
        """Whether *network* has sent as much as it may; a *most* of 0 is no limit."""
        if not most:
            return False
        began, number = self._counts.get(network) or (now, 0)
        return number >= most and now - began < _MINUTE_S


class OwnAddresses(NamedTuple):
    """Knows them. *domains* are those that are this node's own, of any account; *is_wide*: there are more addresses
    than those can say.
    """

    options: GlobalOptions
    returns: ReturnPaths | None
    domains: frozenset[str]
    is_wide: bool
    feedback: frozenset[str]

    @classmethod
    def of(cls, options: GlobalOptions, returns: ReturnPaths | None) -> "OwnAddresses":
        """Return what *options* say. Without *returns* no return path is known."""
        feedback = frozenset(address.lower() for address in options.feedback_addresses)
        domains = frozenset(filter(None, (options.hostname.lower(), options.bounce_domain)))
        return cls(options, returns, domains, bool(feedback or options.bounce_domains), feedback)

    def concern(self, address: str, domain: str) -> bool:
        """Whether `judge` has something to say of *address*, most likely. Costs next to nothing."""
        return address[1:2] == "-" or domain in self.domains or self.is_wide

    def judge(self, address: str, domain: str, now: float) -> Purpose | Reply | None:
        """Return what mail for *address* is, a refusal, or None: the address is another's.

        *domain* is that of the address in lower-case A-labels, or ours where it has none.
        """
        local = address.rpartition("@")[0].lower() or address.lower()
        if looks_signed(local) and self.returns is not None:
            found = self.returns.read(f"{local}@{domain}")
            if found is not None:
                is_old = now - found.made_at > self.options.return_path_lifetime
                return EXPIRED if is_old and found.kind == "bounce" else "feedback"
            if domain in self.domains or self.options.bounce_domains.contains(domain):
                return ALTERED
        if f"{local}@{domain}" in self.feedback:
            return "feedback"
        if domain in self.domains:
            return purpose_of(local) or self._of_bounces(domain)
        return "feedback" if self.is_wide and self.options.bounce_domains.contains(domain) else None

    def _of_bounces(self, domain: str) -> Purpose | Reply | None:
        """Say what another address of an own domain is: of the host's name others may have the rest."""
        if self.options.bounce_domains.contains(domain):
            return "feedback"
        return NO_SUCH_ADDRESS if domain == self.options.bounce_domain != self.options.hostname else None


def purpose_of(local: str) -> Purpose | None:
    """Return what mail for this local part is in any domain of our own, None where that does not say."""
    local = local.lower()
    return "person" if local in _OF_PEOPLE else "feedback" if local in _OF_REPORTS else None


def passed_on(recipients: Sequence[ForwardPath], head: bytes, to: str | None) -> list[ForwardPath] | None:
    """Return the recipients of a mail for a person, whose header is in *head*; None: it is to be read here, since
    nobody was named for it, or a program has written a report (RFC 3462).

    Nobody is told when it cannot be passed on: the sender may be anybody (RFC 3834 §2).
    """
    if to is None or _is_report(HeaderBlock.scan(head)):
        return None
    asked = recipients[0].address
    domain = parse_mailbox(to, smtputf8=True).domain
    return [ForwardPath(address=to, domain=domain, notify=NOTIFY_NEVER, orcpt=f"rfc822;{asked}")]


def _is_report(header: HeaderBlock) -> bool:
    kind = header.first(b"content-type").lower()
    if "multipart/report" in kind and ("delivery-status" in kind or "feedback-report" in kind):
        return True
    return header.first(b"subject").strip().lower().startswith(_MICROSOFTS)
