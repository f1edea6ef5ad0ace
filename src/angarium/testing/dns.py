"""A scripted DNS server for tests and labs: zone text in, answers (or planned trouble) out, over UDP and TCP.

    example.com      MX 10 mx.example.com
    mx.example.com   300 A 192.0.2.1          # a TTL may stand before the type
    *.dead.test      A 192.0.2.99             # any name below dead.test that has no line of its own
    broken.test      !servfail                # also !refused !nxdomain !formerr !notimp
    mx.slow.test     A !delay 0.2             # only questions of type A
    lost.test        !drop 2                  # the first two questions; without a number all
    big.test         !truncate                # over UDP; TCP gives the answer
    chain.test       !bare                    # a CNAME is answered without its target

Names are absolute, with or without final dot. What no line mentions does not exist. Not a name server: it
answers for the whole tree, sets the recursion bits, and follows CNAMEs as a resolver does.
"""

import asyncio
import random
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.rrset

from angarium.config.values import SocketAddress
from angarium.core.errors import AngariumError
from angarium.dns.records import Answer, Question
from angarium.dns.resolver import local_answer
from angarium.dns.wire import build_query, parse_response, read_response

DEFAULT_TTL_S = 300
NEGATIVE_TTL_S = 30
MAX_CNAMES = 8
RCODES = ("servfail", "refused", "nxdomain", "formerr", "notimp")
NUMBERED = ("delay", "drop")
FLAGS = ("truncate", "bare")


class ZoneError(AngariumError):
    """A line of the zone text cannot be understood. Names the line."""


@dataclass(slots=True)
class Trouble:
    """What goes wrong with questions about one name. *drops* counts down; -1 drops for ever."""

    rcode: str = ""
    delay_s: float = 0.0
    drops: int = 0
    truncate: bool = False
    bare: bool = False


@dataclass(slots=True)
class Zone:
    """The records and the troubles, by lower-case name."""

    records: dict[dns.name.Name, dict[dns.rdatatype.RdataType, dns.rrset.RRset]] = field(default_factory=dict)
    troubles: dict[tuple[dns.name.Name, str], Trouble] = field(default_factory=dict)

    def find(self, name: dns.name.Name) -> dict[dns.rdatatype.RdataType, dns.rrset.RRset] | None:
        """Return the records of *name*, of the closest wildcard above it, or None when it does not exist."""
        if name in self.records:
            return self.records[name]
        if any(other.is_subdomain(name) for other in self.records if not other.is_wild()):
            return {}
        above = name
        while above != dns.name.root:
            above = above.parent()
            wild = self.records.get(dns.name.Name((b"*", *above.labels)))
            if wild is not None:
                return wild
        return None

    def trouble(self, name: dns.name.Name, type_: str) -> Trouble | None:
        """Return what goes wrong with a question, a rule for its type before one for all types."""
        return self.troubles.get((name, type_)) or self.troubles.get((name, ""))


def parse_zone(text: str) -> Zone:
    """Read zone text as described above. Raises ZoneError."""
    zone = Zone()
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split("#")[0].split() if '"' not in line else line.split()
        if not words:
            continue
        try:
            _read_line(zone, words)
        except (dns.exception.DNSException, ValueError, IndexError) as error:
            raise ZoneError(f"zone line {number}: {line.strip()!r}: {error or 'incomplete'}") from None
    return zone


def _read_line(zone: Zone, words: list[str]) -> None:
    name = dns.name.from_text(words[0].lower())
    marks = [index for index, word in enumerate(words) if word.startswith("!") and index in (1, 2)]
    if marks:
        type_ = words[1].upper() if marks[0] == 2 else ""
        _add_trouble(
            zone.troubles.setdefault((name, type_), Trouble()), words[marks[0]][1:], words[marks[0] + 1 :]
        )
        return
    ttl_s = int(words.pop(1)) if words[1].isdigit() else DEFAULT_TTL_S
    type_value = dns.rdatatype.from_text(words[1])
    rdata = dns.rdata.from_text(dns.rdataclass.IN, type_value, " ".join(words[2:]), dns.name.root, False)
    sets = zone.records.setdefault(name, {})
    if type_value not in sets:
        sets[type_value] = dns.rrset.RRset(name, dns.rdataclass.IN, type_value)
    sets[type_value].add(rdata, ttl_s)


def _add_trouble(trouble: Trouble, word: str, rest: list[str]) -> None:
    if word in RCODES:
        trouble.rcode = word
    elif word == "delay":
        trouble.delay_s = float(rest[0])
    elif word == "drop":
        trouble.drops = int(rest[0]) if rest else -1
    elif word in FLAGS:
        setattr(trouble, word, True)
    else:
        raise ValueError(
            f"!{word} is not one of {' '.join('!' + known for known in RCODES + NUMBERED + FLAGS)}"
        )


