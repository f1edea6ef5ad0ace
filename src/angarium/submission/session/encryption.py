"""Encryption of a session: the upgrade by STARTTLS (RFC 3207), TLS from the first byte, and what it brought."""

import asyncio
import ssl
from typing import Any

from angarium.core.reply import Reply
from angarium.submission.policy import NO_TLS_NOW, TLS_READY
from angarium.submission.session.shell import SessionShell

TLS_GOODBYE_S = 5.0
"""Wait for the other side's last word when an encrypted connection ends."""


class SessionTls(SessionShell):
    """See `session.Session`."""

    _tls = ""
    """Version and cipher, empty while the connection is not encrypted."""
    _tls_facts: dict[str, Any] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        if transport.get_extra_info("ssl_object") is not None:
            self._secured(transport)
        super().connection_made(transport)

    def on_starttls(self) -> Reply | None:
        """See ServerHandler."""
        return NO_TLS_NOW if self._context() is None else TLS_READY

    def _context(self) -> ssl.SSLContext | None:
        contexts = self._reception.tls
        return contexts.of(self.listener, self._listen) if contexts is not None else None

    def _begin_handshake(self, transport: asyncio.Transport) -> None:
        # Without a transport nothing is written or read meanwhile; what came is in the kernel, for TLS to read.
        self._transport = None
        transport.pause_reading()
        self._reception.tasks.start(self._upgrade(transport))

    async def _upgrade(self, raw: asyncio.Transport) -> None:
        context = self._context()
        try:
            if context is None or raw.is_closing():
                raise ConnectionError("the connection was closed before the handshake")
            upgraded = await asyncio.get_running_loop().start_tls(
                raw,
                self,
                context,
                server_side=True,
                ssl_handshake_timeout=self._options.tls_timeout,
                ssl_shutdown_timeout=TLS_GOODBYE_S,
            )
        except OSError as error:
            raw.abort()
            self.handshake_failed(error)
            return
        if upgraded is None or upgraded.is_closing():
            self.handshake_failed(ConnectionError("the connection was closed in the handshake"))
            return
        self._transport = upgraded
        self._paused = False
        self._secured(upgraded)
        self._flush()

    def handshake_failed(self, error: Exception) -> None:
        """There will be no session: the protocol is not told of a connection that dies in its handshake."""
        self._reception.counters.add("tls_handshakes_total", "failed")
        reason = _reason(error)
        self._reception.log.warning("tls_failed", self._reception.clock.now(), **self._named(), reason=reason)
        self._ended = f"TLS handshake failed: {reason}"
        self.connection_lost(error)

    def _secured(self, transport: asyncio.BaseTransport) -> None:
        handshake: ssl.SSLObject = transport.get_extra_info("ssl_object")
        cipher = handshake.cipher()
        self._tls = f"{handshake.version()} {cipher[0] if cipher else ''}".rstrip()
        certificate = handshake.getpeercert()
        # A certificate that is not believed ends the handshake, so one that is here is good.
        self._is_encrypted, self._is_verified = True, bool(certificate)
        self._tls_facts = {"tls": self._tls, "tls_resumed": handshake.session_reused}
        if certificate:
            self._tls_facts["tls_peer"] = _name(certificate)
        self._reception.counters.add(
            "tls_handshakes_total", "resumed" if handshake.session_reused else "full"
        )
        self._relay = self._judge_peer()
        self._began_anew_at = self._reception.clock.now()
        self._machine.secured(self._began_anew_at)
        self._machine.set_options(self._offer(), self._settings.limits)

    def _facts(self) -> dict[str, Any]:
        return super()._facts() | (self._tls_facts or {})


def _reason(error: Exception) -> str:
    """Return OpenSSL's word for it, without the place in its source."""
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.lower().replace("_", " ")
    return str(error) or type(error).__name__


def _name(certificate: dict[str, Any]) -> str:
    """Return what a client certificate calls its holder: the common name, else the first alternative name."""
    for part in certificate.get("subject", ()):
        for kind, value in part:
            if kind == "commonName":
                return str(value)
    return str(next((value for _, value in certificate.get("subjectAltName", ())), ""))
