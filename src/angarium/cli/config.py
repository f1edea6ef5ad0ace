"""What the configuration says, and whether a file is good."""

import time
from collections.abc import Callable
from pathlib import Path

import click

from angarium.cli.options import data_option, finish, json_option
from angarium.cli.output import print_json
from angarium.cli.where import connect
from angarium.config.explain import check, evaluate, read_question, show_effective
from angarium.config.load import load_config
from angarium.config.model import Config
from angarium.config.problems import ConfigErrors, ConfigProblem
from angarium.core.descriptors import most_possible
from angarium.dns.resolver import ResolverConfigError, configured_servers
from angarium.node.conditions import around, needs_of
from angarium.tls.client.check import check_tls, tls_warnings
from angarium.tls.server.check import check_listeners

_config_option = click.option(
    "--config", type=click.Path(path_type=Path), help="Ask this file instead of the running node."
)


@click.group()
def config_command() -> None:
    """Check a configuration file, or ask which values are in force and who set them."""


@config_command.command("check")
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def check_command(file: Path, as_json: bool) -> None:
    """Read FILE and print every problem. Exit code 1 when there are any; warnings are printed and do not count."""

    def further(config: Config) -> list[ConfigProblem]:
        _raise_all(config, check_tls, check_listeners)
        return [*tls_warnings(config), *_around(file, config)]

    _answer(*check(file, further), as_json)


def _raise_all(config: Config, *checks: Callable[[Config, float], None]) -> None:
    """Raise ConfigErrors with what all *checks* find."""
    problems: list[ConfigProblem] = []
    for look in checks:
        try:
            look(config, time.time())
        except ConfigErrors as errors:
            problems += errors.problems
    if problems:
        raise ConfigErrors(problems)


def _around(file: Path, config: Config) -> list[ConfigProblem]:
    """Return what a node with *config* would find the matter with this machine."""
    options, note = config.globals, ""
    try:
        configured_servers(options)
    except ResolverConfigError as error:
        note = f"no name server: {error}; mail that needs DNS waits"
    found = around(options.hostname, most_possible(), needs_of(config), note)
    return [ConfigProblem(str(file), 0, 0, each.text, f"{each.advice} ({each.doc})") for each in found]


@config_command.command("eval")
@click.argument("words", nargs=-1, required=True, metavar="[SCOPE NAME]... OPTION")
@_config_option
@data_option
@json_option
def eval_command(words: tuple[str, ...], config: Path | None, data: Path | None, as_json: bool) -> None:
    """Say which value OPTION has, and which file and line set it.

    SCOPE is one of binding_group, binding, domain, host, listener, listen, peer, as in
    `angarium config eval binding warm domain example.com Max_Outbound_Connections`.
    """
    if config is None:
        with connect(data) as client:
            answer = client.call("config_eval", {"words": words}, kind=dict)
        _answer(answer["ok"], answer["text"], answer["record"], as_json)
        return
    question = read_question(words)
    _answer(*evaluate(load_config(config), question), as_json)


@config_command.command("show")
@click.option(
    "--effective", is_flag=True, help="Show options that nobody has set as well, with their defaults."
)
@_config_option
@data_option
@json_option
def show_command(effective: bool, config: Path | None, data: Path | None, as_json: bool) -> None:
    """Write the configuration as one file, every line with the place that set it."""
    if config is None:
        with connect(data) as client:
            answer = client.call("config_show", {"defaults": effective}, kind=dict)
        _answer(answer["ok"], answer["text"], answer["record"], as_json)
        return
    _answer(*show_effective(load_config(config), defaults=effective), as_json)


def _answer(ok: bool, text: str, record: object, as_json: bool) -> None:
    if as_json:
        print_json(record)
    else:
        click.echo(text)
    finish(ok)
