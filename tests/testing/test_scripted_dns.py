"""The scripted DNS server's zone text."""

import pytest

from angarium.dns.records import Answer, Question
from angarium.testing.dns import ZoneError, answer_question, parse_zone


def status(zone: str, name: str, type_: str = "A") -> Answer:
    return answer_question(parse_zone(zone), Question(name, type_))  # type: ignore[arg-type]


def test_names_records_and_what_does_not_exist() -> None:
    zone = "# a lab\na.b.test 77 A 192.0.2.1 # with a TTL\nA.B.test. A 192.0.2.2"
    assert sorted(status(zone, "a.b.test").texts) == ["192.0.2.1", "192.0.2.2"]
    assert status(zone, "a.b.test", "MX").status == "nodata"
    assert status(zone, "b.test").status == "nodata"
    assert status(zone, "c.test").status == "nxdomain"


def test_a_wildcard_stands_for_names_that_have_no_line_of_their_own() -> None:
    zone = "*.dead.test MX 10 mx.dead.test\nmx.dead.test A 192.0.2.1"
    assert status(zone, "x.dead.test", "MX").status == "found"
    assert status(zone, "y.x.dead.test", "MX").status == "found"
    assert status(zone, "mx.dead.test", "MX").status == "nodata"
    assert status(zone, "dead.test", "MX").status == "nodata"


def test_trouble_can_be_made_for_a_name_or_for_one_type() -> None:
    zone = "a.test A 192.0.2.1\na.test MX !servfail\nb.test !nxdomain"
    assert status(zone, "a.test").status == "found"
    assert status(zone, "a.test", "MX").status == "failure"
    assert status(zone, "b.test").status == "nxdomain"


@pytest.mark.parametrize(
    "line",
    [
        "a.test",
        "a.test NOTYPE x",
        "a.test A not-an-address",
        "a.test !explode",
        "a.test !delay",
        "a..b A 1.2.3.4",
    ],
)
def test_a_line_that_makes_no_sense_is_named(line: str) -> None:
    with pytest.raises(ZoneError, match="zone line 2"):
        parse_zone(f"ok.test A 192.0.2.1\n{line}")
