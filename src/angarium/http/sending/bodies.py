"""Bodies of requests, within bounds: each alone, and all that a worker has at a time."""

from collections.abc import Callable

from starlette.types import Receive

from angarium.core.errors import AngariumError
from angarium.core.submission import Problem, Reason


class BodyRefused(AngariumError):
    """A body is not read, or not to its end, for *problem*."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.reason)
        self.problem = problem


class ClientGone(AngariumError):
    """The client has hung up before its body had come: nobody is there to be answered."""


class Bodies:
    """Counts what bodies have in memory. *bounds* returns the most that one may have, and all of them."""

    def __init__(self, bounds: Callable[[], tuple[int, int]]) -> None:
        self._bounds = bounds
        self.held_bytes = 0

    async def read(self, receive: Receive, said_bytes: int | None) -> "HeldBody":
        """Read a body to its end, of which the client has *said* the size, or None. Raises BodyRefused or ClientGone.

        What was read is held until it is let go of.
        """
        held = HeldBody(self)
        try:
            self._check(said_bytes or 0, held)
            more = True
            while more:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientGone("the connection was closed before the body had come")
                self._take(held, message.get("body", b""))
                more = message.get("more_body", False)
        except BaseException:
            held.let_go()
            raise
        return held

    def _take(self, held: "HeldBody", piece: bytes) -> None:
        self._check(len(piece), held)
        held.data += piece
        self.held_bytes += len(piece)

    def _check(self, more: int, held: "HeldBody") -> None:
        most, most_of_all = self._bounds()
        if len(held.data) + more > most:
            raise BodyRefused(Problem(Reason.BODY_SIZE, limit=most))
        # one that is alone is bounded by its own limit
        if self.held_bytes > len(held.data) and self.held_bytes + more > most_of_all:
            raise BodyRefused(Problem(Reason.MEMORY))


class HeldBody:
    """A body in memory."""

    __slots__ = ("_bodies", "data")

    def __init__(self, bodies: Bodies) -> None:
        self.data = bytearray()
        self._bodies = bodies

    def let_go(self) -> None:
        """It is not needed any more."""
        self._bodies.held_bytes -= len(self.data)
        self.data = bytearray()
