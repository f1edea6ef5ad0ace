"""Debian's OpenDKIM as a verifier, without a DNS: public keys come from a file."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

from angarium.testing.programs import run

PROGRAM = Path("/usr/sbin/opendkim")
_VERDICT = re.compile(r"dkim=(\w+)[^;]*header\.a=([\w-]+)")


def verdict(message: bytes, records: Mapping[str, str]) -> dict[str, str]:
    """Return what becomes of the signatures of *message*: algorithm to `pass`, `fail` and the like.

    *records* are the texts of TXT records by name, without final dot. Raises ProgramFailed.
    """
    with tempfile.TemporaryDirectory(prefix="angarium-opendkim-") as folder:
        keys, conf, mail = (Path(folder, name) for name in ("keys", "opendkim.conf", "mail.eml"))
        keys.write_text("".join(f"{name} {text}\n" for name, text in records.items()))
        conf.write_text(f"Mode v\nTestPublicKeys {keys}\n")
        mail.write_bytes(message)
        output = run([PROGRAM, "-x", conf, "-v", "-v", "-t", mail])
    return {algorithm: word for word, algorithm in _VERDICT.findall(output)}
