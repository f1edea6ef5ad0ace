"""What is shipped for Prometheus and Grafana, tried with Prometheus' own tool (Debian's package `prometheus`)."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from angarium.core.catalogue.metrics import METRICS, PREFIX
from angarium.core.metrics import family_of, zeros
from angarium.testing.lab import Lab, submit
from angarium.testing.node import Node

PACKAGING = Path(__file__).parents[2] / "packaging"
RULES = PACKAGING / "prometheus/angarium.rules.yml"
RULES_TEST = PACKAGING / "prometheus/angarium.test.yml"
DASHBOARD: dict[str, Any] = json.loads((PACKAGING / "grafana/angarium.json").read_text())

ROUTE = 'Domain "there.test" {{ Routes = ( "127.0.0.1:{port}" ) }}'
OF_THE_SCRAPE = {"job", "instance"}


def promtool(*arguments: str | Path, stdin: str = "") -> str:
    done = subprocess.run(
        ["promtool", *map(str, arguments)], input=stdin, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_the_rules_are_rules():
    assert "SUCCESS" in promtool("check", "rules", RULES)


def test_every_alert_is_seen_to_fire_and_not_to_fire():
    promtool("test", "rules", RULES_TEST)
    alerts = re.findall(r"- alert: (\w+)", RULES.read_text())
    tried = re.findall(r"alertname: (\w+)[,\s]+eval_time: \w+[,\s]+exp_alerts:(.*)", RULES_TEST.read_text())
    assert len(alerts) > 10
    assert {name for name, expected in tried if "[]" not in expected} == set(alerts)
    assert {name for name, expected in tried if "[]" in expected} == set(alerts)


def test_the_page_on_monitoring_names_every_alert():
    page = (PACKAGING.parent / "docs/monitoring.md").read_text()
    assert set(re.findall(r"`(Angarium\w+)`", page)) == set(re.findall(r"- alert: (\w+)", RULES.read_text()))


def test_every_alert_says_what_to_do():
    rules = RULES.read_text()
    for word in ("alert:", "severity: ", "summary:", "description:"):
        assert len(re.findall(rf"\b{word}", rules)) == len(re.findall(r"- alert:", rules)), word


def queries_of_dashboard() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (each["expr"] for each in DASHBOARD["annotations"]["list"])


def queries_of_rules() -> Iterator[str]:
    yield from re.findall(r"expr: (?:>-\n)?(.*?)\n {8}(?:for|labels):", RULES.read_text(), re.DOTALL)


def test_every_query_of_the_dashboard_is_one_of_prometheus(tmp_path):
    queries = [query.replace("$__rate_interval", "5m") for query in queries_of_dashboard()]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    assert len(rules) > 30
    file = tmp_path / "queries.json"  # what is JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", file)


@pytest.mark.parametrize("query", [*queries_of_dashboard(), *queries_of_rules()])
def test_every_query_asks_for_numbers_labels_and_values_that_there_are(query):
    known = {key[0] for key in zeros()} | {name for name, metric in METRICS.items() if metric.kind == "gauge"}
    known |= {name for name, metric in METRICS.items() if metric.kind == "counter"}
    for name, selectors in re.findall(rf"\b{PREFIX}(\w+)(?:\{{(.*?)\}})?", query):
        assert name in known
        labels = {label.name: label.values for label in METRICS[family_of(name)].labels}
        for label, value in re.findall(r'(\w+)=~?"(.*?)"', selectors):
            assert label in labels.keys() | OF_THE_SCRAPE
            if label in labels:
                values = [re.compile(each) for each in value.split("|")]
                assert all(any(each.fullmatch(known) for known in labels[label]) for each in values)
    asked = {label for by in re.findall(r"\bby \((.*?)\)", query) for label in by.split(", ")}
    names = {name for name, _ in re.findall(rf"\b{PREFIX}(\w+)(\{{)?", query)}
    there = {label.name for name in names for label in METRICS[family_of(name)].labels}
    assert asked <= there | OF_THE_SCRAPE | {"le"}


def test_the_dashboard_has_no_panel_over_another_and_none_without_a_title():
    panels = DASHBOARD["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        fields = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert panel["title"]
        assert place["x"] + place["w"] <= 24
        assert not fields & taken, panel["title"]
        taken |= fields
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_what_a_node_shows_is_as_prometheus_wants_it():
    with Lab() as lab, Node(ROUTE.format(port=lab.sink().port), workers=1) as node:
        submit(node.smtp_port, "me@here.test", ["you@there.test"])
        node.wait_for_event("delivered")
        promtool("check", "metrics", stdin=node.get("/metrics")[1])
