"""The OpenAPI document: it has every route, and what it says of them can be followed."""

import pytest

from angarium import __version__
from angarium.http.api.openapi import document
from angarium.http.manage.table import MANAGE


@pytest.fixture(scope="module")
def whole():
    return document(MANAGE)


def references(value):
    """Yield every `$ref` in a document."""
    if isinstance(value, dict):
        for name, inner in value.items():
            if name == "$ref":
                yield inner
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_it_is_served_to_everybody(api):
    answer = api("GET", "/manage/v1/openapi.json", key=None)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json["openapi"] == "3.1.0"
    assert answer.json["info"]["version"] == __version__
    assert answer.json["servers"] == [{"url": "/manage/v1"}]


def test_every_route_is_in_it_and_nothing_else(whole):
    told = {(method.upper(), path) for path, methods in whole["paths"].items() for method in methods}
    assert told == {(endpoint.method, endpoint.path) for endpoint in MANAGE.told}


def test_every_reference_leads_somewhere(whole):
    found = set(references(whole))
    assert found
    for reference in found:
        value = whole
        for step in reference.removeprefix("#/").split("/"):
            value = value[step]


@pytest.mark.parametrize("endpoint", MANAGE.told, ids=lambda endpoint: f"{endpoint.method} {endpoint.path}")
def test_an_operation_is_whole(whole, endpoint):
    operation = whole["paths"][endpoint.path][endpoint.method.lower()]
    assert operation["summary"]
    assert endpoint.grant is None or f"`{endpoint.grant}`" in operation["description"]
    in_path = {row["name"] for row in operation["parameters"] if row["in"] == "path"}
    assert in_path == set(endpoint.parameters)
    assert all(f"{{{name}}}" in endpoint.path for name in in_path)
    assert ("requestBody" in operation) == (
        endpoint.method in ("POST", "PATCH") and endpoint.body is not None
    )
    done = operation["responses"][str(endpoint.status)]
    assert ("content" in done) == (endpoint.status != 204)
    assert {"401", "403", "500"} <= operation["responses"].keys()


def test_operations_have_names_of_their_own(whole):
    names = [row["operationId"] for methods in whole["paths"].values() for row in methods.values()]
    assert len(names) == len(set(names))


def test_bodies_say_that_they_take_no_other_fields(whole):
    for endpoint in MANAGE.told:
        if endpoint.body is not None:
            assert whole["components"]["schemas"][endpoint.body.__name__]["additionalProperties"] is False


def test_secrets_are_told_where_they_are_made_only(whole):
    schema = whole["components"]["schemas"]["CredentialView"]
    assert "secret" in schema["properties"]
    assert "secret" not in schema["required"]
    for name in ("PersonView", "DomainKeyView"):
        assert (
            not {"password", "sealed", "digest"} & whole["components"]["schemas"][name]["properties"].keys()
        )


def test_endpoints_can_be_told_apart_in_sets():
    assert len(frozenset(MANAGE.told)) == len(MANAGE.told)


def test_methods_that_are_answered_elsewhere_are_allowed(api):
    assert api("PUT", "/manage/v1/messages").headers["allow"] == "GET, POST"
