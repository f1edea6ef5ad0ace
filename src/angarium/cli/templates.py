"""Templates in files: whether they are good, and what they make of some data."""

from pathlib import Path
from typing import Any, get_args

import click
import msgspec

from angarium.cli.options import Failure, json_option
from angarium.cli.output import print_json, print_lines
from angarium.core.fields import Language
from angarium.render.languages.compiled import (
    MustachioTemplate,
    Template,
    TemplateSurroundings,
    compile_template,
)
from angarium.render.languages.escaping import Context
from angarium.render.languages.mustachio.suggested import suggested_model
from angarium.render.languages.output import LONGEST
from angarium.render.languages.problem import TemplateFailure, TemplateProblem, TemplateProblems

_CONTEXTS: dict[str, Context] = {".html": "html", ".htm": "html"}

language_option = click.option(
    "--language",
    type=click.Choice(get_args(Language)),
    default="mustachio",
    show_default=True,
    help="mustachio is Postmark's, substitution SparkPost's and Momentum's, smarty SMTPeter's.",
)
context_option = click.option(
    "--as",
    "context",
    type=click.Choice(get_args(Context)),
    help="What it makes: an HTML part, a text part, or the value of a header field. By default html for"
    " FILE.html, else text.",
)
strict_option = click.option("--strict", is_flag=True, help="Fail for a value that is not in the data.")
file_argument = click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))


@click.group()
def templates_command() -> None:
    """Manage templates; and try some in files: what is wrong with one, what it makes of some data."""


@templates_command.command("render")
@file_argument
@click.option(
    "--data",
    "data_file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    help="JSON object that has the recipient's values; none by default.",
)
@language_option
@context_option
@strict_option
@json_option
def render_command(
    file: Path,
    data_file: Path | None,
    language: Language,
    context: Context | None,
    strict: bool,
    as_json: bool,
) -> None:
    """Print what the template in FILE (- for standard input) makes of the values in --data."""
    template = _compiled(file, language, context, strict, as_json)
    data = read_data(data_file) if data_file else {}
    try:
        rendered = template.render(data, TemplateSurroundings(shared=data))
    except TemplateFailure as failure:
        raise Failure(f"{file}: {failure}") from failure
    if as_json:
        print_json({"rendered": rendered, "warnings": [_record(warning) for warning in template.warnings]})
        return
    for warning in template.warnings:
        click.echo(f"{file}: {warning}", err=True)
    click.echo(rendered, nl=not rendered.endswith("\n"))


@templates_command.command("check")
@file_argument
@language_option
@context_option
@json_option
def check_command(file: Path, language: Language, context: Context | None, as_json: bool) -> None:
    """Say what is wrong with the template in FILE (- for standard input); with --json also, for mustachio, which
    values it asks for.
    """
    template = _compiled(file, language, context, False, as_json)
    if as_json:
        found: dict[str, Any] = {"problems": [], "warnings": [_record(each) for each in template.warnings]}
        if isinstance(template, MustachioTemplate):
            found["suggested_model"] = suggested_model(template.nodes)
        print_json(found)
        return
    print_lines([f"{file}: {warning}" for warning in template.warnings] or ["no problems"])


def _compiled(
    file: Path, language: Language, context: Context | None, strict: bool, as_json: bool
) -> Template:
    text = _read(file).decode("utf-8", "replace")
    made = context or _CONTEXTS.get(file.suffix.lower(), "text")
    try:
        return compile_template(language, text, made, is_strict=strict)
    except TemplateProblems as problems:
        if as_json:
            print_json({"problems": [_record(problem) for problem in problems.problems], "warnings": []})
            raise SystemExit(1) from problems
        raise Failure("\n".join(f"{file}: {problem}" for problem in problems.problems)) from problems


def _read(file: Path) -> bytes:
    """Return what is in *file*, up to what a template may be: a character takes four bytes at most."""
    try:
        with click.open_file(str(file), "rb") as opened:
            found: bytes = opened.read(4 * LONGEST + 4)
            return found
    except OSError as error:
        raise Failure(f"{file} cannot be read: {(error.strerror or str(error)).lower()}") from error


def read_data(file: Path) -> dict[str, Any]:
    """Return the object in a JSON file. Raises Failure."""
    try:
        data = msgspec.json.decode(_read(file))
    except msgspec.DecodeError as error:
        raise Failure(f"{file} is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise Failure(f'{file} has to hold an object: write {{"name": "value"}}')
    return data


def _record(problem: TemplateProblem) -> dict[str, Any]:
    line, column = problem.place
    return {
        "line": line,
        "column": column,
        "problem": problem.problem,
        "hint": problem.hint,
        "near": problem.near,
    }
