"""DKIM signatures (RFC 6376, RFC 8301, RFC 8463): relaxed/relaxed, SHA-256, by RSA and Ed25519. No clock, no I/O.

A signature covers the whole body, never a part of it (`l=`), and does not expire (`x=`): mail may wait anywhere.
"""

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_private_key

from angarium.core.errors import AngariumError
from angarium.mime.header import HeaderBlock
from angarium.render.canonical import relaxed_body_hash, relaxed_field, relaxed_pieces_hash

Algorithm = Literal["rsa", "ed25519"]

MAX_LINE = 78  # RFC 5322 §2.1.1
_OWN = "dkim-signature"
_FIELD_END = re.compile(rb"\r\n(?![ \t])")
_PADDING = PKCS1v15()
_PREHASHED = Prehashed(SHA256())


class KeyUnusable(AngariumError):
    """A private key is not what it is said to be. Says what would be right."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key and the name in the DNS that its public half is published under.

    *domain* is in lower-case A-labels; the name is `selector._domainkey.domain`.
    """

    domain: str
    selector: str
    algorithm: Algorithm
    private: RSAPrivateKey | Ed25519PrivateKey

    @classmethod
    def load(cls, domain: str, selector: str, algorithm: Algorithm, der: bytes) -> "SigningKey":
        """Read a private key in PKCS #8 DER. Raises KeyUnusable; slow, as RSA keys are checked."""
        where = f"the key {selector} of {domain}"
        try:
            private = load_der_private_key(der, None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyUnusable(f"{where} is no private key in PKCS #8 DER: {error}") from None
        if not isinstance(private, RSAPrivateKey if algorithm == "rsa" else Ed25519PrivateKey):
            raise KeyUnusable(f"{where} is not of the kind {algorithm}: make a new key with that algorithm")
        assert isinstance(private, RSAPrivateKey | Ed25519PrivateKey)
        if isinstance(private, RSAPrivateKey) and private.key_size < 1024:  # RFC 8301 §3.2
            raise KeyUnusable(f"{where} has {private.key_size} bits: verifiers want at least 1024, use 2048")
        return cls(domain, selector, algorithm, private)

    def sign_hash(self, digest: bytes) -> bytes:
        """Sign a SHA-256. Most of the time is spent outside the interpreter lock."""
        if isinstance(self.private, RSAPrivateKey):
            return self.private.sign(digest, _PADDING, _PREHASHED)
        return self.private.sign(digest)  # RFC 8463 §3: the hash itself is the message


Keys = tuple[SigningKey, ...]
"""All of them sign."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """All of the signatures to be but what needs the private keys."""

    unsigned: tuple[tuple[SigningKey, str, bytes], ...]
    """Of each signature its key, the field as far as `b=`, and the hash to sign."""

    def signed(self) -> bytes:
        """Return the fields, each with CRLF. Holds on to the processor for about a quarter of a millisecond."""
        return b"".join(_finished(text, key.sign_hash(digest)) for key, text, digest in self.unsigned)


def prepare(
    header: HeaderBlock,
    body_hash: bytes,
    keys: Iterable[SigningKey],
    headers: tuple[str, ...],
    oversign: tuple[str, ...],
    now: float,
) -> Prepared:
    """Prepare one signature for each of *keys*, those of RSA first.

    *header* is the whole header as it leaves. *headers* names the fields that are covered as often as they stand
    there, *oversign* those that are covered once more, so that none can be added. From is always covered
    (RFC 6376 §5.4), other DKIM signatures never are. Names come in any case.
    """
    names, text = _covered(header, headers, oversign)
    hash_text = base64.b64encode(body_hash).decode()
    ordered = sorted(keys, key=lambda key: key.algorithm != "rsa")
    return Prepared(tuple(_unsigned(key, names, text, hash_text, now) for key in ordered))


def sign(
    header: bytes,
    body: bytes | Iterable[bytes],
    keys: Iterable[SigningKey],
    headers: tuple[str, ...],
    oversign: tuple[str, ...],
    now: float,
) -> bytes:
    """Return the DKIM-Signature fields for a message, each with CRLF; see `prepare`.

    *header* is without the blank line that ends it.
    """
    body_hash = relaxed_body_hash(body) if isinstance(body, bytes) else relaxed_pieces_hash(body)
    block = HeaderBlock(header, len(header), True)
    return prepare(block, body_hash, keys, headers, oversign, now).signed()


def _covered(
    header: HeaderBlock, headers: tuple[str, ...], oversign: tuple[str, ...]
) -> tuple[tuple[str, ...], list[bytes]]:
    """Return the names for `h=`, and the canonical fields in that order; of one name the lowest comes first."""
    found: dict[bytes, list[bytes]] = {}
    for name, value in reversed(_fields(header)):
        found.setdefault(name, []).append(value)
    names: list[str] = []
    text: list[bytes] = []
    for name, spelled, extra in _wanted(headers, oversign):
        values = found.get(name, ())
        names += [spelled] * (len(values) + (extra and (bool(values) or not _may_come_later(name))))
        text += [relaxed_field(name, value) for value in values]
    return tuple(names) or ("From",), text


def _fields(header: HeaderBlock) -> list[tuple[bytes, bytes]]:
    """Return the lower-case names and the values of all fields, and perhaps of lines that are none."""
    raw = header.raw
    if raw.count(b"\n") != raw.count(b"\r\n"):
        return [(field.name, field.value) for field in header.fields()]
    parts = [line.partition(b":") for line in _FIELD_END.split(raw)]  # a third of the time
    return [(name.rstrip(b" \t").lower(), value) for name, colon, value in parts if colon]


@lru_cache(maxsize=256)
def _wanted(headers: tuple[str, ...], oversign: tuple[str, ...]) -> list[tuple[bytes, str, bool]]:
    """Return each field's name, how it is written in `h=`, and whether it is signed once more."""
    spelled = {name.lower(): name for name in ("From", *headers, *oversign)}
    more = {name.lower() for name in oversign}
    return [(low.encode(), name, low in more) for low, name in spelled.items() if low != _OWN]


def _may_come_later(name: bytes) -> bool:
    """Whether hosts on the way add a field in good faith where there is none: a mailing list its Sender, a host that
    converts a message the MIME fields. They are signed once more only where they stand."""
    return name in (b"sender", b"mime-version") or name.startswith(b"content-")


def _unsigned(
    key: SigningKey, names: tuple[str, ...], text: list[bytes], body_hash: str, now: float
) -> tuple[SigningKey, str, bytes]:
    value = f" v=1; a={key.algorithm}-sha256; c=relaxed/relaxed; t={int(now)};\r\n{_whose(key.domain, key.selector)}"
    value += f"\r\n{_listed(names)}\r\n\tbh={body_hash};\r\n\tb="
    signed = b"\r\n".join((*text, relaxed_field(b"dkim-signature", value.encode())))
    return key, f"DKIM-Signature:{value}", hashlib.sha256(signed).digest()


@lru_cache(maxsize=1024)
def _whose(domain: str, selector: str) -> str:
    return _folded(f"\td={domain};", (f" s={selector};",))


@lru_cache(maxsize=1024)
def _listed(names: tuple[str, ...]) -> str:
    *others, last = names
    return _folded("\th=", (*(f"{name}:" for name in others), f"{last};"))


def _folded(line: str, words: Iterable[str]) -> str:
    """Put *words* behind *line*, in lines of at most 78 characters where they allow it."""
    lines = []
    for word in words:
        if len(line) + len(word) > MAX_LINE:
            lines.append(line)
            line, word = "\t", word.lstrip()
        line += word
    return "\r\n".join((*lines, line))


def _finished(text: str, signature: bytes) -> bytes:
    """Put the signature behind `b=`, in lines."""
    value = base64.b64encode(signature).decode()
    first = MAX_LINE - len("\tb=")
    rest = "".join(f"\r\n\t{value[at : at + MAX_LINE - 1]}" for at in range(first, len(value), MAX_LINE - 1))
    return f"{text}{value[:first]}{rest}\r\n".encode()
