"""`sendmail` and a real node: by its socket, by the drop folder while that is down, and what is said without both."""

import os
import pwd
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from angarium.sendmail.drop import put
from angarium.sendmail.main import _host
from angarium.sendmail.posting import Posting
from angarium.testing.lab import Lab, LabSink
from angarium.testing.node import ANGARIUM, Node

pytestmark = pytest.mark.process

CONFIG = """\
Hostname = mx.example.com
Gateway = "127.0.0.1:{sink}"
Drop_Directory = {folder}/drop
Require_Authentication = true
ESMTP_Listener "users" {{
  Require_Authentication = false
  Listen "{folder}/submission.sock" {{ File_Mode = 0666 }}
}}
"""


TOO_LONG = "x" * 1000


class Ended(NamedTuple):
    """How `sendmail` ended."""

    status: int
    said: str
    shown: str


def sendmail(
    node: Node | None, *arguments: str, text: str = "", as_program: Path | None = None, **env: str
) -> Ended:
    """Run it with *text* on its standard input."""
    command = [str(as_program)] if as_program else [str(ANGARIUM), "sendmail"]
    place = {"ANGARIUM_CONFIG": str(node.config_file)} if node else {}
    done = subprocess.run(
        [*command, *arguments],
        input=text.encode(),
        capture_output=True,
        env={**os.environ, **place, **env},
        timeout=60,
        check=False,
    )
    return Ended(done.returncode, done.stderr.decode(), done.stdout.decode())


class Machine(NamedTuple):
    """A machine with a node that takes mail of its users by a socket, and wants a login of everybody else."""

    node: Node
    sink: LabSink
    drop: Path

    def mail(self, recipient: str) -> str:
        """Wait for the mail to *recipient*, and return its text with bare line feeds."""
        return self.sink.wait_for_mail_to(recipient)[0].data.decode().replace("\r\n", "\n")


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("machine")
    with Lab() as lab:
        sink = lab.sink()
        with Node(CONFIG.format(sink=sink.port, folder=folder), workers=1, folder=folder) as node:
            yield Machine(node, sink, folder / "drop")


def test_a_mail_goes_to_whom_its_header_names(machine: Machine) -> None:
    text = "To: a@header.test\nBcc: b@header.test\nSubject: by header\n\nhello\n.\n..end\n"
    assert sendmail(machine.node, "-t", "-oi", "-f", "me@example.org", text=text).status == 0
    mail = machine.mail("b@header.test")
    assert mail.endswith("To: a@header.test\nSubject: by header\n\nhello\n.\n..end\n")
    assert f"\nReceived: by {_host()} (sendmail, from userid {os.getuid()}); " in mail
    assert "b@header.test" not in mail
    assert machine.sink.to("a@header.test")[0].reverse_path == "me@example.org"


def test_the_sender_is_the_user_who_calls(machine: Machine) -> None:
    assert sendmail(machine.node, "you@user.test", text="hello\n").status == 0
    address = f"{pwd.getpwuid(os.getuid()).pw_name}@{_host()}"
    assert address in machine.mail("you@user.test")
    assert machine.sink.to("you@user.test")[0].reverse_path == address


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["-f", "A <a@x.test>, b@x.test", "you@list.test"], 64, "write one address"),
        (["you@list.test", "two words"], 65, "these are no addresses: two words"),
        (["you@list.test\r\nRCPT TO:<other@list.test>"], 65, "these are no addresses"),
        (["-f", "me@list.test>\r\nRSET", "you@list.test"], 65, "these are no addresses"),
        (["-f", "m\udcff", "you@list.test"], 65, "is no address"),
        ([], 64, "there are no recipients on the command line, and no -t"),
        (["-t"], 64, "there are no recipients in To, Cc or Bcc"),
        (["-bd"], 64, "a node is started with `angarium serve`"),
    ],
)
def test_what_cannot_be_meant_is_told(machine: Machine, words: list[str], status: int, said: str) -> None:
    ended = sendmail(machine.node, *words, text="hello\n")
    assert ended.status == status
    assert said in ended.said


def test_addresses_may_be_written_as_in_a_header(machine: Machine) -> None:
    words = ["-f", "Me <me@list.test>", "A <a@list.test>, b@list.test", '"C, D" <c@list.test>']
    assert sendmail(machine.node, *words, text="hello\n").status == 0
    machine.mail("c@list.test")
    (message,) = machine.sink.to("c@list.test")
    assert set(message.recipients) == {"a@list.test", "b@list.test", "c@list.test"}
    assert message.reverse_path == "me@list.test"


def test_a_place_that_is_none_is_told() -> None:
    ended = sendmail(None, "you@example.org", text="hello\n", ANGARIUM_SUBMISSION="somewhere")
    assert (ended.status, ended.said) == (64, "sendmail: somewhere is neither a path nor HOST:PORT\n")


@pytest.mark.parametrize("program", ["sendmail", "angarium"])
def test_by_the_name_of_sendmail_it_is_sendmail(machine: Machine, tmp_path: Path, program: str) -> None:
    link = tmp_path / program
    link.symlink_to(ANGARIUM)
    arguments = [] if program == "sendmail" else ["sendmail"]
    recipient = f"{program}@name.test"
    assert sendmail(machine.node, *arguments, recipient, text="hello\n", as_program=link).status == 0
    assert "hello" in machine.mail(recipient)


