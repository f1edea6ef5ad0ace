"""The encryption of one outgoing connection: the way it is tried, the handshake, and what that has shown."""

import asyncio
import ssl
from collections.abc import Iterable

from angarium.core.address import Address
from angarium.core.errors import AngariumError
from angarium.core.records import TlsFacts
from angarium.tls.client.context import Place
from angarium.tls.client.facts import facts_of
from angarium.tls.client.lessons import CLEAR, TlsClient, Way
from angarium.tls.client.policy import TlsPolicy

_GOODBYE_S = 2.0
"""A socket whose peer does not answer the end of the encryption is closed after so long."""


class HandshakeFailed(AngariumError):
    """There is no encryption, or none that will do. The text says why."""


class Encryption:
    """Belongs to one connection to *address*. *names* are those that a certificate may be for.

    *facts* is what was negotiated; without encryption None, or why there is none although it was tried. *name* is
    version and cipher, empty for clear text.
    """

    __slots__ = (
        "_address",
        "_client",
        "_is_kept",
        "_is_unproved",
        "_names",
        "_policy",
        "facts",
        "name",
        "way",
    )

    def __init__(self, client: TlsClient, policy: TlsPolicy, address: Address, names: Iterable[str]) -> None:
        self.way: Way = CLEAR
        self.facts: TlsFacts | None = None
        self.name = ""
        self._client = client
        self._policy = policy
        self._address = address
        self._names = tuple(dict.fromkeys(names))
        self._is_unproved = False
        self._is_kept = False

    @property
    def _place(self) -> Place:
        address = self._address
        name = address.host.rstrip(".")
        return address.ip if not name or name.startswith("[") else name, address.ip, address.port

    async def prepare(self, now: float) -> None:
        """Choose the way. Raises TlsSetupError."""
        self.way = await self._client.way(self._policy, self._address, now)
        if self.fell_back:
            self.facts = TlsFacts(version="", cipher="", problem=f"sent in clear text: {self.way.problem}")

    async def begin(
        self, transport: asyncio.Transport, protocol: asyncio.Protocol, timeout_s: float
    ) -> asyncio.Transport:
        """Make the handshake on *transport*; return the one to go on with. Raises HandshakeFailed."""
        context = self.way.context
        assert context is not None
        if transport.is_closing():
            raise HandshakeFailed("closed by the peer before the handshake")
        resumption = context.resumption(self._place)
        try:
            made = await asyncio.get_running_loop().start_tls(
                transport,
                protocol,
                resumption,
                server_hostname=self._place[0],
                ssl_handshake_timeout=timeout_s,
                ssl_shutdown_timeout=_GOODBYE_S,
            )
        except (OSError, ValueError) as error:
            context.forget(self._place)
            self._is_unproved = isinstance(error, ssl.SSLCertVerificationError)
            problem = words_of(error)
            raise HandshakeFailed(
                _for_login(self._policy, problem) if self._is_unproved else problem
            ) from None
        finally:
            context.done(resumption)
        if made is None or made.is_closing():
            raise HandshakeFailed("closed by the peer during the handshake")
        self._look(made.get_extra_info("ssl_object"))
        return made

    def _look(self, made: ssl.SSLObject) -> None:
        verify, way = self._policy.verify, self.way
        asked = verify in ("host", "optional")
        facts = facts_of(made, self._names, verified=way.verified, asked=asked, problem=way.problem)
        if verify == "host" and facts.verified != "host":
            raise HandshakeFailed(_for_login(self._policy, facts.problem))
        self.facts = facts
        if facts.version:
            self.name = f"{facts.version} {facts.cipher}"

    def keep(self, transport: asyncio.Transport) -> None:
        """Remember how to resume the session, unless that was done; the peer may send what it takes at any time."""
        made, context = transport.get_extra_info("ssl_object"), self.way.context
        if made is not None and context is not None and not self._is_kept:
            self._is_kept = context.keep(self._place, made)

    def has_another_way(self, problem: str, now: float) -> bool:
        """Whether to try again at once, without what came to nothing because of *problem*."""
        unproved = self._is_unproved
        return self._client.failed(self._policy, self._address, self.way, problem, now, unproved=unproved)

    @property
    def fell_back(self) -> bool:
        """Whether the connection is in clear text because encryption came to nothing before."""
        return bool(self.way.problem) and self.way.context is None

    def in_vain(self) -> None:
        """Clear text was of no use either: the next connection tries encryption again."""
        if self.fell_back:
            self._client.in_vain(self._policy, self._address)


def _for_login(policy: TlsPolicy, problem: str) -> str:
    """Say with *problem*, of a certificate, why it matters: the operator may have asked for no verification."""
    if not policy.guards_secret:
        return problem
    return f"{problem}; the password is not shown to it (TLS_CA, Outbound_SMTP_AUTH_Unverified)"


def words_of(error: Exception | None) -> str:
    """Say in words why a connection or a handshake ended."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate does not prove its issuer: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).lower().replace("_", " ")
    if error is None or type(error) is ConnectionResetError:
        return "closed by the peer"
    return str(error) or type(error).__name__
