"""What the OpenAPI document says of bodies is what the routes take: every value that it names, to the last number."""

import pytest

from angarium.http.api.openapi import document
from angarium.http.manage.table import ENDPOINTS, MANAGE, PREFIX

WHOLE = document(MANAGE)

NEEDED = {
    "add_suppressions": {"suppressions": [{"address": "ann@example.com"}]},
    "remove_suppressions": {"addresses": ["ann@example.com"]},
    "erase_recipient": {"address": "ann@example.com"},
    "undo_suppressions": {"run": "new"},
    "create_account": {"name": "new"},
    "create_server": {"name": "new"},
    "create_stream": {"id": "new", "name": "new", "kind": "broadcast"},
    "create_person": {"email": "new@example.com", "password": "long enough"},
    "create_key": {"label": "new", "grants": ["smtp/inject"]},
    "create_token": {"server": 1, "kind": "smtp_token", "stream": "outbound"},
    "create_login": {"server": 1, "label": "new"},
    "create_domain": {"name": "new.example"},
    "create_template": {"name": "new", "html": "x", "variables": {"a": 1}},
    "validate_template": {"html": "x", "variables": {"a": 1}},
    "change_template": {"variables": {"a": 1}},
    "create_snippet": {"alias": "new", "html": "x"},
    "create_recipient_list": {"alias": "new"},
    "add_recipients": {"recipients": [{"address": "ann@example.com"}]},
    "remove_recipients": {"addresses": ["ann@example.com"]},
    "create_webhook": {
        "name": "new",
        "url": "https://example.com/hook",
        "username": "u",
        "password": "p",
        "token_url": "https://example.com/token",
        "client_id": "c",
        "client_secret": "s",
    },
    "replay_webhook": {"since": "2026-01-01T00:00:00Z"},
}
"""What stands in the body whatever else is tried."""

NOT_OF_ALL = {
    ("change_token", "challenge"),  # can be taken away, not given: the secret is not known any more
    ("change_login", "challenge"),
    ("create_template", "kind"),  # a layout has a place for what it is put around
    ("change_webhook", "auth"),  # needs what it is shown by
}
"""What hangs on the thing that is changed."""


def resolved(schema):
    while "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = WHOLE["components"]["schemas"][name]
    return schema


def choices(schema):
    """Yield the schemas of which a value may have one."""
    schema = resolved(schema)
    for choice in schema.get("anyOf", [schema]):
        yield resolved(choice)


def allowed(schema):
    """Yield values that the schema allows: all of a few, the ends of a range. Free texts and lists are left out."""
    for choice in choices(schema):
        yield from choice.get("enum", ())
        kind = choice.get("type")
        if kind == "integer":
            yield from (choice[end] for end in ("minimum", "maximum"))
        elif kind == "boolean":
            yield from (True, False)
        elif kind == "null":
            yield None
        elif kind == "object":
            yield from objects(choice, allowed)


def forbidden(schema):
    """Yield values beyond the ends of ranges."""
    for choice in choices(schema):
        if choice.get("type") == "integer":
            yield from (choice["minimum"] - 1, choice["maximum"] + 1)
        elif choice.get("type") == "object":
            yield from objects(choice, forbidden)


def objects(schema, values):
    """Yield objects in which one property is tried with each of its *values*."""
    fields = schema.get("properties", {})
    others = {name: next(allowed(fields[name]), None) for name in schema.get("required", ())}
    if None in others.values():  # a free text
        return
    for name, inner in fields.items():
        for value in values(inner):
            yield {**others, name: value}


def bodies(endpoint, values):
    """Yield bodies for *endpoint* in which one field is tried with each of its *values*."""
    operation = WHOLE["paths"][endpoint.path][endpoint.method.lower()]
    schema = resolved(operation["requestBody"]["content"]["application/json"]["schema"])
    name = endpoint.handler.__name__
    needed = NEEDED.get(name, {})
    for number, (field, inner) in enumerate(schema["properties"].items()):
        if field in needed or (name, field) in NOT_OF_ALL:
            continue
        for turn, value in enumerate(values(inner)):
            unlike = {key: fresh(text, f"{number}-{turn}") for key, text in needed.items()}
            yield {**unlike, field: value}


def fresh(value, mark):
    """Return a needed value that was not there before."""
    return value.replace("new", f"new{mark}") if isinstance(value, str) else value


@pytest.fixture
def ask(api, store):
    """Send a body to a route, with a thing of each kind there to be changed."""
    store.servers.create(1, "shop", actor="test")
    store.credentials.create_api_key(1, "key", ["smtp/inject"], actor="test")
    store.credentials.create_server_token(1, actor="test")
    store.credentials.create_smtp_login(1, "login", actor="test")
    store.people.create(1, "jane@example.com", "Jane", "long enough", actor="test")
    store.domains.create(1, "example.com", actor="test")
    ids = {"key": "1", "token": "2", "login": "3", "stream": "outbound"}

    def send(endpoint, body):
        names = {name: ids.get(name, "1") for name in endpoint.parameters}
        return api(endpoint.method, PREFIX + endpoint.path.format(**names), body)

    return send


with_body = pytest.mark.parametrize(
    "endpoint",
    [endpoint for endpoint in ENDPOINTS if endpoint.body is not None],
    ids=lambda endpoint: endpoint.handler.__name__,
)


@pytest.mark.slow
@with_body
def test_what_the_document_allows_is_taken(ask, endpoint):
    told = WHOLE["paths"][endpoint.path][endpoint.method.lower()]["responses"]
    for body in bodies(endpoint, allowed):
        answer = ask(endpoint, body)
        # 404: no account or server has that number; 409: a server may have so many streams
        assert answer.status in (endpoint.status, 404, 409), (body, answer.body)
        assert str(answer.status) in told


@with_body
def test_what_it_does_not_allow_is_not_taken(ask, endpoint):
    for body in bodies(endpoint, forbidden):
        assert ask(endpoint, body).status == 400, body


def test_there_is_something_to_try():
    tried = [body for endpoint in with_body.args[1] for body in bodies(endpoint, allowed)]
    assert len(tried) > 300
