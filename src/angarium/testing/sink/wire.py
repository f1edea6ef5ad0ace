"""The sink's end of a connection, without knowledge of SMTP: bursts in, bursts out, and pauses between."""

import asyncio
from collections.abc import Callable
from typing import cast

from angarium.testing.sink.script import Deed


class SinkWire(asyncio.Protocol):
    """Input is kept in `_input` and worked through by `_step`, until that returns False or something is waited for.

    What is put into `_output` leaves in one write at the end of a burst.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._input = b""
        self._output: list[bytes] = []
        self._timer: asyncio.TimerHandle | None = None
        self._is_deaf = False
        self._is_leaving = False

    def _step(self) -> bool:
        """Take something from the input. Returns whether there may be more to do."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        if self._is_deaf:
            return
        self._input = self._input + data if self._input else data
        if self._timer is None:
            self._go_on()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._stop()

    def abort(self) -> None:
        """Cut the connection."""
        self._stop()
        if self._transport is not None:
            self._transport.abort()

    def _go_on(self) -> None:
        while self._timer is None and not self._is_deaf and self._step():
            pass
        self._flush()
        if self._is_leaving and self._timer is None:
            self._close()

    def _flush(self) -> None:
        if self._output and self._transport is not None:
            self._transport.write(b"".join(self._output))
            self._output.clear()

    def _stop(self) -> None:
        """Take no more input, whatever comes."""
        self._is_deaf = True
        self._input = b""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _close(self) -> None:
        """End the connection once what was said has left."""
        self._flush()
        self._stop()
        if self._transport is not None:
            self._transport.close()

    def _later(self, deed: Deed, act: Callable[[], None]) -> None:
        """Do *act* after the delay of *deed*, or never."""
        if deed.hang:
            self._flush()
            self._stop()
        elif deed.delay_s:
            self._wait(deed.delay_s, act)
        else:
            act()

    def _wait(self, delay_s: float, act: Callable[[], None]) -> None:
        """Read nothing for *delay_s*, then do *act*."""
        self._flush()
        assert self._transport is not None
        self._transport.pause_reading()
        self._timer = self._loop.call_later(delay_s, self._wake, act)

    def _wake(self, act: Callable[[], None]) -> None:
        self._timer = None
        assert self._transport is not None
        if not self._transport.is_closing():
            self._transport.resume_reading()
            act()
            self._go_on()

    def _say(self, deed: Deed, reply: bytes) -> None:
        """Send *reply*, at once or byte by byte, and close if *deed* wants that."""
        if deed.drip_s:
            self._drip(deed, reply)
            return
        self._output.append(reply)
        if deed.close:
            self._close()

    def _drip(self, deed: Deed, reply: bytes) -> None:
        self._output.append(reply[:1])
        if reply[1:]:
            self._wait(deed.drip_s, lambda: self._drip(deed, reply[1:]))
        elif deed.close:
            self._close()
