"""MAIL and RCPT, their parameters, and xtext."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.core.records import NOTIFY_NEVER
from angarium.smtp.envelope import encode_xtext
from angarium.smtp.server.command import CommandError, MailCommand, RcptCommand, parse_mail, parse_rcpt
from angarium.smtp.server.options import EXTENSIONS
from angarium.smtp.xtext import decode_orcpt, decode_xtext

PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126))
WORDS = st.sampled_from(
    ["<", ">", "@", '"', "\\", " ", "a", "bob@example.net", "ü", "SIZE=", "1", "ENVID=+", "ORCPT=rfc822;", "NOTIFY=",
     "NEVER,", "SMTPUTF8", "AUTH=<>", "=", "\t", "[IPv6:::1]"]
)  # fmt: skip


def parsed(line: str, pedantic: bool = False) -> MailCommand | RcptCommand:
    if line.startswith("MAIL"):
        return parse_mail(line, EXTENSIONS, pedantic)
    return parse_rcpt(line, EXTENSIONS, False, pedantic)


def refusal(line: str, pedantic: bool = False) -> str:
    with pytest.raises(CommandError) as refused:
        parsed(line, pedantic)
    return f"{refused.value.reply.code} {refused.value.reply.enhanced}"


@given(PRINTABLE)
def test_decoding_xtext_undoes_encoding_it(text: str) -> None:
    assert decode_xtext(encode_xtext(text)) == text


@pytest.mark.parametrize("text", ["a b", "a=b", "a+", "a+2", "a+2b", "a+0A", "a+7F", "a+FF", "ü"])
def test_bad_xtext(text: str) -> None:
    with pytest.raises(ValueError):
        decode_xtext(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        ";",
        "rfc822;",
        "rfc 822;a",
        ";a",
        "utf-8;\\x{0A}",
        "utf-8;\\x{D800}",
        "utf-8;\\x{110000}",
        "utf-8;\u2028",
    ],
)
def test_an_original_recipient_that_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        decode_orcpt(text)


def test_an_original_recipient_beyond_ascii() -> None:
    assert decode_orcpt(r"utf-8;\x{5C}\x{1F600}ü+2B@example.net") == "utf-8;\\😀ü+@example.net"


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("MAIL FROM:<bob@example.net> SMTPUTF8=yes", "501 5.5.4"),
        ("MAIL FROM:<bob@example.net> SIZE=123456789012345678901", "501 5.5.4"),
        ("MAIL FROM:<bob@example.net> SIZE=²", "501 5.5.4"),
        ("MAIL FROM:<bob@example.net>SIZE=3", "501 5.5.4"),
        ("MAIL FROM:<" + "b" * 900 + "@example.net>", "501 5.1.7"),
        ("MAIL FROM:<bob@" + "d" * 64 + ".example>", "501 5.1.7"),
        ("MAIL TO:<bob@example.net>", "501 5.5.4"),
        ("RCPT TO:<>", "501 5.1.3"),
        ("RCPT TO:<bob@example.net> NOTIFY=SUCCESS,", "501 5.5.4"),
    ],
)
def test_commands_that_are_refused(line: str, reply: str) -> None:
    assert refusal(line) == refusal(line, pedantic=True) == reply


@pytest.mark.parametrize(
    ("line", "reply", "read"),
    [
        ("MAIL FROM:<b@a.net> ENVID=" + "a" * 101, "501 5.5.4", MailCommand("b@a.net", "a.net")),
        ("MAIL FROM:<b@a.net> AUTH=bob", "501 5.5.4", MailCommand("b@a.net", "a.net", auth="<>")),
        ("MAIL FROM:<" + "b" * 65 + "@a.net>", "501 5.1.7", MailCommand("b" * 65 + "@a.net", "a.net")),
        ("MAIL FROM:<root>", "501 5.1.7", MailCommand("root", "")),
        ("RCPT TO:<b@a.net> ORCPT=rfc822;" + "a" * 500, "501 5.5.4", RcptCommand("b@a.net", "a.net")),
        ("RCPT TO:<b @ a.net>; NOTIFY=NEVER", "501 5.5.4", RcptCommand("b@a.net", "a.net", notify=NOTIFY_NEVER)),
        ("RCPT TO:<b@a.net> ORCPT=rfc822;", "501 5.5.4", RcptCommand("b@a.net", "a.net")),
        ("RCPT TO:<b@a.net> ORCPT=rfc822;b+2bx@a.net", "501 5.5.4", RcptCommand("b@a.net", "a.net")),
        ("RCPT TO:<b@a.net> ORCPT=rfc822;b+0Ax", "501 5.5.4", RcptCommand("b@a.net", "a.net")),
        ("RCPT TO:<b@a.net> ORCPT=rfc822;bü@a.net", "501 5.5.4", RcptCommand("b@a.net", "a.net")),
        ("RCPT TO:<b@a.net> ORCPT=x_y;b", "501 5.5.4", RcptCommand("b@a.net", "a.net")),
        ("RCPT TO:<b@192.0.2.1>", "501 5.1.3", RcptCommand("b@[192.0.2.1]", "[192.0.2.1]")),
    ],
)  # fmt: skip
def test_commands_that_only_the_pedantic_refuse(
    line: str, reply: str, read: MailCommand | RcptCommand
) -> None:
    assert parsed(line) == read
    assert refusal(line, pedantic=True) == reply


@given(st.lists(WORDS, max_size=12))
def test_who_is_pedantic_reads_a_command_alike(words: list[str]) -> None:
    for line in ("MAIL FROM:" + "".join(words), "RCPT TO:" + "".join(words)):
        try:
            read = parsed(line, pedantic=True)
        except CommandError:
            continue
        assert parsed(line) == read


def test_parameters_of_extensions_that_are_not_offered_are_unknown() -> None:
    with pytest.raises(CommandError) as refused:
        parse_mail("MAIL FROM:<bob@example.net> SIZE=3", ("DSN",))
    assert refused.value.reply.code == 555


def test_long_addresses_that_are_allowed() -> None:
    local, domain = "b" * 64, ".".join(["d" * 63] * 2 + ["e" * 61])
    assert parse_rcpt(f"RCPT TO:<{local}@{domain}>", (), False) == RcptCommand(f"{local}@{domain}", domain)
    assert parse_mail(f"MAIL FROM:<{local}@{domain}>", ()) == MailCommand(f"{local}@{domain}", domain)


@given(st.lists(WORDS, max_size=12))
def test_any_line_is_a_command_or_a_refusal(words: list[str]) -> None:
    for line in ("MAIL FROM:" + "".join(words), "RCPT TO:<bob@example.net> " + "".join(words)):
        try:
            command = parse_mail(line, EXTENSIONS) if line[0] == "M" else parse_rcpt(line, EXTENSIONS, True)
        except CommandError as error:
            said = error.reply.encode()
        else:
            said = b""
            address = command.path if isinstance(command, MailCommand) else command.address
            assert address.isprintable()
            assert command.domain.isascii()
        assert said.isascii()
        assert len(said) <= 512


@pytest.mark.parametrize("piece", ["<", '"', '""', "\\", '"\\', "a@", "<a", " x", "=", "a=b ", "@a:"])
def test_hostile_commands_cost_linear_time(piece: str) -> None:
    began = time.process_time()
    for verb in ("MAIL FROM:", "MAIL FROM:<", "MAIL FROM:<bob@example.net> "):
        assert refusal(verb + piece * 100_000)
    assert time.process_time() - began < 10.0
