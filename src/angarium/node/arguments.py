"""What may be asked over the control socket: one record for the arguments of each operation.

Unknown arguments and wrong types are refused with a sentence. Domains are compared in lower case.
"""

from typing import Annotated, Any, Literal, TypeVar

import msgspec

from angarium.core.errors import AngariumError
from angarium.core.ids import format_id, parse_id

Action = Literal["flush", "hold", "release", "fail", "reroute", "rebind"]
CHANGES_ONLY: dict[str, Literal["queued", "held"]] = {"flush": "queued", "hold": "queued", "release": "held"}
"""The state that an action is about when the selection leaves it open; the other actions are about both."""

Limit = Annotated[int, msgspec.Meta(ge=0, le=1_000_000)]


class BadRequest(AngariumError):
    """The request is not one that the node understands; nothing was done."""


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    """Arguments of an operation that has none."""


class SelectionArgs(msgspec.Struct, forbid_unknown_fields=True):
    """Which recipients: all that are given must match, None leaves open. *message* is an id in any of its
    forms.
    """

    domain: str | None = None
    binding: str | None = None
    message: str | None = None
    state: Literal["queued", "held"] | None = None

    def __post_init__(self) -> None:
        if self.domain is not None:
            self.domain = self.domain.lower()
        if self.message is not None:
            self.message = format_id(parse_id(self.message))


class QueuesArgs(msgspec.Struct, forbid_unknown_fields=True):
    """*limit* None: every queue that matches."""

    domain: str | None = None
    binding: str | None = None
    limit: Limit | None = None

    def __post_init__(self) -> None:
        if self.domain is not None:
            self.domain = self.domain.lower()


class RecipientsArgs(SelectionArgs):
    """As the selection, and how many to list."""

    limit: Limit = 50


class MessageArgs(msgspec.Struct, forbid_unknown_fields=True):
    """A message id in any of its forms."""

    id: str

    def __post_init__(self) -> None:
        self.id = format_id(parse_id(self.id))


class CountArgs(msgspec.Struct, forbid_unknown_fields=True):
    """With *action*, only those are counted that it would change."""

    selection: SelectionArgs
    action: Action | None = None


class ActArgs(msgspec.Struct, forbid_unknown_fields=True):
    """*target* is the new domain of reroute, the new binding of rebind. *quiet*: fail without notifying
    senders.
    """

    action: Action
    selection: SelectionArgs
    target: str = ""
    note: str = ""
    quiet: bool = False

    def __post_init__(self) -> None:
        if bool(self.target) != (self.action in ("reroute", "rebind")):
            raise ValueError("reroute and rebind need a target, the other actions take none")


class TraceArgs(msgspec.Struct, forbid_unknown_fields=True):
    """One of both."""

    domain: str | None = None
    message: str | None = None

    def __post_init__(self) -> None:
        if (self.domain is None) == (self.message is None):
            raise ValueError("trace takes a domain or a message")
        if self.domain is not None:
            self.domain = self.domain.lower()
        if self.message is not None:
            self.message = format_id(parse_id(self.message))


class TopArgs(msgspec.Struct, forbid_unknown_fields=True):
    """How often a glance is sent, and with how many queues."""

    interval_s: Annotated[float, msgspec.Meta(ge=0.1, le=3600)] = 1.0
    limit: Limit = 20


class ConfigEvalArgs(msgspec.Struct, forbid_unknown_fields=True):
    """The question as the words after `config eval`."""

    words: list[str]


class ConfigShowArgs(msgspec.Struct, forbid_unknown_fields=True):
    """With *defaults*, options that nobody has set are shown as well."""

    defaults: bool = True


Args = TypeVar("Args")


def read_args(args: Any, kind: type[Args]) -> Args:
    """Check *args* as they came over the socket. Raises BadRequest, saying which one is wrong."""
    try:
        return msgspec.convert(args, kind)
    except msgspec.ValidationError as error:
        raise BadRequest(_sentence(str(error))) from error


def _sentence(text: str) -> str:
    return text.replace("Object contains unknown field", "unknown argument").removesuffix(" - at `$`")
