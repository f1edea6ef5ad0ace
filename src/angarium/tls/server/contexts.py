"""TLS of the listeners: from options and files to contexts, and which certificate a client is shown."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, NoReturn

from angarium.config.model import Config
from angarium.config.records import InboundOptions
from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.tls.certificate import Certificate, TlsProblem, holds_for, read_certificate

Socket = tuple[str, str]
"""Name of a listener and of its `Listen` stanza."""

_VERSIONS = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_VERIFY = {"none": ssl.CERT_NONE, "request": ssl.CERT_OPTIONAL, "require": ssl.CERT_REQUIRED}


class Pair(NamedTuple):
    """A certificate chain and its private key; None: the key is in the same file."""

    certificate: Path
    key: Path | None


class TlsPlan(NamedTuple):
    """All that a context is made of. Equal plans need one context."""

    pairs: tuple[Pair, ...]
    client_ca: Path | None
    verify_mode: str
    protocols: tuple[str, ...]
    ciphers: str | None

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that it reads."""
        own = [path for pair in self.pairs for path in pair if path is not None]
        return (*own, self.client_ca) if self.client_ca is not None else tuple(own)


def plan_of(options: InboundOptions, own: Pair) -> TlsPlan:
    """Return the plan of a socket; *own* stands in where no certificate is configured. Raises TlsProblem."""
    certificates, keys = options.tls_certificate, options.tls_key
    if keys and len(keys) != len(certificates):
        raise TlsProblem(
            f"TLS_Key names {len(keys)} and TLS_Certificate {len(certificates)} files; name one key for each "
            "certificate, in the same order, or put the keys into the certificates' files"
        )
    if options.tls_verify_mode != "none" and options.tls_client_ca is None:
        raise TlsProblem(
            f"TLS_Verify_Mode = {options.tls_verify_mode} needs TLS_Client_CA; name the file of the authorities "
            "whose client certificates are believed"
        )
    pairs = tuple(map(Pair, certificates, keys or (None,) * len(certificates)))
    return TlsPlan(
        pairs or (own,),
        options.tls_client_ca,
        options.tls_verify_mode,
        options.tls_protocols,
        options.tls_ciphers,
    )


def sockets_of(config: Config) -> list[Socket]:
    """Return every socket that takes mail."""
    return [(listener.name, listen.name) for listener in config.listeners for listen in listener.listens]


def socket_plan(config: Config, socket: Socket, own: Pair) -> TlsPlan:
    """Return the plan of one socket. Raises TlsProblem, which says whose plan it is."""
    listener, listen = socket
    try:
        return plan_of(config.inbound(listener, listen, ""), own)
    except TlsProblem as problem:
        raise TlsProblem(f'ESMTP_Listener "{listener}", Listen "{listen}": {problem}') from problem


def make_context(plan: TlsPlan) -> ssl.SSLContext:
    """Read the files of *plan* and return what a handshake needs. Raises TlsProblem."""
    certificates = [read_certificate(pair.certificate) for pair in plan.pairs]
    contexts = [_context(plan, pair) for pair in plan.pairs]
    first = contexts[0]
    if len(contexts) > 1:
        first.sni_callback = _chooser(list(zip(certificates, contexts, strict=True)))
    return first


def _context(plan: TlsPlan, pair: Pair) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    # A client that renegotiates has the server do the expensive part as often as it likes.
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.minimum_version = min(_VERSIONS[name] for name in plan.protocols)
    context.maximum_version = max(_VERSIONS[name] for name in plan.protocols)
    if plan.ciphers is not None:
        _set_ciphers(context, plan.ciphers)
    if plan.client_ca is not None:
        _trust(context, plan.client_ca)
    context.verify_mode = _VERIFY[plan.verify_mode]
    _load(context, pair)
    return context


def _set_ciphers(context: ssl.SSLContext, ciphers: str) -> None:
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError as error:
        raise TlsProblem(f'TLS_Ciphers "{ciphers}" names no cipher; see `openssl ciphers`') from error


def _trust(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(path)
    except ssl.SSLError as error:
        raise TlsProblem(f"TLS_Client_CA {path}: no certificates in PEM") from error
    except OSError as error:
        raise TlsProblem(f"TLS_Client_CA {path}: {(error.strerror or str(error)).lower()}") from error


def _load(context: ssl.SSLContext, pair: Pair) -> None:
    key = pair.key or pair.certificate
    try:
        context.load_cert_chain(pair.certificate, pair.key, _refuse_passphrase(key))
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TlsProblem(f"{key} is not the key of {pair.certificate}; name the pair's files") from error
        raise TlsProblem(f"{key}: no private key in PEM; name its file by TLS_Key") from error
    except OSError as error:
        raise TlsProblem(
            f"{key}: {(error.strerror or str(error)).lower()}; the node must be able to read it"
        ) from error


def _refuse_passphrase(key: Path) -> Callable[[], str]:
    def ask() -> NoReturn:
        raise TlsProblem(
            f"{key} asks for a passphrase, which cannot be given at a start: write the key out without one"
        )

    return ask


def _chooser(
    choices: list[tuple[Certificate, ssl.SSLContext]],
) -> Callable[[ssl.SSLObject | ssl.SSLSocket, str | None, ssl.SSLContext], None]:
    """Return what chooses by the name that the client asks for (SNI); for a name of none, the first stays."""

    def choose(handshake: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        for certificate, context in choices if name else ():
            if holds_for(certificate.names, name or ""):
                handshake.context = context
                return

    return choose


class TlsContexts:
    """The contexts of one worker. What cannot be made (any more) leaves the one before in force, and is logged."""

    def __init__(self, own: Pair, clock: Clock, log: Log) -> None:
        self._own = own
        self._clock = clock
        self._log = log
        self._contexts: dict[Socket, ssl.SSLContext] = {}

    def of(self, listener: str, listen: str) -> ssl.SSLContext | None:
        """Return the context of a socket, None when there never was a good one."""
        return self._contexts.get((listener, listen))

    def follow(self, config: Config) -> None:
        """Read all files again, for what *config* says."""
        made: dict[TlsPlan, ssl.SSLContext | None] = {}
        before, self._contexts = self._contexts, {}
        for socket in sockets_of(config):
            context = self._make(config, socket, made) or before.get(socket)
            if context is not None:
                self._contexts[socket] = context

    def _make(
        self, config: Config, socket: Socket, made: dict[TlsPlan, ssl.SSLContext | None]
    ) -> ssl.SSLContext | None:
        try:
            plan = socket_plan(config, socket, self._own)
            if plan not in made:
                made[plan] = None
                made[plan] = make_context(plan)
        except TlsProblem as problem:
            self._log.error("tls", self._clock.now(), error=f"{problem}; what was in force before stays so")
            return None
        return made[plan]
