"""The fetcher: resolves a name by our own DNS, looks at every address that it has, connects to one of just these, and
asks there. Nothing is followed, nothing is taken beyond its bounds.

A request waits for no place: how many are under way at a time is up to whoever asks. So there is no queue whose waiting
requests could be cancelled with a place in their hands.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from angarium.config.values import CidrSet
from angarium.dns.records import Answer as DnsAnswer
from angarium.dns.records import DnsResolver
from angarium.fetch.address import Address, AddressGuard
from angarium.fetch.answer import BrokenOff, HttpAnswer, Unanswered
from angarium.fetch.connection import HttpClientConnection
from angarium.fetch.target import BadTarget, FetchTarget, target_of

Method = Literal["GET", "POST"]

MOST_ADDRESSES: Final = 3
"""So many of a name's addresses are tried, one after the other."""
KEEP_S: Final = 10.0
MOST_KEPT: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSettings:
    """*networks* may be reached besides public addresses. Times are seconds: *connect_s* for one address, with its
    encryption, *answer_s* for a request in all. *most_bytes* of an answer's body are taken.
    """

    networks: CidrSet
    connect_s: float = 5.0
    answer_s: float = 10.0
    most_bytes: int = 65_536


class _Place(NamedTuple):
    """What a connection can be used for again."""

    scheme: str
    host: str
    port: int
    address: Address


