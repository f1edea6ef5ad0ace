"""Why mail comes back, in the words of the house, and the classes that Momentum has for it."""

from typing import Final, Literal, NamedTuple

Category = Literal["Undetermined", "Hard", "Soft", "Admin", "Block"]


class BounceClass(NamedTuple):
    """A class of Momentum's, as its logs and vendors' webhooks have it."""

    number: int
    name: str
    category: Category


CLASSES: Final = {
    each.number: each
    for each in (
        BounceClass(1, "Undetermined", "Undetermined"),
        BounceClass(10, "Invalid Recipient", "Hard"),
        BounceClass(20, "Soft Bounce", "Soft"),
        BounceClass(21, "DNS Failure", "Soft"),
        BounceClass(22, "Mailbox Full", "Soft"),
        BounceClass(23, "Too Large", "Soft"),
        BounceClass(24, "Timeout", "Soft"),
        BounceClass(25, "Admin Failure", "Admin"),
        BounceClass(30, "Generic Bounce: No RCPT", "Hard"),
        BounceClass(40, "Generic Bounce", "Soft"),
        BounceClass(50, "Mail Block", "Block"),
        BounceClass(51, "Spam Block", "Block"),
        BounceClass(52, "Spam Content", "Block"),
        BounceClass(53, "Prohibited Attachment", "Block"),
        BounceClass(54, "Relaying Denied", "Block"),
        BounceClass(60, "Auto-Reply", "Soft"),
        BounceClass(70, "Transient Failure", "Soft"),
        BounceClass(80, "Subscribe", "Admin"),
        BounceClass(90, "Unsubscribe", "Hard"),
        BounceClass(100, "Challenge-Response", "Soft"),
    )
}

Fault = Literal["recipient", "sender", "content", "host", "network", "nobody"]
"""What would have to change for the next mail to arrive: the address, who sends, what is sent, whence, or the way."""


class BounceReason(NamedTuple):
    """*number* is that of Momentum's class. *is_permanent*: the address will not do, now or later, whoever sends what;
    such an address is suppressed, whatever category its class is in. *about* is a sentence.
    """

    name: str
    number: int
    fault: Fault
    about: str
    is_permanent: bool = False

    @property
    def bounce_class(self) -> BounceClass:
        """Momentum's class."""
        return CLASSES[self.number]


_ALL: Final = (
    BounceReason("no_such_recipient", 10, "recipient", "There is no such mailbox.", True),
    BounceReason("moved", 10, "recipient", "The mailbox is elsewhere now.", True),
    BounceReason("no_such_host", 21, "recipient", "The domain does not exist.", True),
    BounceReason("takes_no_mail", 10, "recipient", "The domain takes no mail.", True),
    BounceReason("mailbox_disabled", 20, "recipient", "The mailbox is locked or no longer used."),
    BounceReason("mailbox_full", 22, "recipient", "The mailbox is full."),
    BounceReason("refused_by_recipient", 20, "recipient", "The recipient's own rules refuse it."),
    BounceReason("too_large", 23, "content", "The mail is too large."),
    BounceReason("expired", 24, "network", "It could not be delivered in time."),
    BounceReason("network", 20, "network", "The way to the host is broken."),
    BounceReason("system", 20, "network", "The peer's system has failed."),
    BounceReason("rate", 20, "host", "Too much came too fast."),
    BounceReason("policy", 25, "sender", "The peer's policy refuses it."),
    BounceReason(
        "security", 25, "sender", "The peer asks for a login, a right or encryption that is not there."
    ),
    BounceReason("sender_refused", 50, "sender", "The peer refuses the sender's address."),
    BounceReason("authentication", 50, "sender", "SPF, DKIM or DMARC do not hold."),
    BounceReason("blocked", 50, "host", "The peer takes nothing from this address."),
    BounceReason("reputation", 51, "host", "This address or domain has a bad name with the peer."),
    BounceReason("reverse_dns", 51, "host", "The address has no good name in the DNS."),
    BounceReason("spam", 52, "content", "The peer takes it for spam."),
    BounceReason("virus", 53, "content", "The peer has found a virus."),
    BounceReason("content", 52, "content", "The peer does not like how the mail is made."),
    BounceReason("relaying_denied", 54, "sender", "The peer does not pass mail on for us."),
    BounceReason("unknown", 1, "nobody", "It does not say why, or in words that are not known."),
)

REASONS: Final = {reason.name: reason for reason in _ALL}


def category_of(reason: str) -> Category:
    """Return the category of a reason by its name; of one that is not known here, `Undetermined`."""
    return REASONS.get(reason, REASONS["unknown"]).bounce_class.category
