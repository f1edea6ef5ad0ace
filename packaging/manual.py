"""Make the man pages and the shell completions of the `angarium` command from the commands themselves.

    python packaging/manual.py FOLDER

writes FOLDER/man/man1/angarium.1, a page for each command (`man angarium-queue`), and the completions for bash, zsh and
fish where their packages look for them.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from angarium import __version__
from angarium.cli.main import SECTIONS, main

COMPLETIONS = {
    "bash": "bash-completion/completions/angarium",
    "zsh": "zsh/site-functions/_angarium",
    "fish": "fish/vendor_completions.d/angarium.fish",
}
VARIABLE = "_ANGARIUM_COMPLETE"


def escaped(text: str) -> str:
    """Return *text* as roff takes it: no line is a request, a hyphen stays one."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("`", "\\(ga")
    return re.sub(r"(?m)^([.'])", r"\\&\1", text)


def prose(text: str | None) -> Iterator[str]:
    """Yield the paragraphs of a help text. Behind a `\\b` lines stay as they are."""
    for paragraph in inspect.cleandoc(text or "").split("\n\n"):
        if paragraph.startswith("\b"):
            yield from (".PP", ".nf", escaped(paragraph.removeprefix("\b").strip("\n")), ".fi")
        elif paragraph.strip():
            yield from (".PP", escaped(" ".join(paragraph.split())))


def heading(name: str, what: str) -> Iterator[str]:
    """Yield the beginning of a page."""
    yield f'.TH "{escaped(name.upper())}" "1" "" "angarium {__version__}" "Angarium"'
    yield from (".SH NAME", escaped(f"{name} - {what}"))


def options_of(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield what the options of a command are."""
    for parameter in command.get_params(context):
        record = parameter.get_help_record(context)
        if record is not None and not getattr(parameter, "hidden", False):
            yield from (".TP", rf"\fB{escaped(record[0])}\fR", escaped(" ".join(record[1].split())))


def usage_of(command: click.Command, context: click.Context) -> str:
    """Return how a command is called."""
    pieces = " ".join(command.collect_usage_pieces(context))
    return rf"\fB{escaped(context.command_path)}\fR {escaped(pieces)}"


def commands_in(
    command: click.Command, context: click.Context
) -> Iterator[tuple[click.Command, click.Context]]:
    """Yield the commands of a group, those of its groups too."""
    if not isinstance(command, click.Group):
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        if inner is None or inner.hidden:
            continue
        below = click.Context(inner, info_name=name, parent=context)
        yield inner, below
        yield from commands_in(inner, below)


def page(command: click.Command, context: click.Context) -> str:
    """Return the page of a command, with those of its group."""
    lines = [*heading(context.command_path.replace(" ", "-"), command.get_short_help_str(200).rstrip("."))]
    lines += [".SH SYNOPSIS", usage_of(command, context), ".SH DESCRIPTION", *prose(command.help)]
    lines += [".SH OPTIONS", *options_of(command, context)]
    inner = list(commands_in(command, context))
    if inner:
        lines.append(".SH COMMANDS")
    for each, below in inner:
        lines += [f'.SS "{escaped(below.command_path)}"', usage_of(each, below), *prose(each.help)]
        lines += options_of(each, below)
    lines += [".SH SEE ALSO", r"\fBangarium\fR(1)"]
    return "\n".join(lines) + "\n"


def overview(context: click.Context) -> str:
    """Return the page that names all commands."""
    lines = [*heading("angarium", (main.help or "").splitlines()[0].rstrip(".").lower())]
    lines += [
        ".SH SYNOPSIS",
        r"\fBangarium\fR \fICOMMAND\fR [\fIOPTION\fR]...",
        ".SH DESCRIPTION",
        *prose(main.help),
    ]
    for title, names in SECTIONS.items():
        lines.append(f'.SH "{escaped(title.upper())}"')
        for name in names:
            command = main.get_command(context, name)
            assert command is not None
            lines += [".TP", rf"\fBangarium\-{escaped(name)}\fR(1)", escaped(command.get_short_help_str(200))]
    lines += [".SH FILES", ".TP", "/etc/angarium/angarium.conf", "The configuration of a service.", ".TP"]
    lines += ["/var/lib/angarium", "Its data: mail, identities, certificates."]
    lines += [".SH SEE ALSO", "The pages in /usr/share/doc/angarium, or in the folder docs of the source."]
    return "\n".join(lines) + "\n"


def completion(shell: str) -> str:
    """Return the script with which *shell* completes the command."""
    kind = get_completion_class(shell)
    assert kind is not None
    maker = kind(main, {}, "angarium", VARIABLE)
    return maker.source_template % maker.source_vars()


def write(path: Path, text: str) -> None:
    """Write a file, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def make(folder: Path) -> None:
    """Write all."""
    root = click.Context(main, info_name="angarium")
    write(folder / "man/man1/angarium.1", overview(root))
    for name in main.list_commands(root):
        command = main.get_command(root, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=root)
        write(folder / f"man/man1/angarium-{name}.1", page(command, context))
    for shell, place in COMPLETIONS.items():
        write(folder / place, completion(shell))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
