"""Putting a new certificate where the node reads it: whole, by one rename, and only if it is of use."""

import os
from pathlib import Path

from angarium.core.files import create_anew, give_to_owner_of, sync_folder
from angarium.tls.certificate import Certificate, TlsProblem, read_certificate
from angarium.tls.server.contexts import Pair, TlsPlan, make_context


def install_pair(pair: Pair, target: Path, now: float) -> Certificate:
    """Write the key and the chain of *pair* into the one file *target*, readable by the owner of its folder alone.

    Key and certificate change in the same moment: no reader finds one of the old and one of the new. Raises TlsProblem
    for a pair that is of no use, and when the file cannot be written; then it is as it was.
    """
    certificate = read_certificate(pair.certificate)
    make_context(TlsPlan((pair,), None, "none", ("TLSv1.2", "TLSv1.3"), None))
    if certificate.is_expired(now):
        raise TlsProblem(f"{pair.certificate} has expired; install one that holds")
    new = target.with_name(f".{target.name}.new")
    try:
        _write(
            new, b"\n".join(file.read_bytes() for file in (pair.key, pair.certificate) if file is not None)
        )
        new.rename(target)
        sync_folder(target.parent)
    except OSError as error:
        raise TlsProblem(
            f"{target}: {(error.strerror or str(error)).lower()}; name a file in a folder of the node's user by --to"
        ) from error
    return certificate


def _write(new: Path, content: bytes) -> None:
    with open(create_anew(new), "wb") as file:
        give_to_owner_of(new.parent, file.fileno())
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
