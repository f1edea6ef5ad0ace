"""The resolver: asks the configured servers, remembers answers, lets concurrent askers share one query.

`Resolver.query` never raises on what DNS says or fails to say; the answer's status tells.
"""

import asyncio
import ipaddress
from dataclasses import dataclass, replace
from pathlib import Path

import dns.message
import dns.rcode
import dns.resolver

from angarium.config.records import GlobalOptions
from angarium.config.values import SocketAddress
from angarium.core.clock import Clock, SystemClock
from angarium.core.errors import AngariumError
from angarium.dns.cache import AnswerCache
from angarium.dns.records import Answer, Question, RecordType
from angarium.dns.transport import Truncated, ask_tcp, ask_udp
from angarium.dns.wire import build_query, read_response

MAX_CNAME_QUERIES = 8
ROUNDS = 3
FAILURE_TTL_S = 5  # RFC 9520 §3.2: failures are remembered too, for 1 s to 5 min
LOCAL_TTL_S = 3600


class ResolverConfigError(AngariumError):
    """There is no server to ask."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverSettings:
    """How to ask. *timeout_s* is for one try at one server, *deadline_s* for a question with all its tries.

    The cache keeps answers between *min_ttl_s* and *max_ttl_s*, those that say no at most *negative_ttl_s*.
    *max_in_flight* bounds the questions under way; further ones wait, their deadline not yet running.
    """

    servers: tuple[SocketAddress, ...]
    timeout_s: float = 5.0
    deadline_s: float = 30.0
    cache_entries: int = 100_000
    min_ttl_s: int = 5
    max_ttl_s: int = 86_400
    negative_ttl_s: int = 60
    max_in_flight: int = 500


def resolver_settings(options: GlobalOptions) -> ResolverSettings:
    """Take the settings from the configuration. Raises ResolverConfigError when there is no server."""
    return ResolverSettings(
        servers=options.dns_servers or servers_of(options.resolv_conf),
        timeout_s=options.dns_timeout,
        deadline_s=options.dns_deadline,
        cache_entries=options.dns_cache_size,
        min_ttl_s=options.min_dns_ttl,
        max_ttl_s=options.max_dns_ttl,
        negative_ttl_s=options.dns_negative_ttl,
    )


def servers_of(resolv_conf: Path) -> tuple[SocketAddress, ...]:
    """Return the servers that *resolv_conf* names, in order. Blocks. Raises ResolverConfigError."""
    try:
        found = dns.resolver.Resolver(str(resolv_conf)).nameservers
    except (dns.resolver.NoResolverConfiguration, ValueError, OSError) as error:
        raise ResolverConfigError(f"{resolv_conf} names no server ({error}); set DNS_Servers") from None
    return tuple(SocketAddress(str(server), 53) for server in found)


class Resolver:
    """A stub resolver for one event loop."""

    def __init__(self, settings: ResolverSettings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._cache = AnswerCache(settings.cache_entries)
        self._asking: dict[Question, asyncio.Task[Answer]] = {}
        self._places = asyncio.Semaphore(settings.max_in_flight)
        self._favourite: SocketAddress | None = None
        self._closed = False

    async def query(self, name: str, type: RecordType) -> Answer:
        """Return what DNS says. *name* may have a final dot and any case. Raises nothing of its own."""
        question = Question(name.lower().removesuffix("."), type)
        local = local_answer(question)
        if local is not None:
            return local
        cached = self._cache.get(question, self._clock.now())
        if cached is not None:
            return cached
        return await self._share(question)

    def reconfigure(self, settings: ResolverSettings) -> None:
        """Ask by *settings* from the next question on; answers of other servers are forgotten.

        The bounds of the cache and of the questions under way stay as they were at the start.
        """
        if settings.servers != self._settings.servers:
            self._cache.clear()
        self._settings = settings

    def forget(self, name: str | None = None) -> int:
        """Drop cached answers, all or those about *name*. Returns how many."""
        return self._cache.clear(name)

    async def close(self) -> None:
        """Give up what is being asked; whoever waits for it gets a failure."""
        self._closed = True
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _share(self, question: Question) -> Answer:
        if self._closed:
            return Answer("failure", note="the resolver is closed")
        task = self._asking.get(question)
        if task is None:
            task = asyncio.get_running_loop().create_task(
                self._resolve(question), name=f"dns {question.name}"
            )
            self._asking[question] = task
            task.add_done_callback(lambda _: self._asking.pop(question, None))
        await asyncio.wait((task,))
        return Answer("failure", note="the resolver was closed") if task.cancelled() else task.result()

    async def _resolve(self, question: Question) -> Answer:
        async with self._places:
            try:
                async with asyncio.timeout(self._settings.deadline_s):
                    answer = await self._follow(question)
            except TimeoutError:
                answer = Answer("failure", note=f"no answer within {self._settings.deadline_s:g} s")
        answer = self._with_kept_ttl(answer)
        self._cache.put(question, answer, self._clock.now())
        return answer

    def _with_kept_ttl(self, answer: Answer) -> Answer:
        settings = self._settings
        if answer.status == "failure":
            return replace(answer, ttl_s=FAILURE_TTL_S)
        ttl_s = min(max(answer.ttl_s, settings.min_ttl_s), settings.max_ttl_s)
        if answer.status != "found":
            ttl_s = min(ttl_s, settings.negative_ttl_s)
        return replace(answer, ttl_s=ttl_s)

    async def _follow(self, question: Question) -> Answer:
        """Ask, and go on asking where a server did not follow a CNAME itself."""
        ttl_s = self._settings.max_ttl_s
        authenticated = True
        for _ in range(MAX_CNAME_QUERIES):
            answer, next_name = await self._ask(question)
            ttl_s = min(ttl_s, answer.ttl_s)
            authenticated = authenticated and answer.authenticated
            if next_name is None:
                return replace(answer, ttl_s=ttl_s, authenticated=authenticated)
            question = question._replace(name=next_name)
        return Answer("failure", note=f"more than {MAX_CNAME_QUERIES} CNAMEs")

    async def _ask(self, question: Question) -> tuple[Answer, str | None]:
        """Ask one server after the other, those that stay silent up to three times."""
        try:
            query = build_query(question)
        except ValueError as error:
            return Answer("nxdomain", note=str(error), ttl_s=self._settings.negative_ttl_s), None
        left = sorted(self._settings.servers, key=lambda server: server != self._favourite)
        note = "no server configured"
        for _ in range(ROUNDS):
            for server in tuple(left):
                try:
                    answer, next_name = read_response(await self._exchange(server, query))
                except TimeoutError:
                    note = f"{server} did not answer within {self._settings.timeout_s:g} s"
                    continue
                except OSError as error:
                    note = f"{server}: {error.strerror or error}"
                    continue
                if answer.status != "failure":
                    self._favourite = server
                    return answer, next_name
                note = f"{server}: {answer.note}"
                left.remove(server)
        return Answer("failure", note=note), None

    async def _exchange(self, server: SocketAddress, query: dns.message.Message) -> dns.message.QueryMessage:
        async with asyncio.timeout(self._settings.timeout_s):
            try:
                response = await ask_udp(server, query)
                if response.rcode() != dns.rcode.FORMERR:
                    return response
                query.use_edns(False)  # RFC 6891 §7: a server that does not know EDNS
                return await ask_udp(server, query)
            except Truncated:
                return await ask_tcp(server, query)


def local_answer(question: Question) -> Answer | None:
    """Answer for `localhost` (RFC 6761 §6.3) and for a name that is an address; None for all others."""
    name, type_ = question
    if name == "localhost" or name.endswith(".localhost"):
        addresses = {"A": "127.0.0.1", "AAAA": "::1"}
    else:
        try:
            ip = ipaddress.ip_address(name.removeprefix("[").removesuffix("]"))
        except ValueError:
            return None
        addresses = {"A" if ip.version == 4 else "AAAA": str(ip)}
    found = addresses.get(type_)
    return Answer("found", (found,), LOCAL_TTL_S) if found else Answer("nodata", ttl_s=LOCAL_TTL_S)
