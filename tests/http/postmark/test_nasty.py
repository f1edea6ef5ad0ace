"""Whatever is asked of Postmark's API, and whatever is sent to it: no answer is a fault of the node."""

from urllib.parse import quote

import pytest

from angarium.http.postmark.table import ACCOUNT_ENDPOINTS, SERVER_ENDPOINTS

ALL = (*SERVER_ENDPOINTS, *ACCOUNT_ENDPOINTS)
VALUES = (
    "\0",
    "-1",
    "x" * 3_000,
    "\u2028é'\"%*?\\\\",
    "99999999999999999999",
    "2026-13-45",
    "true",
    "0",
    "9999-12-31",
)
BODIES = ([], {}, {"Name": "\0", "Url": "\0", "ID": "\0"}, {"Triggers": [], "Suppressions": {}}, "x", 7)


def asked(postmark, endpoint, path, body=None):
    ask = postmark.as_account if endpoint in ACCOUNT_ENDPOINTS else postmark
    answer = ask(endpoint.method, path, body)
    assert answer.status < 500, (path, answer.body)
    assert postmark.api.failure is None


@pytest.mark.parametrize("value", VALUES)
def test_any_value_of_a_query_and_a_path_is_answered(postmark, value):
    for endpoint in ALL:
        said = value.replace("?", "").replace("/", "")  # a path comes decoded
        path = "/".join(said if part.startswith("{") else part for part in endpoint.path.split("/"))
        names = endpoint.query.__struct_encode_fields__ if endpoint.query is not None else ()
        query = "&".join(f"{name}={quote(value)}" for name in names if name not in ("count", "offset"))
        if endpoint.method == "GET":
            asked(postmark, endpoint, f"{path}?{query}")


@pytest.mark.parametrize("body", BODIES)
def test_any_body_is_answered(postmark, body):
    for endpoint in ALL:
        if endpoint.method != "GET":
            asked(postmark, endpoint, endpoint.path.replace("{", "").replace("}", ""), body)
