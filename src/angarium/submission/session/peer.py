"""Whose connection a session is, and what the configuration grants it."""

from typing import Any

from angarium.config.records import InboundOptions
from angarium.core.peers import network_of
from angarium.core.reply import Reply
from angarium.submission.policy import Relay, refuses_session, xclient_names
from angarium.submission.session.reception import Reception
from angarium.submission.session.settings import Settings

UNKNOWN_PEER = "0.0.0.0"
"""Stands for the client of a proxy that does not know it: it is not the proxy, and has no rights."""

_UNKNOWN = ("[UNAVAILABLE]", "[TEMPUNAVAIL]")

Peer = tuple[str, int] | None
"""Address and port of the other side; None for a Unix socket."""


class SessionPeer:
    """The other side of a session: the address that connected, or the client that a proxy has named since.

    *ip* is empty for a Unix socket, *address* has the port as well. *network* is what its sessions are counted by.
    *relay* says whether it may send without a login, *xclient* what it may say of whom it speaks for. *via* is the
    proxy that has named it, empty without one. *said_helo* and *said_protocol* are what the proxy says of it.
    """

    __slots__ = (
        "_has_certificate",
        "_is_spoken_for",
        "_listen",
        "_reception",
        "address",
        "ip",
        "listener",
        "network",
        "options",
        "relay",
        "said_helo",
        "said_protocol",
        "session_name",
        "settings",
        "via",
        "xclient",
    )

    def __init__(self, reception: Reception, listener: str, listen: str, peer: Peer) -> None:
        self.listener = listener
        self.session_name = reception.next_name()
        self.via = self.said_helo = self.said_protocol = ""
        self._reception = reception
        self._listen = listen
        self._has_certificate = self._is_spoken_for = False
        self._take(peer)

    def _take(self, peer: Peer) -> None:
        config = self._reception.config
        self.ip, port = peer or ("", 0)
        self.address = _join(self.ip, port) if peer else ""
        self.options: InboundOptions = config.inbound(self.listener, self._listen, self.ip)
        self.network = network_of(self.ip, self.options.peer_ipv4_prefix, self.options.peer_ipv6_prefix)
        self.settings: Settings = self._reception.settings(self.options)
        self.relay = self._judge()
        self.xclient = xclient_names(self.options, self.ip)

    def _judge(self) -> Relay:
        """A certificate that came before a proxy spoke for another is the proxy's."""
        return Relay.of_peer(self.options, self.ip, self._has_certificate and not self._is_spoken_for)

    # -- what becomes known of it

    def introduce(self, peer: tuple[str, int]) -> None:
        """A trusted proxy has said that it is *peer*: from now on its options, limits and rights hold. The rights of
        the proxy, that of naming a client among them, do not pass to it.
        """
        self.count_out()
        self.via = self.via or self.address
        self._take(peer)
        self.count_in()

    def introduce_by(self, attributes: dict[str, str], login: str) -> None:
        """It is the client that XCLIENT names. One named by a login alone has an unknown address, not the proxy's."""
        self.said_helo = known(attributes.get("HELO"), self.said_helo)
        self.said_protocol = known(attributes.get("PROTO"), self.said_protocol)
        ip, port = self.ip, self.address.rpartition(":")[2]
        if "ADDR" in attributes or login:
            self._is_spoken_for = True
            ip, port = attributes.get("ADDR", UNKNOWN_PEER), "0"
            ip = UNKNOWN_PEER if ip in _UNKNOWN else ip
        port = attributes.get("PORT", port)
        self.introduce((ip, int(port) if port.isdigit() else 0))

    def show_certificate(self, is_shown: bool) -> None:
        """The handshake is over; a certificate that is not believed would have ended it."""
        self._has_certificate = is_shown
        self.relay = self._judge()

    # -- how many there are of it

    def count_in(self) -> None:
        """There is one session more of its network."""
        self._reception.session_counts.enter(self.network)

    def count_out(self) -> None:
        """There is one less."""
        self._reception.session_counts.leave(self.network)

    def one_too_many(self) -> Reply | None:
        """Return why there may not be so many sessions, or None."""
        counts = self._reception.session_counts
        return refuses_session(self.options, counts.sessions(), counts.sessions_of(self.network))

    @property
    def socket(self) -> tuple[str, str]:
        """Listener and listening address that it came to."""
        return self.listener, self._listen

    def named(self) -> dict[str, Any]:
        """Return what every record about the session begins with."""
        return {"session": self.session_name, "listener": self.listener, "peer": self.address}


def known(value: str | None, before: str) -> str:
    """Return what XCLIENT says; not said: *before*; not known to the proxy: empty."""
    if value is None:
        return before
    return "" if value in _UNKNOWN else value


def _join(ip: str, port: int) -> str:
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"