def test_by_the_name_of_mailq_it_shows_the_queue(machine: Machine, tmp_path: Path) -> None:
    link = tmp_path / "mailq"
    link.symlink_to(ANGARIUM)
    ended = sendmail(machine.node, as_program=link, ANGARIUM_DATA=str(machine.node.data))
    assert (ended.status, ended.said) == (0, "")
    assert "DOMAIN" in ended.shown or "No mail" in ended.shown


def test_a_refusal_is_told_with_its_exit_status(machine: Machine) -> None:
    ended = sendmail(machine.node, f"{TOO_LONG}@example.test", text="hello\n")
    assert ended.status == os.EX_NOUSER
    assert ended.said.startswith(f"sendmail: {TOO_LONG}@example.test: the node answers 501 5.1.3 ")


def test_if_one_recipient_is_refused_none_gets_it(machine: Machine) -> None:
    assert (
        sendmail(machine.node, "first@all.test", f"{TOO_LONG}@all.test", text="hello\n").status
        == os.EX_NOUSER
    )
    assert sendmail(machine.node, "third@all.test", text="hello\n").status == 0
    machine.sink.wait_for_mail_to("third@all.test")
    assert machine.sink.to("first@all.test") == []


def test_smtp_over_standard_input_and_output(machine: Machine) -> None:
    program = subprocess.Popen(
        [ANGARIUM, "sendmail", "-bs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "ANGARIUM_CONFIG": str(machine.node.config_file)},
    )
    assert program.stdin is not None
    assert program.stdout is not None
    dialogue = [
        "",
        "HELO me",
        "MAIL FROM:<me@example.org>",
        "RCPT TO:<you@smtp.test>",
        "DATA",
        "hello\r\n.",
        "QUIT",
    ]
    answers = []
    for line in dialogue:
        if line:
            program.stdin.write(f"{line}\r\n".encode())
            program.stdin.flush()
        answers.append(program.stdout.readline()[:3])
    assert answers == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert program.wait(60) == 0
    program.stdin.close()
    program.stdout.close()
    assert "hello" in machine.mail("you@smtp.test")


def test_while_the_node_is_down_mail_waits_in_the_drop_folder(machine: Machine) -> None:
    machine.node.stop()
    ended = sendmail(machine.node, "-v", "you@drop.test", text="Subject: late\n\nhello\n")
    assert ended.status == 0
    assert "goes out when a node is there" in ended.said
    assert stat.S_IMODE(machine.drop.stat().st_mode) == 0o1733
    (machine.drop / "laid.mail").write_text("by somebody else")
    machine.node.start()
    assert "Subject: late\n\nhello\n" in machine.mail("you@drop.test")
    machine.node.wait_for_event("collected", error="it does not begin with an envelope")
    machine.node.program.wait_until(lambda: not list(machine.drop.glob("*.mail")), "an empty folder")
    assert [path.name for path in machine.drop.iterdir()] == ["laid.refused"]


def test_a_mail_that_is_not_taken_now_holds_up_no_other(machine: Machine) -> None:
    """One with more recipients than the node takes at a time is tried again, and again; nobody waits for it."""
    many = Posting(
        "me@example.org", tuple(f"u{number}@many.test" for number in range(1001)), b"Subject: x\r\n\r\n"
    )
    stuck = put(machine.drop, many)
    os.utime(stuck, (time.time() - 3600, time.time() - 3600))
    put(machine.drop, Posting("me@example.org", ("next@many.test",), b"Subject: x\r\n\r\n"))
    machine.mail("next@many.test")
    assert stuck.exists()
    stuck.unlink()


def test_many_recipients_are_handed_over_in_parts(machine: Machine) -> None:
    everybody = [f"u{number}@parts.test" for number in range(1001)]
    text = "Subject: x\nBcc: " + ",\n ".join(everybody) + "\n\nhello\n"
    assert sendmail(machine.node, "-t", text=text).status == 0
    machine.mail("u0@parts.test")
    machine.mail("u1000@parts.test")


def test_without_node_and_folder_the_caller_is_told_to_try_again(tmp_path: Path) -> None:
    ended = sendmail(
        None, "you@example.org", text="hello\n", ANGARIUM_SUBMISSION="/nowhere", ANGARIUM_DROP="/nowhere"
    )
    assert ended.status == os.EX_TEMPFAIL
    assert ended.said == (
        "sendmail: the node at /nowhere does not answer: no such file or directory; the mail is not sent: "
        "cannot leave the mail in /nowhere: no such file or directory\n"
    )


def test_a_configuration_in_which_everybody_logs_in_is_told(tmp_path: Path) -> None:
    config = tmp_path / "angarium.conf"
    config.write_text("Require_Authentication = true\n")
    ended = sendmail(None, "-C", str(config), "you@example.org", text="hello\n")
    assert ended.status == os.EX_CONFIG
    assert "no listener takes mail without a login; give one a Unix socket" in ended.said


def test_little_is_loaded_before_a_mail_leaves() -> None:
    """A job of cron sends in the time that other commands take to print their help."""
    code = "import sys, angarium.__main__, angarium.sendmail.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"click", "rich", "msgspec", "asyncio", "uvloop", "email", "ssl", "idna", "angarium.config.load"}
    assert set(loaded.split()) & heavy == set()
