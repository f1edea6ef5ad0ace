"""docs/routing.md says what the code does."""

import ipaddress
import re
from pathlib import Path

import pytest

from angarium.config.load import parse_config
from angarium.config.values import INSIDE, NAMED_RANGES
from angarium.queue import hosts, levels, routing
from angarium.testing.dns import parse_zone

PAGE = (Path(__file__).parents[2] / "docs" / "routing.md").read_text()
EXAMPLES = re.findall(r"```\n(.*?)```", PAGE, re.S)


@pytest.mark.parametrize(
    ("domain", "queue", "method"),
    [
        ("anything.test", "relay.example", "ESMTP"),
        ("local.example.com", "local.example.com", "LMTP"),
        ("direct.example", "direct.example", "ESMTP"),
    ],
)
def test_the_configuration_example_routes_as_it_says(domain: str, queue: str, method: str) -> None:
    config = parse_config(EXAMPLES[0])
    assert routing.routing_domain(config, "default", domain) == queue
    assert config.outbound("default", queue).delivery_method == method


@pytest.mark.parametrize(
    ("gateway", "queue"), re.findall(r'^\| `Gateway = "([^"]+)"` \| `([^`]+)`', PAGE, re.M)
)
def test_the_table_of_gateways_is_true(gateway: str, queue: str) -> None:
    config = parse_config(f'Gateway = "{gateway}"')
    assert routing.routing_domain(config, "default", "example.com") == queue


def test_every_reply_of_routing_is_listed() -> None:
    source = "".join(Path(str(module.__file__)).read_text() for module in (routing, hosts, levels))
    made = {f"{code} {enhanced}" for code, enhanced in re.findall(r'\b(\d{3}), "(\d\.\d\.\d)"', source)}
    assert made == set(re.findall(r"^\| `(\d{3} \d\.\d\.\d)`", PAGE, re.M))


def test_the_example_of_a_lab_zone_can_be_read() -> None:
    assert parse_zone(EXAMPLES[1]).troubles


def test_the_table_of_words_for_ranges_is_true() -> None:
    table = dict(re.findall(r"^  \| `([a-z-]+)` \| ([^|]+) \|$", PAGE, re.M))
    inside = [each for word in table if word != "private" for each in table[word].split(", ")]
    table["private"] = table["private"].replace("all of these", ", ".join(inside))
    ranges = {
        word: {str(ipaddress.ip_network(each)) for each in text.split(", ")} for word, text in table.items()
    }
    assert ranges == {
        word: {str(ipaddress.ip_network(each)) for each in given} for word, given in NAMED_RANGES.items()
    }
    assert f"Prohibited_Hosts = ( {' '.join(INSIDE.ranges)} )" in PAGE
