"""The pages of the documentation about the commands, from the commands themselves."""

import inspect
from collections.abc import Iterator

import click

from angarium.documentation.page import DocSource

_HELP = ["-h", "--help"]


def command_pages(main: click.Group) -> Iterator[DocSource]:
    """Give a page for each command below *main*, those of groups too."""
    return _below(main, click.Context(main, info_name="angarium", help_option_names=_HELP))


def _below(group: click.Group, context: click.Context) -> Iterator[DocSource]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context, help_option_names=_HELP)
        yield DocSource(_page(inner.command_path), "\n".join(_lines(command, inner)), "command")
        if isinstance(command, click.Group):
            yield from _below(command, inner)


def _page(path: str) -> str:
    return f"commands/{path.replace(' ', '-')}"


def _lines(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"# `{context.command_path}`\n"
    yield f"```\n{context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield from _paragraphs(command.help or "")
    records = [each.get_help_record(context) for each in command.get_params(context)]
    if any(records):
        yield "## Options\n\n| | |\n|---|---|"
        yield from (f"| `{record[0]}` | {_cell(record[1])} |" for record in records if record)
    if isinstance(command, click.Group):
        yield from _commands(command, context)


def _commands(group: click.Group, context: click.Context) -> Iterator[str]:
    yield "\n## Commands\n"
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not command.hidden:
            file = _page(f"{context.command_path} {name}").removeprefix("commands/")
            yield f"- [`{name}`]({file}.md) {command.get_short_help_str(100)}"


def _paragraphs(text: str) -> Iterator[str]:
    """Give the paragraphs of a help text. Behind a `\\b` lines stay as they are."""
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        if paragraph.startswith("\b"):
            yield f"```\n{paragraph.removeprefix(chr(8)).strip(chr(10))}\n```\n"
        else:
            yield f"{' '.join(paragraph.split())}\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