class Fetcher:
    """For one event loop. *settings* are asked for with each request. *context* None: the system's authorities."""

    def __init__(
        self,
        resolver: DnsResolver,
        settings: Callable[[], FetchSettings],
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._resolver = resolver
        self._settings = settings
        self._context = context or ssl.create_default_context()
        self._kept: dict[_Place, HttpClientConnection] = {}

    @property
    def kept(self) -> int:
        """How many connections wait for another request."""
        return len(self._kept)

    def close(self) -> None:
        """End the connections that wait for another request."""
        for connection in self._kept.values():
            connection.abort()
        self._kept.clear()

    async def check(self, url: str) -> list[Address]:
        """Return the addresses that a request to *url* would go to, without sending one. Raises Unanswered."""
        return await self._addresses(_read(url), self._settings())

    async def ask(
        self, method: Method, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> HttpAnswer:
        """Send a request and return what is answered, a redirect too. *headers* go out beside Host, Content-Length and
        what follows from a name and a password in *url*. Raises Unanswered.
        """
        settings = self._settings()
        target = _read(url)
        request = _request(method, target, headers, body)
        try:
            async with asyncio.timeout(settings.answer_s):
                addresses = await self._addresses(target, settings)
                return await self._ask(target, addresses, request, settings)
        except TimeoutError:
            raise Unanswered("answer", f"no answer within {settings.answer_s:g} s") from None

    async def _addresses(self, target: FetchTarget, settings: FetchSettings) -> list[Address]:
        answers = [await self._resolver.query(target.host, kind) for kind in ("A", "AAAA")]
        guard = AddressGuard(settings.networks)
        try:
            found = guard.allowed([text for answer in answers for text in answer.texts])
        except ValueError as error:
            raise Unanswered(
                "refused", f"{target.host} is not to be reached: {error}; see Fetch_Networks"
            ) from None
        if not found:
            raise Unanswered("name", _unknown(target.host, answers))
        if target.is_system_port and not all(map(guard.is_configured, found)):
            raise Unanswered("refused", f"port {target.port} is not for HTTP; use 443, 80, or one above 1023")
        return found

    async def _ask(
        self, target: FetchTarget, addresses: list[Address], request: bytes, settings: FetchSettings
    ) -> HttpAnswer:
        for address in addresses:
            place = _Place(target.scheme, target.host, target.port, address)
            kept = self._take(place)
            if kept is not None:
                try:
                    return await self._exchange(kept, place, request, settings)
                except BrokenOff as error:
                    if not error.is_unheard:  # else it was closed while it was idle (RFC 9112 §9.3.1)
                        raise Unanswered("answer", str(error), str(address)) from None
        return await self._ask_anew(target, addresses, request, settings)

    async def _ask_anew(
        self, target: FetchTarget, addresses: list[Address], request: bytes, settings: FetchSettings
    ) -> HttpAnswer:
        failed = Unanswered("name", "it has no address")
        for address in addresses[:MOST_ADDRESSES]:
            place = _Place(target.scheme, target.host, target.port, address)
            try:
                connection = await self._connect(place, settings)
            except Unanswered as error:
                failed = error
                continue
            try:
                return await self._exchange(connection, place, request, settings)
            except BrokenOff as error:
                raise Unanswered("answer", str(error), str(address)) from None
        raise failed

    async def _connect(self, place: _Place, settings: FetchSettings) -> HttpClientConnection:
        """Connect to just that address, with the name in SNI and checked against the certificate. Raises Unanswered."""
        connection = HttpClientConnection()
        peer = str(place.address)
        encrypted = place.scheme == "https"
        try:
            async with asyncio.timeout(settings.connect_s):
                await asyncio.get_running_loop().create_connection(
                    lambda: connection,
                    peer,
                    place.port,
                    ssl=self._context if encrypted else None,
                    server_hostname=place.host if encrypted else None,
                )
        except TimeoutError:
            connection.abort()
            raise Unanswered("connect", f"no connection within {settings.connect_s:g} s", peer) from None
        except ssl.SSLError as error:
            connection.abort()
            raise Unanswered("tls", f"no encryption: {_said(error)}", peer) from None
        except OSError as error:
            connection.abort()
            raise Unanswered("connect", error.strerror or str(error), peer) from None
        except BaseException:
            connection.abort()
            raise
        return connection

    async def _exchange(
        self, connection: HttpClientConnection, place: _Place, request: bytes, settings: FetchSettings
    ) -> HttpAnswer:
        """Ask, and keep the connection for the next. Whatever is raised, it is closed. Raises BrokenOff."""
        try:
            answer = await connection.ask(request, settings.most_bytes)
        except BaseException:
            connection.abort()
            raise
        if connection.is_open:
            self._keep(place, connection)
        return answer

    def _take(self, place: _Place) -> HttpClientConnection | None:
        connection = self._kept.pop(place, None)
        if connection is None or not connection.is_open:
            return None
        if asyncio.get_running_loop().time() - connection.idle_since <= KEEP_S:
            return connection
        connection.abort()
        return None

    def _keep(self, place: _Place, connection: HttpClientConnection) -> None:
        """Keep one for each place, the last used; the oldest make room, and those go that have waited too long."""
        before = self._kept.pop(place, None)
        if before is not None:
            before.abort()
        self._kept[place] = connection
        too_old = connection.idle_since - KEEP_S
        for each in list(self._kept):
            if len(self._kept) <= MOST_KEPT and self._kept[each].idle_since >= too_old:
                return
            self._kept.pop(each).abort()


def _read(url: str) -> FetchTarget:
    try:
        return target_of(url)
    except BadTarget as error:
        raise Unanswered("refused", str(error)) from None


def _request(method: Method, target: FetchTarget, headers: Mapping[str, str], body: bytes) -> bytes:
    fields = {"Host": target.authority, "Accept": "*/*"}
    if target.authorization:
        fields["Authorization"] = target.authorization
    fields |= headers
    if method == "POST":
        fields["Content-Length"] = str(len(body))
    lines = [f"{method} {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise Unanswered("refused", "a line ends within a header field")
    return "\r\n".join((*lines, "\r\n")).encode() + body


def _unknown(host: str, answers: list[DnsAnswer]) -> str:
    failures = [answer.note for answer in answers if answer.status == "failure"]
    if failures:
        return f"the DNS does not say where {host} is: {failures[0]}"
    return f"{host} has no address in the DNS"


def _said(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not believed ({error.verify_message})"
    return error.reason or str(error)
