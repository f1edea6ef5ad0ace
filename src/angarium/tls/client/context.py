"""From a policy and its files to what handshakes are made with. Blocks on disk: not for the event loop."""

import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from angarium.core.errors import AngariumError
from angarium.tls.client.policy import TlsPolicy

_VERSIONS: Final = {"TLSv1.2": ssl.TLSVersion.TLSv1_2, "TLSv1.3": ssl.TLSVersion.TLSv1_3}
_MOST_SESSIONS = 4096

Place = tuple[str, str, int]
"""Whose sessions may be resumed: name, IP address, port."""


class TlsSetupError(AngariumError):
    """A file or value of ours will not do. The text names the option and not the path, since senders may see it.

    *path* is the file, for the log; None where it is not about one.
    """

    def __init__(self, option: str, problem: str, path: Path | None = None) -> None:
        super().__init__(f"{option} {problem}")
        self.option = option
        self.path = path


class ClientContext(ssl.SSLContext):
    """A context that remembers sessions as long as it lives.

    *expires_at* is when our own certificate ends, in seconds of Unix time. Set up by `make_context`.
    """

    expires_at: float
    sessions: dict[Place, ssl.SSLSession]
    spare: "list[Resumption]"

    def resumption(self, place: Place) -> "Resumption":
        """Return what to begin a handshake at *place* with; give it back with `done`."""
        resumption = self.spare.pop() if self.spare else Resumption(ssl.PROTOCOL_TLS_CLIENT)
        resumption.context, resumption.session = self, self.sessions.get(place)
        return resumption

    def done(self, resumption: "Resumption") -> None:
        """Take back what `resumption` gave: making one costs a tenth of a millisecond."""
        resumption.session = None
        self.spare.append(resumption)

    def keep(self, place: Place, tls: ssl.SSLObject) -> bool:
        """Remember the session of *tls*, if the peer has given us what resuming takes; returns whether it has.

        One that was resumed itself is good for further times, and asking OpenSSL for it costs as much as a handshake.
        """
        if tls.session_reused and place in self.sessions:
            return True
        session = tls.session
        if session is None or not (session.has_ticket or (session.id and tls.version() != "TLSv1.3")):
            return False
        self.sessions.pop(place, None)
        if len(self.sessions) >= _MOST_SESSIONS:
            del self.sessions[next(iter(self.sessions))]
        self.sessions[place] = session
        return True

    def forget(self, place: Place) -> None:
        """Resume nothing there: it did not go well."""
        self.sessions.pop(place, None)


class Resumption(ssl.SSLContext):
    """Stands for a context during one handshake, and brings the session to be resumed along.

    Event loops have no parameter for a session, and ask nothing of a context but `wrap_bio`.
    """

    context: ClientContext
    session: ssl.SSLSession | None

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """See ssl.SSLContext."""
        kwargs["session"] = self.session
        return self.context.wrap_bio(*args, **kwargs)


def make_context(policy: TlsPolicy, *, verified: bool, now: float) -> ClientContext:
    """Make the context for *policy*. With *verified* the peer's issuer is checked; names are not, see `tls_facts`.

    Raises TlsSetupError.
    """
    context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sessions, context.spare = {}, []
    context.expires_at = float("inf")
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED if verified else ssl.CERT_NONE
    versions = [_VERSIONS[name] for name in policy.protocols]
    context.minimum_version, context.maximum_version = min(versions), max(versions)
    if policy.ciphers is not None:
        set_ciphers(context, policy.ciphers)
    if verified:
        load_authorities(context, policy.ca)
    if policy.certificate is not None:
        context.expires_at = expiry_of(policy.certificate, now)
        _load_certificate(context, policy.certificate, policy.key)
    return context


def stamps_of(policy: TlsPolicy) -> tuple[object, ...]:
    """Return what changes when a file of *policy* does."""
    return tuple(_stamp(path) for path in (policy.ca, policy.certificate, policy.key) if path is not None)


def _stamp(path: Path) -> object:
    try:
        status = path.stat()
    except OSError as error:
        return error.errno
    return status.st_mtime_ns, status.st_size, status.st_ino


def set_ciphers(context: ssl.SSLContext, ciphers: str) -> None:
    """Take `TLS_Ciphers` into *context*. Raises TlsSetupError."""
    try:
        context.set_ciphers(ciphers)
    except ssl.SSLError:
        raise TlsSetupError(
            "TLS_Ciphers", "names no cipher that OpenSSL has; try `openssl ciphers`"
        ) from None


def load_authorities(context: ssl.SSLContext, path: Path | None) -> None:
    """Have *context* believe those in the file `TLS_CA`, or the system's. Raises TlsSetupError."""
    if path is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return
    _reading(
        "TLS_CA", path, lambda: context.load_verify_locations(cafile=path), "holds no certificate in PEM"
    )


def expiry_of(path: Path, now: float) -> float:
    """Return the end of the first certificate in the file `TLS_Certificate`, in Unix time.

    Raises TlsSetupError, also when that is past.
    """
    option, not_pem = "TLS_Certificate", "holds no certificate in PEM"
    [*chain] = _reading(option, path, lambda: x509.load_pem_x509_certificates(path.read_bytes()), not_pem)
    end: datetime = chain[0].not_valid_after_utc
    if end.timestamp() <= now:
        day = end.astimezone(UTC).date().isoformat()
        raise TlsSetupError(option, f'expired on {day}; renew it, or set TLS_Certificate = "none"', path)
    return end.timestamp()


def check_key(path: Path) -> None:
    """Read the file `TLS_Key` alone. Raises TlsSetupError."""
    problem = "holds no private key in PEM, or one that is protected by a password; write it without one"
    _reading("TLS_Key", path, lambda: load_pem_private_key(path.read_bytes(), None), problem)


def _load_certificate(context: ssl.SSLContext, path: Path, key: Path | None) -> None:
    option, place = ("TLS_Key", key) if key is not None else ("TLS_Certificate", path)
    problem = "does not belong to TLS_Certificate" if key is not None else "lacks its key; set TLS_Key"

    def load() -> None:
        context.load_cert_chain(path, key, password=_refuse_to_ask)

    _reading(option, place, load, f"{problem}, or is protected by a password; write it in PEM without one")


def _refuse_to_ask() -> str:
    return ""  # else OpenSSL asks at the terminal


def _reading(option: str, path: Path, read: Callable[[], Any], problem: str) -> Any:
    """Do *read*; an error of the disk or of the contents becomes a TlsSetupError."""
    try:
        return read()
    except (ssl.SSLError, ValueError, TypeError, UnsupportedAlgorithm):
        raise TlsSetupError(option, problem, path) from None
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise TlsSetupError(option, f"cannot be read: {words}", path) from None
