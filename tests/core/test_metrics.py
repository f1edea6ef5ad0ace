"""Histograms, whose a mail host is, and that what is counted stands in the table."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import angarium
from angarium.core.catalogue.metrics import METRICS
from angarium.core.metrics import Histogram
from angarium.core.providers import OTHER, PROVIDERS, provider_of


def test_a_value_is_in_every_bucket_whose_end_it_is_not_above():
    histogram = Histogram((0.5, 1, 10))
    for value in (0.1, 0.5, 0.6, 1.0, 11.0):
        histogram.observe(value)
    assert dict(histogram.numbers("wait_seconds", ("bulk",))) == {
        ("wait_seconds_bucket", "bulk", "0.5"): 2,
        ("wait_seconds_bucket", "bulk", "1.0"): 4,
        ("wait_seconds_bucket", "bulk", "10.0"): 4,
        ("wait_seconds_bucket", "bulk", "+Inf"): 5,
        ("wait_seconds_count", "bulk"): 5,
        ("wait_seconds_sum", "bulk"): pytest.approx(13.2),
    }


@given(st.lists(st.floats(-10, 1000)), st.floats(-10, 1000))
def test_nothing_of_a_histogram_ever_goes_back(values, one_more):
    """Not even when a clock that was set makes a time negative."""
    histogram = Histogram((0.5, 1, 10))
    for value in values:
        histogram.observe(value)
    before = dict(histogram.numbers("x"))
    histogram.observe(one_more)
    assert all(value >= before[key] for key, value in histogram.numbers("x"))


@pytest.mark.parametrize(
    ("host", "provider"),
    [
        ("gmail-smtp-in.l.google.com", "google"),
        ("ASPMX.L.GOOGLE.COM.", "google"),
        ("hotmail-com.olc.protection.outlook.com", "outlook"),
        ("example-com.mail.protection.outlook.com", "microsoft365"),
        ("example-com.x-v1.mx.microsoft", "microsoft365"),
        ("mta5.am0.yahoodns.net", "yahoo"),
        ("mx01.mail.icloud.com", "apple"),
        ("google.com.attacker.example", OTHER),
        ("notgoogle.com", OTHER),
        ("com", OTHER),
        ("", OTHER),
        ("192.0.2.1", OTHER),
        ("." * 200, OTHER),
    ],
)
def test_a_provider_is_known_by_the_domain_of_its_hosts(host, provider):
    assert provider_of(host) == provider


@given(st.text())
def test_whatever_a_host_is_called_there_are_no_more_providers(host):
    assert provider_of(host) in {*PROVIDERS, OTHER}


def sources():
    root = Path(angarium.__file__).parent
    return [path.read_text() for path in root.rglob("*.py") if "catalogue" not in path.parts]


def test_all_that_is_counted_stands_in_the_table_and_all_that_stands_there_is_counted():
    counted = {
        name
        for text in sources()
        for name in re.findall(
            r'(?:counters\.(?:add|set|histogram|forget)\(|\b(?:values|numbers)\[)\s*"(\w+)"', text
        )
    }
    assert len(counted) > 20
    assert counted <= METRICS.keys()
    said = set(re.findall(r'"(\w+)"', "".join(sources())))
    assert METRICS.keys() - said == set()
