"""The options of sendmail, as those who call it write them."""

import pytest

from angarium.sendmail.arguments import SendmailArguments, read_arguments
from angarium.sendmail.errors import SendmailUsage

PLAIN = SendmailArguments()

CALLS = {
    "cron of Debian": (
        "-i -FCronDaemon -B8BITMIME -oem root",
        PLAIN._replace(recipients=("root",), ends_at_dot=False, full_name="CronDaemon"),
    ),
    "cron of Red Hat": (
        "-FCronDaemon -i -odi -oem -oi -t -f root",
        PLAIN._replace(full_name="CronDaemon", reads_recipients=True, ends_at_dot=False, sender="root"),
    ),
    "PHP": ("-t -i", PLAIN._replace(reads_recipients=True, ends_at_dot=False)),
    "PHP with a fifth argument": (
        "-t -i -fbounce@example.org",
        PLAIN._replace(reads_recipients=True, ends_at_dot=False, sender="bounce@example.org"),
    ),
    "git send-email": (
        "-f me@example.org -i you@example.com list@example.com",
        PLAIN._replace(
            sender="me@example.org", ends_at_dot=False, recipients=("you@example.com", "list@example.com")
        ),
    ),
    "bsd-mailx": (
        "-i -- -odd@example.org",
        PLAIN._replace(ends_at_dot=False, recipients=("-odd@example.org",)),
    ),
    "mutt": (
        "-oem -oi -f <me@example.org> -N failure,delay -R hdrs -- you@example.com",
        PLAIN._replace(
            ends_at_dot=False,
            sender="me@example.org",
            notify="FAILURE,DELAY",
            ret="HDRS",
            recipients=("you@example.com",),
        ),
    ),
    "flags in one word": (
        "-tivF name",
        PLAIN._replace(reads_recipients=True, ends_at_dot=False, is_verbose=True, full_name="name"),
    ),
    "the old sender": ("-r me@example.org -V id", PLAIN._replace(sender="me@example.org", envid="id")),
    "nobody as the sender": ("-f <> a@example.com", PLAIN._replace(sender="", recipients=("a@example.com",))),
    "options of others' insides": (
        "-m -om -oo -n -G -U -p ESMTP -L tag -X log -A c -h 3 -e m -d0.1 -O DeliveryMode=b you@example.com",
        PLAIN._replace(recipients=("you@example.com",)),
    ),
    "dots by the long name": ("-O IgnoreDots=True", PLAIN._replace(ends_at_dot=False)),
    "SMTP": ("-bs", PLAIN._replace(mode="smtp")),
    "mailq": ("-bp", PLAIN._replace(mode="queue")),
    "newaliases": ("-bi", PLAIN._replace(mode="aliases")),
    "flush": ("-q", PLAIN._replace(mode="flush")),
    "flush, as a daemon was told": ("-q30m", PLAIN._replace(mode="flush")),
}


@pytest.mark.parametrize(("words", "meant"), CALLS.values(), ids=CALLS)
def test_a_call_as_programs_make_it(words: str, meant: SendmailArguments) -> None:
    assert read_arguments(words.split()) == meant


REFUSED = {
    "-bd": "-bd is not done here: a node is started with `angarium serve`",
    "-bv a@example.org": "no address is tried without a mail",
    "-bx": "use -bm, -bs, -bp or -bi",
    "-Z": "there is no option -Z; recipients that begin with a dash stand behind `--`",
    "--to a@example.org": "there is no option --to",
    "-f": "-f wants a value",
    "-N never,delay": "write never, or some of success,failure,delay",
    "-N sometimes": "write never, or some of success,failure,delay",
    "-R some": "write full or hdrs",
    "-V größer": "write printable ASCII",
}


@pytest.mark.parametrize(("words", "said"), REFUSED.items())
def test_what_means_nothing_is_told(words: str, said: str) -> None:
    with pytest.raises(SendmailUsage) as caught:
        read_arguments(words.split())
    assert said in str(caught.value)
    assert caught.value.status == 64
