"""What sendmail makes of the text that a program writes."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.mime.addresses import read_mailboxes
from angarium.sendmail.aliases import expand, read_aliases
from angarium.sendmail.errors import NotSent
from angarium.sendmail.listed import addresses_in, listed
from angarium.sendmail.message import MailUser, compose, local_date, read_message

USER = MailUser(33, "www-data", "www-data", "web.example.com")
NOW = 1_700_000_000.0


def composed(text: str, *, ends_at_dot: bool = False) -> str:
    """Return what is added to *text* behind the trace line, and the text, with bare line feeds."""
    mail = compose(read_message(text.encode(), ends_at_dot), USER, "www-data@web.example.com", NOW, "token")
    trace, _, rest = mail.decode().replace("\r\n", "\n").partition("\n")
    assert trace == f"Received: by web.example.com (sendmail, from userid 33); {local_date(NOW)}"
    return rest


@pytest.fixture(autouse=True)
def zone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()


def test_what_is_missing_is_added_and_bcc_taken_out() -> None:
    assert composed(
        "Subject: x\nBcc: hidden@example.org,\n other@example.org\nTo: a@example.org\n\nhello\n"
    ) == (
        "From: www-data@web.example.com\n"
        "Date: Tue, 14 Nov 2023 23:13:20 +0100\n"
        "Message-ID: <token@web.example.com>\n"
        "Subject: x\nTo: a@example.org\n\nhello\n"
    )


def test_what_is_there_stays() -> None:
    text = "from: me@example.org\nDATE: then\nMessage-Id: <1@example.org>\n\nhello\n"
    assert composed(text) == text


BODIES = {
    "no header": ("hello\nworld\n", "\nhello\nworld\n"),
    "a header that a line ends": ("Subject: x\nhello\n", "Subject: x\n\nhello\n"),
    "a blank line first": ("\nhello\n", "\nhello\n"),
    "header alone": ("Subject: x", "Subject: x\n\n"),
    "nothing": ("", "\n"),
    "a line of a mailbox": ("From me Mon Jan  1\nSubject: x\n\nhello\n", "Subject: x\n\nhello\n"),
    "CRLF": ("Subject: x\r\n\r\nhello\r\n", "Subject: x\n\nhello\n"),
    "a line that has no end": ("Subject: x\n\nhello", "Subject: x\n\nhello\n"),
    "a progress bar": ("Subject: x\n\n10%\r20%\rdone\r\r\n", "Subject: x\n\n10%\n20%\ndone\n"),
    "carriage returns in a header": ("Subject: x\ry\n\nhello\n", "Subject: x y\n\nhello\n"),
    "NULs": ("Subject: x\n\nhe\0llo\n", "Subject: x\n\nhello\n"),
    "a folded field": ("Subject: x\n y\n\ty\n\nhello\n", "Subject: x\n y\n\ty\n\nhello\n"),
}


@pytest.mark.parametrize(("written", "leaves"), BODIES.values(), ids=BODIES)
def test_header_and_body_are_told_apart(written: str, leaves: str) -> None:
    rest = composed(written)
    assert rest.partition("Message-ID: <token@web.example.com>\n")[2] == leaves


def test_a_dot_alone_ends_the_mail_unless_told() -> None:
    text = "Subject: x\n\none\n.\n..two\n"
    assert composed(text, ends_at_dot=True).endswith("\n\none\n")
    assert composed(text).endswith("\n\none\n.\n..two\n")


@given(st.binary(max_size=200), st.booleans())
def test_whatever_is_written_leaves_as_lines(data: bytes, ends_at_dot: bool) -> None:
    mail = compose(read_message(data, ends_at_dot), USER, "a@example.org", NOW, "token")
    assert mail.endswith(b"\r\n")
    assert mail.count(b"\r") == mail.count(b"\n") == mail.count(b"\r\n")
    assert b"\r\n\r\n" in mail
    assert b"\0" not in mail


def recipients(header: str) -> list[str]:
    return listed(read_message(f"{header}\n\n".encode(), False))


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("To: a@example.org, B <b@example.org>\nCc: c@example.org\nBcc: d@example.org", list("abcd")),
        ("To: undisclosed-recipients:;\nBcc: a@example.org", list("a")),
        ('To: "Last, First" <a@example.org> (a comment, with@this.example)', list("a")),
        ("To: team: a@example.org, b@example.org;, c@example.org", list("abc")),
        ("To: a@example.org\nResent-To: b@example.org", list("b")),
        ("TO : a@example.org", list("a")),
        ("To: a@example.org,\n b@example.org", list("ab")),
    ],
)
def test_recipients_are_read_from_the_header(header: str, found: list[str]) -> None:
    assert recipients(header) == [f"{name}@example.org" for name in found]


ODD = st.text(st.sampled_from('ab@.<>,"\\ ():;-_=?'), max_size=12)
USUAL = st.sampled_from(["a@b.c", "A B <a@b.c>", "root", "<a>", '"a,b" <c@d>'])


@given(st.lists(ODD | USUAL, max_size=4).map(",".join))
def test_what_is_read_the_short_way_is_what_the_long_way_reads(value: str) -> None:
    found = read_mailboxes(value, takes_local=True)
    long = [mailbox.address for mailbox in found.mailboxes] if found.is_whole else None
    try:
        short = addresses_in(value)
    except NotSent:
        short = None
    assert short == long


def test_a_user_of_the_machine_needs_no_domain() -> None:
    assert recipients("To: root, <daemon>, Web Master <www-data>, a@example.org") == [
        "root",
        "daemon",
        "www-data",
        "a@example.org",
    ]


@pytest.mark.parametrize(
    "header", ["To: two words", "To: a@example.org, b@@example.org", "To: <a@ex ample.org>"]
)
def test_a_list_that_cannot_be_read_is_refused_as_a_whole(header: str) -> None:
    with pytest.raises(NotSent) as caught:
        recipients(header)
    assert caught.value.status == 65


ALIASES = read_aliases(
    """\
# a comment
root: admin@example.org,
  second@example.org
Postmaster: ROOT
www-data: root, www-data@example.net
loop: pool
pool: loop
me: \\me, away@example.org
list: :include:/etc/list, "|program", /var/mail/list
"odd name": odd@example.org
"""
)


@pytest.mark.parametrize(
    ("recipient", "gets"),
    [
        ("root", ["admin@example.org", "second@example.org"]),
        ("postmaster", ["admin@example.org", "second@example.org"]),
        ("www-data", ["admin@example.org", "second@example.org", "www-data@example.net"]),
        ("nobody", ["nobody@host"]),
        ("root@example.com", ["root@example.com"]),
        ("loop", ["loop@host"]),
        ("me", ["me@host", "away@example.org"]),
        ("list", ["list@host"]),
        ("odd name", ["odd@example.org"]),
    ],
)
def test_aliases_say_who_gets_the_mail_of_users(recipient: str, gets: list[str]) -> None:
    assert expand([recipient], ALIASES, "host") == gets


def test_whom_several_names_lead_to_gets_it_once() -> None:
    assert expand(["root", "postmaster", "admin@example.org"], ALIASES, "host") == [
        "admin@example.org",
        "second@example.org",
    ]
