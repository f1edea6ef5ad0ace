"""The program: reads a mail from standard input and hands it to the node of this machine, or leaves it in the drop
folder.

What is loaded late is what most mails do not need: the configuration (0.1 s of a small machine) when the packaged
socket is not there, and the reader of address lists for `-t`.
"""

import contextlib
import os
import pwd
import select
import socket
import sys
import time
from pathlib import Path
from typing import Final, NoReturn

from angarium.core.errors import AngariumError
from angarium.mime.words import written as mailbox
from angarium.sendmail.aliases import expand, read_aliases
from angarium.sendmail.arguments import SendmailArguments, read_arguments
from angarium.sendmail.drop import put
from angarium.sendmail.errors import NotNow, NotSent, SendmailError, SendmailUsage
from angarium.sendmail.listed import addresses_in, listed
from angarium.sendmail.message import MailUser, Written, compose, read_message
from angarium.sendmail.posting import Posting
from angarium.sendmail.submit import connect, submit

PROGRAMS: Final = ("sendmail", "mailq", "newaliases")
"""The names by which this program is called when it stands in for Sendmail."""
SOCKET: Final = "/run/angarium/submission.sock"
"""Where a node that runs as a service takes mail of this machine's users."""
DROP: Final = Path("/var/spool/angarium")
CONFIG: Final = Path("/etc/angarium/angarium.conf")

_ALIASES: Final = Path("/etc/aliases")
_MAIL_NAME: Final = Path("/etc/mailname")
_HOSTS: Final = Path("/etc/hosts")
_PIECE: Final = 65_536
_MOST_RECIPIENTS: Final = 500
"""Of one transaction: less than any node takes that was not told to take fewer."""


def run(given: list[str], program: str = "sendmail") -> int:
    """Do what `sendmail` is called for with the arguments *given*; return the exit status (sysexits.h)."""
    try:
        arguments = read_arguments(given)
        if program == "mailq" or arguments.mode == "queue":
            _become("queue")
        if program == "newaliases" or arguments.mode == "aliases":
            return os.EX_OK  # /etc/aliases is read with each mail
        if arguments.mode == "flush":
            _become("flush", "--all", "--yes")
        if arguments.mode == "help":
            _become("sendmail", "--help")
        if arguments.mode == "smtp":
            return _speak_smtp(arguments)
        return _send(arguments)
    except SendmailError as error:
        print(f"sendmail: {error}", file=sys.stderr)
        return error.status
    except AngariumError as error:
        print(f"sendmail: {error}", file=sys.stderr)
        return os.EX_SOFTWARE


def _become(*command: str) -> NoReturn:
    os.execv(sys.executable, (sys.executable, "-m", "angarium", *command))


def _send(arguments: SendmailArguments) -> int:
    caller = _caller()
    written = read_message(_input(arguments.ends_at_dot), arguments.ends_at_dot)
    recipients = expand(_recipients(arguments, written), read_aliases(_text(_ALIASES)), caller.host)
    sender = caller.address if arguments.sender is None else _sender(arguments.sender, caller)
    text = compose(
        written, caller, _author(arguments, written, sender, caller), time.time(), os.urandom(12).hex()
    )
    for at in range(0, len(recipients), _MOST_RECIPIENTS):
        some = tuple(recipients[at : at + _MOST_RECIPIENTS])
        _hand_over(Posting(sender, some, text, arguments.notify, arguments.ret, arguments.envid), arguments)
    return os.EX_OK


def _input(ends_at_dot: bool) -> bytes:
    """Return what is written to standard input; at a terminal a dot ends it, as nobody hangs up there."""
    if not ends_at_dot:
        return sys.stdin.buffer.read()
    lines = []
    for line in sys.stdin.buffer:
        lines.append(line)
        if line in (b".\n", b".\r\n"):
            break
    return b"".join(lines)


def _recipients(arguments: SendmailArguments, written: Written) -> list[str]:
    found = [each for word in arguments.recipients for each in addresses_in(word)]
    if arguments.reads_recipients:
        found += listed(written)
    if not found:
        where = "in To, Cc or Bcc" if arguments.reads_recipients else "on the command line, and no -t"
        raise SendmailUsage(f"there are no recipients {where}")
    return [_checked(each) for each in found]


def _checked(address: str) -> str:
    """Return what may stand in a command of SMTP. Raises NotSent."""
    if not address or not address.isprintable() or set(address) & set("<>"):
        raise NotSent(f"{address!r} is no address", os.EX_DATAERR)
    return address


