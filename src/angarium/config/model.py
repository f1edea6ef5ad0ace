"""The configuration as the rest of the program asks it: immutable, one generation, every answer remembered.

A look-up on the hot path is one dict hit. What is remembered is bounded by Match_Cache_Size; equal
answers are one object, however many domains share them.
"""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar

from angarium.config.names import unknown_option
from angarium.config.options import Family, Option
from angarium.config.problems import ConfigProblem
from angarium.config.reading import domain_name
from angarium.config.records import (
    BindingInfo,
    GlobalOptions,
    HostOptions,
    InboundOptions,
    ListenerConfig,
    ListenOptions,
    OutboundOptions,
)
from angarium.config.rules import BindingRule
from angarium.config.scopes import (
    DEFAULT,
    Resolved,
    Scope,
    first_setting,
    groups_of_bindings,
    host_chain,
    inbound_chain,
    merged,
    outbound_chain,
)
from angarium.config.tables import options_named
from angarium.config.values import Gateway, ListenAddress, Where
from angarium.core.errors import AngariumError

__all__ = [
    "BindingInfo",
    "BindingRule",
    "Config",
    "GlobalOptions",
    "HostOptions",
    "InboundOptions",
    "ListenOptions",
    "ListenerConfig",
    "OutboundOptions",
    "Place",
    "Resolved",
    "UnknownOption",
]


_Key = TypeVar("_Key")
_Options = TypeVar("_Options", GlobalOptions, OutboundOptions, HostOptions, InboundOptions, ListenOptions)


_HOSTNAMES = ("hostname", "banner_hostname", "received_hostname")


class Place(NamedTuple):
    """From where an option is looked up; None leaves a level out."""

    group: str | None = None
    binding: str | None = None
    domain: str | None = None
    host: str | None = None
    listener: str | None = None
    listen: str | None = None
    peer: str | None = None


class UnknownOption(AngariumError):
    """There is no option of that name. *hint* says which may be meant, or is empty."""

    def __init__(self, name: str) -> None:
        message, hint = unknown_option(name)
        super().__init__(f"{message}; {hint}" if hint else message)
        self.name = name
        self.hint = hint


