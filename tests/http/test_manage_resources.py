"""The manage API's resources: what each does, whose things a key sees, and that secrets are shown once."""

import pytest

V1 = "/manage/v1"
CUSTOMER = "customer-key"


@pytest.fixture
def server(api):
    """The id of a server of the customer."""
    return api("POST", f"{V1}/servers", {"name": "shop"}, key=CUSTOMER).json["id"]


@pytest.fixture
def foreign(api):
    """The id of a server of the operator's account."""
    return api("POST", f"{V1}/servers", {"name": "internal"}).json["id"]


# accounts


def test_the_operator_makes_changes_and_deletes_accounts(api):
    made = api("POST", f"{V1}/accounts", {"name": "new", "limits": {"daily_quota": 10}})
    assert made.status == 201
    where = made.headers["location"]
    assert where == f"{V1}/accounts/{made.json['id']}"
    assert made.json["limits"]["sender_domains"] == "verified"
    changed = api("PATCH", where, {"suspended": True, "limits": {"rate": {"count": 5, "seconds": 60}}})
    assert changed.json["suspended"] is True
    assert changed.json["limits"]["daily_quota"] == 10, "what is not said stays"
    assert changed.json["limits"]["rate"] == {"count": 5, "seconds": 60}
    assert api("PATCH", where, {"limits": {"daily_quota": None}}).json["limits"]["daily_quota"] is None
    gone = api("DELETE", where)
    assert (gone.status, gone.body) == (204, b"")
    assert api("GET", where).status == 404


def test_a_customer_sees_and_renames_the_own_account_only(api):
    listed = api("GET", f"{V1}/accounts", key=CUSTOMER).json
    assert [account["name"] for account in listed["data"]] == ["acme"]
    assert api("PATCH", f"{V1}/accounts/2", {"name": "acme ltd"}, key=CUSTOMER).json["name"] == "acme ltd"
    assert api("GET", f"{V1}/accounts/1", key=CUSTOMER).status == 404
    assert api("PATCH", f"{V1}/accounts/1", {"name": "mine"}, key=CUSTOMER).status == 404


@pytest.mark.parametrize("change", [{"limits": {"daily_quota": 1_000_000}}, {"suspended": False}])
def test_a_customer_does_not_set_the_own_limits(api, change):
    answer = api("PATCH", f"{V1}/accounts/2", change, key=CUSTOMER)
    assert answer.status == 403
    assert "node/manage" in answer.json["detail"]


def test_a_customer_does_not_lift_the_suspension_of_the_own_server(api):
    where = api("POST", f"{V1}/servers", {"name": "shop", "account": 2}).headers["location"]
    assert api("PATCH", where, {"suspended": True}).json["suspended"] is True
    answer = api("PATCH", where, {"suspended": False}, key=CUSTOMER)
    assert (answer.status, "node/manage" in answer.json["detail"]) == (403, True)
    assert api("GET", where, key=CUSTOMER).json["suspended"] is True
    assert api("PATCH", where, {"smtp": False}, key=CUSTOMER).json["smtp"] is False


def test_an_account_has_as_many_keys_and_domains_as_it_may(api):
    limits = {"limits": {"max_domains": 1, "max_keys": 100}}
    assert api("PATCH", f"{V1}/accounts/2", limits).json["limits"]["max_domains"] == 1
    assert api("PATCH", f"{V1}/accounts/2", limits, key=CUSTOMER).status == 403
    while api("POST", f"{V1}/domains", {"name": "one.test"}, key=CUSTOMER).status == 201:
        pass
    answer = api("POST", f"{V1}/domains", {"name": "two.test"}, key=CUSTOMER)
    assert (answer.status, answer.json["type"]) == (409, "urn:angarium:problem:conflict")
    assert "(max_domains)" in answer.json["detail"]
    server = {"name": "x", "limits": {"max_keys": 5}}
    answer = api("POST", f"{V1}/servers", server, key=CUSTOMER)
    assert (answer.status, answer.json["errors"][0]["pointer"]) == (400, "/limits")


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_customer_makes_and_deletes_no_accounts(api, method):
    path = f"{V1}/accounts" if method == "POST" else f"{V1}/accounts/2"
    assert api(method, path, {"name": "second"}, key=CUSTOMER).status == 403