def answer_from(zone: Zone, query: dns.message.Message) -> dns.message.Message:
    """Build the response that the zone gives, without the troubles that concern time and transport."""
    response = dns.message.make_response(query, recursion_available=True)
    question = query.question[0]
    name, type_ = question.name.canonicalize(), dns.rdatatype.to_text(question.rdtype)
    trouble = zone.trouble(name, type_) or Trouble()
    if trouble.rcode:
        response.set_rcode(dns.rcode.from_text(trouble.rcode))
        return response
    for _ in range(MAX_CNAMES):
        sets = zone.find(name)
        found = (sets or {}).get(question.rdtype)
        alias = (sets or {}).get(dns.rdatatype.CNAME)
        if found is not None:
            response.answer.append(_owned(found, name))
            return response
        if alias is None:
            break
        response.answer.append(_owned(alias, name))
        name = cast(dns.name.Name, alias[0].target).canonicalize()
        if trouble.bare:
            return response
    if sets is None:
        response.set_rcode(dns.rcode.NXDOMAIN)
    soa = f". hostmaster. 1 3600 600 86400 {NEGATIVE_TTL_S}"
    response.authority.append(dns.rrset.from_text(dns.name.root, NEGATIVE_TTL_S, "IN", "SOA", soa))
    return response


def answer_question(zone: Zone, question: Question) -> Answer:
    """Answer without any server, for tests of what uses answers. A question to be dropped is a failure."""
    try:
        query = build_query(question)
    except ValueError as error:
        return Answer("nxdomain", note=str(error), ttl_s=NEGATIVE_TTL_S)
    trouble = zone.trouble(query.question[0].name, question.type)
    if trouble is not None and trouble.drops:
        return Answer("failure", note="no answer")
    response = parse_response(query, answer_from(zone, query).to_wire())
    return local_answer(question) or (read_response(response)[0] if response else Answer("failure"))


def _owned(records: dns.rrset.RRset, name: dns.name.Name) -> dns.rrset.RRset:
    """Return *records* under *name*, in random order, as name servers give them."""
    shuffled = random.sample(list(records), len(records))
    return dns.rrset.from_rdata_list(name, records.ttl, shuffled)


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, serve: Callable[[bytes, object], None]) -> None:
        self._serve = serve

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._serve(data, addr)


class ScriptedDns:
    """The server. Use it as `async with ScriptedDns(text) as server`; `server.address` is where it listens.

    *questions* holds the last 10,000 questions as `(name, type)`, *counts* how often each was asked.
    """

    def __init__(self, text: str = "", host: str = "127.0.0.1", port: int = 0) -> None:
        self.zone = parse_zone(text)
        self.questions: deque[tuple[str, str]] = deque(maxlen=10_000)
        self.counts: Counter[tuple[str, str]] = Counter()
        self._host, self._port = host, port
        self._udp: asyncio.DatagramTransport | None = None
        self._tcp: asyncio.Server | None = None
        self._late: set[asyncio.Task[None]] = set()

    def set_zone(self, text: str) -> None:
        """Answer from *text* from now on. Raises ZoneError; the old zone then stays."""
        self.zone = parse_zone(text)

    @property
    def address(self) -> SocketAddress:
        """Where it listens, UDP and TCP alike."""
        return SocketAddress(self._host, self._port)

    async def __aenter__(self) -> "ScriptedDns":
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Listen. With port 0 the kernel chooses one that is free for both. Raises OSError."""
        loop = asyncio.get_running_loop()
        for attempt in range(10):
            self._tcp = await asyncio.start_server(self._serve_tcp, self._host, self._port)
            port = self._tcp.sockets[0].getsockname()[1]
            try:
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: _Udp(self._serve_udp), local_addr=(self._host, port)
                )
            except OSError:
                self._tcp.close()
                if self._port or attempt == 9:
                    raise
                continue
            self._udp, self._port = transport, port
            return

    async def close(self) -> None:
        """Stop listening and drop delayed answers."""
        if self._udp is not None:
            self._udp.close()
        if self._tcp is not None:
            self._tcp.close()
        for task in self._late:
            task.cancel()
        await asyncio.gather(*self._late, return_exceptions=True)

    def _serve_udp(self, data: bytes, peer: object) -> None:
        task = asyncio.get_running_loop().create_task(self._answer_udp(data, peer))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    async def _answer_udp(self, data: bytes, peer: object) -> None:
        response = await self._respond(data, over_udp=True)
        if response is not None and self._udp is not None:
            self._udp.sendto(response, peer)  # type: ignore[arg-type]

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                length = int.from_bytes(await reader.readexactly(2), "big")
                response = await self._respond(await reader.readexactly(length), over_udp=False)
                if response is None:
                    return
                writer.write(len(response).to_bytes(2, "big") + response)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    async def _respond(self, data: bytes, *, over_udp: bool) -> bytes | None:
        """Return the response, after its delay, or None where the script says to stay silent."""
        try:
            query = dns.message.from_wire(data)
            question = query.question[0]
        except (dns.exception.DNSException, IndexError):
            return None
        name, type_ = question.name.canonicalize(), dns.rdatatype.to_text(question.rdtype)
        asked = (name.to_text(omit_final_dot=True), type_)
        self.questions.append(asked)
        self.counts[asked] += 1
        trouble = self.zone.trouble(name, type_) or Trouble()
        if trouble.drops:
            trouble.drops -= trouble.drops > 0
            return None
        if trouble.delay_s:
            await asyncio.sleep(trouble.delay_s)
        response = answer_from(self.zone, query)
        wire = response.to_wire(max_size=65_535)
        if over_udp and (trouble.truncate or len(wire) > max(512, query.payload)):
            short = dns.message.make_response(query, recursion_available=True)
            short.flags |= dns.flags.TC
            return short.to_wire()
        return wire
