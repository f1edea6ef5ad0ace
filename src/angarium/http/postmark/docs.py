"""The parts of the page about Postmark that are made from the routes: `python -m angarium.http.postmark.docs`."""

from collections.abc import Iterable, Iterator

from angarium.http.api.endpoint import Endpoint
from angarium.http.postmark.sending.paths import ABSENT_WORDS, WORDS
from angarium.http.postmark.table import (
    ABSENT_OF_ACCOUNT,
    ABSENT_OF_SERVER,
    ACCOUNT_ENDPOINTS,
    SERVER_ENDPOINTS,
)

BEGIN, END = "<!-- routes -->", "<!-- end of routes -->"


def routes_part() -> str:
    """Return what stands between the marks."""
    sending = [("POST", path, "") for path in WORDS]
    offered = [*sending, *_rows(SERVER_ENDPOINTS), *_rows(ACCOUNT_ENDPOINTS)]
    absent = [
        *_rows((*ABSENT_OF_SERVER, *ABSENT_OF_ACCOUNT)),
        *(("POST", *row) for row in ABSENT_WORDS.items()),
    ]
    return "\n".join([BEGIN, "", *_offered(offered), "", *_absent(absent), "", END])


def _rows(endpoints: Iterable[Endpoint]) -> Iterator[tuple[str, str, str]]:
    for endpoint in endpoints:
        yield endpoint.method, endpoint.path, endpoint.summary


def _offered(rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    yield "| method | path |"
    yield "|---|---|"
    for method, path, _ in rows:
        yield f"| `{method}` | `{path}` |"


def _absent(rows: Iterable[tuple[str, str, str]]) -> Iterator[str]:
    yield "Answered with 501:"
    yield ""
    yield "| method | path | why |"
    yield "|---|---|---|"
    for method, path, why in rows:
        yield f"| `{method}` | `{path}` | {why} |"


if __name__ == "__main__":
    print(routes_part())