def test_a_name_that_is_taken_is_409(api):
    assert api("POST", f"{V1}/accounts", {"name": "acme"}).status == 409


def test_what_the_store_refuses_points_at_the_field(api):
    answer = api("POST", f"{V1}/accounts", {"name": "x" * 201})
    assert answer.status == 400
    assert answer.pointers.keys() == {"/name"}


# what is another account's does not exist


def test_foreign_and_missing_things_get_the_same_answer(api, foreign):
    missing = api("GET", f"{V1}/servers/999", key=CUSTOMER)
    hidden = api("GET", f"{V1}/servers/{foreign}", key=CUSTOMER)
    assert missing.status == hidden.status == 404
    assert missing.json["detail"].replace("999", "N") == hidden.json["detail"].replace(str(foreign), "N")


def test_no_route_reaches_over_the_border_of_accounts(api, store, foreign):
    person = store.people.create(1, "op@example.net", "", "a long password", actor="test")
    key, _ = store.credentials.create_api_key(1, "op", ("smtp/inject",), actor="test")
    token, _ = store.credentials.create_server_token(foreign, "t", actor="test")
    login, _ = store.credentials.create_smtp_login(foreign, "l", actor="test")
    domain = store.domains.create(1, "example.net", actor="test")
    before = store.generation()
    for one in (
        "/accounts/1",
        f"/servers/{foreign}",
        f"/servers/{foreign}/streams/outbound",
        f"/people/{person.id}",
        f"/keys/{key.id}",
        f"/tokens/{token.id}",
        f"/logins/{login.id}",
        f"/domains/{domain.id}",
    ):
        assert api("GET", V1 + one, key=CUSTOMER).status == 404, one
        assert api("PATCH", V1 + one, {}, key=CUSTOMER).status == 404, one
        if not one.startswith("/accounts") and "/streams/" not in one:
            assert api("DELETE", V1 + one, key=CUSTOMER).status == 404, one
    for method, path, body in (
        ("GET", f"/servers/{foreign}/streams", None),
        ("POST", f"/servers/{foreign}/streams", {"id": "x", "name": "x", "kind": "broadcast"}),
        ("POST", f"/servers/{foreign}/streams/broadcast/archive", None),
        ("POST", f"/servers/{foreign}/streams/broadcast/unarchive", None),
        ("POST", "/servers", {"name": "x", "account": 1}),
        ("POST", "/people", {"email": "a@example.com", "password": "a long password", "account": 1}),
        ("POST", "/keys", {"label": "x", "grants": [], "account": 1}),
        ("POST", "/keys", {"label": "x", "grants": ["smtp/inject"], "server": foreign}),
        ("POST", "/tokens", {"server": foreign}),
        ("POST", "/logins", {"server": foreign, "label": "x"}),
        ("POST", "/domains", {"name": "example.com", "account": 1}),
        ("GET", f"/domains/{domain.id}/records", None),
        ("POST", f"/domains/{domain.id}/verify", None),
        ("POST", f"/domains/{domain.id}/rotate", None),
        ("GET", "/audit?account=1", None),
        ("GET", "/servers?account=1", None),
        ("GET", f"/keys?server={foreign}", None),
    ):
        assert api(method, V1 + path, body, key=CUSTOMER).status == 404, (method, path)
    assert store.generation() == before


def test_listings_hold_the_own_account_only(api, store, foreign, server):
    store.credentials.create_smtp_login(foreign, "l", actor="test")
    assert [row["id"] for row in api("GET", f"{V1}/servers", key=CUSTOMER).json["data"]] == [server]
    assert api("GET", f"{V1}/logins", key=CUSTOMER).json["data"] == []
    assert {row["account"] for row in api("GET", f"{V1}/audit", key=CUSTOMER).json["data"]} == {2}
    assert {row["account"] for row in api("GET", f"{V1}/servers").json["data"]} == {1, 2}