class Config:
    """One generation of the configuration. Made by `load`; nothing in it changes but what it remembers.

    *gateways* are all hosts that stand in a `Gateway`, with their port where it is written. *warnings* are of what was
    read, and stay with the process that read it.
    """

    def __init__(
        self,
        root: Scope,
        rules: tuple[BindingRule, ...],
        listeners: tuple[ListenerConfig, ...],
        http_listens: tuple[ListenAddress, ...],
        hostname: str,
        generation: int,
        warnings: tuple[ConfigProblem, ...] = (),
    ) -> None:
        self.root = root
        self.warnings = warnings
        self.generation = generation
        self.binding_rules = rules
        self.rule_headers = frozenset(name for rule in rules for name, _ in rule.headers)
        self.listeners = listeners
        self.http_listens = http_listens
        self.globals = _make(GlobalOptions(hostname=hostname), [root], "global")
        self.bindings: Mapping[str, BindingInfo] = MappingProxyType(_bindings(root))
        self.gateways = _gateways(root)
        self.groups: Mapping[str, tuple[str, ...]] = MappingProxyType(_groups(root, self.bindings))
        self._limit = self.globals.match_cache_size
        self._outbound: dict[tuple[str, str], OutboundOptions] = {}
        self._outbound_by_chain: dict[tuple[int, ...], OutboundOptions] = {}
        self._host: dict[tuple[str, str], HostOptions] = {}
        self._inbound: dict[tuple[str, str, str], InboundOptions] = {}
        self._inbound_by_chain: dict[tuple[int, ...], InboundOptions] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel to another process as what it was made of, without what is remembered."""
        made_of = (self.root, self.binding_rules, self.listeners, self.http_listens)
        return Config, (*made_of, self.globals.hostname, self.generation)

    # for the hot path

    def outbound(self, binding: str, domain: str) -> OutboundOptions:
        """Return what is in force for mail of *binding* to *domain*, in lower-case A-labels.

        A binding that is not declared (any more) has the options of `default`.
        """
        try:
            return self._outbound[binding, domain]
        except KeyError:
            return self._remember(self._outbound, (binding, domain), self._find_outbound(binding, domain))

    def host(self, binding: str, domain: str, host: str) -> HostOptions:
        """Return what is in force for connections of *binding* to the mail host *host*, a name in lower case.

        *domain* makes no difference: host stanzas do not stand in domain stanzas.
        """
        try:
            return self._host[binding, host]
        except KeyError:
            return self._remember(self._host, (binding, host), self._find_host(binding, host))

    def inbound(self, listener: str, listen: str, peer_ip: str) -> InboundOptions:
        """Return what is in force for a session. *listen* is the name of the socket's `ListenAddress`.

        *peer_ip* is numeric without brackets, or empty for a Unix socket, which matches no `Peer`.
        """
        try:
            return self._inbound[listener, listen, peer_ip]
        except KeyError:
            found = self._find_inbound(listener, listen, peer_ip)
            return self._remember(self._inbound, (listener, listen, peer_ip), found)

    # for explanations

    def resolve(
        self,
        option: str,
        *,
        group: str | None = None,
        binding: str | None = None,
        domain: str | None = None,
        host: str | None = None,
        listener: str | None = None,
        listen: str | None = None,
        peer: str | None = None,
    ) -> Resolved:
        """Return the value of *option* as it is looked up from there, and what set it. Raises UnknownOption.

        What is not given is left out of the chain; a binding brings its group. *option* in any case.
        """
        place = Place(group, binding, domain, host, listener, listen, peer)
        row, chain = self.chain(option, place)
        found = first_setting(chain, row.family, row.field)
        if found is not None:
            return Resolved(found[0].value, found[0].where, found[1].label)
        return Resolved(self.default(row), None, DEFAULT)

    def default(self, row: Option) -> object:
        """Return what holds when nothing sets an option."""
        return self.globals.hostname if row.field in _HOSTNAMES else row.default

    def chain(self, option: str, place: Place) -> tuple[Option, list[Scope]]:
        """Return the row that *option* means at *place*, and the scopes it is looked up in.

        Raises UnknownOption.
        """
        group, binding, domain, host, listener, listen, peer = place
        inbound = listener is not None or peer is not None
        row = _choose(option, host=host is not None, inbound=inbound, binding=bool(binding or group))
        group, binding = self._place(group, binding)
        if row.family in ("inbound", "listen"):
            return row, inbound_chain(self.root, listener, listen, peer)
        if row.family == "outbound":
            return row, outbound_chain(self.root, group, binding, _lower(domain))
        if row.family == "global":
            return row, [self.root]
        chain = host_chain(self.root, group, binding, _lower(host) or "")
        return row, chain[:1] if row.field == "max_outbound_connections" else chain

    def where(
        self, option: str, *, binding: str | None = None, domain: str | None = None, host: str | None = None
    ) -> Where | None:
        """Return the place that set the value in force, None for a built-in default. Raises UnknownOption."""
        return self.resolve(option, binding=binding, domain=domain, host=host).where

    def listen_options(self, listener: str, listen: str) -> ListenOptions:
        """Return what is in force for one socket of an ESMTP listener."""
        return _make(ListenOptions(), inbound_chain(self.root, listener, listen, None), "listen")

    # how it is found

    def _find_outbound(self, binding: str, domain: str) -> OutboundOptions:
        group, name = self._place(None, binding)
        chain = outbound_chain(self.root, group, name, domain)
        key = tuple(map(id, chain))
        found = self._outbound_by_chain.get(key)
        if found is None:
            made = _make(OutboundOptions(), chain, "outbound")
            hostname = self.globals.hostname
            found = replace(
                made,
                ehlo_hostname=hostname if made.ehlo_hostname == "__hostname__" else made.ehlo_hostname,
                mailerdaemon=made.mailerdaemon.replace("__hostname__", hostname),
            )
            self._remember(self._outbound_by_chain, key, found)
        return found

    def _find_host(self, binding: str, host: str) -> HostOptions:
        group, name = self._place(None, binding)
        chain = host_chain(self.root, group, name, host)
        nearest = _make(HostOptions(), chain[:1], "host")
        made = _make(HostOptions(), chain, "host")
        # A host stanza without the plain limit has none, whatever wider host stanzas say.
        return replace(made, max_outbound_connections=nearest.max_outbound_connections)

    def _find_inbound(self, listener: str, listen: str, peer_ip: str) -> InboundOptions:
        chain = inbound_chain(self.root, listener, listen, peer_ip)
        key = tuple(map(id, chain))
        found = self._inbound_by_chain.get(key)
        if found is None:
            hostname = self.globals.hostname
            base = InboundOptions(banner_hostname=hostname, received_hostname=hostname)
            found = self._remember(self._inbound_by_chain, key, _make(base, chain, "inbound"))
        return found

    def _remember(self, cache: dict[_Key, _Options], key: _Key, value: _Options) -> _Options:
        if len(cache) >= self._limit:
            cache.clear()
        cache[key] = value
        return value

    def _place(self, group: str | None, binding: str | None) -> tuple[str | None, str | None]:
        """Return group and binding as they are declared."""
        if binding is None:
            return group, None
        known = self.bindings.get(binding) or self.bindings[DEFAULT]
        return known.group, known.name


def _make(base: _Options, chain: list[Scope], family: Family) -> _Options:
    values: dict[str, Any] = merged(chain, family)
    return replace(base, **values)


def _bindings(root: Scope) -> dict[str, BindingInfo]:
    grouped = groups_of_bindings(root)
    found = {DEFAULT: BindingInfo(DEFAULT, grouped.get(DEFAULT, DEFAULT))}
    for parent in (root, *root.inside("binding_group")):
        for scope in parent.inside("binding"):
            found[scope.name] = BindingInfo(scope.name, grouped.get(scope.name, DEFAULT), scope.where)
    return found


def _gateways(root: Scope) -> frozenset[str]:
    found = (scope.setting("outbound", "gateway") for scope in root.walk())
    return frozenset(
        str(each.value) for each in found if each is not None and isinstance(each.value, Gateway)
    )


def _groups(root: Scope, bindings: Mapping[str, BindingInfo]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {DEFAULT: [], **{group.name: [] for group in root.inside("binding_group")}}
    for info in bindings.values():
        found[info.group].append(info.name)
    return {name: tuple(names) for name, names in found.items()}


def _choose(name: str, *, host: bool, inbound: bool, binding: bool) -> Option:
    """Return the row that is meant, where a name has several."""
    order: list[Family] = ["host"] if host else []
    order += ["inbound", "listen"] if inbound else []
    order += ["outbound", "global"] if binding else ["global", "outbound"]
    order += ["inbound", "listen", "host"]
    rows = options_named(name)
    if not rows:
        raise UnknownOption(name)
    return min(rows, key=lambda row: order.index(row.family))


def _lower(name: str | None) -> str | None:
    return None if name is None else domain_name(name)
