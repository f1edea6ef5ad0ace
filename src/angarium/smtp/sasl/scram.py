"""SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side, without channel binding, and what both sides compute."""

import re
from base64 import b64decode, b64encode
from binascii import Error as BinasciiError
from hashlib import pbkdf2_hmac, sha256
from hmac import compare_digest, digest
from typing import NamedTuple

from angarium.smtp.sasl.exchange import Challenge, Failed, NeedSecrets, Proved, Secrets
from angarium.smtp.sasl.prep import saslprep
from angarium.smtp.sasl.steps import Course, Malformed, as_name, as_text

LEAST_ITERATIONS = 4096
"""RFC 7677 §4. Secrets that are long random strings need no more."""

_FIRST = re.compile(r"((?:n|y),(?:a=([^,]+))?,)((n=([^,]+),r=([!-+\--~]{1,512}))(?:,[A-Za-z]=[^,]+)*)")
_FINAL = re.compile(r"(c=([A-Za-z0-9+/=]+),r=([!-+\--~]+)(?:,[A-Za-z]=[^,]+)*),p=([A-Za-z0-9+/=]+)")
_VERIFIER = re.compile(r"([0-9]{1,9}):([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)")


class Verifier(NamedTuple):
    """What is kept of a password: enough to check a proof and to prove the server, too little to log in with."""

    iterations: int
    salt: bytes
    stored_key: bytes
    server_key: bytes

    def __repr__(self) -> str:
        return f"Verifier(iterations={self.iterations})"


def scram_verifier(password: str, salt: bytes, iterations: int = LEAST_ITERATIONS) -> str:
    """Return `iterations:salt:StoredKey:ServerKey` of *password*, the last three in base64, as it may be kept.

    Takes a millisecond for each few thousand iterations. Raises ValueError for a password that SASLprep prohibits,
    and for fewer iterations than LEAST_ITERATIONS.
    """
    if iterations < LEAST_ITERATIONS:
        raise ValueError(f"{iterations} iterations are too few, take {LEAST_ITERATIONS} or more")
    client_key, server_key = keys_of(password, salt, iterations)
    parts = (salt, sha256(client_key).digest(), server_key)
    return ":".join((str(iterations), *(b64encode(part).decode("ascii") for part in parts)))


def read_verifier(text: str) -> Verifier:
    """Read what `scram_verifier` wrote. Raises ValueError."""
    match = _VERIFIER.fullmatch(text)
    if match is None:
        raise ValueError("not a SCRAM verifier")
    salt, stored_key, server_key = (b64decode(part, validate=True) for part in match.groups()[1:])
    return Verifier(int(match[1]), salt, stored_key, server_key)


def keys_of(password: str, salt: bytes, iterations: int) -> tuple[bytes, bytes]:
    """Return ClientKey and ServerKey (RFC 5802 §3). Raises ValueError for a password that SASLprep prohibits."""
    salted = pbkdf2_hmac("sha256", saslprep(password).encode(), salt, iterations)
    return digest(salted, b"Client Key", "sha256"), digest(salted, b"Server Key", "sha256")


def xor(one: bytes, other: bytes) -> bytes:
    """Return the two, of one length, combined bit by bit."""
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def server_course(initial: bytes | None, nonce: str) -> Course:
    """Lead the exchange; *nonce* is printable ASCII without commas and is never used twice."""
    data = initial if initial is not None else (yield Challenge(b""))
    first = _FIRST.fullmatch(as_text(data))
    if first is None:  # also channel binding, which is not offered, and the extension m=, which none knows
        raise Malformed
    header, authzid, bare, _, name, client_nonce = first.groups()
    username = _username(name)
    if authzid is not None and _username(authzid) != username:
        return Failed("wrong")
    secrets: Secrets | None = yield NeedSecrets(username)
    if secrets is None or secrets.scram is None:
        return Failed("wrong")
    verifier = read_verifier(secrets.scram)
    both_nonces = client_nonce + nonce
    salt = b64encode(verifier.salt).decode("ascii")
    server_first = f"r={both_nonces},s={salt},i={verifier.iterations}"
    final = _FINAL.fullmatch(as_text((yield Challenge(server_first.encode()))))
    if final is None:
        raise Malformed
    unproved, binding, said_nonce, proof = final.groups()
    if _decoded(binding) != header.encode() or said_nonce != both_nonces:
        return Failed("wrong")
    signed = f"{bare},{server_first},{unproved}".encode()
    if not _proves(_decoded(proof), verifier.stored_key, signed):
        return Failed("wrong")
    signature = digest(verifier.server_key, signed, "sha256")
    if (yield Challenge(b"v=" + b64encode(signature))):
        raise Malformed
    return Proved(username)


def _proves(proof: bytes, stored_key: bytes, signed: bytes) -> bool:
    signature = digest(stored_key, signed, "sha256")
    if len(proof) != len(signature):
        return False
    return compare_digest(sha256(xor(proof, signature)).digest(), stored_key)


def _username(text: str) -> str:
    """Undo the escapes for comma and equals sign (RFC 5802 §5.1), and prepare the name."""
    if re.search("=(?!2C|3D)", text):
        raise Malformed
    try:
        return as_name(saslprep(text.replace("=2C", ",").replace("=3D", "=")))
    except ValueError:
        raise Malformed from None


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text, validate=True)
    except BinasciiError:
        raise Malformed from None
