"""Encryption of a session: the upgrade by STARTTLS (RFC 3207), TLS from the first byte, and what it brought."""

import asyncio
import ssl
from typing import Any

from angarium.submission.session.peer import SessionPeer
from angarium.submission.session.reception import Reception

TLS_GOODBYE_S = 5.0
"""Wait for the other side's last word when an encrypted connection ends."""


class SessionEncryption:
    """What the handshake of a session is made with, and what came of it.

    *name* is version and cipher, empty while the connection is not encrypted; *facts* is what the log says of it.
    """

    __slots__ = ("_peer", "_reception", "facts", "name")

    def __init__(self, reception: Reception, peer: SessionPeer) -> None:
        self.name = ""
        self.facts: dict[str, Any] = {}
        self._reception = reception
        self._peer = peer

    def context(self) -> ssl.SSLContext | None:
        """Return what a handshake is made with at present, None without a certificate to show."""
        contexts = self._reception.tls
        return contexts.of(*self._peer.socket) if contexts is not None else None

    async def upgrade(self, raw: asyncio.Transport, session: asyncio.Protocol) -> asyncio.Transport:
        """Make the handshake, and return what *session* goes on with. Raises OSError; *raw* is closed then."""
        context = self.context()
        try:
            if context is None or raw.is_closing():
                raise ConnectionError("the connection was closed before the handshake")
            upgraded = await asyncio.get_running_loop().start_tls(
                raw,
                session,
                context,
                server_side=True,
                ssl_handshake_timeout=self._peer.options.tls_timeout,
                ssl_shutdown_timeout=TLS_GOODBYE_S,
            )
        except OSError:
            raw.abort()
            raise
        if upgraded is None or upgraded.is_closing():
            raise ConnectionError("the connection was closed in the handshake")
        return upgraded

    def begin(self, transport: asyncio.BaseTransport) -> None:
        """The handshake is over."""
        handshake: ssl.SSLObject = transport.get_extra_info("ssl_object")
        cipher = handshake.cipher()
        certificate = handshake.getpeercert()
        self.name = f"{handshake.version()} {cipher[0] if cipher else ''}".rstrip()
        self.facts = {"tls": self.name, "tls_resumed": handshake.session_reused}
        if certificate:
            self.facts["tls_peer"] = _holder(certificate)
        self._peer.show_certificate(bool(certificate))
        self._reception.counters.add(
            "tls_handshakes_total", "resumed" if handshake.session_reused else "full"
        )

    def fail(self, error: Exception) -> str:
        """The handshake came to nothing: write it down, and return why."""
        reason = _reason(error)
        self._reception.counters.add("tls_handshakes_total", "failed")
        now = self._reception.clock.now()
        self._reception.log.warning("tls_failed", now, **self._peer.named(), reason=reason)
        return f"TLS handshake failed: {reason}"


def _reason(error: Exception) -> str:
    """Return OpenSSL's word for it, without the place in its source."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return str(error) or type(error).__name__


def _holder(certificate: dict[str, Any]) -> str:
    """Return what a client certificate calls its holder: the common name, else the first alternative name."""
    for part in certificate.get("subject", ()):
        for kind, value in part:
            if kind == "commonName":
                return str(value)
    return str(next((value for _, value in certificate.get("subjectAltName", ())), ""))
