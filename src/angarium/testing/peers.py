"""Real mail programs as peers for tests: Debian's Postfix, Sendmail, Dovecot's LMTP server, swaks, msmtp.

Each server runs in a fresh folder under the system's temporary folder, on a free port of 127.0.0.1, with
its own configuration, queue and log, and touches nothing of the system. They change to users of their own, so
the one who starts them must be root. `script/debian-packages` installs all of them.
"""

import grp
import os
import pwd
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from angarium.core.errors import AngariumError
from angarium.testing.programs import PATIENCE_S, Program, free_port, last_lines, run

NOBODY = 65534
"""Numeric user and group of delivered mail: `nobody` and `nogroup`."""

_SENDMAIL_PLACES = (Path("/usr"), Path(__file__).parents[3] / ".cache/sendmail/usr")


class PeerMissing(AngariumError):
    """A program that a test needs is not installed, or may not be run by this user."""


def find_program(name: str, package: str) -> Path:
    """Return the path of a program. Raises PeerMissing, naming the Debian *package* that has it."""
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin:/usr/lib/postfix/sbin")
    if found is None:
        raise PeerMissing(f"{name} is not installed; script/debian-packages installs Debian's {package}")
    return Path(found)


class Peer:
    """A mail server with its own folder and port. Subclasses write the configuration and start `program`."""

    program: Program

    def __init__(self, kind: str) -> None:
        if os.geteuid() != 0:
            raise PeerMissing(f"{kind} changes to users of its own and can be started by root only")
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix=f"angarium-{kind}-"))
        self.directory.chmod(0o755)  # its processes run as other users

    def stop(self) -> None:
        """End the server and remove its folder."""
        self.program.stop()
        self.program.kill_group()
        shutil.rmtree(self.directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        print(
            f"--- end of {self.program.name}'s log\n{last_lines(self.program.log)}"
        )  # pytest shows it on failure
        self.stop()

    def _start(self, program: Program, ready: Callable[[], object]) -> None:
        self.program = program
        try:
            ready()
        except BaseException:
            self.stop()
            raise

    def _folder(self, name: str, owner: int = 0) -> Path:
        folder = self.directory / name
        folder.mkdir()
        folder.chmod(0o755)  # whatever the umask
        os.chown(folder, owner, owner)
        return folder


class Postfix(Peer):
    """A separate Postfix, listening on `port`.

    *transport* is where mail goes, as the right side of a line in Postfix's transport table, for instance
    `smtp:[127.0.0.1]:2525`; without it, mail for *domain* is kept in a maildir and nothing is relayed.
    *settings* are further lines of main.cf. *log_to* is a file below /var or the temporary folder; by default
    the log can be read in `program`.
    """

    def __init__(
        self,
        *,
        transport: str | None = None,
        domain: str = "example.com",
        settings: Mapping[str, str] | None = None,
        log_to: Path | None = None,
    ) -> None:
        master = find_program("master", "postfix")
        super().__init__("postfix")
        self.configuration = self._folder("etc")
        self._make_queue()
        self.maildir = self._folder("mail", NOBODY) / "inbox"
        lines = _postfix_main(self.directory, transport, domain, log_to)
        lines.update(settings or {})
        self._write("main.cf", "".join(f"{name} = {value}\n" for name, value in lines.items()))
        self._write("master.cf", _POSTFIX_MASTER.format(port=self.port))
        self._write("transport", f"* {transport}\n")
        program = Program([master, "-c", self.configuration, "-s"], name="postfix")
        if log_to is None:
            self._start(program, lambda: program.wait_for("daemon started"))
        else:
            log = log_to
            self._start(program, lambda: program.wait_until(lambda: "daemon started" in _text(log), "start"))

    def messages(self, count: int, timeout_s: float = PATIENCE_S) -> list[bytes]:
        """Wait for *count* deliveries into the maildir and return the mails, oldest first."""
        self.program.wait_for(r"status=sent \(delivered to maildir\)", count, timeout_s)
        return read_maildir(self.maildir)

    def sendmail(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        """Hand a mail over with this instance's sendmail command, which takes lines that end in LF."""
        run(
            [
                find_program("sendmail", "postfix"),
                "-C",
                self.configuration,
                "-i",
                "-f",
                sender,
                "--",
                *recipients,
            ],
            message,
        )

    def _make_queue(self) -> None:
        # What `postfix check` would make, which takes seconds.
        user, postdrop = pwd.getpwnam("postfix").pw_uid, grp.getgrnam("postdrop").gr_gid
        self._folder("data", user)
        self._folder("queue")
        self._folder("queue/pid")
        for name in _POSTFIX_QUEUES:
            self._folder(f"queue/{name}", user).chmod(0o700)
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            os.chown(self._folder(f"queue/{name}"), user, postdrop)
            (self.directory / "queue" / name).chmod(mode)

    def _write(self, name: str, text: str) -> None:
        path = self.configuration / name
        path.write_text(text)
        path.chmod(0o644)  # whatever the umask
        os.utime(path, (0, 0))  # Postfix waits two seconds for a new file to be finished


def _postfix_main(directory: Path, transport: str | None, domain: str, log_to: Path | None) -> dict[str, str]:
    lines = {
        "compatibility_level": "3.6",
        "queue_directory": f"{directory}/queue",
        "data_directory": f"{directory}/data",
        "maillog_file": str(log_to or "/dev/stdout"),
        "maillog_file_prefixes": f"/var, /dev/stdout, {tempfile.gettempdir()}",
        "myhostname": f"postfix.{domain}",
        "mydestination": "",
        "mynetworks": "127.0.0.0/8",
        "inet_protocols": "ipv4",
        "alias_maps": "",
        "local_recipient_maps": "",
        "smtp_dns_support_level": "disabled",
        "smtputf8_enable": "yes",
        "message_size_limit": "0",
        "smtp_line_length_limit": "0",
    }
    if transport is not None:
        lines["transport_maps"] = f"texthash:{directory}/etc/transport"
        return lines
    lines |= {
        "virtual_mailbox_domains": domain,
        "virtual_mailbox_base": f"{directory}/mail",
        "virtual_mailbox_maps": "static:inbox/",
        "virtual_mailbox_limit": "0",
        "virtual_uid_maps": f"static:{NOBODY}",
        "virtual_gid_maps": f"static:{NOBODY}",
    }
    return lines


_POSTFIX_QUEUES = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush"),
    *("hold", "incoming", "private", "saved", "trace"),
)

_POSTFIX_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
lmtp unix - - n - - lmtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
tlsmgr unix - - n 1000? 1 tlsmgr
tlsproxy unix - - n - 0 tlsproxy
showq unix n - n - - showq
postlog unix-dgram n - n - 1 postlogd
"""


class Sendmail(Peer):
    """A separate Sendmail, listening on `port`, that gives everything to *relay_port* of 127.0.0.1.

    Found at /usr or in the tree that `script/debian-packages` unpacks: Debian lets only one MTA be installed.
    """

    def __init__(self, *, relay_port: int) -> None:
        self._usr = _sendmail_usr()
        m4 = find_program("m4", "m4")
        super().__init__("sendmail")
        self._folder("queue").chmod(0o700)
        (self.directory / "switch").write_text("hosts files\naliases files\n")
        cf = self._usr / "share/sendmail/cf"
        macros = _SENDMAIL_MACROS.format(
            cf=cf, directory=self.directory, port=self.port, relay_port=relay_port
        )
        self.configuration = self.directory / "sendmail.cf"
        (self.directory / "sendmail.mc").write_text(macros)
        self.configuration.write_text(run([m4, f"-D_CF_DIR_={cf}/", self.directory / "sendmail.mc"]))
        program = Program([*self._command, "-X", "/dev/stdout", "-bD", "-q1h"], name="sendmail")
        self._start(program, lambda: program.wait_until((self.directory / "pid").exists, "pid file"))

    @property
    def _command(self) -> list[str | Path]:
        # Without a dot in the host's name Sendmail waits a minute before it even reads its configuration.
        named = 'hostname sendmail.example.org && exec "$@"'
        binary = self._usr / "libexec/sendmail/sendmail"
        return ["unshare", "--uts", "sh", "-c", named, "sh", binary, "-C", self.configuration]

    def sendmail(self, sender: str, recipients: Sequence[str], message: bytes) -> None:
        """Hand a mail over on the command line, in lines that end in LF; it is sent before this returns."""
        run([*self._command, "-odi", "-i", "-f", sender, "--", *recipients], message)


def _sendmail_usr() -> Path:
    for usr in _SENDMAIL_PLACES:
        if (usr / "libexec/sendmail/sendmail").exists():
            return usr
    raise PeerMissing(
        "Sendmail is not there; script/debian-packages unpacks Debian's sendmail-bin and sendmail-cf"
    )


_SENDMAIL_MACROS = """\
include(`{cf}/m4/cf.m4')dnl
OSTYPE(`linux')dnl
define(`confDOMAIN_NAME', `sendmail.example.org')dnl
define(`SMART_HOST', `[127.0.0.1]')dnl
define(`RELAY_MAILER_ARGS', `TCP $h {relay_port}')dnl
define(`QUEUE_DIR', `{directory}/queue')dnl
define(`confPID_FILE', `{directory}/pid')dnl
define(`confSERVICE_SWITCH_FILE', `{directory}/switch')dnl
define(`ALIAS_FILE', `')dnl
define(`HELP_FILE', `')dnl
define(`STATUS_FILE', `')dnl
define(`confTO_IDENT', `0')dnl
define(`confDEF_USER_ID', ``65534:65534'')dnl
define(`confDONT_PROBE_INTERFACES', `true')dnl
FEATURE(`nocanonify')dnl
FEATURE(`accept_unresolvable_domains')dnl
DAEMON_OPTIONS(`Name=in, Addr=127.0.0.1, Port={port}')dnl
MAILER(`local')dnl
MAILER(`smtp')dnl
"""


class DovecotLmtp(Peer):
    """Dovecot's LMTP server on `port`: takes mail for any address and keeps it in one maildir per local part."""

    def __init__(self) -> None:
        dovecot = find_program("dovecot", "dovecot-lmtpd")
        super().__init__("dovecot")
        self._folder("run")
        self._folder("state")
        self._folder("mail", NOBODY)
        configuration = self.directory / "dovecot.conf"
        configuration.write_text(
            _DOVECOT_CONF.format(directory=self.directory, port=self.port, nobody=NOBODY)
        )
        program = Program([dovecot, "-F", "-c", configuration], name="dovecot")
        self._start(program, lambda: program.wait_for("starting up for lmtp"))

    def messages(self, user: str, count: int, timeout_s: float = PATIENCE_S) -> list[bytes]:
        """Wait for *count* deliveries to the local part *user* and return the mails, oldest first."""
        self.program.wait_for(rf"lmtp\({user}@?[^)]*\).*saved mail to INBOX", count, timeout_s)
        return read_maildir(self.directory / "mail" / user)


_DOVECOT_CONF = """\
protocols = lmtp
base_dir = {directory}/run
state_dir = {directory}/state
log_path = /dev/stderr
ssl = no
first_valid_uid = {nobody}
first_valid_gid = {nobody}
mail_location = maildir:{directory}/mail/%n
auth_username_format = %Lu
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid={nobody} gid={nobody} home={directory}/mail/%n allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


def read_maildir(folder: Path) -> list[bytes]:
    """Return the mails in *folder*, oldest first."""
    files = [path for part in ("new", "cur") for path in (folder / part).glob("*")]
    return [
        path.read_bytes() for path in sorted(files, key=lambda path: (path.stat().st_mtime_ns, path.name))
    ]


def swaks(port: int, *arguments: str) -> str:
    """Run swaks against a port of 127.0.0.1 and return its transcript. Raises ProgramFailed on refusal."""
    return run([find_program("swaks", "swaks"), "--server", "127.0.0.1", "--port", str(port), *arguments])


def msmtp(port: int, sender: str, recipients: Sequence[str], message: bytes) -> str:
    """Send a mail, in lines that end in LF, with msmtp. Raises ProgramFailed on refusal."""
    plain = ["--file=/dev/null", "--host=127.0.0.1", f"--port={port}", "--auth=off", "--tls=off"]
    return run([find_program("msmtp", "msmtp"), *plain, f"--from={sender}", "--", *recipients], message)


def _text(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""
