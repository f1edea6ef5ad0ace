"""Which certificates the listeners show, for which names, and until when."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from angarium.cli.identity.store import StorePlace, in_use
from angarium.cli.options import config_option, configured_data_option, finish, json_option
from angarium.cli.output import amount, print_json, print_table
from angarium.cli.tables import Column, Row
from angarium.cli.times import span, when
from angarium.config.load import load_config
from angarium.config.model import Config
from angarium.tls.certificate import TlsProblem, read_certificate
from angarium.tls.server.contexts import Pair, Socket, TlsPlan, make_context, socket_plan, sockets_of
from angarium.tls.server.own import own_pair

_COLUMNS = (
    Column("LISTENER"),
    Column("LISTEN"),
    Column("TLS"),
    Column("CERTIFICATE"),
    Column("ENDS"),
    Column("LEFT", numeric=True),
)


class Shown(msgspec.Struct, frozen=True):
    """One certificate of one socket. Times in seconds of Unix time; *problem* is empty when all is well."""

    listener: str
    listen: str
    begins: str
    certificate: str
    key: str = ""
    own: bool = False
    subject: str = ""
    issuer: str = ""
    names: tuple[str, ...] = ()
    key_kind: str = ""
    chain: int = 0
    fingerprint: str = ""
    not_before: float | None = None
    not_after: float | None = None
    expired: bool = False
    client_certificates: str = "none"
    problem: str = ""


class _Question(NamedTuple):
    config: Config
    own: Pair
    now: float


@click.group()
def tls_command() -> None:
    """Look at the certificates of the SMTP listeners."""


@tls_command.command("show")
@config_option("Configuration file.")
@configured_data_option
@json_option
def show_command(config: Path | None, data: Path | None, as_json: bool) -> None:
    """Show the certificates in the files that the configuration names. Exit code 1 when one is of no use."""
    place = in_use(StorePlace(config, data))
    loaded = load_config(place.config)
    folder = (place.data or loaded.globals.data_directory).absolute()
    question = _Question(loaded, own_pair(folder), time.time())
    found = [shown for socket in sockets_of(loaded) for shown in _of_socket(question, socket)]
    if as_json:
        print_json(found)
    else:
        print_table(_COLUMNS, [_row(shown, question.now) for shown in found])
    finish(not any(shown.problem for shown in found))


def _of_socket(question: _Question, socket: Socket) -> list[Shown]:
    listener, listen = socket
    implicit = question.config.listen_options(listener, listen).use_ssl
    common: dict[str, Any] = {
        "listener": listener,
        "listen": listen,
        "begins": "at once" if implicit else "STARTTLS",
    }
    try:
        plan = socket_plan(question.config, socket, question.own)
    except TlsProblem as problem:
        return [Shown(**common, certificate="", problem=str(problem))]
    return [_of_pair(question, plan, pair, common) for pair in plan.pairs]


def _of_pair(question: _Question, plan: TlsPlan, pair: Pair, common: dict[str, Any]) -> Shown:
    key, own = str(pair.key or pair.certificate), pair == question.own
    common = common | {"certificate": str(pair.certificate), "key": key, "own": own}
    if own and not pair.certificate.exists():
        return Shown(**common, problem="not made yet: the node makes it when it starts")
    try:
        certificate = read_certificate(pair.certificate)
        make_context(plan._replace(pairs=(pair,)))
    except TlsProblem as problem:
        return Shown(**common, problem=str(problem))
    expired = certificate.is_expired(question.now)
    return Shown(
        **common,
        subject=certificate.subject,
        issuer=certificate.issuer,
        names=certificate.names,
        key_kind=certificate.key,
        chain=certificate.chain,
        fingerprint=certificate.fingerprint,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        expired=expired,
        client_certificates=plan.verify_mode,
        problem="expired: clients that check it turn away; put a new one in its place" if expired else "",
    )


def _row(shown: Shown, now: float) -> Row:
    left = span(shown.not_after - now) if shown.not_after is not None and not shown.expired else "-"
    cells = (shown.listener, shown.listen, shown.begins, shown.certificate, when(shown.not_after, now), left)
    return Row(cells, [detail for detail in _details(shown) if detail])


def _details(shown: Shown) -> list[str]:
    if shown.not_after is None:
        return [f"problem: {shown.problem}"]
    issuer = "signed by itself" if shown.subject == shown.issuer else f"issued by {shown.issuer}"
    asks = f"clients are asked for certificates ({shown.client_certificates})"
    return [
        f"problem: {shown.problem}" if shown.problem else "",
        f"for {', '.join(shown.names)}",
        f"{shown.key_kind}, {issuer}, {amount(shown.chain, 'certificate')} in the file",
        f"SHA-256 {shown.fingerprint}",
        asks if shown.client_certificates != "none" else "",
    ]
