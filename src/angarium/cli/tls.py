"""Which certificates the listeners show, for which names, and until when."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec

from angarium.cli.client import NoNode
from angarium.cli.identity.store import StorePlace, in_use
from angarium.cli.options import config_option, data_option, finish, found_data_option, json_option
from angarium.cli.output import amount, print_json, print_lines, print_table
from angarium.cli.tables import Column, Row, Toned, clean
from angarium.cli.times import span, when
from angarium.cli.trusting import TRUSTING, how_to_trust
from angarium.cli.where import SeveralNodes, connect
from angarium.config.load import load_config
from angarium.config.model import Config
from angarium.config.stanza_names import listen_address
from angarium.tls.certificate import TlsProblem, read_certificate
from angarium.tls.server.contexts import Pair, Socket, TlsPlan, make_context, socket_plan, sockets_of
from angarium.tls.server.install import install_pair
from angarium.tls.server.own import own_pair

_COLUMNS = (
    Column("LISTENER", flexible=True),
    Column("LISTEN"),
    Column("TLS"),
    Column("CERTIFICATE", flexible=True),
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
@found_data_option
@json_option
def show_command(config: Path | None, data: Path | None, as_json: bool) -> None:
    """Show the certificates in the files that the configuration names. Exit code 1 when one is of no use."""
    question = _question(StorePlace(config, data))
    found = _all_shown(question)
    if as_json:
        print_json(found)
    else:
        print_table(_COLUMNS, [_row(shown, question.now) for shown in found])
    finish(not any(shown.problem for shown in found))


class TrustLines(msgspec.Struct, frozen=True):
    """A certificate that clients must be told to trust: what to paste, by the kind of program. *names* are the hosts it
    is for, none for an authority's.
    """

    certificate: str
    names: tuple[str, ...]
    fingerprint: str
    not_after: float
    programs: dict[str, tuple[str, ...]]


@tls_command.command("trust")
@click.option(
    "--for",
    "program",
    type=click.Choice(list(TRUSTING), case_sensitive=False),
    help="Only for programs of this kind.",
)
@click.option(
    "--ca",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The certificate of your own authority, where that has issued what the listeners show.",
)
@config_option("Configuration file.")
@found_data_option
@json_option
def trust_command(
    program: str | None, ca: Path | None, config: Path | None, data: Path | None, as_json: bool
) -> None:
    """Print the lines that make programs trust a certificate that no public authority has issued.

    Exit code 1 when there is no such certificate.
    """
    question = _question(StorePlace(config, data))
    shown = _all_shown(question)
    files = [ca] if ca is not None else _self_signed(shown)
    kinds = list(TRUSTING) if program is None else [program]
    trusts = [_trust(file, _url(question, file, shown), kinds) for file in files]
    if as_json:
        print_json(trusts)
    else:
        for trust in trusts:
            _print_trust(trust, question.now)
        if not trusts:
            click.echo(
                "No listener shows a certificate that is signed by itself. For one of your own authority: --ca"
            )
    finish(bool(trusts))


@tls_command.command("install")
@click.argument("certificate", type=click.Path(path_type=Path))
@click.argument("key", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "target",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="What TLS_Certificate names, without TLS_Key; it is made the file of its folder's owner.",
)
@data_option
@json_option
def install_command(certificate: Path, key: Path, target: Path, data: Path | None, as_json: bool) -> None:
    """Put the chain CERTIFICATE and its KEY into one file, and have a running node read it at once.

    For the hooks of certbot, acme.sh and their like. A pair that is of no use is refused, and the file stays as it is.
    Exit code 1 then, and when the node goes on with what it has.
    """
    installed = install_pair(Pair(certificate, key), target, time.time())
    is_read = _have_it_read(data)
    if as_json:
        print_json({"file": str(target), "not_after": installed.not_after, "read_by_node": is_read})
        return
    when_read = "the node has read it" if is_read else "no node runs: it is read at the next start"
    names = ", ".join(installed.names)
    print_lines([f"{target} is for {names}, until {when(installed.not_after, time.time())}; {when_read}"])


def _have_it_read(data: Path | None) -> bool:
    """Have the running node read its configuration and certificates; False: none runs."""
    try:
        client = connect(data)
    except SeveralNodes:
        raise
    except NoNode:
        return False
    with client:
        client.call("reload", kind=dict)
    return True


def _self_signed(found: list[Shown]) -> list[Path]:
    files = [one.certificate for one in found if one.subject and one.subject == one.issuer]
    return [Path(file) for file in dict.fromkeys(files)]


def _url(question: _Question, file: Path, found: list[Shown]) -> str:
    """Return where a socket can be reached that shows the certificate in *file*, by a name that it may have."""
    usual = [one for one in found if one.certificate == str(file)] or found
    one = min(usual, key=lambda one: one.begins != "STARTTLS")
    address = listen_address(one.listen)
    is_here = address.host.startswith("127.") or address.host == "::1"
    scheme = "smtp" if one.begins == "STARTTLS" else "smtps"
    return f"{scheme}://{'localhost' if is_here else question.config.globals.hostname}:{address.port}"


def _trust(file: Path, url: str, kinds: list[str]) -> TrustLines:
    certificate = read_certificate(file)
    how = how_to_trust(str(file.absolute()), url)
    lines = {kind: how[kind] for kind in kinds}
    names = () if certificate.is_authority else certificate.names
    return TrustLines(str(file), names, certificate.fingerprint, certificate.not_after, lines)


def _print_trust(trust: TrustLines, now: float) -> None:
    what = f"for {', '.join(trust.names)}" if trust.names else "an authority's"
    how = " They must connect by one of its names." if trust.names else ""
    print_lines(
        [
            f"{trust.certificate}, until {when(trust.not_after, now)}, {what}",
            f"SHA-256 {trust.fingerprint}",
            f"It is no secret: copy it to the clients' machines.{how}",
        ]
    )
    for kind, lines in trust.programs.items():
        print_lines(["", Toned(f"{kind}: {TRUSTING[kind].note}", "bright")])
        for line in lines:  # whole, however wide the terminal is: they are pasted
            click.echo(f"  {clean(line)}")


def _question(place: StorePlace) -> _Question:
    place = in_use(place)
    loaded = load_config(place.config)
    folder = (place.data or loaded.globals.data_directory).absolute()
    return _Question(loaded, own_pair(folder), time.time())


def _all_shown(question: _Question) -> list[Shown]:
    return [shown for socket in sockets_of(question.config) for shown in _of_socket(question, socket)]


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
