"""Which binding a message gets: the configuration's rules, then `default`."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from angarium.config.model import Config

DEFAULT = "default"


class BindingFacts(NamedTuple):
    """What rules look at. *header* returns the unfolded value of a field by lower-case name, None without
    one.
    """

    listener: str
    peer_ip: str
    sender_domain: str
    header: Callable[[str], str | None]


def choose_binding(config: Config, facts: BindingFacts, rng: Random) -> str:
    """Return the binding of the first rule that matches, else `default`.

    Of a group one member is drawn evenly, suspended ones only where all are (reference: bindings, choosing).
    """
    if not config.binding_rules:
        return DEFAULT
    found = ((name, facts.header(name)) for name in config.rule_headers)
    headers = {name: value for name, value in found if value is not None}
    for rule in config.binding_rules:
        if rule.matches(facts.listener, facts.peer_ip, facts.sender_domain, headers):
            return rule.binding or member_of(config, rule.group or DEFAULT, rng)
    return DEFAULT


def member_of(config: Config, group: str, rng: Random) -> str:
    """Return one binding of *group*, drawn evenly from those that are not suspended, else from all."""
    members = [name for name, info in config.bindings.items() if info.group == group]
    awake = [name for name in members if not config.outbound(name, "").suspend_delivery]
    return rng.choice(awake or members or [DEFAULT])