# servers and streams


def test_a_server_comes_with_its_streams(api, server):
    listed = api("GET", f"{V1}/servers/{server}/streams", key=CUSTOMER).json
    assert {row["id"]: row["kind"] for row in listed["data"]} == {
        "outbound": "transactional",
        "broadcast": "broadcast",
    }


def test_a_server_is_changed_and_deleted(api, server):
    one = f"{V1}/servers/{server}"
    changed = api("PATCH", one, {"smtp": False, "options": {"track_opens": True}}, key=CUSTOMER).json
    assert (changed["smtp"], changed["options"]) == (False, {"track_opens": True})
    assert api("PATCH", one, {"options": {"track_opens": None}}, key=CUSTOMER).json["options"] == {}
    assert api("DELETE", one, key=CUSTOMER).status == 204
    assert api("GET", one, key=CUSTOMER).status == 404


def test_a_stream_is_made_archived_and_taken_into_use_again(api, server):
    streams = f"{V1}/servers/{server}/streams"
    made = api("POST", streams, {"id": "news", "name": "News", "kind": "broadcast"}, key=CUSTOMER)
    assert (made.status, made.headers["location"]) == (201, f"{streams}/news")
    assert api("PATCH", f"{streams}/news", {"name": "Letter"}, key=CUSTOMER).json["name"] == "Letter"
    archived = api("POST", f"{streams}/news/archive", key=CUSTOMER).json
    assert archived["archived_at"] == "2023-11-15T12:00:00Z"
    assert len(api("GET", streams, key=CUSTOMER).json["data"]) == 2
    assert len(api("GET", f"{streams}?archived=true", key=CUSTOMER).json["data"]) == 3
    assert api("POST", f"{streams}/news/unarchive", key=CUSTOMER).json["archived_at"] is None


def test_a_default_stream_stays(api, server):
    assert api("POST", f"{V1}/servers/{server}/streams/outbound/archive", key=CUSTOMER).status == 409


# people


def test_a_person_is_made_changed_and_deleted_and_the_password_is_never_shown(api, store):
    made = api(
        "POST", f"{V1}/people", {"email": "ann@example.com", "password": "correct horse"}, key=CUSTOMER
    )
    one = made.headers["location"]
    changed = api("PATCH", one, {"name": "Ann", "password": "battery staple", "enabled": False}, key=CUSTOMER)
    assert (changed.json["name"], changed.json["enabled"]) == ("Ann", False)
    told = made.body + changed.body + api("GET", f"{V1}/audit", key=CUSTOMER).body
    for secret in (b"correct horse", b"battery staple", b"argon2"):
        assert secret not in told
    assert api("DELETE", one, key=CUSTOMER).status == 204


def test_a_password_that_is_refused_leaves_the_rest_as_it_was(api):
    body = {"email": "ann@example.com", "password": "correct horse", "name": "Ann"}
    one = api("POST", f"{V1}/people", body, key=CUSTOMER).headers["location"]
    refused = api("PATCH", one, {"name": "Bea", "password": "short"}, key=CUSTOMER)
    assert refused.pointers.keys() == {"/password"}
    assert b"short" not in refused.body
    assert api("GET", one, key=CUSTOMER).json["name"] == "Ann"


# keys, tokens, logins


def _made(api, server):
    """Make one of each; yield its resource, path and answer."""
    for resource, body in (
        ("keys", {"label": "deploy", "grants": ["smtp/inject"], "networks": ["192.0.2.0/24"]}),
        ("tokens", {"server": server, "label": "all"}),
        ("tokens", {"server": server, "kind": "smtp_token", "stream": "outbound", "challenge": True}),
        ("logins", {"server": server, "label": "app", "options": {"inline_css": True}}),
    ):
        answer = api("POST", f"{V1}/{resource}", body, key=CUSTOMER)
        assert answer.status == 201, answer.body
        yield resource, answer.headers["location"], answer


