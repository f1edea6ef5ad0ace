"""What of a URL is looked at, and which are refused since two programs could read them differently."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.fetch.target import BadTarget, target_of

READ = {
    "https://example.com": ("https", "example.com", 443, "/", "example.com"),
    "HTTPS://Example.COM/Hook?a=1&b=%20#top": ("https", "example.com", 443, "/Hook?a=1&b=%20", "example.com"),
    "http://example.com:8080/x": ("http", "example.com", 8080, "/x", "example.com:8080"),
    "http://example.com.:80/": ("http", "example.com", 80, "/", "example.com"),
    "https://bücher.example/": ("https", "xn--bcher-kva.example", 443, "/", "xn--bcher-kva.example"),
    "http://[2a00::1]:81/": ("http", "2a00::1", 81, "/", "[2a00::1]:81"),
    "http://198.51.100.7/": ("http", "198.51.100.7", 80, "/", "198.51.100.7"),
    "http://localhost:3000/": ("http", "localhost", 3000, "/", "localhost:3000"),
}


@pytest.mark.parametrize("url", READ)
def test_a_url_is_read(url: str) -> None:
    target = target_of(url)
    assert (target.scheme, target.host, target.port, target.path, target.authority) == READ[url]


REFUSED = {
    "ftp://example.com/": "begin with https",
    "example.com/hook": "begin with https",
    "//example.com/hook": "begin with https",
    "https:///hook": "names no host",
    "http://0x7f000001/": "four decimal numbers",
    "http://2130706433/": "four decimal numbers",
    "http://127.1/": "four decimal numbers",
    "http://0177.0.0.1/": "four decimal numbers",
    "http://127.0.0.0x1/": "four decimal numbers",
    "http://[fe80::1%25eth0]/": "zone",
    "http://[::1/": "no URL",
    "http://example.com:99999/": "no URL",
    "http://exa mple.com/": "blank",
    "http://example.com\\@evil.example/": "backslash",
    "http://example.com/\r\nX: 1": "blank",
    "http://-example.com/": "no name",
    "http://exa_mple..com/": "no name",
    "http://" + "a" * 64 + ".com/": "no name",
    "http://example.com/" + "a" * 2000: "longer than",
}


@pytest.mark.parametrize("url", REFUSED)
def test_a_url_is_refused_and_told_what_to_write(url: str) -> None:
    with pytest.raises(BadTarget, match=REFUSED[url]):
        target_of(url)


def test_the_host_is_what_stands_behind_the_last_at_sign() -> None:
    assert target_of("http://example.com@198.51.100.7/").host == "198.51.100.7"
    assert target_of("http://user:p%40ss@example.com/").authorization == "Basic dXNlcjpwQHNz"


def test_what_is_shown_has_no_secrets() -> None:
    assert target_of("http://user:pass@example.com:81/hook?token=1").shown == "http://example.com:81/hook"


@given(st.text(max_size=60), st.text(max_size=30))
def test_any_text_is_read_or_refused(begin: str, end: str) -> None:
    for url in (begin, f"https://{begin}/{end}", f"http://{begin}@{end}"):
        try:
            target = target_of(url)
        except BadTarget:
            continue
        assert target.path.isascii()
        assert not set(target.host + target.path) & set(" \r\n\\")
