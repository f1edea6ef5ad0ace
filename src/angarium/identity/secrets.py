"""Secrets of identities: made, hashed, and, where a challenge-response mechanism needs them back, encrypted.

Keys, tokens and logins are long and random, so that SHA-256 is enough for them; the passwords of people go through
Argon2id. `KeyRing` holds the node's keys and the file they are in.
"""

import hashlib
import hmac
import secrets
import string
import threading
import unicodedata
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Literal

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from angarium.dialects.postmark.names import access_key
from angarium.identity import key_file
from angarium.identity.errors import KeyRingError
from angarium.identity.key_file import NodeKey
from angarium.smtp.sasl.scram import LEAST_ITERATIONS, scram_verifier

CREDENTIAL_CONTEXT: Final = b"credential"
DOMAIN_KEY_CONTEXT: Final = b"domain_key"
WEBHOOK_CONTEXT: Final = b"webhook"
"""What is encrypted: a value moved into the other table cannot be opened there."""

_NONCE_BYTES = 12
_LETTERS_AND_DIGITS = string.ascii_letters + string.digits
_URL_SAFE = _LETTERS_AND_DIGITS + "-_"
_ARGON2 = PasswordHasher()


class KeyRing:
    """The node's keys, the newest first: that one encrypts, all of them decrypt.

    Other processes may rotate the file at any time: keys that are not known yet are looked for in it, and what was
    read from the store before can still be decrypted. Threads may share a ring.
    """

    def __init__(self, path: Path, keys: Iterable[NodeKey]) -> None:
        self.path = path
        self._keys = tuple(keys)
        self._former: tuple[NodeKey, ...] = ()
        self._derived: dict[bytes, tuple[tuple[NodeKey, ...], tuple[bytes, ...]]] = {}
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"KeyRing({str(self.path)!r}, {len(self._keys)} keys)"

    @classmethod
    def load_or_create(cls, path: Path) -> "KeyRing":
        """Return the keys in *path*, made with one new key if there is none. Raises KeyRingError."""
        key_file.create(path)
        return cls(path, key_file.read(path))

    @property
    def key_ids(self) -> tuple[bytes, ...]:
        """The numbers of the keys, the newest first."""
        return tuple(key.id for key in self._keys)

    def derived(self, purpose: bytes) -> bytes:
        """Return a key for *purpose* that is the same in every process of the node until the oldest key is dropped."""
        return hmac.digest(self._keys[-1].key, purpose, "sha256")

    def all_derived(self, purpose: bytes) -> tuple[bytes, ...]:
        """Return a key for *purpose* of each of the node's keys, the newest first, and then of those that were dropped
        since this ring was read.
        """
        keys = (*self._keys, *self._former)
        found = self._derived.get(purpose)
        if found is None or found[0] != keys:
            made = tuple(hmac.digest(key.key, purpose, "sha256") for key in keys)
            found = self._derived[purpose] = keys, made
        return found[1]

    def refresh(self) -> None:
        """Read the file again. Raises KeyRingError."""
        with self._lock:
            self._take(key_file.read(self.path))

    def seal(self, clear: bytes, context: bytes) -> bytes:
        """Encrypt under the newest key; *context* is not kept, but needed to decrypt."""
        key = self._keys[0]
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return key.id + nonce + AESGCM(key.key).encrypt(nonce, clear, context)

    def open(self, sealed: bytes, context: bytes) -> bytes:
        """Decrypt. Raises KeyRingError when no key of the file fits, or something was altered."""
        key = self._key(key_of(sealed))
        nonce, rest = sealed[key_file.ID_BYTES :][:_NONCE_BYTES], sealed[key_file.ID_BYTES + _NONCE_BYTES :]
        try:
            return AESGCM(key.key).decrypt(nonce, rest, context)
        except (InvalidTag, ValueError):
            raise KeyRingError(
                "an encrypted secret in the identity store was altered; restore the store from a copy, or make the "
                "login, domain key or webhook it belongs to anew"
            ) from None

    def rotate(self) -> None:
        """Put a new key in front; the others stay. Raises KeyRingError."""
        with self._lock:
            self._take(key_file.rewrite(self.path, lambda keys: (NodeKey.new(), *keys)))

    def drop(self, key_ids: Iterable[bytes]) -> None:
        """Take keys away for good, but never the newest. Raises KeyRingError."""
        gone = set(key_ids)
        with self._lock:
            self._take(
                key_file.rewrite(
                    self.path, lambda keys: (keys[0], *(key for key in keys[1:] if key.id not in gone))
                )
            )

    def _take(self, keys: tuple[NodeKey, ...]) -> None:
        self._former += tuple(key for key in self._keys if key not in keys and key not in self._former)
        self._keys = keys

    def _key(self, wanted: bytes) -> NodeKey:
        found = self._known(wanted)
        if found is None:
            self.refresh()
            found = self._known(wanted)
        if found is None:
            raise KeyRingError(
                f"a secret is encrypted under key {wanted.hex()}, which is not in {self.path}; "
                "put the key file back that belongs to this identity store"
            )
        return found

    def _known(self, wanted: bytes) -> NodeKey | None:
        return next((key for key in (*self._keys, *self._former) if key.id == wanted), None)


def key_of(sealed: bytes) -> bytes:
    """Return the number of the key that *sealed* is encrypted under."""
    return sealed[: key_file.ID_BYTES]


def new_secret(kind: Literal["api_key", "server_token", "smtp_token", "smtp_login"]) -> str:
    """Return a new random secret in the form of its kind: all of them of at least 122 random bits."""
    if kind == "api_key":
        return secrets.token_hex(20)
    if kind == "server_token":
        return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))
    # A program that is given one that begins with a hyphen takes it for an option: swaks does.
    return secrets.choice(_LETTERS_AND_DIGITS) + _characters(35)


def new_username(kind: Literal["smtp_token", "smtp_login"], stream: str = "", broadcast: bool = False) -> str:
    """Return a new user name: 32 hexadecimal digits, or for an SMTP token its access key."""
    if kind == "smtp_login":
        return secrets.token_hex(16)
    return access_key(stream, broadcast, _characters(22))


def _characters(count: int) -> str:
    return "".join(secrets.choice(_URL_SAFE) for _ in range(count))


def digest_of(secret: str) -> bytes:
    """Return what a random secret is found by: its SHA-256."""
    return hashlib.sha256(secret.encode()).digest()


def scram_of(secret: str, salt: bytes | None = None) -> str:
    """Return what SCRAM-SHA-256 needs to check *secret* (`smtp.sasl.scram`); the secret cannot be found from it.

    The fewest iterations that RFC 7677 §4 allows will do: the secret is random, and guessing it hopeless anyway.
    """
    return scram_verifier(secret, salt or secrets.token_bytes(16), LEAST_ITERATIONS)


def hash_password(password: str) -> str:
    """Return the Argon2id hash of a person's password. Takes some 50 ms and 64 MB."""
    return _ARGON2.hash(_normal(password))


def verify_password(stored: str, password: str) -> bool:
    """Whether *password* is the one that `hash_password` returned *stored* for. As slow."""
    try:
        return _ARGON2.verify(stored, _normal(password))
    except (VerificationError, InvalidHashError):
        return False


def _normal(password: str) -> str:
    """An é is one character on one keyboard and two on another (RFC 4013)."""
    return unicodedata.normalize("NFKC", password)