def test_a_secret_is_in_the_first_answer_and_in_no_other(api, server):
    made = list(_made(api, server))
    secrets = [answer.json["secret"] for _, _, answer in made]
    assert all(len(secret) >= 36 for secret in secrets)
    told = b"".join(api("GET", path, key=CUSTOMER).body for _, path, _ in made)
    told += b"".join(
        api("GET", f"{V1}/{resource}", key=CUSTOMER).body
        for resource in ("keys", "tokens", "logins", "audit")
    )
    assert b'"secret"' not in told
    for secret in secrets:
        assert secret.encode() not in told


def test_each_is_disabled_relabelled_and_deleted(api, server):
    for _, path, _ in _made(api, server):
        changed = api("PATCH", path, {"enabled": False, "label": "old"}, key=CUSTOMER).json
        assert (changed["enabled"], changed["label"]) == (False, "old")
        assert api("DELETE", path, key=CUSTOMER).status == 204
        assert api("GET", path, key=CUSTOMER).status == 404


def test_a_key_is_no_login(api, server):
    for resource, path, _ in _made(api, server):
        number = path.rpartition("/")[2]
        for other in {"keys", "tokens", "logins"} - {resource}:
            assert api("GET", f"{V1}/{other}/{number}", key=CUSTOMER).status == 404
            assert api("DELETE", f"{V1}/{other}/{number}", key=CUSTOMER).status == 404


def test_a_key_ends_when_it_says(api):
    body = {"label": "x", "grants": ["smtp/inject"], "expires_at": "2030-01-31T12:00:00+01:00"}
    made = api("POST", f"{V1}/keys", body, key=CUSTOMER)
    assert made.json["expires_at"] == "2030-01-31T11:00:00Z"
    changed = api("PATCH", made.headers["location"], {"expires_at": None}, key=CUSTOMER)
    assert changed.json["expires_at"] is None


def test_a_time_without_a_zone_is_refused(api):
    body = {"label": "x", "grants": ["smtp/inject"], "expires_at": "2030-01-31T12:00:00"}
    assert api("POST", f"{V1}/keys", body, key=CUSTOMER).pointers.keys() == {"/expires_at"}


def test_a_key_gives_no_grants_that_it_has_not(api):
    made = api(
        "POST", f"{V1}/keys", {"label": "root", "grants": ["smtp/inject", "node/manage"]}, key=CUSTOMER
    )
    assert made.status == 403
    assert "node/manage" in made.json["detail"]
    weak = api("POST", f"{V1}/keys", {"label": "weak", "grants": ["smtp/inject"]}, key=CUSTOMER)
    raised = api("PATCH", weak.headers["location"], {"grants": ["node/manage"]}, key=CUSTOMER)
    assert raised.status == 403


def test_a_key_touches_no_key_that_may_do_more(api, store):
    strong, _ = store.credentials.create_api_key(2, "strong", ("node/manage",), actor="test")
    for method in ("PATCH", "DELETE"):
        answer = api(method, f"{V1}/keys/{strong.id}", {"networks": []}, key=CUSTOMER)
        assert answer.status == 403
        assert "node/manage" in answer.json["detail"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("tokens", {"server": None}),
        ("logins", {"server": None, "label": "a"}),
        ("people", {"email": "ann@acme.example", "password": "long enough"}),
    ],
)
def test_a_key_that_may_not_send_lets_nobody_send(api, keys, server, path, body):
    """Else a key for managing keys made itself a login, and sent by that."""
    body = {name: server if name == "server" else value for name, value in body.items()}
    made = api("POST", f"{V1}/{path}", body, key=CUSTOMER)
    strong = keys.known[CUSTOMER]
    keys.known["weak"] = type(strong)(9, 'key 9 "weak"', strong.account, strong.grants - {"smtp/inject"})
    for method, place in (("POST", f"{V1}/{path}"), ("PATCH", made.headers["location"])):
        answer = api(method, place, body if method == "POST" else {"enabled": True}, key="weak")
        assert answer.status == 403
        assert "smtp/inject" in answer.json["detail"]


