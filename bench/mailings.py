"""A month of mail as the journals tell of it, made up: always the same for the same numbers.

Few customers send most of it; a third goes to one provider, the rest to a long tail of domains. Some messages have
several recipients. What readers do comes hours or days later, and some mail bounces after it was taken.
"""

import heapq
import random
import zlib
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

from angarium.core.ids import MessageId
from angarium.core.options import Options
from angarium.core.records import Attempt, Event, Fact, ForwardPath, Message, Origin, TlsFacts
from angarium.core.reply import Reply
from angarium.spool.codec import ACCEPT, EVENT, FACT, encode, frame

START = 1_796_083_200.0
"""The first day's midnight: 2026-12-01."""
DAY_S = 86_400.0
GENERATION_SALT = 1
DOMAINS, ADDRESSES, SERVERS, STREAMS, TAGS, CAMPAIGNS, BINDINGS = 20_012, 1_200_000, 40, 120, 60, 500, 8
VOCABULARY = 30_000
AGENTS = [f"Mozilla/5.0 (Windows NT 10.{n}; Win64; x64) AppleWebKit/537.36 Chrome/12{n}.0" for n in range(40)]
STAGES = ("connect", "banner", "ehlo", "tls", "mail", "rcpt", "data", "body", "final")
REFUSALS = (
    "550 5.1.1 The email account that you tried to reach does not exist. Please try double-checking {} - gsmtp",
    "552 5.2.2 The recipient's inbox is out of storage space {}",
    "554 5.7.1 Message from host rejected because of unacceptable content, see id {}",
    "550 5.4.1 Recipient address rejected: Access denied [{}]",
)
DELAYS = (
    "421 4.7.28 Our system has detected an unusual rate of mail {}",
    "451 4.7.1 Greylisted, try again {}",
)


class Mix(NamedTuple):
    """What a month is made of. *several*: one message in seven has more than one recipient."""

    messages: int
    days: int = 30
    several: bool = True
    body_bytes: int = 10_000
    seed: int = 1


class Letter(NamedTuple):
    """A message that was made up, and the words of its header."""

    message: Message
    head: bytes


Record = tuple[int, bytes, bytes]
"""Kind, meta and body, as a journal has them."""


