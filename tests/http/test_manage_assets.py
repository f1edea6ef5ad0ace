"""Templates, snippets and lists by the manage API."""

import json

import pytest

from angarium.http.manage.table import PREFIX

CUSTOMER = "customer-key"
TEMPLATES = f"{PREFIX}/templates"
SNIPPETS = f"{PREFIX}/snippets"
LISTS = f"{PREFIX}/recipient-lists"
HELLO = {
    "name": "Welcome",
    "alias": "welcome",
    "from": {"address": "shop@example.com", "name": "{{shop}}"},
    "subject": "Hello {{name}}",
    "html": "<p>{{name}}",
    "headers": {"X-Shop": "{{shop}}"},
    "variables": {"name": "Ann", "shop": "A & B"},
    "options": {"track_opens": True},
}


@pytest.fixture
def ask(api):
    """Ask as a customer; returns what was answered, which has to have that status."""

    def ask(method, path, body=None, status=200, key=CUSTOMER):
        answer = api(method, path, body, key=key)
        assert answer.status == status, answer.body
        return answer.json if answer.body else None

    return ask


def test_a_template_is_made_shown_changed_published_and_deleted(ask):
    made = ask("POST", TEMPLATES, HELLO, 201)
    assert (made["draft"], made["published"], made["version"], made["is_draft"]) == (1, None, 1, True)
    assert {name: made[name] for name in HELLO} == HELLO
    path = f"{TEMPLATES}/welcome"
    assert ask("GET", f"{TEMPLATES}/{made['id']}") == ask("GET", path)
    assert ask("POST", f"{path}/publish")["published"] == 1
    changed = ask("PATCH", path, {"html": None, "text": "{{name}}", "alias": None, "layout": None})
    assert (changed["html"], changed["text"], changed["alias"], changed["draft"]) == (None, "{{name}}", "", 2)
    path = f"{TEMPLATES}/{made['id']}"
    assert ask("GET", f"{path}?draft=false")["html"] == "<p>{{name}}"
    assert ask("POST", f"{path}/discard")["draft"] is None
    assert [each["id"] for each in ask("GET", f"{TEMPLATES}?kind=standard")["data"]] == [made["id"]]
    ask("DELETE", path, status=204)
    ask("GET", path, status=404)


def test_all_that_is_wrong_is_answered_with_its_place(api):
    body = {**HELLO, "html": "<p>{{nane}}\n{{#x}}", "headers": {"Subject": "x"}, "from": {"address": "shop"}}
    answer = api("POST", TEMPLATES, body, key=CUSTOMER)
    assert answer.status == 400
    assert sorted(answer.pointers) == ["/from", "/headers/Subject", "/html"]
    body["html"] = "<p>{{nane}}"
    said = api("POST", TEMPLATES, body, key=CUSTOMER).pointers["/html"]
    assert said == "line 1, column 4: 'nane' is none of the template's variables: did you mean name?"


def test_a_template_is_tried_before_and_after_it_is_saved(ask):
    tried = {name: HELLO[name] for name in HELLO if name not in ("alias", "options")}
    shown = ask("POST", f"{TEMPLATES}/validate", {**tried, "data": {"name": "Bob <b>"}})
    assert (shown["valid"], shown["problems"]) == (True, [])
    assert (shown["preview"]["html"], shown["preview"]["subject"]) == ("<p>Bob &lt;b&gt;", "Hello Bob <b>")
    assert shown["preview"]["from"] == {"address": "shop@example.com", "name": "A & B"}
    assert shown["suggested"] == {"name": "name_Value", "shop": "shop_Value"}
    wrong = ask("POST", f"{TEMPLATES}/validate", {"text": "a\n{{b", "html": "{{/x}}", "kind": "layout"})
    assert (wrong["valid"], wrong["preview"]) == (False, None)
    assert {each["part"] for each in wrong["problems"]} == {"text", "html"}
    assert {"line": 1, "column": 1} in [
        {name: each[name] for name in ("line", "column")} for each in wrong["problems"]
    ]
    ask("POST", TEMPLATES, HELLO, 201)
    path = f"{TEMPLATES}/welcome/preview"
    ask("POST", path, {}, 404)  # nothing is published
    assert ask("POST", path, {"draft": True})["html"] == "<p>Ann"
    assert ask("POST", path, {"draft": True, "data": {"name": "Bob"}})["subject"] == "Hello Bob"