def test_an_account_does_not_choose_its_binding(api, server):
    """Bindings belong to the node: an account that named another's would send from its addresses."""
    chosen = {"options": {"binding": "of-another"}}
    login = {"server": server, "label": "a", **chosen}
    stream = {"id": "news", "name": "News", "kind": "broadcast", **chosen}
    mine = api("POST", f"{V1}/logins", {"server": server, "label": "a"}, key=CUSTOMER)
    tries = [
        ("POST", f"{V1}/logins", login),
        ("POST", f"{V1}/servers", {"name": "b", **chosen}),
        ("POST", f"{V1}/servers/{server}/streams", stream),
        ("PATCH", mine.headers["location"], chosen),
        ("PATCH", f"{V1}/accounts/2", chosen),
        ("PATCH", f"{V1}/servers/{server}", chosen),
        ("PATCH", f"{V1}/servers/{server}/streams/outbound", chosen),
    ]
    for method, path, body in tries:
        answer = api(method, path, body, key=CUSTOMER)
        assert (answer.status, "binding" in answer.json["detail"]) == (403, True), path
    assert api("PATCH", f"{V1}/accounts/2", chosen).status == 200  # the operator
    assert api("PATCH", f"{V1}/accounts/2", {"options": {"binding": None}}, key=CUSTOMER).status == 403
    assert api("PATCH", f"{V1}/accounts/2", {"options": {"campaign": "a"}}, key=CUSTOMER).status == 200


def test_an_smtp_token_needs_a_stream_and_a_server_token_has_none(api, server):
    wanting = api("POST", f"{V1}/tokens", {"server": server, "kind": "smtp_token"}, key=CUSTOMER)
    assert wanting.pointers.keys() == {"/stream"}
    too_much = api("POST", f"{V1}/tokens", {"server": server, "stream": "outbound"}, key=CUSTOMER)
    assert too_much.pointers.keys() == {"/kind"}


def test_a_token_is_changed_by_what_the_document_names_for_tokens(api, server):
    body = {"server": server, "options": {"tags": ["receipt"]}}
    token = api("POST", f"{V1}/tokens", body, key=CUSTOMER).json
    assert token["options"]["tags"] == ["receipt"]
    one = f"{V1}/tokens/{token['id']}"
    refused = api("PATCH", one, {"stream": "outbound"}, key=CUSTOMER)
    assert refused.status == 400
    assert refused.pointers.keys() == {"/stream"}
    assert api("PATCH", one, {"challenge": False}, key=CUSTOMER).status == 200
    assert (
        api("PATCH", one, {"challenge": True}, key=CUSTOMER).status == 409
    )  # the secret is not known any more


def test_a_stream_that_is_not_there_is_404_and_one_that_is_archived_409(api, server):
    body = {"server": server, "kind": "smtp_token", "stream": "news"}
    assert api("POST", f"{V1}/tokens", body, key=CUSTOMER).status == 404
    api("POST", f"{V1}/servers/{server}/streams", {"id": "news", "name": "N", "kind": "broadcast"})
    api("POST", f"{V1}/servers/{server}/streams/news/archive")
    assert api("POST", f"{V1}/tokens", body, key=CUSTOMER).status == 409


def test_a_whole_number_may_have_a_point(api):
    made = api("POST", f"{V1}/accounts", {"name": "whole", "limits": {"daily_quota": 5.0}})
    assert made.json["limits"]["daily_quota"] == 5
    assert api("PATCH", f"{V1}/accounts/1", {"limits": {"daily_quota": 5.5}}).status == 400


def test_grants_are_listed_with_their_labels(api):
    listed = {row["key"]: row["label"] for row in api("GET", f"{V1}/grants").json["data"]}
    assert listed["smtp/inject"] == "Send via SMTP"
    assert listed["node/manage"] == "Manage the whole node"


# domains


