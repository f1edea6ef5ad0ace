"""`angarium sink`: the shipped peer, run as a person runs it."""

import json
import signal
import smtplib
import subprocess
import sys
from pathlib import Path

import pytest

from angarium.testing.programs import PATIENCE_S

pytestmark = pytest.mark.process

ANGARIUM = Path(sys.executable).with_name("angarium")


def run_sink(*arguments, client=smtplib.SMTP):
    """Start it on a free port, send it one message, end it with Ctrl-C; return its first line and the rest."""
    command = [ANGARIUM, "sink", "--listen", "127.0.0.1:0", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sink:
        try:
            first = sink.stdout.readline()
            port = int(first.rpartition(":")[2].strip('"}\n'))
            with client("127.0.0.1", port, timeout=PATIENCE_S) as smtp:
                smtp.sendmail("a@example.com", ["b@example.org"], "Subject: hello\r\n\r\nhi\r\n")
        finally:
            sink.send_signal(signal.SIGINT)
        rest = sink.stdout.read()
    assert sink.returncode == 0
    return first, rest


def test_it_says_where_it_listens_and_at_the_end_what_came(tmp_path):
    log = tmp_path / "log"
    first, rest = run_sink("--log", str(log))
    assert first.startswith("listening on 127.0.0.1:")
    assert rest == "1 message in 1 connection, 0 refusals\n"
    (line,) = [json.loads(text) for text in log.read_text().splitlines()]
    assert (line["from"], line["to"]) == ("a@example.com", ["b@example.org"])


def test_it_keeps_messages_in_a_maildir_and_tells_in_json(tmp_path):
    maildir = tmp_path / "mail"
    first, rest = run_sink("--maildir", str(maildir), "--json")
    assert "listening" in json.loads(first)
    assert json.loads(rest)["messages"] == 1
    (message,) = (maildir / "new").iterdir()
    assert message.read_text().endswith("Subject: hello\n\nhi\n")


def test_it_speaks_lmtp(tmp_path):
    mbox = tmp_path / "mbox"
    run_sink("--lmtp", "--mbox", str(mbox), client=smtplib.LMTP)
    assert mbox.read_text().startswith("From a@example.com ")


def test_it_behaves_as_its_script_says(tmp_path):
    script = tmp_path / "script"
    script.write_text("on rcpt: reply 550 5.1.1 no such user\n")
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        run_sink("--script", str(script))


def test_a_bad_script_is_refused_with_its_line(cli, tmp_path):
    script = tmp_path / "script"
    script.write_text("# fine\non moonday: reply 550 no\n")
    result = cli("sink", "--script", str(script), data=False)
    assert result.exit_code == 1
    assert "2" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["--listen", "2526"], ["--listen", "host:99999"], ["--log", "a", "--mbox", "b"]]
)
def test_wrong_usage(cli, arguments):
    assert cli("sink", *arguments, data=False).exit_code == 2


def test_a_script_that_is_not_there(cli, tmp_path):
    result = cli("sink", "--script", str(tmp_path / "none"), data=False)
    assert (result.exit_code, "cannot read" in result.stderr) == (1, True)
