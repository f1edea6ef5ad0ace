"""Postmark's API with an account's token: servers and domains; and what is not offered."""

import pytest

from angarium.http.postmark.table import ABSENT_OF_ACCOUNT, ABSENT_OF_SERVER


def code(answer):
    return answer.json["ErrorCode"]


def test_a_server_is_made_with_a_token_that_is_good(postmark):
    body = {
        "Name": "Staging",
        "Color": "Red",
        "DeliveryType": "sandbox",
        "trackOpens": True,
        "TrackLinks": "HtmlOnly",
    }
    made = postmark.as_account("POST", "/servers", body).json
    assert (made["Color"], made["DeliveryType"], made["TrackOpens"], made["TrackLinks"]) == (
        "Red",
        "Sandbox",
        True,
        "HtmlOnly",
    )
    (postmark.token,) = made["ApiTokens"]
    shown = postmark("GET", "/server").json
    assert (shown["ID"], shown["Name"], shown["ApiTokens"]) == (made["ID"], "Staging", [])
    assert (
        postmark("PUT", "/server", {"Name": "Stage", "SmtpApiActivated": False}).json["SmtpApiActivated"]
        is False
    )
    assert postmark.as_account("GET", f"/servers/{made['ID']}").json["Name"] == "Stage"
    listed = postmark.as_account("GET", "/servers?count=1&offset=1").json
    assert (listed["TotalCount"], [each["Name"] for each in listed["Servers"]]) == (2, ["Stage"])
    assert postmark.as_account("GET", "/servers?count=5&offset=0&name=STA").json["TotalCount"] == 1
    gone = postmark.as_account("DELETE", f"/servers/{made['ID']}").json
    assert gone == {"ErrorCode": 0, "Message": "Server Stage removed."}
    assert postmark("GET", "/server").status == 401


def test_what_is_wrong_with_a_server(postmark):
    def made(**body):
        return code(postmark.as_account("POST", "/servers", {"Name": "x", **body}))

    assert made(Name=None) == 608
    assert made(Name="shop") == 603
    assert made(Color="black") == 607
    assert made(TrackLinks="all") == 612
    assert made(DeliveryType="dead") == 613
    assert code(postmark("PUT", "/server", {})) == 609
    assert code(postmark("PUT", "/server", {"DeliveryType": "Sandbox"})) == 613
    assert code(postmark.as_account("GET", "/servers?count=0")) == 600


def test_anothers_server_and_domain_are_not_there(postmark):
    other = postmark.store.servers.create(1, "theirs", actor="test").id
    domain = postmark.store.domains.create(1, "theirs.example", actor="test").id
    for method in ("GET", "DELETE"):
        assert code(postmark.as_account(method, f"/servers/{other}")) == 501
        assert code(postmark.as_account(method, f"/domains/{domain}")) == 510
    assert code(postmark.as_account("PUT", f"/servers/{other}", {"Name": "mine"})) == 501
    assert code(postmark.as_account("PUT", f"/domains/{domain}/verifyDkim")) == 510
    assert postmark.as_account("GET", "/domains").json["TotalCount"] == 0


def test_a_domain_is_added_verified_and_its_keys_made_anew(postmark):
    made = postmark.as_account("POST", "/domains", {"Name": "Shop.example"}).json
    assert (made["Name"], made["DKIMVerified"], made["DKIMHost"]) == ("shop.example", False, "")
    assert made["DKIMPendingHost"].endswith("._domainkey.shop.example")
    assert made["DKIMPendingTextValue"].startswith("v=DKIM1; k=rsa; p=")
    assert made["ReturnPathDomainCNAMEValue"] == "mail.example.net"
    path = f"/domains/{made['ID']}"
    again = postmark.as_account("POST", f"{path}/rotatedkim")
    assert (code(again), again.json["Message"]) == (505, "This DKIM is already being renewed.")
    seen = postmark.as_account("PUT", f"{path}/verifyDKIM", {}).json
    assert (seen["DKIMVerified"], seen["ReturnPathDomainVerified"], seen["DKIMPendingHost"]) == (
        True,
        True,
        "",
    )
    assert seen["DKIMHost"] == made["DKIMPendingHost"]
    assert postmark.as_account("POST", f"{path}/rotateDKIM").json["DKIMUpdateStatus"] == "Pending"
    assert postmark.as_account("POST", f"{path}/verifyspf").json["SPFVerified"] is True
    changed = postmark.as_account("PUT", path, {"ReturnPathDomain": "pm.shop.example"}).json
    assert (changed["ReturnPathDomain"], changed["ReturnPathDomainVerified"]) == ("pm.shop.example", False)
    (listed,) = postmark.as_account("GET", "/domains?count=50&offset=0").json["Domains"]
    assert list(listed) == [
        *("ID", "Name", "SPFVerified", "DKIMVerified", "WeakDKIM", "ReturnPathDomainVerified")
    ]
    assert postmark.as_account("DELETE", path).json["Message"] == "Domain shop.example removed."


def test_what_is_wrong_with_a_domain(postmark):
    assert code(postmark.as_account("POST", "/domains", {})) == 514
    assert code(postmark.as_account("POST", "/domains", {"Name": "x"})) == 511
    made = postmark.as_account("POST", "/domains", {"Name": "shop.example"}).json["ID"]
    assert code(postmark.as_account("POST", "/domains", {"Name": "shop.example"})) == 512
    assert code(postmark.as_account("PUT", f"/domains/{made}", {})) == 502
    assert code(postmark.as_account("PUT", f"/domains/{made}", {"ReturnPathDomain": "a b"})) == 511


@pytest.mark.parametrize("endpoint", [*ABSENT_OF_SERVER, *ABSENT_OF_ACCOUNT], ids=lambda each: each.path)
def test_what_is_not_offered_says_so(postmark, endpoint):
    ask = postmark if endpoint in ABSENT_OF_SERVER else postmark.as_account
    path = endpoint.path.replace("{", "").replace("}", "")
    answer = ask(endpoint.method, path, {})
    assert (answer.status, code(answer)) == (501, 615)


def test_a_server_token_is_none_of_an_account(postmark):
    postmark.key = postmark.token
    answer = postmark.as_account("GET", "/servers")
    assert (answer.status, code(answer)) == (401, 10)