def test_a_domain_is_added_published_and_verified(api, dns):
    made = api("POST", f"{V1}/domains", {"name": "Example.COM"}, key=CUSTOMER)
    one = made.headers["location"]
    assert made.json["name"] == "example.com"
    assert {key["algorithm"]: key["state"] for key in made.json["keys"]} == {
        "rsa": "pending",
        "ed25519": "pending",
    }
    records = api("GET", f"{one}/records", key=CUSTOMER).json["data"]
    assert sum(record["required"] for record in records) == 2
    assert all(record["zone_line"].startswith(record["name"]) for record in records)
    assert any(record["value"] == "mail.example.net" for record in records), "bounces come to this node"
    report = api("POST", f"{one}/verify", key=CUSTOMER).json
    assert {key["state"] for key in report["domain"]["keys"]} == {"active"}
    assert report["domain"]["verified_at"] is not None
    assert {check["status"] for check in report["checks"]} == {"found"}


def test_what_is_missing_comes_with_what_to_do(api, dns):
    dns.finds = False
    one = api("POST", f"{V1}/domains", {"name": "example.com"}, key=CUSTOMER).headers["location"]
    report = api("POST", f"{one}/verify", key=CUSTOMER).json
    assert report["domain"]["verified_at"] is None
    assert {(check["status"], check["advice"]) for check in report["checks"]} == {("missing", "publish it")}


def test_rotation_adds_keys_and_deletion_takes_all(api):
    one = api("POST", f"{V1}/domains", {"name": "example.com"}, key=CUSTOMER).headers["location"]
    api("POST", f"{one}/verify", key=CUSTOMER)
    rotated = api("POST", f"{one}/rotate", key=CUSTOMER).json
    assert sorted(key["state"] for key in rotated["keys"]) == ["active", "active", "pending", "pending"]
    assert api("PATCH", one, {"enabled": False}, key=CUSTOMER).json["enabled"] is False
    assert api("DELETE", one, key=CUSTOMER).status == 204
    assert api("GET", one, key=CUSTOMER).status == 404


# the audit log


def test_the_audit_log_names_the_key_and_what_it_did(api, server):
    last = api("GET", f"{V1}/audit", key=CUSTOMER).json["data"][-1]
    assert last["actor"] == 'key:2 "customer"'
    assert last["what"] == f"server {server}"
    assert last["account"] == 2


def test_a_customer_reads_no_label_and_no_name_of_whoever_runs_the_node(api, store, server):
    own, _ = store.credentials.create_api_key(2, "deploy", ["account/manage"], actor="cli:root")
    store.servers.change(server, name="shop 2", actor=f'key:{own.id} "deploy"')
    store.credentials.delete(own.id, actor="cli:root")
    api("PATCH", f"{V1}/accounts/2", {"suspended": False, "name": "acme 2"})
    told = [row["actor"] for row in api("GET", f"{V1}/audit", key=CUSTOMER).json["data"]]
    assert told[-4:] == ["operator", 'key:3 "deploy"', "operator", "operator"]
    assert not any("root" in actor or "key:1" in actor for actor in told)
    whole = [row["actor"] for row in api("GET", f"{V1}/audit?account=2").json["data"]]
    assert whole[-4:] == ["cli:root", 'key:3 "deploy"', "cli:root", 'key:1 "operator"']


# pages


@pytest.mark.parametrize(
    ("path", "named"), [("/servers/{}/streams", "id"), ("/grants", "key"), ("/domains/1/records", "name")]
)
def test_every_listing_is_cut_in_pages(api, server, path, named):
    api("POST", f"{V1}/domains", {"name": "acme.example"}, key=CUSTOMER)
    api("POST", f"{V1}/servers/{server}/streams", {"id": "news", "name": "N", "kind": "broadcast"})
    whole = [row[named] for row in api("GET", V1 + path.format(server), key=CUSTOMER).json["data"]]
    follows, found = f"{V1}{path.format(server)}?limit=2", []
    while follows is not None:
        page = api("GET", follows, key=CUSTOMER).json
        assert len(page["data"]) <= 2
        found += [row[named] for row in page["data"]]
        follows = page["next"]
    assert found == whole
    assert len(whole) > 2