class Month:
    """Makes the records of a month, in the order of time."""

    def __init__(self, mix: Mix) -> None:
        self.mix = mix
        self._rng = random.Random(mix.seed)
        self._order = 0
        self._later: list[tuple[float, int, Record]] = []
        rng = self._rng
        self.vocabulary = [
            "".join(rng.choices("abcdefghijklmnoprstuvw", k=rng.randint(3, 10))) for _ in range(VOCABULARY)
        ]
        self.domains = [
            "gmail.com",
            *(f"{rng.choice(self.vocabulary)}{n}.example" for n in range(1, DOMAINS)),
        ]
        self._domain_weights = list(accumulate([0.36, *(0.64 / (n + 3) / 8.5 for n in range(1, DOMAINS))]))
        self._server_weights = list(accumulate(1 / (n + 1) for n in range(SERVERS)))
        self.words = list(accumulate(1 / (n + 20) for n in range(VOCABULARY)))
        self.campaigns = [self._words(6) for _ in range(CAMPAIGNS)]
        self._body = b"x" * mix.body_bytes

    def records(self) -> Iterator[Record]:
        """Yield all of it."""
        for number in range(self.mix.messages):
            at = START + self.mix.days * DAY_S * number / self.mix.messages
            while self._later and self._later[0][0] <= at:
                yield heapq.heappop(self._later)[2]
            letter = self._letter(number, at)
            head = letter.head
            yield ACCEPT, encode(letter.message), head + self._body[len(head) :]
            for index in range(len(letter.message.recipients)):
                self._deliver(letter.message, index, at)
        while self._later:
            yield heapq.heappop(self._later)[2]

    def _words(self, count: int) -> str:
        return " ".join(self._rng.choices(self.vocabulary, cum_weights=self.words, k=count))

    def _letter(self, number: int, at: float) -> Letter:
        rng = self._rng
        server = rng.choices(range(SERVERS), cum_weights=self._server_weights)[0]
        stream = server * 3 + rng.randrange(3)
        campaign = rng.randrange(CAMPAIGNS) if rng.random() < 0.6 else None
        text = self._words(5) + f" {number + 4_000_000}" if campaign is None else self.campaigns[campaign]
        author = f"shop{server}.example.org"
        message = Message(
            id=MessageId(int(at * 1000).to_bytes(6, "big") + rng.randbytes(10)),
            received_at=at,
            reverse_path=f"bounces@{author}",
            recipients=tuple(self._path() for _ in range(self._recipients())),
            binding=f"pool-{server % BINDINGS}",
            lane=0 if campaign is None else 1,
            tenant=f"account {server}",
            trace=b"Received: from app (192.0.2.1) by mta.example.net with ESMTPSA id 0123456789abcdef\r\n",
            body_size=self.mix.body_bytes,
            origin=Origin(
                listener="submission",
                peer="192.0.2.1:41234",
                helo="app",
                protocol="ESMTPSA",
                session="1a2b3c4d5e",
            ),
            account=server // 2 + 1,
            server=server + 1,
            options=Options(
                stream=f"stream-{stream}",
                tags=(f"tag-{rng.randrange(TAGS)}",),
                campaign=None if campaign is None else f"campaign-{campaign}",
                metadata={"order": str(number + 4_000_000)} if campaign is None else None,
            ),
            author_domain=author,
            login=f"login-{server}",
            is_vouched=True,
        )
        head = (
            f"From: Shop {server} <news@{author}>\r\nTo: <{message.recipients[0].address}>\r\nSubject: {text}\r\n"
            f"Message-ID: <{message.id.hex()}@{author}>\r\nDate: Tue, 01 Dec 2026 00:00:00 +0000\r\n"
            "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b1\r\n"
            "List-Unsubscribe: <https://u.example.org/0123456789abcdef0123456789abcdef>\r\n\r\n"
        )
        return Letter(message, head.encode())

    def _recipients(self) -> int:
        chance = self._rng.random()
        if not self.mix.several or chance < 0.86:
            return 1
        return self._rng.randint(2, 4) if chance < 0.985 else self._rng.randint(10, 40)

    def _path(self) -> ForwardPath:
        rng = self._rng
        number = rng.randrange(ADDRESSES)
        domain = rng.choices(self.domains, cum_weights=self._domain_weights)[0]
        return ForwardPath(address=f"{self.vocabulary[number % VOCABULARY]}.{number}@{domain}", domain=domain)

    def _deliver(self, message: Message, index: int, at: float) -> None:
        rng = self._rng
        seq, at = 1, at + 0.2 + rng.random()
        if rng.random() < 0.03:
            self._event(message, index, "delayed", seq, at, rng.choice(DELAYS))
            seq, at = 2, at + 900
        if rng.random() < 0.04:
            self._event(message, index, "bounced", seq, at, rng.choice(REFUSALS))
            return
        self._event(message, index, "delivered", seq, at, "250 2.0.0 OK {} - gsmtp")
        for _ in range(
            rng.choices((0, 1, 2, 3, 5), (1, 2, 3, 3, 5) if not self.mix.several else (8, 3, 3, 2, 2))[0]
        ):
            self._fact(message, index, at + rng.expovariate(1 / (0.4 * DAY_S)))
        if rng.random() < 0.003:
            self._put(at + 3 * DAY_S, FACT, Fact(
                kind="late_bounce", id=self._id(at), at=at + 3 * DAY_S, message=message.id, index=index,
                account=message.account, server=message.server,
                fields={"reply": REFUSALS[0].format(rng.randbytes(8).hex()), "class": 10},
            ))  # fmt: skip

    def _event(self, message: Message, index: int, kind: str, seq: int, at: float, reply: str) -> None:
        rng = self._rng
        domain = message.recipients[index].domain
        code, enhanced, text = reply.format(rng.randbytes(8).hex()).split(" ", 2)
        host = f"mx{rng.randint(1, 4)}.{domain}"
        is_google = domain == "gmail.com"
        facts = TlsFacts(version="TLSv1.3", cipher="TLS_AES_256_GCM_SHA384", verified="host",
                         names=("mx.google.com", "*.mx.google.com") if is_google else (host,),
                         not_after=START + 90 * DAY_S)  # fmt: skip
        attempt = Attempt(
            started_at=at - 0.3,
            stage="final" if kind == "delivered" else "rcpt",
            session=rng.randbytes(5).hex(),
            host=host,
            peer=f"198.51.100.{zlib.crc32(host.encode()) % 256}:25",
            source=f"203.0.113.{rng.randrange(8)}:{rng.randint(30000, 60000)}",
            tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
            timings=tuple((stage, rng.random() * 80) for stage in STAGES[: 9 if kind == "delivered" else 6]),
            bytes_sent=self.mix.body_bytes + 300,
            tls_facts=facts,
        )
        self._put(at, EVENT, Event(
            type=kind, at=at, message=message.id, index=index, seq=seq,  # type: ignore[arg-type]
            state="queued" if kind == "delayed" else kind,  # type: ignore[arg-type]
            binding=message.binding, domain=domain, attempts=seq, due_at=at + 900,
            reply=Reply(int(code), enhanced, text), attempt=attempt,
        ))  # fmt: skip

    def _fact(self, message: Message, index: int, at: float) -> None:
        rng = self._rng
        fields = {"address": f"192.0.2.{rng.randrange(256)}", "agent": rng.choice(AGENTS)}
        is_click = rng.random() < 0.2
        if is_click:
            fields["url"] = f"https://{message.author_domain}/products/{rng.randrange(500)}?utm_source=mail"
        self._put(at, FACT, Fact(
            kind="click" if is_click else "open", id=self._id(at), at=at, message=message.id, index=index,
            account=message.account, server=message.server, fields=fields,
        ))  # fmt: skip

    def _id(self, at: float) -> bytes:
        return int(at * 1000).to_bytes(6, "big") + self._rng.randbytes(10)

    def _put(self, at: float, kind: int, told: Event | Fact) -> None:
        self._order += 1
        heapq.heappush(self._later, (at, self._order, (kind, encode(told), b"")))


def segment_of(records: list[Record], generation: int) -> bytes:
    """Return the bytes that a journal's segment would have of *records*."""
    parts: list[bytes] = []
    offset = 0
    for kind, meta, body in records:
        head = frame(kind, 0, meta, body, generation, GENERATION_SALT, offset, 0)
        parts += (head, meta, body)
        offset += len(head) + len(meta) + len(body)
    return b"".join(parts)
