"""The configuration as the rest of the program asks it."""

from angarium.config.records import (
    BindingInfo,
    GlobalOptions,
    HostOptions,
    InboundOptions,
    ListenerConfig,
    ListenOptions,
    OutboundOptions,
)

__all__ = [
    "BindingInfo",
    "GlobalOptions",
    "HostOptions",
    "InboundOptions",
    "ListenOptions",
    "ListenerConfig",
    "OutboundOptions",
]
