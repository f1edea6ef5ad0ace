"""Keys of one domain, and its DNS as two verifiers want it."""

import base64
from collections.abc import Callable

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from angarium.render.dkim import SigningKey

Verify = Callable[[bytes], list[bool]]


@pytest.fixture(scope="session")
def keys() -> tuple[SigningKey, ...]:
    return (
        SigningKey("example.com", "e1", "ed25519", Ed25519PrivateKey.generate()),
        SigningKey("example.com", "r1", "rsa", generate_private_key(65537, 2048)),
    )


@pytest.fixture(scope="session")
def records(keys: tuple[SigningKey, ...]) -> dict[str, str]:
    """The TXT records of the keys, by name."""
    texts = {}
    for key in keys:
        raw = key.algorithm == "ed25519"
        form = PublicFormat.Raw if raw else PublicFormat.SubjectPublicKeyInfo
        public = key.private.public_key().public_bytes(Encoding.Raw if raw else Encoding.DER, form)
        name = f"{key.selector}._domainkey.{key.domain}"
        texts[name] = f"v=DKIM1; k={key.algorithm}; p={base64.b64encode(public).decode()}"
    return texts


@pytest.fixture(scope="session")
def verify(records: dict[str, str]) -> Verify:
    """What dkimpy says of each signature of a message, from the top."""

    def ask(name: bytes, timeout: int = 5) -> bytes | None:
        text = records.get(name.decode().removesuffix("."))
        return None if text is None else text.encode()

    def verdicts(message: bytes) -> list[bool]:
        count = sum(line.startswith(b"DKIM-Signature:") for line in message.split(b"\r\n"))
        return [is_good(message, index) for index in range(count)]

    def is_good(message: bytes, index: int) -> bool:
        try:
            return dkim.DKIM(message).verify(idx=index, dnsfunc=ask)
        except dkim.ValidationError:  # its way of saying that the body has another hash
            return False

    return verdicts
