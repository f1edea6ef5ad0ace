"""The resolver: asks the configured servers, remembers answers, lets concurrent askers share one query.

`Resolver.query` never raises on what DNS says or fails to say; the answer's status tells.
"""

import asyncio
import ipaddress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import dns.message
import dns.rcode

from angarium.config.records import GlobalOptions
from angarium.config.values import SocketAddress
from angarium.core.clock import Clock, SystemClock
from angarium.core.errors import AngariumError
from angarium.dns.cache import AnswerCache
from angarium.dns.records import Answer, Question, RecordType
from angarium.dns.resolv_conf import name_servers
from angarium.dns.transport import Truncated, ask_tcp, ask_udp
from angarium.dns.wire import build_query, read_response

MAX_CNAME_QUERIES = 8
ROUNDS = 3
FAILURE_TTL_S = 5  # RFC 9520 §3.2: failures are remembered too, for 1 s to 5 min
LOCAL_TTL_S = 3600
MAX_RESOLV_CONF_BYTES = 65_536


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


class _Asking(NamedTuple):
    asked_at: float
    task: asyncio.Task[Answer]


def resolver_settings(
    options: GlobalOptions, servers: tuple[SocketAddress, ...] | None = None
) -> ResolverSettings:
    """Take the settings from the configuration. *servers* None: those that it, or else its Resolv_Conf, names; then it
    blocks, and raises ResolverConfigError when there is none.
    """
    return ResolverSettings(
        servers=configured_servers(options) if servers is None else servers,
        timeout_s=options.dns_timeout,
        deadline_s=options.dns_deadline,
        cache_entries=options.dns_cache_size,
        min_ttl_s=options.min_dns_ttl,
        max_ttl_s=options.max_dns_ttl,
        negative_ttl_s=options.dns_negative_ttl,
    )


def configured_servers(options: GlobalOptions) -> tuple[SocketAddress, ...]:
    """Return the servers to ask by the configuration. Blocks. Raises ResolverConfigError when there is none."""
    return options.dns_servers or servers_of(options.resolv_conf)


def servers_of(resolv_conf: Path) -> tuple[SocketAddress, ...]:
    """Return the servers that *resolv_conf* names, in order. Blocks. Raises ResolverConfigError."""
    try:
        with open(resolv_conf, "rb") as file:
            found = name_servers(file.read(MAX_RESOLV_CONF_BYTES).decode("latin-1"))
        why = "it has no nameserver line with an address"
    except OSError as error:
        found, why = (), error.strerror or str(error)
    if not found:
        raise ResolverConfigError(f"{resolv_conf} names no server ({why}); set DNS_Servers")
    return found


class Resolver:
    """A stub resolver for one event loop."""

    def __init__(self, settings: ResolverSettings, clock: Clock | None = None) -> None:
        self._settings = settings
        self._clock = clock or SystemClock()
        self._cache = AnswerCache(settings.cache_entries)
        self._asking: dict[Question, _Asking] = {}
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._places = asyncio.Semaphore(settings.max_in_flight)
        self._favourite: SocketAddress | None = None
        self._closed = False
        self._heard_at = float("-inf")
        self.silent = ""
        """What became of a question that no server answered; empty: one has answered since, that or another."""

    async def query(self, name: str, type: RecordType, since: float = 0.0) -> Answer:
        """Return what DNS says. *name* may have a final dot and any case. Raises nothing.

        What was asked before *since*, in epoch seconds, is asked again, also if it holds by its TTL.
        """
        question = Question(name.lower().removesuffix("."), type)
        local = local_answer(question)
        if local is not None:
            return local
        cached = self._cache.get(question, self._clock.now(), since)
        if cached is not None:
            return cached
        return await self._share(question, since)

    def reconfigure(self, settings: ResolverSettings) -> None:
        """Ask by *settings* from the next question on; answers of other servers are forgotten.

        The bounds of the cache and of the questions under way stay as they were at the start.
        """
        if settings.servers != self._settings.servers:
            self._cache.clear()
            self._asking.clear()
            self.silent = ""
        self._settings = settings

    async def close(self) -> None:
        """Give up the questions under way; their callers get a failure."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _share(self, question: Question, since: float) -> Answer:
        if self._closed:
            return Answer("failure", note="the resolver is closed")
        asking = self._asking.get(question)
        if asking is None or asking.asked_at < since:
            asking = self._begin(question)
        await asyncio.wait((asking.task,))
        if asking.task.cancelled():
            return Answer("failure", note="the resolver was closed")
        return asking.task.result()

    def _begin(self, question: Question) -> _Asking:
        """Ask; later callers share this answer, and the cache takes it, unless it is asked once more."""
        asked_at = self._clock.now()
        work = asyncio.get_running_loop().create_task(self._resolve(question), name=f"dns {question.name}")
        asking = self._asking[question] = _Asking(asked_at, work)
        self._tasks.add(work)

        def done(task: asyncio.Task[Answer]) -> None:
            self._tasks.discard(task)
            if self._asking.get(question) is asking:
                del self._asking[question]
                if not task.cancelled() and task.exception() is None:
                    self._cache.put(question, task.result(), self._clock.now(), asked_at)

        work.add_done_callback(done)
        return asking

    async def _resolve(self, question: Question) -> Answer:
        async with self._places:
            asked_at = self._clock.now()
            try:
                async with asyncio.timeout(self._settings.deadline_s):
                    answer = await self._follow(question)
            except TimeoutError:
                answer = Answer("failure", note=f"no answer within {self._settings.deadline_s:g} s")
                self._missed(answer.note, asked_at)
        return self._with_kept_ttl(answer)

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
        note, asked_at = "no name server is known", self._clock.now()
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
                self._heard_at, self.silent = self._clock.now(), ""
                if answer.status != "failure":
                    self._favourite = server
                    return answer, next_name
                note = f"{server}: {answer.note}"
                left.remove(server)
            if left:
                self._missed(note, asked_at)
        return Answer("failure", note=note), None

    def _missed(self, note: str, asked_at: float) -> None:
        """Take down that what was asked then has no answer yet, unless a server answers other questions."""
        if self._heard_at < asked_at:
            self.silent = note

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
