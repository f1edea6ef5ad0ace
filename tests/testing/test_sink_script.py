"""The script language of the sink."""

import pytest

from angarium.core.reply import Reply
from angarium.testing.sink.script import Deed, ScriptError, parse_script


def test_a_script_says_who_the_sink_is_and_what_it_offers() -> None:
    script = parse_script(
        "# a slow mailbox host\nprotocol LMTP\nhostname mx.example\nseed 7\n"
        "withhold CHUNKING DSN\noffer SIZE 99\n"
    )
    assert (script.lmtp, script.hostname, script.seed) == (True, "mx.example", 7)
    assert script.offer["SIZE"] == "99"
    assert "CHUNKING" not in script.offer
    assert "DSN" not in script.offer


def test_a_rule_has_a_stage_conditions_and_deeds() -> None:
    [rule] = parse_script(
        "on final to *@X.example from <> share 5% every 3 first 2: "
        "delay 2; drip 0.1; reply 451 4.3.0 a, b: c; close"
    ).rules
    assert (rule.stage, rule.share, rule.every, rule.first) == ("final", 0.05, 3, 2)
    assert rule.deed == Deed(delay_s=2, drip_s=0.1, reply=Reply(451, "4.3.0", "a, b: c"), close=True)
    assert rule.recipient is not None
    assert rule.recipient.is_in("me@x.example")
    assert not rule.recipient.is_in("me@x.example.org")
    assert rule.sender is not None
    assert rule.sender.is_in("")
    assert not rule.sender.is_in("a@b")


def test_no_address_makes_a_pattern_take_long() -> None:
    [rule] = parse_script(r"on rcpt to /^(a+)+@/: hang").rules
    assert rule.recipient is not None
    assert not rule.recipient.is_in("a" * 60)


def test_a_reply_may_have_several_lines() -> None:
    [rule] = parse_script(r"on mail: reply 550 5.7.1 one\n5.7.1 two").rules
    assert rule.deed.reply == Reply(550, "5.7.1", "one\ntwo")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("frobnicate", "unknown statement 'frobnicate'; there are protocol, hostname"),
        ("protocol http", "protocol is smtp or lmtp, not 'http'"),
        ("hostname", "hostname needs one name"),
        ("seed x", "seed needs a whole number, not 'x'"),
        ("offer", "offer needs an extension"),
        ("offer SIZE large", "SIZE needs a whole number, not 'large'"),
        ("offer LIMITS RCPTMAX=few", "LIMITS RCPTMAX= needs a whole number, not 'few'"),
        ("withhold FOO", "withhold needs names of what is offered: PIPELINING"),
        ("on mail reply 450 x", "a rule is: on STAGE CONDITIONS: DEED; DEED"),
        ("on nowhere: hang", "unknown stage 'nowhere'; there are connect, ehlo"),
        ("on mail to: hang", "condition 'to' lacks its value"),
        ("on mail at noon: hang", "unknown condition 'at'; there are to, from"),
        ("on rcpt to /(/: hang", "/(/ is not a regular expression"),
        ("on rcpt to /(?=a)b/: hang", "/(?=a)b/ is not a regular expression: the pattern"),
        ("on mail share 5: hang", "share is a percentage from 0% to 100%, not '5'"),
        ("on mail share x%: hang", "share is a percentage"),
        ("on mail every x: hang", "every needs a whole number, not 'x'"),
        ("on mail after 5: hang", "`after` counts bytes of the body"),
        ("on mail: dance", "unknown deed 'dance'; there are accept, reply"),
        ("on mail: hang on", "hang stands alone"),
        ("on mail: delay soon", "delay needs a number of seconds, not 'soon'"),
        ("on mail: reply later", "reply needs a code from 200 to 599"),
        ("on data: keep; close", "keep goes with `on final`"),
        ("on mail: greylist 60", "greylist goes with `on rcpt`"),
    ],
)
def test_a_line_without_meaning_is_named_with_what_would_have_one(line: str, problem: str) -> None:
    with pytest.raises(ScriptError) as caught:
        parse_script(f"# first\n\n{line}\non mail: nonsense too", "drill.sink")
    assert str(caught.value).startswith(f"drill.sink:3: {problem}")
    assert caught.value.line == 3
