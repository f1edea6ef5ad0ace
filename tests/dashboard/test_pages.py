"""The pages: who sees what, what is shown, and what is done."""

import re

import pytest

from angarium.dashboard.table import PAGES
from angarium.identity.roles import ROLES

PASSWORD = "correct horse battery"


def test_who_is_not_logged_in_is_asked_to_and_comes_back(people, make_browser):
    browser = make_browser()
    page = browser.get("/ui/messages?query=roof")
    assert page.path == "/ui/login?next=%2Fui%2Fmessages%3Fquery%3Droof"
    seen = browser.send(page, "/ui/login", email="owner@example.com", password=PASSWORD)
    assert seen.path == "/ui/messages?query=roof"
    assert "Nothing is found" in seen.text


def test_a_wrong_password_says_nothing_of_who_exists_and_five_of_them_wait(people, make_browser, clock):
    browser = make_browser()
    page = browser.get("/ui/login")

    def tried(email, password):
        seen = browser.send(page, "/ui/login", email=email, password=password)
        return seen.status, re.search(r'role="alert"[^>]*>([^<]*)<', seen.text)[1]

    known, unknown = (
        tried("owner@example.com", "wrong password"),
        tried("nobody@example.com", "wrong password"),
    )
    assert known == unknown
    assert known[0] == 403
    for _ in range(3):
        tried("owner@example.com", "wrong password")
    assert tried("owner@example.com", PASSWORD)[0] == 429
    clock.at += 301
    assert browser.send(page, "/ui/login", email="owner@example.com", password=PASSWORD).path == "/ui/"


def test_a_link_is_good_once(store, people, make_browser):
    link = store.sessions.make_link(people["owner"].id, actor="test")
    assert "Overview" in make_browser().get(f"/ui/login?link={link}").text
    again = make_browser().get(f"/ui/login?link={link}")
    assert again.status == 403
    assert "angarium people link" in again.text


def test_there_is_nothing_under_another_name(logged_in):
    browser = logged_in()
    browser.host = "clicks.example.com"
    for path in ("/ui/", "/ui/login", "/ui/static/ui.css", "/ui/nothing"):
        seen = browser.get(path)
        assert (seen.status, seen.text) == (404, "Not Found")


def test_a_login_over_a_network_wants_https(people, make_browser):
    browser = make_browser(peer="192.0.2.7")
    assert browser.get("/ui/login").status == 403
    browser.headers = {"x-forwarded-proto": "https"}
    page = browser.get("/ui/login")
    assert page.status == 200
    browser.send(page, "/ui/login", email="owner@example.com", password=PASSWORD)
    assert browser.cookie.startswith("__Host-")


@pytest.mark.parametrize("role", [name for name in ROLES if name != "sender"])
def test_menu_and_address_agree_with_the_role(logged_in, role):
    browser = logged_in(role)
    nav = re.search("<nav.*?</nav>", browser.get("/ui/").text, re.DOTALL)[0]
    menu = set(re.findall(r'<li><a href="/ui(/[^"]*)"', nav))
    for page in PAGES:
        if page.method == "GET" and "{" not in page.path:
            may = page.grant is None or page.grant in ROLES[role].grants
            assert browser.get(f"/ui{page.path}").status == (200 if may else 404), page.path
            assert (page.path in menu) == (bool(page.menu) and may)


def test_a_page_has_the_headers_that_keep_it_safe(logged_in):
    fields = dict(logged_in().get("/ui/").fields)
    assert fields["content-security-policy"].startswith(
        "default-src 'none'; script-src 'self'; style-src 'self';"
    )
    assert fields["x-content-type-options"] == "nosniff"
    assert fields["referrer-policy"] == "no-referrer"
    assert fields["cache-control"] == "no-store"


def test_mail_is_searched_and_its_story_told(logged_in, mails):
    browser = logged_in()
    found = browser.get("/ui/messages?query=status:bounced")
    assert "bob@example.com</td>" in found.text
    assert "dan@example.net</td>" not in found.text
    story = browser.get(f"/ui/m/{mails[0]}")
    assert "550 5.1.1" in story.text
    assert f"/manage/v1/messages/{mails[0]}" in story.text
    assert f"angarium message {mails[0]}" in story.text


def test_a_wrong_query_is_shown_with_its_place(logged_in):
    seen = logged_in().get("/ui/messages?query=red%5E4")
    assert seen.status == 400
    assert "red^4\n   ^" in seen.text


def test_mail_of_another_account_is_not_there(logged_in, mails):
    other = logged_in("other")
    assert other.get(f"/ui/m/{mails[0]}").status == 404
    assert "bob@example.com</td>" not in other.get("/ui/messages").text
    assert other.get(f"/ui/m/{mails[1]}").status == 200


def test_what_comes_from_outside_stays_text(logged_in, mails):
    browser = logged_in()
    for path in ("/ui/", "/ui/messages", f"/ui/m/{mails[0]}", "/ui/messages?query=%22%3E%3Cscript%3E"):
        text = browser.get(path).text
        assert "<script" not in text
        assert "<img" not in text
        assert "\u202e" not in text
    assert "⟨U+202E⟩roof" in browser.get("/ui/messages").text


def test_an_address_is_suppressed_and_lifted(logged_in, store):
    browser = logged_in("support")
    page = browser.get("/ui/suppressions")
    added = browser.send(page, "/ui/suppressions/add", address="eve@example.com", note="asked")
    assert "eve@example.com is suppressed" in added.text
    assert "asked" in added.text
    lifted = browser.send(added, "/ui/suppressions/lift")
    assert "eve@example.com may get mail again" in lifted.text
    assert "Nobody is suppressed" in browser.get("/ui/suppressions").text
    assert 'person:2 "support@example.com"' in repr(store.audit.page())


def test_what_cannot_be_suppressed_is_told(logged_in):
    browser = logged_in()
    seen = browser.send(
        browser.get("/ui/suppressions"), "/ui/suppressions/add", address="no address", note=""
    )
    assert seen.status == 400
    assert 'role="alert"' in seen.text


def test_a_form_of_another_page_or_session_does_nothing(logged_in, store):
    browser, other = logged_in(), logged_in("support")
    page = other.get("/ui/suppressions")
    token = re.search(r'name="form" value="(\w+)"', page.text)[1]
    fields = {"form": token, "address": "eve@example.com", "note": ""}
    assert browser.post("/ui/suppressions/add", fields).status == 403
    assert other.post("/ui/suppressions/add", fields, headers={"sec-fetch-site": "cross-site"}).status == 403
    assert (
        other.post("/ui/suppressions/add", fields, headers={"origin": "https://evil.example"}).status == 403
    )
    assert other.post("/ui/suppressions/add", {**fields, "form": ""}).status == 403
    assert other.get("/ui/suppressions/add").status == 405
    assert "Nobody is suppressed" in other.get("/ui/suppressions").text


def test_a_form_is_bounded(logged_in):
    assert logged_in().post("/ui/suppressions/add", {"address": "x" * 70_000}).status == 413


def test_a_key_is_made_shown_once_switched_off_and_deleted(logged_in, store):
    browser = logged_in("developer")
    made = browser.send(browser.get("/ui/keys"), "/ui/keys/create", label="shop", may="send")
    secret = re.search(r"ANGARIUM_KEY=(\w+)", made.text)[1]
    assert secret not in browser.get("/ui/keys").text
    assert secret not in repr(store.audit.page())
    assert "shop is off" in browser.send(browser.get("/ui/keys"), "/ui/keys/switch").text
    number = re.search(r"/ui/keys\?delete=(\d+)", browser.get("/ui/keys").text)[1]
    asked = browser.get(f"/ui/keys?delete={number}")
    assert "The key is deleted" in browser.send(asked, "/ui/keys/delete").text
    assert "There is no key" in browser.get("/ui/keys").text


def test_a_key_may_no_more_than_who_makes_it(logged_in, store):
    browser = logged_in("developer")
    browser.send(browser.get("/ui/keys"), "/ui/keys/create", label="shop", may="all")
    (key,) = store.credentials.page(kind="api_key")
    assert "users/manage" not in key.grants
    assert "node/manage" not in key.grants
    assert "smtp/inject" in key.grants


def test_a_key_of_another_account_is_not_there(logged_in, store):
    browser = logged_in("other")
    browser.send(browser.get("/ui/keys"), "/ui/keys/create", label="theirs", may="send")
    (key,) = store.credentials.page(kind="api_key")
    own = logged_in("owner")
    assert "theirs" not in own.get("/ui/keys").text
    token = re.search(r'name="form" value="(\w+)"', own.get("/ui/keys").text)[1]
    assert own.post("/ui/keys/delete", {"form": token, "key": str(key.id)}).status == 404


def test_a_report_by_what_is_asked(logged_in, mails):
    browser = logged_in()
    seen = browser.get("/ui/reports?by=domain&from=90d")
    assert seen.status == 200
    assert "angarium report --by domain --from 90d" in seen.text
    assert browser.get("/ui/reports?by=nonsense").status == 400
    assert browser.get("/ui/reports?query=red%5E4").status == 400


def test_the_documentation_is_read_and_searched(logged_in):
    browser = logged_in("viewer")
    assert 'href="/ui/docs/queue.html"' in browser.get("/ui/docs").text
    page = browser.get("/ui/docs/queue.html")
    assert page.text.count("<h1") == 1
    found = browser.get("/ui/docs/find?query=retry+AND+interv*")
    assert "<mark>" in found.text
    assert 'href="/ui/docs/options/Retry_Interval.html#' in found.text
    assert browser.get("/ui/docs/find?query=red%5E4").status == 400
    assert browser.get("/ui/docs/../../etc/passwd").status == 404


def test_sessions_are_listed_and_ended(logged_in):
    first, second = logged_in(), logged_in()
    page = first.get("/ui/me")
    assert page.text.count("/ui/me/end") == 1
    assert "The session is ended" in first.send(page, "/ui/me/end").text
    assert second.get("/ui/").path.startswith("/ui/login")


def test_nobody_ends_the_session_of_another(logged_in, store, people):
    browser = logged_in()
    logged_in("support")
    (other,) = store.sessions.of_person(people["support"].id)
    page = browser.get("/ui/suppressions")
    token = re.search(r'name="form" value="(\w+)"', page.text)[1]
    assert browser.post("/ui/me/end", {"form": token, "session": str(other.id)}).status == 404
    assert len(store.sessions.of_person(people["support"].id)) == 1


def test_log_out(logged_in):
    browser = logged_in()
    seen = browser.send(browser.get("/ui/"), "/ui/logout")
    assert "You are logged out" in seen.text
    assert browser.cookie == ""
    assert browser.get("/ui/").path.startswith("/ui/login")


def test_a_page_that_is_not_there(logged_in):
    seen = logged_in().get("/ui/nothing")
    assert seen.status == 404
    assert "There is no such page" in seen.text
