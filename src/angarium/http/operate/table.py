"""The operators' interface: its endpoints, each by the name of its operation."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final, Protocol

from angarium import __version__
from angarium.core.errors import AngariumError
from angarium.core.operations import (
    IN_BODY,
    ActArgs,
    Changed,
    ConfigAnswer,
    ConfigEvalArgs,
    ConfigShowArgs,
    Count,
    CountArgs,
    Glance,
    Health,
    MessageArgs,
    MessageHistory,
    NodeInfo,
    Progress,
    Queues,
    QueuesArgs,
    Recipients,
    RecipientsArgs,
    Stat,
    Status,
    TopArgs,
    TraceArgs,
)
from angarium.http.api.endpoint import Api, Endpoint

PREFIX: Final = "/operate/v1"


class Operations(Protocol):
    """Who carries them out; `node.operations.NodeOperations` does. Raises AngariumError for what is refused."""

    async def status(self) -> Status: ...
    def node(self) -> NodeInfo: ...
    async def health(self) -> Health: ...
    async def stats(self) -> list[Stat]: ...
    async def queues(self, args: QueuesArgs) -> Queues: ...
    async def recipients(self, args: RecipientsArgs) -> Recipients: ...
    async def message(self, args: MessageArgs) -> MessageHistory: ...
    async def count(self, args: CountArgs) -> Count: ...
    def act(self, args: ActArgs) -> AsyncIterator[Progress | Changed]: ...
    async def reload(self) -> dict[str, Any]: ...
    def config_eval(self, args: ConfigEvalArgs) -> ConfigAnswer: ...
    def config_show(self, args: ConfigShowArgs) -> ConfigAnswer: ...
    def trace(self, args: TraceArgs) -> AsyncIterator[dict[str, Any]]: ...
    def top(self, args: TopArgs) -> AsyncIterator[Glance]: ...


async def status(call: Operations) -> Status:
    """Say what the node is, whether it takes mail, and what waits in all."""
    return await call.status()


def node(call: Operations) -> NodeInfo:
    """Say what the node is and where its files are. No worker is asked."""
    return call.node()


async def health(call: Operations) -> Health:
    """Say what keeps the node from taking mail, and what a person must look at."""
    return await call.health()


async def stats(call: Operations) -> list[Stat]:
    """Tell all numbers: name, the values of its labels, number. Histograms as buckets, count and sum."""
    return await call.stats()


async def queues(call: Operations, query: QueuesArgs) -> Queues:
    """List queues, those with most mail first, and what holds them."""
    return await call.queues(query)


async def recipients(call: Operations, query: RecipientsArgs) -> Recipients:
    """List recipients that wait, those due first first."""
    return await call.recipients(query)


async def message(call: Operations, query: MessageArgs) -> MessageHistory:
    """Tell all that is known of a message: envelope, recipients, events."""
    return await call.message(query)


async def count(call: Operations, body: CountArgs) -> Count:
    """Say how many recipients an action would change."""
    return await call.count(body)


async def act(call: Operations, body: ActArgs) -> AsyncIterator[Progress | Changed]:
    """Change what waits. Items tell the progress, the last one what was changed."""
    async for item in call.act(body):
        yield item


async def reload(call: Operations) -> dict[str, Any]:
    """Read the configuration again."""
    return await call.reload()


def config_eval(call: Operations, body: ConfigEvalArgs) -> ConfigAnswer:
    """Say which value an option has, and which file and line set it."""
    return call.config_eval(body)


def config_show(call: Operations, query: ConfigShowArgs) -> ConfigAnswer:
    """Show the configuration in force, every line with the place that set it."""
    return call.config_show(query)


async def trace(call: Operations, query: TraceArgs) -> AsyncIterator[dict[str, Any]]:
    """Show what is said on outbound connections, as it is said. The first item says what is traced."""
    async for item in call.trace(query):
        yield item


async def top(call: Operations, query: TopArgs) -> AsyncIterator[Glance]:
    """Show the node at a glance, again and again."""
    async for item in call.top(query):
        yield item


_HANDLERS: tuple[Callable[..., Any], ...] = (
    status,
    node,
    health,
    stats,
    queues,
    recipients,
    message,
    count,
    act,
    reload,
    config_eval,
    config_show,
    trace,
    top,
)

OPERATE: Final = Api(
    PREFIX,
    tuple(
        Endpoint("POST" if handler.__name__ in IN_BODY else "GET", f"/{handler.__name__}", handler, None)
        for handler in _HANDLERS
    ),
    "Angarium for operators",
    __version__,
    "What waits and why, and how to change it. Served on the node's own socket, for its owner alone.",
    refusals=(AngariumError,),
    wants_key=False,
)
