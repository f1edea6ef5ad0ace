"""A client that keeps offering mail to a node that may die at any moment, and notes each answer it got."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import NamedTuple

from angarium.testing.ledger import Ledger, Letter, make_letter

ANSWER_S = 60.0
"""A node that lives answers within this time; one that does not is noted as a fault."""

_PAUSE_S = 0.05
_EHLO = b"EHLO client.example\r\n"


class _HungUp(Exception):
    """The node ended the session."""


class _Offer(NamedTuple):
    letter: Letter
    sender: str
    recipients: list[str]
    text: bytes


class Injector:
    """Sessions that offer letters until *stop*, and hold back while more than *most* recipients are
    outstanding.

    Half of the sessions send by DATA with a pipelined envelope, the others whole letters by BDAT, several in
    one write.
    """

    def __init__(
        self, address: tuple[str, int], ledger: Ledger, random: Random, *, large_bytes: int, most: int
    ) -> None:
        self._address = address
        self._ledger = ledger
        self._random = random
        self._large_bytes = large_bytes
        self._most = most
        self._stopping = False

    async def run(self, sessions: int) -> None:
        """Offer mail in so many sessions at a time. Returns some time after `stop`."""
        async with asyncio.TaskGroup() as group:
            for number in range(sessions):
                group.create_task(self._keep_offering(self._by_bdat if number % 2 else self._by_data))

    def stop(self) -> None:
        """End each session after the letter that it is sending."""
        self._stopping = True

    async def _keep_offering(self, send: Callable[["_Wire"], Awaitable[None]]) -> None:
        while not self._stopping:
            try:
                await self._session(send)
            except TimeoutError:
                self._ledger.wrong.append(f"no answer within {ANSWER_S:g} s")
            except (OSError, asyncio.IncompleteReadError, _HungUp):
                await asyncio.sleep(_PAUSE_S)  # as any client does that was turned away

    async def _session(self, send: Callable[["_Wire"], Awaitable[None]]) -> None:
        wire = _Wire(*await asyncio.open_connection(*self._address))
        try:
            await wire.reply()
            wire.write(_EHLO)
            await wire.reply()
            for _ in range(self._random.randint(1, 30)):
                if self._stopping or self._ledger.outstanding > self._most:
                    break
                await send(wire)
            wire.write(b"QUIT\r\n")
        finally:
            wire.close()
        if self._ledger.outstanding > self._most:
            await asyncio.sleep(_PAUSE_S)

    def _offer(self) -> _Offer:
        number = len(self._ledger.letters)
        made = make_letter(number, self._random, self._large_bytes)
        return _Offer(self._ledger.offer(made), made.sender, made.recipients, made.text)

    async def _by_data(self, wire: "_Wire") -> None:
        offer = self._offer()
        wire.write(_envelope(offer), b"DATA\r\n")
        await self._read_envelope(wire, offer)
        code = await wire.reply()
        if code == 354:
            wire.write((b"\r\n" + offer.text).replace(b"\r\n.", b"\r\n..")[2:], b".\r\n")
            code = await wire.reply()
        self._ledger.answered(offer.letter, code)

    async def _by_bdat(self, wire: "_Wire") -> None:
        offers = [self._offer() for _ in range(self._random.randint(1, 5))]
        for offer in offers:
            wire.write(_envelope(offer), b"BDAT %d LAST\r\n" % len(offer.text), offer.text)
        for offer in offers:
            await self._read_envelope(wire, offer)
            self._ledger.answered(offer.letter, await wire.reply())

    async def _read_envelope(self, wire: "_Wire", offer: _Offer) -> None:
        await wire.reply()
        for recipient in offer.recipients:
            if await wire.reply() == 250:
                offer.letter.recipients.append(recipient)


def _envelope(offer: _Offer) -> bytes:
    lines = [f"MAIL FROM:<{offer.sender}>", *(f"RCPT TO:<{recipient}>" for recipient in offer.recipients)]
    return "".join(f"{line}\r\n" for line in lines).encode()


class _Wire:
    """One connection, in replies."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def write(self, *pieces: bytes) -> None:
        self._writer.writelines(pieces)

    async def reply(self) -> int:
        """Read a reply; return its code. Raises _HungUp when it ends the session."""
        async with asyncio.timeout(ANSWER_S):
            line = await self._reader.readuntil(b"\n")
            while line[3:4] == b"-":
                line = await self._reader.readuntil(b"\n")
        if line.startswith((b"421", b"221")):
            raise _HungUp
        return int(line[:3])

    def close(self) -> None:
        self._writer.close()