def test_a_layout_is_named_by_its_alias_and_kept_while_it_is_used(api, ask):
    frame = {
        "name": "Frame",
        "alias": "frame",
        "kind": "layout",
        "html": "<b>{{{ @content }}}</b>",
        "publish": True,
    }
    layout = ask("POST", TEMPLATES, frame, 201)
    made = ask("POST", TEMPLATES, {**HELLO, "layout": "frame", "publish": True}, 201)
    assert made["layout"] == layout["id"]
    assert ask("POST", f"{TEMPLATES}/welcome/preview", {})["html"] == "<b><p>Ann</b>"
    answer = api("DELETE", f"{TEMPLATES}/frame", key=CUSTOMER)
    assert (answer.status, "put around 1 templates: welcome" in answer.json["detail"]) == (409, True)


def test_nobody_sees_what_is_anothers(ask):
    made = ask("POST", TEMPLATES, HELLO, 201, key="operator-key")
    snippet = ask("POST", SNIPPETS, {"alias": "footer", "text": "x"}, 201, key="operator-key")
    found = ask("POST", LISTS, {"alias": "news"}, 201, key="operator-key")
    for path in (
        f"{TEMPLATES}/{made['id']}",
        f"{TEMPLATES}/welcome",
        f"{SNIPPETS}/{snippet['id']}",
        f"{SNIPPETS}/footer",
        f"{LISTS}/{found['id']}",
        f"{LISTS}/news/recipients",
    ):
        ask("GET", path, status=404)
    for path in (TEMPLATES, SNIPPETS, LISTS):
        assert ask("GET", path)["data"] == []
        assert len(ask("GET", path, key="operator-key")["data"]) == 1
    ask("POST", TEMPLATES, {**HELLO, "layout": made["id"]}, 404)


def test_snippets(ask):
    made = ask("POST", SNIPPETS, {"alias": "footer", "html": "<hr>", "text": "--"}, 201)
    assert ask("GET", f"{SNIPPETS}/footer") == made
    assert ask("PATCH", f"{SNIPPETS}/footer", {"text": None, "name": "Foot"})["text"] is None
    ask("POST", SNIPPETS, {"alias": "footer", "html": "<hr>"}, 409)
    ask("POST", SNIPPETS, {"alias": "other", "html": "{{ if }}"}, 400)
    ask("DELETE", f"{SNIPPETS}/{made['id']}", status=204)
    assert ask("GET", SNIPPETS)["data"] == []


def test_a_list_is_made_filled_read_and_emptied(api, ask):
    ann = {
        "address": "ann@example.com",
        "name": "Ann",
        "tags": ["vip"],
        "data": {"n": 1},
        "metadata": {},
        "to": "",
    }
    made = ask("POST", LISTS, {"alias": "news", "recipients": [ann, {"address": "ANN@example.com"}]}, 201)
    assert (made["count"], made["name"]) == (1, "news")
    path = f"{LISTS}/news"
    assert ask("GET", f"{path}/recipients") == {"data": [ann], "next": None}
    more = [{"address": f"p{number}@example.com"} for number in range(1_500)]
    ask("POST", f"{path}/recipients", {"recipients": more[:1_000]})
    assert ask("POST", f"{path}/recipients", {"recipients": more[1_000:]}) == {
        "count": 1_501,
        "duplicates": 0,
    }
    first = ask("GET", f"{path}/recipients")
    assert (len(first["data"]), ask("GET", first["next"])["data"][0]["address"]) == (1, "p0@example.com")
    assert len(api("GET", f"{path}/export", key=CUSTOMER).body.splitlines()) == 1_501
    found = ask("GET", f"{path}/recipients?address=P7@example.com")["data"]
    assert [each["address"] for each in found] == ["p7@example.com"]
    assert ask("POST", f"{path}/remove", {"addresses": ["p7@example.com", "x@example.com"]}) == {"removed": 1}
    assert ask("POST", f"{path}/recipients", {"recipients": [ann], "replace": True})["count"] == 1
    assert [json.loads(line) for line in api("GET", f"{path}/export", key=CUSTOMER).body.splitlines()] == [
        ann
    ]
    assert ask("PATCH", path, {"attributes": {"a": 1}, "alias": "old"})["attributes"] == {"a": 1}
    ask("DELETE", f"{LISTS}/old", status=204)
    assert ask("GET", LISTS)["data"] == []


def test_every_recipient_that_is_wrong_is_told(api, ask):
    ask("POST", LISTS, {"alias": "news"}, 201)
    wrong = [{"address": "ann"}, {"address": "bob@example.com"}, {"address": "cy@example.com", "to": "x@"}]
    answer = api("POST", f"{LISTS}/news/recipients", {"recipients": wrong}, key=CUSTOMER)
    assert (answer.status, sorted(answer.pointers)) == (400, ["/recipients/0/address", "/recipients/2/to"])
    assert ask("GET", f"{LISTS}/news")["count"] == 0
