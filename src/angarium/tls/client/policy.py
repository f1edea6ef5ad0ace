"""What the options want of an outgoing connection's encryption. Pure."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from angarium.config.records import OutboundOptions
from angarium.config.verification import shows_secret, verification_of


@dataclass(frozen=True, slots=True)
class TlsPolicy:
    """The options about TLS as one value: equal policies share contexts, sessions and what was learnt of peers.

    *falls_back*: after a handshake that failed, mail goes in clear text rather than wait. *guards_secret*: it is a
    login that wants to know who the peer is.
    """

    use: Literal["no", "ifavailable", "required"]
    falls_back: bool
    verify: Literal["no", "ca", "host", "optional"]
    ca: Path | None
    certificate: Path | None
    key: Path | None
    ciphers: str | None
    protocols: tuple[str, ...]
    guards_secret: bool = False


def tls_policy(options: OutboundOptions) -> TlsPolicy:
    """Return the policy in *options*. A login that needs encryption leaves nothing to fall back to."""
    needs_tls = shows_secret(options)
    return TlsPolicy(
        use=options.tls,
        falls_back=options.tls == "ifavailable" and options.tls_ifavailable_fallback and not needs_tls,
        verify=verification_of(options),
        ca=options.tls_ca,
        certificate=options.tls_certificate,
        key=options.tls_key,
        ciphers=options.tls_ciphers,
        protocols=options.tls_protocols,
        guards_secret=needs_tls and not options.outbound_smtp_auth_unverified,
    )
