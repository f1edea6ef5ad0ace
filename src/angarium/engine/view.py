"""The configuration in force, for what outlives it."""

from angarium.config.model import Config
from angarium.core.records import Message, QueueKey, Recipient
from angarium.queue.retry import expires_at, sweep_at
from angarium.queue.routing import routing_domain


class ConfigView:
    """*config* is in force now; `follow` puts another in its place."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def follow(self, config: Config) -> None:
        """Let *config* be in force from now on."""
        self.config = config

    def queue_of(self, message: Message, index: int) -> QueueKey:
        """Return the queue that a recipient waits in unless an event has moved it."""
        domain = routing_domain(self.config, message.binding, message.recipients[index].domain)
        return QueueKey(message.binding, domain)

    def ends_at(self, recipient: Recipient) -> float | None:
        """Return when *recipient* is given up, None for mail to us, which waits for its reader."""
        if recipient.message.fate == "feedback":
            return None
        return expires_at(recipient, self.config.outbound(recipient.binding, recipient.domain))

    def expires_at(self, recipient: Recipient) -> float:
        """Return when a settled recipient is given up: its last try was due some time before."""
        return sweep_at(recipient, self.config.outbound(recipient.binding, recipient.domain))