def _author(arguments: SendmailArguments, written: Written, sender: str, caller: MailUser) -> str:
    """Return the mailbox for a From that is missing."""
    if written.has(b"from"):
        return ""
    return mailbox(arguments.full_name or caller.full_name, sender or caller.address).replace("\r\n", "\n")


def _sender(word: str, caller: MailUser) -> str:
    if not word:
        return ""
    found = addresses_in(word)
    if len(found) != 1:
        raise SendmailUsage(f"-f {word}: write one address")
    return _checked(found[0] if "@" in found[0] else f"{found[0]}@{caller.host}")


# -- to the node


def _hand_over(posting: Posting, arguments: SendmailArguments) -> None:
    trace = _to_stderr if arguments.is_verbose else lambda line: None
    address = _address(arguments)
    try:
        submit(address, posting, trace)
    except NotNow as error:
        folder = _drop_folder(arguments)
        if folder is None:
            raise NotNow(
                f"{error}; the mail is not sent, and there is no drop folder to leave it in"
            ) from error
        try:
            path = put(folder, posting)
        except NotNow as problem:
            raise NotNow(f"{error}; the mail is not sent: {problem}") from error
        trace(f"{error}; the mail is in {path} and goes out when a node is there")


def _to_stderr(line: str) -> None:
    print(line, file=sys.stderr)


def _address(arguments: SendmailArguments) -> str:
    """Return where the node takes mail: as the environment says, at the usual place, or as the configuration says."""
    if named := os.environ.get("ANGARIUM_SUBMISSION"):
        return named
    if not arguments.config and os.path.exists(SOCKET):
        return SOCKET
    from angarium.sendmail.place import BadPlace, read_place  # see above

    found = read_place(_config(arguments)).address
    if found is None:
        raise BadPlace(
            "no listener takes mail without a login; give one a Unix socket as packaging/angarium.conf does"
        )
    return found


def _drop_folder(arguments: SendmailArguments) -> Path | None:
    if named := os.environ.get("ANGARIUM_DROP"):
        return Path(named)
    if arguments.config or not DROP.is_dir():
        from angarium.sendmail.place import read_place  # see above

        return read_place(_config(arguments)).drop
    return DROP


def _config(arguments: SendmailArguments) -> Path | None:
    named = arguments.config or os.environ.get("ANGARIUM_CONFIG")
    if named:
        return Path(named)
    return CONFIG if os.access(CONFIG, os.R_OK) else None


def _speak_smtp(arguments: SendmailArguments) -> int:
    """Have the caller speak SMTP with the node over standard input and output, until either hangs up (`-bs`)."""
    try:
        sock = connect(_address(arguments))
    except OSError as error:
        sys.stdout.write("421 4.3.2 no node answers; try again later\r\n")
        raise NotNow(f"no node answers: {(error.strerror or str(error)).lower()}") from error
    with sock:
        _pass_on(sock)
    return os.EX_OK


def _pass_on(sock: socket.socket) -> None:
    sources = {sys.stdin.fileno(), sock.fileno()}
    while sock.fileno() in sources:
        ready, _, _ = select.select(list(sources), (), ())
        if sock.fileno() in ready:
            data = sock.recv(_PIECE)
            if not data:
                return
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        if sys.stdin.fileno() in ready:
            data = os.read(sys.stdin.fileno(), _PIECE)
            if data:
                sock.sendall(data)
            else:
                sources.remove(sys.stdin.fileno())
                sock.shutdown(socket.SHUT_WR)


# -- who and where


def _caller() -> MailUser:
    uid = os.getuid()
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:  # a container's user may have no name
        return MailUser(uid, str(uid), "", _host())
    full_name = entry.pw_gecos.partition(",")[0].replace("&", entry.pw_name.capitalize())
    return MailUser(uid, entry.pw_name, os.environ.get("NAME") or full_name, _host())


def _host() -> str:
    """Return this machine's name in mail. No DNS is asked: mail is written when the network is down, too."""
    if named := _text(_MAIL_NAME).split():
        return named[0]
    name = socket.gethostname()
    if "." in name:
        return name
    lines = (line.partition("#")[0].split()[1:] for line in _text(_HOSTS).splitlines())
    return next((names[0] for names in lines if name in names and "." in names[0]), name)


def _text(path: Path) -> str:
    with contextlib.suppress(OSError):
        return path.read_text("utf-8", "surrogateescape")
    return ""
