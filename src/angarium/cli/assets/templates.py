"""Templates that are kept: looked at, saved from files, published, taken out into files and back."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
import msgspec

from angarium.assets.templates.preview import preview
from angarium.assets.templates.records import MissingRule, StoredTemplate, TemplateContent, TemplateKind
from angarium.cli.assets.folder import folders_in, read_folder, write_folder
from angarium.cli.identity.options import yes_option
from angarium.cli.identity.pick import pick_account, pick_server
from angarium.cli.identity.store import (
    Opened,
    StorePlace,
    confirm,
    everything,
    open_store,
    say,
    store_options,
)
from angarium.cli.options import Failure
from angarium.cli.output import amount, print_json, print_lines, print_table
from angarium.cli.tables import Column, Row
from angarium.cli.templates import read_data, templates_command
from angarium.core.fields import Language, NamedMailbox
from angarium.sql.errors import NotFound

if TYPE_CHECKING:  # see cli.identity.store
    from angarium.assets.store.templates import SavedTemplate

__all__ = ["templates_command"]

_COLUMNS = (
    Column("ID", numeric=True),
    Column("ALIAS", flexible=True),
    Column("NAME", flexible=True),
    Column("KIND"),
    Column("LANGUAGE"),
    Column("SERVER", numeric=True, yields=True),
    Column("PUBLISHED", numeric=True),
    Column("DRAFT", numeric=True),
)
_account = click.option("--account", help="Whose; id or name; needed when there are several.")
_server = click.option("--server", help="A server's own; id or name.  [default: the account's]")
_file = click.Path(path_type=Path, dir_okay=False, exists=True)
_folder = click.Path(path_type=Path, file_okay=False)


@templates_command.command("list")
@click.option("--account", help="Only of this account; id or name.")
@store_options
def list_command(account: str | None, place: StorePlace, as_json: bool) -> None:
    """List the templates that are kept."""
    with open_store(place) as opened:
        owner = pick_account(opened.store, account).id if account is not None else None
        found = list(everything(lambda **page: opened.store.templates.page(owner, **page)))
    if as_json:
        print_json(found)
    else:
        print_table(_COLUMNS, [_row(each) for each in found])


@templates_command.command("show")
@click.argument("name")
@_account
@click.option("--draft/--published", default=None, help="Which version.  [default: the newest]")
@store_options
def show_command(
    name: str, account: str | None, draft: bool | None, place: StorePlace, as_json: bool
) -> None:
    """Show the template with the id or alias NAME, with what it says."""
    with open_store(place) as opened:
        template = _pick(opened, name, account)
        version = opened.store.templates.version(template.id, draft=draft)
    said = {"version": version.number, "is_draft": version.is_draft, "content": version.content}
    if as_json:
        print_json({**msgspec.to_builtins(template), **msgspec.to_builtins(said)})
        return
    which = "draft" if version.is_draft else "published"
    print_lines(
        [f"template {template.id} {template.alias or '(no alias)'}, version {version.number} ({which})"]
    )
    shown = msgspec.to_builtins(version.content)
    print_lines(
        [f"{field}: {value}" for field, value in shown.items() if field not in ("text", "html", "amp")]
    )
    for part in ("text", "html", "amp"):
        if part in shown and shown[part] is not None:
            print_lines([f"-- {part} --"])
            print_lines(shown[part].splitlines())


@templates_command.command("save")
@click.argument("alias")
@click.option("--name", help="What people call it.  [default: the alias]")
@click.option("--subject", help="The subject.")
@click.option("--from", "author", metavar="ADDRESS", help="The author's address.")
@click.option("--html", type=_file, help="File of the HTML part.")
@click.option("--text", type=_file, help="File of the text part.")
@click.option("--language", type=click.Choice(get_args(Language)), help="Its language.  [default: mustachio]")
@click.option("--kind", type=click.Choice(get_args(TemplateKind)), default="standard", help="Of a new one.")
@click.option("--layout", metavar="NAME", help="The layout that is put around; empty: none.")
@click.option("--missing", type=click.Choice(get_args(MissingRule)), help="What becomes of missing values.")
@click.option("--variables", type=_file, help="JSON file with an example of the data.")
@click.option("--publish", is_flag=True, help="Have mail made of it at once.")
@_account
@_server
@store_options
def save_command(
    alias: str,
    name: str | None,
    kind: TemplateKind,
    publish: bool,
    account: str | None,
    server: str | None,
    place: StorePlace,
    as_json: bool,
    **given: Any,
) -> None:
    """Make the template ALIAS, or change what is said of it; the rest stays as it was."""
    with open_store(place) as opened:
        owner = pick_account(opened.store, account).id
        fields = _content(opened, owner, {key: value for key, value in given.items() if value is not None})
        found = _existing(opened, owner, alias)
        if found is not None:
            named = {"name": name} if name is not None else {}
            saved = opened.store.templates.change(
                found.id, publish=publish, actor=opened.actor, **named, **fields
            )
        else:
            content = TemplateContent(**fields)
            at = pick_server(opened.store, server, owner).id if server is not None else None
            saved = opened.store.templates.create(
                owner,
                name or alias,
                content,
                server=at,
                kind=kind,
                publish=publish,
                actor=opened.actor,
                alias=alias,
            )
    _tell(saved, as_json)


@templates_command.command("publish")
@click.argument("name")
@_account
@store_options
def publish_command(name: str, account: str | None, place: StorePlace, as_json: bool) -> None:
    """Have mail made of the draft of template NAME from now on."""
    with open_store(place) as opened:
        template = _pick(opened, name, account)
        made = opened.store.templates.publish(template.id, actor=opened.actor)
    say(f"template {name} published: version {made.published}", as_json, made)


@templates_command.command("delete")
@click.argument("name")
@_account
@yes_option
@store_options
def delete_command(name: str, account: str | None, yes: bool, place: StorePlace, as_json: bool) -> None:
    """Delete template NAME; a layout only when it is put around nothing."""
    with open_store(place) as opened:
        template = _pick(opened, name, account)
        confirm(f"Template {template.id} {template.name!r} will be deleted.", yes or as_json)
        opened.store.templates.delete(template.id, actor=opened.actor)
    say(f"template {name} deleted", as_json, {"deleted": template.id})


@templates_command.command("preview")
@click.argument("name")
@click.option("--values", type=_file, help="JSON object with values, over the template's variables.")
@click.option("--draft", is_flag=True, help="The newest version instead of what is published.")
@_account
@store_options
def preview_command(
    name: str, values: Path | None, draft: bool, account: str | None, place: StorePlace, as_json: bool
) -> None:
    """Print what template NAME makes of --values. Exit code 1 when a part fails."""
    data = read_data(values) if values else {}
    with open_store(place) as opened:
        template = _pick(opened, name, account)
        which = None if draft else False
        version = opened.store.templates.version(template.id, draft=which)
        ready = opened.store.ready_templates.of(template, draft=which)
    shown = preview(ready, {**version.content.variables, **data})
    if as_json:
        print_json(shown)
    else:
        print_lines([f"Subject: {shown.subject}"])
        for part in ("text", "html", "amp"):
            if (text := getattr(shown, part)) is not None:
                print_lines([f"-- {part} --", *text.splitlines()])
    if shown.failures:
        raise Failure("; ".join(f"{part}: {why}" for part, why in shown.failures.items()))


@templates_command.command("pull")
@click.argument("folder", type=_folder)
@_account
@store_options
def pull_command(folder: Path, account: str | None, place: StorePlace, as_json: bool) -> None:
    """Write the newest versions of all templates with an alias into FOLDER, a folder each."""
    with open_store(place) as opened:
        owner, store = pick_account(opened.store, account).id, opened.store.templates
        found = [each for each in everything(lambda **page: store.page(owner, **page)) if each.alias]
        for each in found:
            content = store.version(each.id).content
            layout = store.get(content.layout).alias if content.layout is not None else ""
            write_folder(folder / each.alias, each, content, layout)
    say(f"{amount(len(found), 'template')} written to {folder}", as_json, {"pulled": len(found)})


@templates_command.command("push")
@click.argument("folder", type=_folder)
@click.option("--publish/--draft", default=True, show_default=True, help="Have mail made of them at once.")
@click.option("--dry-run", is_flag=True, help="Say what would be made and changed; change nothing.")
@_account
@store_options
def push_command(
    folder: Path, publish: bool, dry_run: bool, account: str | None, place: StorePlace, as_json: bool
) -> None:
    """Save all templates in FOLDER, as `pull` writes them, by their aliases; layouts first."""
    read = [(path.name, *read_folder(path)) for path in folders_in(folder)]
    read.sort(key=lambda each: each[1].kind != "layout")
    done: list[dict[str, str]] = []
    with open_store(place) as opened:
        owner, store = pick_account(opened.store, account).id, opened.store.templates
        for alias, meta, parts in read:
            found = _existing(opened, owner, alias)
            done.append({"alias": alias, "action": "create" if found is None else "change"})
            if dry_run:
                continue
            layout = store.named(owner, meta.layout).id if meta.layout else None
            content = msgspec.structs.replace(meta.content, layout=layout, **parts)
            if found is None:
                store.create(
                    owner,
                    meta.name,
                    content,
                    kind=meta.kind,
                    publish=publish,
                    actor=opened.actor,
                    alias=alias,
                    description=meta.description,
                )
            else:
                fields: dict[str, Any] = {name: getattr(content, name) for name in content.__struct_fields__}
                fields |= {"name": meta.name, "description": meta.description}
                store.change(found.id, publish=publish, actor=opened.actor, **fields)
    if as_json:
        print_json({"dry_run": dry_run, "templates": done})
    else:
        would = "would be " if dry_run else ""
        print_lines(
            [f"{each['alias']} {would}{each['action']}d" for each in done] or [f"no templates in {folder}"]
        )


def _content(opened: Opened, owner: int, given: dict[str, Any]) -> dict[str, Any]:
    fields = dict(given)
    for part in ("html", "text"):
        if part in fields:
            fields[part] = fields[part].read_bytes().decode("utf-8", "replace")
    if "author" in fields:
        fields["author"] = NamedMailbox(fields["author"])
    if "variables" in fields:
        fields["variables"] = read_data(fields["variables"])
    if "layout" in fields:
        name = fields["layout"]
        fields["layout"] = opened.store.templates.named(owner, name).id if name else None
    return fields


def _existing(opened: Opened, owner: int, alias: str) -> StoredTemplate | None:
    try:
        return opened.store.templates.named(owner, alias)
    except NotFound:
        return None


def _pick(opened: Opened, name: str, account: str | None) -> StoredTemplate:
    if name.isascii() and name.isdecimal():
        return opened.store.templates.get(int(name))
    return opened.store.templates.named(pick_account(opened.store, account).id, name)


def _tell(saved: "SavedTemplate", as_json: bool) -> None:
    template, warnings = saved
    if not as_json:
        for warning in warnings:
            click.echo(f"angarium: {warning}", err=True)
    state = (
        f"published, version {template.published}" if template.draft is None else f"draft {template.draft}"
    )
    say(f"template {template.alias or template.id} saved: {state}", as_json, template)


def _row(template: StoredTemplate) -> Row:
    numbers = (
        "-" if each is None else str(each) for each in (template.server, template.published, template.draft)
    )
    server, published, draft = numbers
    cells = [str(template.id), template.alias or "-", template.name, template.kind, template.language]
    return Row([*cells, server, published, draft])
