"""Options of the commands that manage who may send: limits, message options, networks, times."""

import re
import time
from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
import msgspec

from angarium.core.options import NO_OPTIONS, Options
from angarium.http.api.decoding import convert
from angarium.http.api.problem import HttpProblem
from angarium.http.manage.bodies import OptionsBody, options_with
from angarium.identity.fields import DescribedField, When, fields_of, sayable
from angarium.identity.limits import NO_LIMITS, Limits, Rate
from angarium.identity.records import Account, Server, Stream

F = TypeVar("F", bound=Callable[..., Any])

NONE = "none"

_SPAN = re.compile(r"(\d{1,9})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

yes_option = click.option("--yes", is_flag=True, help="Do not ask.")
all_option = click.option(
    "--limit", type=click.IntRange(1, 500), default=100, show_default=True, help="Rows."
)


def row_id(text: str) -> int:
    """Read an id. Raises BadParameter."""
    if not (text.isascii() and text.isdecimal() and len(text) < 19):
        raise click.BadParameter(f"{text!r} is no id; ids are numbers, as the listings show them")
    return int(text)


after_option = click.option("--after", type=row_id, metavar="ID", help="Go on behind this id.")


def rate(text: str) -> tuple[int, int] | str:
    """Read `100/60`, a number of recipients in so many seconds, or `none`. Raises BadParameter."""
    count, _, seconds = text.partition("/")
    if text == NONE:
        return text
    if not (count.isdecimal() and seconds.isdecimal() and int(count) and int(seconds)):
        raise click.BadParameter(
            f"{text!r} is no rate; write it as 100/60, 100 recipients in 60 seconds, or none"
        )
    return int(count), int(seconds)


def number(text: str) -> int | str:
    """Read a number above 0, or `none`. Raises BadParameter."""
    if text == NONE:
        return text
    if not text.isdecimal() or int(text) < 1:
        raise click.BadParameter(f"{text!r} is neither a number above 0 nor none")
    return int(text)


def moment(text: str) -> float | str:
    """Read a date or time, a span from now on such as `90d`, or `never`. Raises BadParameter."""
    span = _SPAN.fullmatch(text)
    if text == "never":
        return text
    if span is not None:
        return time.time() + int(span[1]) * _SECONDS[span[2]]
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        said = f"{text!r} is no time; write 90d, 12h, 2030-01-31, 2030-01-31T12:00:00Z or never"
        raise click.BadParameter(said) from error
    return found.timestamp()  # without an offset it is the local clock's, as times are shown


def _added(*options: Callable[[Any], Any]) -> Callable[[F], F]:
    def add(command: F) -> F:
        for option in reversed(options):
            command = option(command)
        return command

    return add


page_options = _added(all_option, after_option)


def field_options(
    record: type[msgspec.Struct], when: When, required: tuple[str, ...] = ()
) -> Callable[[F], F]:
    """Return a decorator that adds the options for what can be said of a *record* then, but its limits and message
    options. Those *required* come first.
    """
    fields = [field for field in sayable(record, when) if field.about.option(when) and not field.is_record]
    fields.sort(key=lambda field: field.name not in required)
    return _added(*(_option(field, field.about.option(when), field.name in required) for field in fields))


def limits_options(without: tuple[str, ...] = ()) -> Callable[[F], F]:
    """Return a decorator that adds an option for each limit, but those *without*."""
    fields = [field for name, field in fields_of(Limits).items() if name not in without]
    return _added(*(_limit_option(field) for field in fields))


def _option(field: DescribedField, help: str, required: bool) -> Callable[[Any], Any]:
    name = _named(field)
    if field.kind is bool:
        return click.option(f"--{name}/--no-{name}", default=None, required=required, help=help)
    kind = click.Choice(get_args(field.kind)) if get_origin(field.kind) is Literal else field.kind
    return click.option(f"--{name}", type=kind, required=required, help=help)


def _limit_option(field: DescribedField) -> Callable[[Any], Any]:
    name, help = f"--{_named(field)}", field.about.help
    if field.kind is Rate:
        return click.option(name, type=rate, metavar="COUNT/SECONDS", help=help)
    if field.kind is int:
        return click.option(name, type=number, metavar="NUMBER", help=help)
    return click.option(name, type=click.Choice([*get_args(field.kind), NONE]), help=help)


def _named(field: DescribedField) -> str:
    return field.name.replace("_", "-")


set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="OPTION=VALUE",
    help="A message option, as in track_opens=true or tags='[\"a\"]'; an empty value takes it back.",
)

network_option = click.option(
    "--network",
    "networks",
    multiple=True,
    metavar="CIDR",
    help="Peers it may be used from; may be given several times; `any` lifts it.",
)

expires_option = click.option(
    "--expires", type=moment, metavar="WHEN", help="When it ends: 90d, 2030-01-31, or never."
)


def limits_said(old: Limits, given: dict[str, Any]) -> Limits | None:
    """Return *old* with the limits that were *given*, which are taken out of it; None when there are none."""
    names = [name for name in Limits.__struct_fields__ if name in given]
    said = {name: value for name in names if (value := given.pop(name)) is not None}
    for name, value in said.items():
        if value == NONE:
            said[name] = None
        elif name == "rate":
            said[name] = Rate(*value)
    return msgspec.structs.replace(old, **said) if said else None


def options_said(old: Options, settings: tuple[str, ...]) -> Options | None:
    """Return *old* with what `--set` says; None when it says nothing. Raises UsageError."""
    if not settings:
        return None
    said = dict(map(_setting, settings))
    try:
        return options_with(old, convert(said, OptionsBody, prefix="", strict=False))
    except HttpProblem as problem:
        raise click.UsageError(f"--set {problem}") from problem


def said_of(
    given: dict[str, Any], settings: tuple[str, ...], old: Account | Server | Stream | None = None
) -> dict[str, Any]:
    """Return the fields that a command was *given*; limits and message options as they become of those of *old*."""
    limits = limits_said(getattr(old, "limits", NO_LIMITS), given)
    options = options_said(NO_OPTIONS if old is None else old.options, settings)
    fields = {**given, "limits": limits, "options": options}
    return {name: value for name, value in fields.items() if value is not None}


def _setting(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--set {text}: write OPTION=VALUE, as in track_opens=true")
    if not value:
        return name, None
    try:
        return name, msgspec.json.decode(value)
    except msgspec.DecodeError:
        return name, value


def networks_said(networks: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the networks given, `any` as none at all; None when nothing is said."""
    if not networks:
        return None
    return tuple(network for network in networks if network != "any")


def expiry_said(expires: float | str | None) -> dict[str, float | None]:
    """Return the expiry as a field to be changed."""
    if expires is None:
        return {}
    return {"expires_at": None if isinstance(expires, str) else expires}


def changed(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that are given. Raises UsageError when there are none."""
    said = {name: value for name, value in fields.items() if value is not None}
    if not said:
        raise click.UsageError("nothing to change; say what, see --help")
    return said
