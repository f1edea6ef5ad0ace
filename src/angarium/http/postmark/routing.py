"""Which handler answers a path of Postmark's, written in any case, with or without a slash at the end. Pure."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from angarium.http.api.endpoint import Endpoint


class FoundRoute(NamedTuple):
    """What answers a path, by method, and what the path names."""

    endpoints: Mapping[str, Endpoint]
    parameters: Mapping[str, str]


class _Path(NamedTuple):
    segments: tuple[str, ...]
    endpoints: dict[str, Endpoint]

    def match(self, segments: list[str]) -> dict[str, str] | None:
        found: dict[str, str] = {}
        for wanted, said in zip(self.segments, segments, strict=True):
            if wanted.startswith("{"):
                found[wanted[1:-1]] = said
            elif wanted != said.lower():
                return None
        return found


class Paths:
    """The paths of *endpoints*, written in lower case. Where two fit, the one that comes first answers."""

    def __init__(self, endpoints: Iterable[Endpoint]) -> None:
        self._by_length: dict[int, dict[str, _Path]] = {}
        for endpoint in endpoints:
            segments = tuple(endpoint.path.strip("/").split("/"))
            paths = self._by_length.setdefault(len(segments), {})
            paths.setdefault(endpoint.path, _Path(segments, {})).endpoints[endpoint.method] = endpoint

    def find(self, path: str) -> FoundRoute | None:
        """Return what answers *path*, None where nothing does."""
        segments = path.strip("/").split("/")
        for each in self._by_length.get(len(segments), {}).values():
            found = each.match(segments)
            if found is not None:
                return FoundRoute(each.endpoints, found)
        return None
