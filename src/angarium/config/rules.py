"""Which binding a message gets: the first rule whose conditions all hold, in order of declaration."""

from collections.abc import Mapping
from dataclasses import dataclass

from angarium.config.patterns import Pattern
from angarium.config.values import NO_DOMAINS, NOWHERE, CidrSet, DomainSet, Where

LONGEST_VALUE = 998
"""Characters of a header field's value that a rule looks at: long mail must not make a pattern cost more."""


@dataclass(frozen=True, slots=True)
class BindingRule:
    """One rule. An empty condition always holds; one of *binding* and *group* is set.

    *headers* pairs lower-case field names with what must be found in the value of the field.
    """

    name: str
    where: Where
    listeners: frozenset[str] = frozenset()
    peers: CidrSet = NOWHERE
    sender_domains: DomainSet = NO_DOMAINS
    headers: tuple[tuple[str, Pattern], ...] = ()
    binding: str | None = None
    group: str | None = None

    def matches(self, listener: str, peer: str, sender_domain: str, headers: Mapping[str, str]) -> bool:
        """Whether all conditions hold.

        *peer* is the numeric address. *sender_domain* is in lower-case A-labels, empty for the null sender.
        *headers* maps lower-case field names to unfolded values; a missing field matches nothing.
        """
        if self.listeners and listener not in self.listeners:
            return False
        if self.peers and not self.peers.contains(peer):
            return False
        if self.sender_domains and not self.sender_domains.contains(sender_domain):
            return False
        return all(
            name in headers and pattern.is_in(headers[name][:LONGEST_VALUE]) for name, pattern in self.headers
        )
