"""The sink's end of a connection, without knowledge of SMTP: bursts in, bursts out, and pauses between."""

import asyncio
from collections.abc import Callable
from typing import cast

from angarium.testing.sink.script import Deed


class SinkWire:
    """Input is kept in *input* and worked through by *step*, until that returns False or something is waited for.

    *step* takes something from the input, and returns whether there may be more to do. *on_stop* is called when no more
    input is taken. What is put into *output* leaves in one write at the end of a burst. *is_leaving*: the connection
    ends after the burst. *is_deaf*: no more input is taken, whatever comes.
    """

    def __init__(self, step: Callable[[], bool], on_stop: Callable[[], None]) -> None:
        self.transport: asyncio.Transport | None = None
        self.input = b""
        self.output: list[bytes] = []
        self.is_deaf = self.is_leaving = False
        self._step = step
        self._on_stop = on_stop
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def attach(self, transport: asyncio.BaseTransport) -> None:
        """The client is reached by *transport* from now on."""
        self.transport = cast(asyncio.Transport, transport)

    def receive(self, data: bytes) -> None:
        """Take what the client sent."""
        if self.is_deaf:
            return
        self.input = self.input + data if self.input else data
        if self._timer is None:
            self.go_on()

    def lose(self) -> None:
        """The client is gone. What belongs to the session is let go: nothing holds itself."""
        self.stop()
        self.transport = None
        self._step, self._on_stop = _no_step, _nothing

    def abort(self) -> None:
        """Cut the connection."""
        self.stop()
        if self.transport is not None:
            self.transport.abort()

    def go_on(self) -> None:
        """Work on what has come, and write what is to be said."""
        while self._timer is None and not self.is_deaf and self._step():
            pass
        self.flush()
        if self.is_leaving and self._timer is None:
            self.close()

    def flush(self) -> None:
        """Write what is to be said."""
        if self.output and self.transport is not None:
            self.transport.write(b"".join(self.output))
            self.output.clear()

    def stop(self) -> None:
        """Take no more input."""
        self._on_stop()
        self.is_deaf = True
        self.input = b""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def close(self) -> None:
        """End the connection once what was said has left."""
        self.flush()
        self.stop()
        if self.transport is not None:
            self.transport.close()

    def later(self, deed: Deed, act: Callable[[], None]) -> None:
        """Do *act* after the delay of *deed*, or never."""
        if deed.hang:
            self.flush()
            self.stop()
        elif deed.delay_s:
            self._wait(deed.delay_s, act)
        else:
            act()

    def _wait(self, delay_s: float, act: Callable[[], None]) -> None:
        """Read nothing for *delay_s*, then do *act*."""
        self.flush()
        assert self.transport is not None
        self.transport.pause_reading()
        self._timer = self._loop.call_later(delay_s, self._wake, act)

    def _wake(self, act: Callable[[], None]) -> None:
        self._timer = None
        assert self.transport is not None
        if not self.transport.is_closing():
            self.transport.resume_reading()
            act()
            self.go_on()

    def say(self, deed: Deed, reply: bytes) -> None:
        """Send *reply*, at once or byte by byte, and close if *deed* wants that."""
        if deed.drip_s:
            self._drip(deed, reply)
            return
        self.output.append(reply)
        if deed.close:
            self.close()

    def _drip(self, deed: Deed, reply: bytes) -> None:
        self.output.append(reply[:1])
        if reply[1:]:
            self._wait(deed.drip_s, lambda: self._drip(deed, reply[1:]))
        elif deed.close:
            self.close()


def _no_step() -> bool:
    return False


def _nothing() -> None:
    pass
