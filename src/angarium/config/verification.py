"""What a peer's certificate must prove under given options. Pure."""

from typing import Final, Literal

from angarium.config.records import OutboundOptions

CLEAR_MECHANISMS: Final = frozenset(("PLAIN", "LOGIN", "XOAUTH2"))
"""Those that send the secret itself, and so are never used without encryption."""

Verification = Literal["no", "ca", "host", "optional"]


def verification_of(options: OutboundOptions) -> Verification:
    """Return `TLS_Verify`, but `host` where it leaves to chance who gets to see our password.

    Encryption keeps a secret from those who listen, but not from one who answers in the peer's place.
    """
    if shows_secret(options) and not options.outbound_smtp_auth_unverified and options.tls_verify != "ca":
        return "host"
    return options.tls_verify


def shows_secret(options: OutboundOptions) -> bool:
    """Whether logging in tells the peer the secret itself."""
    return options.outbound_smtp_auth_type in CLEAR_MECHANISMS
