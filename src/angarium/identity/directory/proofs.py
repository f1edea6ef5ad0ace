"""What challenge mechanisms are told about a user, whether there is one or not. Used by one thread."""

import hashlib
import secrets
from collections.abc import Callable

from angarium.identity.directory.decoy import decoy_scram
from angarium.identity.directory.lookup import Found
from angarium.identity.errors import KeyRingError
from angarium.identity.forms import SCRAM
from angarium.identity.secrets import CREDENTIAL_CONTEXT, KeyRing, key_of
from angarium.smtp.sasl.exchange import Secrets
from angarium.sql.errors import StoreError


class Proofs:
    """Opens what is kept of secrets; an answer costs the same for somebody who does not exist.

    *decoy* makes the verifier of somebody who has none.
    """

    def __init__(self, ring: KeyRing, decoy: Callable[[bytes, str], str] = decoy_scram) -> None:
        self._ring = ring
        self._decoy = decoy
        self._nobodys = b""

    def of(self, found: Found | None, mechanism: str, username: str) -> Secrets | None:
        """Return what *mechanism* needs to know of *found*; None: it is not kept, or there is nobody.

        Raises StoreError when what is kept cannot be decrypted.
        """
        if mechanism == SCRAM:
            decoy = self._decoy(self._decoy_key(), username)  # in any case, so that it takes its time
            verifier = found.scram if found is not None else None
            return Secrets(scram=verifier or decoy)
        sealed = found.sealed if found is not None else None
        password = self._open(sealed or self._sealed_for_nobody())
        if found is not None and found.principal.kind == "server_token":
            return Secrets(password=username)  # it is its own name, and has just come in clear
        return Secrets(password=password) if sealed is not None else None

    def _open(self, sealed: bytes) -> str:
        try:
            return self._ring.open(sealed, CREDENTIAL_CONTEXT).decode()
        except KeyRingError as error:
            raise StoreError(str(error)) from error

    def _sealed_for_nobody(self) -> bytes:
        if key_of(self._nobodys) != self._ring.key_ids[0]:
            self._nobodys = self._ring.seal(secrets.token_urlsafe(27).encode(), CREDENTIAL_CONTEXT)
        return self._nobodys

    def _decoy_key(self) -> bytes:
        """Return something that every worker knows and no client does."""
        return hashlib.sha256(b"decoy" + self._ring.key_ids[-1]).digest()
