"""People and machines told apart, and why."""

import pytest

from angarium.config.values import CidrSet
from angarium.core.records import Fact
from angarium.events.machines import Look, Looker, looker
from angarium.node.recorder.lookers import Lookers
from angarium.testing.happenings import START, event, fact, reception

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
YAHOO = "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"
DATA_CENTRE = CidrSet(("203.0.113.0/24",))

OPENS = {
    "a browser": (Look(FIREFOX, after_s=600), Looker()),
    "a telephone": (Look(IPHONE, after_s=5), Looker()),
    "a telephone of a brand": (Look("Mozilla/5.0 (Linux; Android 9; CUBOT) Mobile", after_s=5), Looker()),
    "Gmail's servers, when somebody looks": (Look(GMAIL, after_s=0.2), Looker("", "gmail")),
    "Yahoo's": (Look(YAHOO, after_s=30), Looker("", "yahoo")),
    "Apple's, when the message comes": (Look("Mozilla/5.0", after_s=40), Looker("prefetch")),
    "sooner than a person can": (Look(FIREFOX, after_s=0.3), Looker("too_soon")),
    "before it was delivered, as clocks differ": (Look(FIREFOX, after_s=-2), Looker()),
    "at a time that is not known": (Look(FIREFOX), Looker()),
    "who says nothing of itself": (Look("  ", after_s=600), Looker("no_agent")),
    "who asks for no picture": (Look(FIREFOX, method="HEAD", after_s=600), Looker("method")),
    "from a data centre": (Look(FIREFOX, "203.0.113.7", after_s=600), Looker("network")),
    "from elsewhere": (Look(FIREFOX, "198.51.100.7", after_s=600), Looker()),
    "a program": (Look("python-requests/2.32", after_s=600), Looker("program")),
    "a search engine": (Look("Mozilla/5.0 (compatible; Googlebot/2.1)", after_s=600), Looker("program")),
    "a security product": (Look("Mozilla/5.0 BarracudaCentral", after_s=600), Looker("scanner")),
}
CLICKS = {
    "a browser": (Look(FIREFOX, after_s=600), Looker()),
    "a browser after a moment": (Look(FIREFOX, after_s=4), Looker()),
    "sooner than a person can read": (Look(FIREFOX, after_s=2), Looker("too_soon")),
    "by POST, a button of a mail program": (Look(FIREFOX, method="POST", after_s=60), Looker()),
    "no link is followed by servers for pictures": (Look("Mozilla/5.0", after_s=600), Looker("scanner")),
    "a product that rewrites links": (Look("urldefense/1.0", after_s=600), Looker("scanner")),
}


@pytest.mark.parametrize(("look", "who"), OPENS.values(), ids=OPENS)
def test_openings(look: Look, who: Looker) -> None:
    assert looker(look, DATA_CENTRE) == who


@pytest.mark.parametrize(("look", "who"), CLICKS.values(), ids=CLICKS)
def test_clicks(look: Look, who: Looker) -> None:
    assert looker(look._replace(is_click=True), DATA_CENTRE) == who


def judged(*told: object) -> list[Fact]:
    found = Lookers(lambda: DATA_CENTRE).judged(told)  # type: ignore[arg-type]
    return [each for each in found if isinstance(each, Fact)]


def test_a_click_says_whether_the_message_was_opened_with_it() -> None:
    mail = reception(1, START - 900)
    person, program = fact("click", mail, 1, agent=FIREFOX), fact("click", mail, 2, agent="curl/8.0")
    assert [each.fields.get("opened") for each in judged(person, program)] == [True, False]
    assert judged(program)[0].fields["machine"] == "program"
    assert "machine" not in judged(person)[0].fields


def test_soon_is_reckoned_from_the_delivery_and_not_from_the_reception() -> None:
    mail = reception(1, START)
    opened = fact("open", mail, 1, START + 900, agent=FIREFOX)
    long_ago, just_now = (event(mail, "delivered", "delivered", after_s=after_s) for after_s in (400, 899.8))
    assert "machine" not in judged(long_ago, opened)[0].fields
    assert judged(just_now, opened)[0].fields["machine"] == "too_soon"


def test_all_else_is_as_it_was() -> None:
    mail = reception(1)
    told = [mail, event(mail, "delivered", "delivered"), fact("late_bounce", mail, 1)]
    assert Lookers(lambda: DATA_CENTRE).judged(told) == told
