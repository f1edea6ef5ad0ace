"""Taking the unfinished mail out of a spool as mbox or as .eml files. Reads only; also beside a running node.

Every message gets its envelope as header lines in front: X-Angarium-Id, X-Angarium-Return-Path and an
X-Angarium-Recipient for each recipient that is still owed an end; so a script can hand it to another mail
system. X-Angarium-Refusal says that a message was taken only to be reported as failed and is not to be sent.
"""

import os
import re
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from angarium.core.files import create_anew, make_folder, open_own
from angarium.core.ids import format_id
from angarium.spool.disk import RealDisk
from angarium.spool.files.reader import opened_log
from angarium.spool.offline.survey import Unfinished, partitions, survey, unfinished_body
from angarium.spool.port import SpoolError

_FROM_LINE = re.compile(rb"^(>*From )", re.MULTILINE)


class Exported(NamedTuple):
    """What was written, and a sentence for each message that could not be read."""

    messages: int
    recipients: int
    failed: list[str]


class ExportedEnvelope(msgspec.Struct, frozen=True):
    """What stands in the .json beside an .eml: times in epoch seconds, addresses without angle brackets.

    *fate* is "deliver" for mail that is to be sent. With "fail" it was taken only to be reported as failed with
    *refusal*, with "feedback" it is mail to this node.
    """

    id: str
    received_at: float
    reverse_path: str
    recipients: list[str]
    binding: str
    tenant: str
    envid: str
    ret: str
    refusal: str = ""
    fate: str = "deliver"


def unfinished_mail(data: Path) -> Iterator[tuple[Unfinished, bytes | SpoolError]]:
    """Yield every unfinished message of a spool with its header block and body, trace lines in front; or what
    stood in the way of reading them. Raises SpoolError when there is no partition or one cannot be read."""
    found = partitions(data)
    if not found:
        raise SpoolError(f"there is no spool partition in {data}")
    for path in found:
        surveyed = survey(path)
        with opened_log(path, RealDisk()) as (log, _):
            for unfinished in surveyed.unfinished():
                try:
                    body = unfinished_body(surveyed, unfinished.message, log)
                except SpoolError as exc:
                    yield unfinished, exc
                    continue
                yield unfinished, unfinished.message.trace + body


def export_mbox(data: Path, out: BinaryIO) -> Exported:
    """Write the unfinished mail as one mbox ("mboxrd": LF line ends, `From ` lines quoted with `>`,
    reversibly).
    """

    def write(unfinished: Unfinished, content: bytes) -> None:
        message = unfinished.message
        sender = message.reverse_path if re.fullmatch(r"[!-~]+", message.reverse_path) else "MAILER-DAEMON"
        when = time.asctime(time.gmtime(message.received_at))
        text = (envelope_lines(unfinished) + content).replace(b"\r\n", b"\n")
        text = _FROM_LINE.sub(rb">\1", text)
        out.write(
            f"From {sender} {when}\n".encode("ascii") + text + (b"\n" if text.endswith(b"\n") else b"\n\n")
        )

    return _export(data, write)


def export_eml(data: Path, directory: Path) -> Exported:
    """Write each unfinished message as submitted (with trace lines) to `ID.eml`, its envelope to `ID.json`.

    Existing files of these names are replaced. All is for its owner alone. Raises OSError.
    """
    make_folder(directory)

    def write(unfinished: Unfinished, content: bytes) -> None:
        name = format_id(unfinished.message.id)
        _write(directory / f"{name}.eml", content)
        _write(directory / f"{name}.json", msgspec.json.encode(envelope(unfinished)) + b"\n")

    return _export(data, write)


def open_mbox(path: Path) -> BinaryIO:
    """Open a file for an export, for its owner alone, in place of one that is there; or a device or pipe as it is.

    Raises OSError, also for a symbolic link: others may have laid it.
    """
    try:
        is_file = stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        is_file = True
    return open(create_anew(path) if is_file else open_own(path, os.O_WRONLY), "wb")


def _write(path: Path, content: bytes) -> None:
    with open(create_anew(path), "wb") as file:
        file.write(content)


def _export(data: Path, write: Callable[[Unfinished, bytes], None]) -> Exported:
    messages = recipients = 0
    failed = []
    for unfinished, content in unfinished_mail(data):
        if isinstance(content, SpoolError):
            failed.append(str(content))
            continue
        write(unfinished, content)
        messages += 1
        recipients += len(unfinished.indices)
    return Exported(messages, recipients, failed)


def envelope(unfinished: Unfinished) -> ExportedEnvelope:
    """Return the envelope that is still to be served."""
    message = unfinished.message
    return ExportedEnvelope(
        format_id(message.id),
        message.received_at,
        message.reverse_path,
        [message.recipients[index].address for index in unfinished.indices],
        message.binding,
        message.tenant,
        message.envid,
        message.ret,
        str(message.refusal or ""),
        message.fate,
    )


def envelope_lines(unfinished: Unfinished) -> bytes:
    """Return the envelope as header lines. Addresses hold no CR or LF; were one to, it would be left out."""
    served = envelope(unfinished)
    lines = [f"X-Angarium-Id: {served.id}", f"X-Angarium-Return-Path: <{served.reverse_path}>"]
    lines += [f"X-Angarium-Recipient: <{address}>" for address in served.recipients]
    lines += [f"X-Angarium-Refusal: {served.refusal}"] if served.refusal else []
    lines += [f"X-Angarium-Fate: {served.fate}"] if served.fate != "deliver" else []
    return "".join(re.sub(r"[\r\n]", "", line) + "\r\n" for line in lines).encode("utf-8", "replace")
