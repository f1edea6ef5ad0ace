"""Signing keys of sending domains: how they are made and named, and what a look at the DNS makes of them. Pure but
for the making of keys.
"""

import base64
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from itertools import count, product
from string import ascii_lowercase
from typing import Final, NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from msgspec.structs import replace

from angarium.identity.records import Algorithm, DomainKey

ALGORITHMS: Final[tuple[Algorithm, ...]] = ("rsa", "ed25519")
"""Of the keys of each domain: what everybody can check, and what is short and quick (RFC 8463)."""

_RSA_BITS = 2048
_SUFFIX: Final[dict[Algorithm, str]] = {"rsa": "r", "ed25519": "e"}


class NewKey(NamedTuple):
    """A key that was just made: *private* is PKCS #8 DER, *public* the base64 text for the DNS record's `p=`."""

    algorithm: Algorithm
    private: bytes
    public: str

    def __repr__(self) -> str:
        return f"NewKey({self.algorithm}, {self.public[:12]}…)"


def new_key(algorithm: Algorithm) -> NewKey:
    """Make a key: RSA with 2048 bits (some 0.1 s), or Ed25519."""
    if algorithm == "rsa":
        rsa = generate_private_key(65537, _RSA_BITS)
        public = rsa.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        private = rsa.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    else:
        ed25519 = Ed25519PrivateKey.generate()
        public = ed25519.public_key().public_bytes_raw()  # RFC 8463 §4: the bare key
        private = ed25519.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return NewKey(algorithm, private, base64.b64encode(public).decode())


def selectors(at: float, taken: Collection[str]) -> dict[Algorithm, str]:
    """Return selectors for one key of each algorithm, made at *at*: `ang20261121ar` and `ang20261121ae`.

    The letter before the last goes on to the next when the day's are *taken*.
    """
    day = datetime.fromtimestamp(at, UTC).strftime("ang%Y%m%d")
    for letters in _letters():
        pair = {algorithm: f"{day}{letters}{_SUFFIX[algorithm]}" for algorithm in ALGORITHMS}
        if not set(pair.values()) & set(taken):
            return pair
    raise AssertionError("letters never end")


def _letters() -> Iterator[str]:
    for length in count(1):
        for letters in product(ascii_lowercase, repeat=length):
            yield "".join(letters)


def after_check(keys: Iterable[DomainKey], found: Mapping[int, bool], at: float) -> tuple[DomainKey, ...]:
    """Return *keys* as a look at the DNS leaves them. A key that *found* does not name could not be asked for.

    What is found becomes active, and replaces the older keys of its algorithm, which retire. An active key whose
    record is gone is pending again: signatures with it would not verify.
    """
    seen = [_seen(key, found.get(key.id), at) for key in keys]
    newest = {key.algorithm: key.id for key in sorted(seen, key=_id) if key.state == "active"}
    return tuple(
        replace(key, state="retired", retired_at=at)
        if key.state != "retired" and key.id < newest.get(key.algorithm, 0)
        else key
        for key in seen
    )


def _seen(key: DomainKey, is_found: bool | None, at: float) -> DomainKey:
    if is_found is None or key.state == "retired":
        return key
    return replace(key, state="active", verified_at=at) if is_found else replace(key, state="pending")


def _id(key: DomainKey) -> int:
    return key.id
