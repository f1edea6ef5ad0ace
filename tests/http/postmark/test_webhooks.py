"""Postmark's API: webhooks, and data removals."""

BODY = {
    "Url": "https://example.com/hook",
    "MessageStream": "outbound",
    "HttpAuth": {"Username": "u", "Password": "p"},
    "HttpHeaders": [{"Name": "X-A", "Value": "1"}],
    "Triggers": {"Open": {"Enabled": True, "PostFirstOpenOnly": True}, "Bounce": {"Enabled": True}},
}


def code(answer):
    return answer.json["ErrorCode"]


def on(shown):
    return [name for name, trigger in shown["Triggers"].items() if trigger["Enabled"]]


def test_a_webhook_is_made_listed_changed_and_deleted(postmark):
    made = postmark("POST", "/webhooks", BODY).json
    assert (made["Url"], made["MessageStream"], on(made)) == (BODY["Url"], "outbound", ["Open", "Bounce"])
    assert made["Triggers"]["Open"]["PostFirstOpenOnly"] is True
    assert made["HttpAuth"] == {"Username": "u", "Password": ""}
    assert made["HttpHeaders"] == [{"Name": "X-A", "Value": ""}]
    kept = postmark.store.webhooks.secrets(made["ID"])
    assert (kept.password, kept.headers) == ("p", {"X-A": "1"})
    assert postmark.store.webhooks.get(made["ID"]).dialect == "postmark"
    changed = postmark(
        "PUT",
        f"/webhooks/{made['ID']}",
        {"Triggers": {"Click": {"Enabled": True}, "Open": {"Enabled": False}}},
    )
    assert on(changed.json) == ["Click", "Bounce"]
    assert [each["ID"] for each in postmark("GET", "/webhooks").json["Webhooks"]] == [made["ID"]]
    assert postmark("GET", "/webhooks?MessageStream=broadcast").json["Webhooks"] == []
    none = postmark(
        "PUT",
        f"/webhooks/{made['ID']}",
        {"Triggers": {"Click": {"Enabled": False}, "Bounce": {"Enabled": False}}},
    )
    assert on(none.json) == []
    assert postmark("DELETE", f"/webhooks/{made['ID']}").json["Message"] == f"Webhook {made['ID']} removed."
    assert code(postmark("GET", f"/webhooks/{made['ID']}")) == 1352


def test_what_is_wrong_with_a_webhook(postmark):
    assert code(postmark("POST", "/webhooks", {})) == 1354
    assert code(postmark("POST", "/webhooks", {**BODY, "Url": "ftp://x"})) == 1361
    assert code(postmark("POST", "/webhooks", {**BODY, "MessageStream": "none"})) == 1226
    assert code(postmark("POST", "/webhooks", {**BODY, "Triggers": 1})) == 403
    made = postmark("POST", "/webhooks", BODY).json["ID"]
    assert code(postmark("PUT", f"/webhooks/{made}", {"MessageStream": "broadcast"})) == 1357


def test_anothers_webhook_is_not_there(postmark):
    other, _ = postmark.store.webhooks.create(
        1, "theirs", "https://example.com/", dialect="postmark", actor="test"
    )
    for method in ("GET", "PUT", "DELETE"):
        assert code(postmark(method, f"/webhooks/{other.id}", {})) == 1352
    assert postmark("GET", "/webhooks").json["Webhooks"] == []


def test_data_is_removed(postmark):
    asked = {"RequestedBy": "me@example.org", "RequestedFor": "bob@example.com", "NotifyWhenCompleted": False}
    made = postmark.as_account("POST", "/data-removals", asked).json
    assert made["Status"] == "Pending"
    assert postmark.as_account("GET", f"/data-removals/{made['ID']}").json == made
    assert code(postmark.as_account("POST", "/data-removals", {})) == 1300
    for number in ("0", "999", "x"):
        assert code(postmark.as_account("GET", f"/data-removals/{number}")) == 1301
