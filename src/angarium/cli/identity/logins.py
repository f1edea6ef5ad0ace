"""Managing what applications send with by SMTP: server tokens, SMTP tokens and SMTP logins."""

from typing import Any

import click

from angarium.cli.identity.credentials import add_common, change, show_secret
from angarium.cli.identity.options import (
    changed,
    expires_option,
    expiry_said,
    network_option,
    networks_said,
    options_said,
    set_option,
)
from angarium.cli.identity.pick import pick_credential, pick_server
from angarium.cli.identity.store import StorePlace, open_store, store_options
from angarium.core.options import NO_OPTIONS
from angarium.identity.records import Kind

_TOKENS: tuple[Kind, ...] = ("server_token", "smtp_token")
_LOGINS: tuple[Kind, ...] = ("smtp_login",)

_server_option = click.option("--server", help="Whose; id or name; needed when there are several.")
_challenge_option = click.option(
    "--challenge",
    is_flag=True,
    help="Allow CRAM-MD5 and DIGEST-MD5 too; its secret is then kept, encrypted.",
)
_SETS = (
    "Switches and more, as in track_opens=true, track_links=all, track_bounces=true, inline_css=true, "
    "host_images=true, prevent_scam=true, binding=NAME; an empty value takes it back."
)
_login_set_option = click.option("--set", "settings", multiple=True, metavar="OPTION=VALUE", help=_SETS)


@click.group()
def tokens_command() -> None:
    """Manage the tokens of servers: server tokens, and SMTP tokens, which are for one stream."""


@tokens_command.command("create")
@click.option("--label", default="", help="What it is for.")
@click.option("--stream", help="Make an SMTP token for this stream.")
@_server_option
@_challenge_option
@network_option
@expires_option
@store_options
def create_token_command(
    label: str,
    stream: str | None,
    server: str | None,
    challenge: bool,
    networks: tuple[str, ...],
    expires: float | str | None,
    place: StorePlace,
    as_json: bool,
) -> None:
    """Make a server token, or an SMTP token with --stream, and show it, the only time."""
    given: dict[str, Any] = {
        "label": label,
        "challenge": challenge,
        "networks": networks_said(networks) or (),
        **expiry_said(expires),
    }
    with open_store(place) as opened:
        store, owner = opened.store, pick_server(opened.store, server).id
        if stream is None:
            made, secret = store.credentials.create_server_token(owner, actor=opened.actor, **given)
        else:
            made, secret = store.credentials.create_smtp_token(owner, stream, actor=opened.actor, **given)
    show_secret(made, secret, "token", as_json)


@tokens_command.command("change")
@click.argument("token", metavar="ID")
@click.option("--label", help="A new label.")
@network_option
@expires_option
@set_option
@store_options
def change_token_command(token: str, **given: Any) -> None:
    """Change a token."""
    _change(token, _TOKENS, "token", **given)


@click.group()
def logins_command() -> None:
    """Manage SMTP logins: generated user names and passwords, each with switches of its own."""


@logins_command.command("create")
@click.argument("label")
@click.option("--stream", help="The stream that it sends by.")
@_server_option
@_challenge_option
@_login_set_option
@network_option
@expires_option
@store_options
def create_login_command(
    label: str,
    stream: str | None,
    server: str | None,
    challenge: bool,
    settings: tuple[str, ...],
    networks: tuple[str, ...],
    expires: float | str | None,
    place: StorePlace,
    as_json: bool,
) -> None:
    """Make an SMTP login and show its user name and password, the only time."""
    options = options_said(NO_OPTIONS, settings) or NO_OPTIONS
    with open_store(place) as opened:
        made, secret = opened.store.credentials.create_smtp_login(
            pick_server(opened.store, server).id,
            label,
            stream=stream,
            options=options,
            challenge=challenge,
            networks=networks_said(networks) or (),
            actor=opened.actor,
            **expiry_said(expires),
        )
    show_secret(made, secret, "login", as_json)


@logins_command.command("change")
@click.argument("login", metavar="ID")
@click.option("--label", help="A new label.")
@click.option("--stream", help="The stream that it sends by; `any` frees it.")
@click.option(
    "--no-challenge", is_flag=True, help="No CRAM-MD5 and DIGEST-MD5 any more; its secret is forgotten."
)
@_login_set_option
@network_option
@expires_option
@store_options
def change_login_command(login: str, **given: Any) -> None:
    """Change an SMTP login."""
    _change(login, _LOGINS, "login", **given)


def _change(
    wanted: str,
    kinds: tuple[Kind, ...],
    noun: str,
    *,
    label: str | None,
    settings: tuple[str, ...],
    networks: tuple[str, ...],
    expires: float | str | None,
    place: StorePlace,
    as_json: bool,
    stream: str | None = None,
    no_challenge: bool = False,
) -> None:
    with open_store(place) as opened:
        old = pick_credential(opened.store, wanted, kinds, noun)
    fields = {
        "label": label,
        "options": options_said(old.options, settings),
        "networks": networks_said(networks),
    }
    said: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
    said |= expiry_said(expires)
    if stream is not None:
        said["stream"] = None if stream == "any" else stream
    if no_challenge:
        said["challenge"] = False
    change(str(old.id), kinds, noun, said or changed(fields), "changed", place, as_json)


add_common(tokens_command, "token", _TOKENS)
add_common(logins_command, "login", _LOGINS)