def test_the_own_account_is_one_page(api):
    assert [row["id"] for row in api("GET", f"{V1}/accounts?after=1", key=CUSTOMER).json["data"]] == [2]
    assert api("GET", f"{V1}/accounts?after=2", key=CUSTOMER).json == {"data": [], "next": None}


def test_streams_behind_one_that_is_not_there_are_404(api, server):
    assert api("GET", f"{V1}/servers/{server}/streams?after=nowhere").status == 404


def test_a_listing_comes_in_pages_that_follow_each_other(api, store):
    for number in range(7):
        store.servers.create(2, f"server {number}", actor="test")
    path, names = f"{V1}/servers?limit=3&account=2", []
    while path is not None:
        page = api("GET", path).json
        assert len(page["data"]) <= 3
        names += [row["name"] for row in page["data"]]
        path = page["next"]
    assert names == [f"server {number}" for number in range(7)]


def test_a_page_that_is_just_full_is_the_last(api, store):
    for number in range(3):
        store.servers.create(2, f"server {number}", actor="test")
    assert api("GET", f"{V1}/servers?limit=3").json["next"] is None


def test_tokens_of_both_kinds_come_in_one_order(api, store, server):
    for number in range(3):
        store.credentials.create_server_token(server, f"s{number}", actor="test")
        store.credentials.create_smtp_token(server, "outbound", f"t{number}", actor="test")
    path, labels = f"{V1}/tokens?limit=2", []
    while path is not None:
        page = api("GET", path, key=CUSTOMER).json
        labels += [row["label"] for row in page["data"]]
        path = page["next"]
    assert labels == ["s0", "t0", "s1", "t1", "s2", "t2"]


# strange values

HUGE = (10**30, 2**63, 2**63 - 1, -1, 0)
ODD = ("", "\x00", "\n", "a\x00b", "é" * 300, "\ufffd", "../..", "<script>")


@pytest.mark.parametrize("number", HUGE)
def test_no_number_makes_a_fault(api, number):
    limits = dict.fromkeys(("daily_quota", "max_recipients", "max_message_size"), number)
    for path in ("servers", "people", "keys", "tokens", "logins", "domains", "audit"):
        for name in ("account", "after"):
            assert api("GET", f"{V1}/{path}?{name}={number}").status in (200, 400, 404)
    for path, body in (
        ("accounts", {"name": "x", "limits": limits}),
        ("accounts", {"name": "y", "limits": {"rate": {"count": number, "seconds": 1}}}),
        ("servers", {"name": "x", "account": number}),
        ("keys", {"label": "x", "grants": ["smtp/inject"], "server": number}),
        ("tokens", {"server": number}),
        ("logins", {"server": number, "label": "x"}),
    ):
        assert api("POST", f"{V1}/{path}", body).status in (201, 400, 404), (path, body)
    assert api("GET", f"{V1}/servers/{number}").status == 404


@pytest.mark.slow
@pytest.mark.parametrize("text", ODD)
def test_no_text_makes_a_fault(api, server, text):
    options = {"metadata": {text: text}, "tags": [text], "binding": text, "campaign": text}
    for path, body in (
        ("accounts", {"name": text}),
        ("servers", {"name": text, "options": options}),
        (f"servers/{server}/streams", {"id": text, "name": text, "kind": "broadcast"}),
        ("people", {"email": text, "password": "long enough"}),
        ("people", {"email": "ann@example.com", "password": f"long enough{text}", "name": text}),
        ("keys", {"label": text, "grants": [text], "networks": [text], "stream": text}),
        ("logins", {"server": server, "label": text, "stream": text, "options": options}),
        ("domains", {"name": text, "return_path": text}),
    ):
        answer = api("POST", f"{V1}/{path}", body)
        assert answer.status in (201, 400, 403, 404), (path, body)
        assert answer.status == 201 or answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-12:00", "1960-01-01T00:00:00Z"]
)
def test_no_time_makes_a_fault(api, moment):
    body = {"label": "x", "grants": ["smtp/inject"], "expires_at": moment}
    assert api("POST", f"{V1}/keys", body).status in (201, 400)
