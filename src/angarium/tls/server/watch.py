"""The supervisor's eye on certificates: good before workers get them, read again when their files change."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

from angarium.config.model import Config
from angarium.core.clock import Clock, rfc3339
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.tls.certificate import Certificate, TlsProblem, read_certificate
from angarium.tls.server.contexts import TlsPlan, make_context, socket_plan, sockets_of
from angarium.tls.server.own import ensure_own_certificate, own_pair

LOOK_S = 30.0
SOON_S = 14 * 86_400
"""A certificate that ends within this is spoken of in the log."""

_NOT_AFTER = "tls_certificate_not_after_timestamp_seconds"

Stamp = tuple[int, int, int]


class CertificateWatch:
    """Checks what the configuration names. One for the node; the workers read the files it has found good."""

    def __init__(self, data: Path, clock: Clock, log: Log, counters: Counters) -> None:
        self._data = data
        self._clock = clock
        self._log = log
        self._counters = counters
        self._stamps: dict[Path, Stamp | None] = {}

    def prepare(self, config: Config) -> None:
        """Make the node's own certificate if need be, and check all others. Raises TlsProblem.

        What is found is shown as metric and, when a certificate's time is over or nearly so, in the log.
        """
        now = self._clock.now()
        if ensure_own_certificate(self._data, config.globals.hostname, now):
            self._log.info("tls", now, made=str(own_pair(self._data).certificate))
        plans, stamps = self._plans(config)
        _try(plans)
        self._take(plans, stamps)

    async def look(self, config: Config, changed: Callable[[], Awaitable[None]]) -> None:
        """Look once; *changed* is awaited after new files were found good. A bad new file leaves the old in force; it
        is logged once, until it changes again.
        """
        stamps = {path: _stamp(path) for path in self._stamps}
        if stamps == self._stamps:
            return
        try:
            plans, self._stamps = self._plans(config)
            await asyncio.to_thread(_try, plans)
        except TlsProblem as problem:
            self._log.error("tls", self._clock.now(), error=f"{problem}; the certificates in force stay so")
            return
        self._take(plans, self._stamps)
        await changed()

    def _plans(self, config: Config) -> tuple[set[TlsPlan], dict[Path, Stamp | None]]:
        """Return what is to be made, and how its files look at this moment, before they are read."""
        own = own_pair(self._data)
        plans = {socket_plan(config, socket, own) for socket in sockets_of(config)}
        return plans, {path: _stamp(path) for plan in plans for path in plan.files}

    def _take(self, plans: Iterable[TlsPlan], stamps: dict[Path, Stamp | None]) -> None:
        self._stamps = stamps
        self._counters.forget(_NOT_AFTER)
        for path in sorted({pair.certificate for plan in plans for pair in plan.pairs}):
            self._show(read_certificate(path))

    def _show(self, certificate: Certificate) -> None:
        now = self._clock.now()
        self._counters.set(_NOT_AFTER, certificate.not_after, str(certificate.path))
        if certificate.is_expired(now):
            self._warn(
                certificate, "has expired: clients that check it turn away; put a new one in its place"
            )
        elif certificate.not_after - now < SOON_S:
            self._warn(certificate, "expires soon; put a new one in its place")

    def _warn(self, certificate: Certificate, problem: str) -> None:
        path, ends = str(certificate.path), rfc3339(certificate.not_after)
        self._log.warning("tls", self._clock.now(), certificate=path, not_after=ends, problem=problem)


def _try(plans: Iterable[TlsPlan]) -> None:
    """Raise TlsProblem for what no context can be made of."""
    for plan in plans:
        make_context(plan)


def _stamp(path: Path) -> Stamp | None:
    """Return what changes when the file does; None while there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino
