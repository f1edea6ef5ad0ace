"""Whether a request comes from where it should."""

import pytest

from angarium.dashboard import gate


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("localhost:8080", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]:8080", "::1"),
        ("MAIL.example.com", "mail.example.com"),
        ("ours@evil.example", "evil.example"),
        ("", ""),
        ("[", ""),
    ],
)
def test_the_name_that_is_asked_for(host, name):
    assert gate.name_of(host) == name


@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({"host": "a:1"}, True),
        ({"host": "a:1", "origin": "http://a:1"}, True),
        ({"host": "a:1", "origin": "http://b:1"}, False),
        ({"host": "a:1", "origin": "null"}, False),
        ({"host": "a:1", "origin": "http://a:1", "sec-fetch-site": "same-origin"}, True),
        ({"host": "a:1", "origin": "null", "sec-fetch-site": "same-origin"}, True),
        ({"host": "a:1", "sec-fetch-site": "cross-site"}, False),
        ({"host": "a:1", "sec-fetch-site": "same-site"}, False),
    ],
)
def test_what_a_page_of_another_origin_sends(headers, is_ours):
    assert gate.is_of_ours(headers) is is_ours


def test_a_cookie_and_back():
    for is_secure in (False, True):
        field = gate.set_cookie("secret", is_secure=is_secure)
        assert gate.secret_in(field.partition(";")[0], is_secure=is_secure) == "secret"
        assert ("Secure" in field) == ("__Host-" in field) == is_secure
        assert "HttpOnly" in field
        assert "SameSite=Lax" in field
    assert gate.secret_in("angarium=plain", is_secure=True) is None
    assert gate.secret_in("\x00=;;;", is_secure=False) is None
    assert "Max-Age=0" in gate.set_cookie("", is_secure=False)


def test_a_form_is_of_one_session():
    assert gate.is_form_token("secret", gate.form_token("secret"))
    assert not gate.is_form_token("other", gate.form_token("secret"))
    assert not gate.is_form_token("secret", "é")


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("/ui/m/1?x=2", "/ui/m/1?x=2"),
        ("", "/ui/"),
        ("//evil.example/ui/", "/ui/"),
        ("https://evil.example/ui/", "/ui/"),
        ("/ui/\\evil.example", "/ui/"),
        ("/uix", "/ui/"),
        ("/ui/a\r\nSet-Cookie: x", "/ui/"),
    ],
)
def test_after_a_login_one_stays_here(asked, given):
    assert gate.local_path(asked, "/ui") == given
