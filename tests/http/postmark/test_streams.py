"""Postmark's API: message streams, and who must not get their mail."""


def test_the_streams_of_a_new_server(postmark):
    found = postmark("GET", "/message-streams?MessageStreamType=All&IncludeArchivedStreams=false").json
    assert [(each["ID"], each["MessageStreamType"]) for each in found["MessageStreams"]] == [
        ("outbound", "Transactional"),
        ("broadcast", "Broadcasts"),
    ]
    assert found["TotalCount"] == 2
    assert postmark("GET", "/message-streams?messagestreamtype=broadcasts").json["TotalCount"] == 1
    shown = postmark("GET", "/message-streams/outbound").json
    assert shown["SubscriptionManagementConfiguration"] == {"UnsubscribeHandlingType": "None"}
    assert (shown["ServerID"], shown["ArchivedAt"]) == (postmark.server, None)


def test_a_stream_is_made_changed_archived_and_taken_back(postmark):
    body = {"ID": "news", "Name": "News", "MessageStreamType": "Broadcasts", "Description": "weekly"}
    assert postmark("POST", "/message-streams", body).json["Description"] == "weekly"
    assert postmark("PATCH", "/message-streams/news", {"name": "Letters"}).json["Name"] == "Letters"
    gone = postmark("POST", "/message-streams/news/archive").json
    assert list(gone) == ["ID", "ServerID", "ExpectedPurgeDate"]
    assert postmark("GET", "/message-streams").json["TotalCount"] == 2
    assert postmark("GET", "/message-streams?IncludeArchivedStreams=true").json["TotalCount"] == 3
    assert postmark("POST", "/message-streams/news/unarchive", {}).json["ArchivedAt"] is None


def code(answer):
    return answer.json["ErrorCode"]


def test_what_is_wrong_with_a_stream_has_its_own_number(postmark):
    def made(**body):
        given = {"ID": "x", "Name": "X", "MessageStreamType": "Transactional", **body}
        return code(postmark("POST", "/message-streams", given))

    assert made(ID=None) == 1222
    assert made(Name="") == 1223
    assert made(Name="x" * 101) == 1224
    assert made(MessageStreamType="Inbound") == made(MessageStreamType="x") == 1221
    assert made(ID="Upper case") == 1227
    assert made(ID="outbound") == 1230
    assert made(ID="pm-x") == 1233
    assert made(ID="all") == 1237
    assert made(Description="x" * 1001) == 1231
    assert made(Description="<b>x") == 1234
    assert made(SubscriptionManagementConfiguration={"unsubscribeHandlingType": "Custom"}) == 1238
    assert made(SubscriptionManagementConfiguration={"unsubscribeHandlingType": "Postmark"}) == 1239
    assert made(SubscriptionManagementConfiguration={"unsubscribeHandlingType": "x"}) == 1240
    assert code(postmark("GET", "/message-streams/none")) == 1226
    assert code(postmark("POST", "/message-streams/outbound/archive")) == 1229
    for number in range(10):
        assert (
            "ErrorCode"
            not in postmark(
                "POST",
                "/message-streams",
                {"ID": f"s{number}", "Name": "S", "MessageStreamType": "Transactional"},
            ).json
        )
    assert made() == 1225


DUMP = "/message-streams/outbound/suppressions/dump"


def addresses(postmark, query=""):
    return [each["EmailAddress"] for each in postmark("GET", DUMP + query).json["Suppressions"]]


def asked(*found):
    return {"Suppressions": [{"EmailAddress": each} for each in found]}


def test_addresses_are_suppressed_in_one_stream_and_taken_off(postmark):
    answer = postmark(
        "POST", "/message-streams/outbound/suppressions", asked("Ann@Example.com", "nobody")
    ).json
    assert answer["Suppressions"] == [
        {"EmailAddress": "Ann@Example.com", "Status": "Suppressed", "Message": None},
        {"EmailAddress": "nobody", "Status": "Failed", "Message": "An invalid email address was provided."},
    ]
    (shown,) = postmark("GET", DUMP).json["Suppressions"]
    assert (shown["EmailAddress"], shown["SuppressionReason"], shown["Origin"]) == (
        "ann@example.com",
        "ManualSuppression",
        "Customer",
    )
    assert postmark("GET", "/message-streams/broadcast/suppressions/dump").json["Suppressions"] == []
    deleted = postmark(
        "POST", "/message-streams/outbound/suppressions/delete", asked("ann@example.com", "b@x.org")
    )
    assert [each["Status"] for each in deleted.json["Suppressions"]] == ["Deleted", "Deleted"]
    assert addresses(postmark) == []


def test_a_complaint_stays(postmark):
    from angarium.suppressions.records import NewCause

    cause = NewCause(account=postmark.account, what="a@x.org", reason="complaint", origin="recorder", at=1.0)
    postmark.store.suppressions.record([cause])
    (found,) = postmark("POST", "/message-streams/outbound/suppressions/delete", asked("a@x.org")).json[
        "Suppressions"
    ]
    assert (found["Status"], found["Message"][:32]) == ("Failed", "You do not have the required aut")
    (shown,) = postmark("GET", DUMP).json["Suppressions"]
    assert (shown["SuppressionReason"], shown["Origin"]) == ("SpamComplaint", "Recipient")


def test_which_are_told(postmark):
    postmark("POST", "/message-streams/outbound/suppressions", asked("a@x.org", "b@x.org"))
    assert addresses(postmark, "?EmailAddress=B@x.org") == ["b@x.org"]
    assert addresses(postmark, "?SuppressionReason=HardBounce") == []
    assert addresses(postmark, "?Origin=Customer&fromdate=2023-1-1") == ["a@x.org", "b@x.org"]
    assert addresses(postmark, "?todate=2023-01-01") == []
    assert code(postmark("GET", f"{DUMP}?SuppressionReason=x")) == 1404
    assert code(postmark("GET", f"{DUMP}?Origin=x")) == 1405
    assert code(postmark("GET", f"{DUMP}?todate=x")) == 1403


def test_what_is_wrong_with_a_list(postmark):
    path = "/message-streams/outbound/suppressions"
    assert code(postmark("POST", path, {})) == 1409
    assert code(postmark("POST", path, asked(*["a@x.org"] * 51))) == 1410
    assert code(postmark("POST", path, {"Suppressions": [{}]})) == 1411
    assert code(postmark("POST", "/message-streams/none/suppressions", asked("a@x.org"))) == 1226
