"""What answers `/email` and all below it, in any case."""

from collections.abc import Callable, Mapping
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from angarium.core.clock import Clock
from angarium.dialects.postmark.problem import NOT_FOUND, UNSUPPORTED, PostmarkProblem
from angarium.http.postmark.application import refused
from angarium.http.postmark.sending.dialect import MessageWords
from angarium.http.postmark.sending.trial import TrialDoor
from angarium.http.sending.dialect import SendingDialect

SEGMENT: Final = "email"

WORDS: Final[Mapping[str, MessageWords]] = {
    "/email": MessageWords(),
    "/email/batch": MessageWords(is_batch=True),
    "/email/withtemplate": MessageWords(is_templated=True),
    "/email/batchwithtemplates": MessageWords(is_batch=True, is_templated=True),
}
"""What is posted where, in lower case."""

ABSENT_WORDS: Final[Mapping[str, str]] = {
    "/email/bulk": "Bulk requests: send batches.",
}
"""What is answered with 501, and why."""


class EmailPaths:
    """An ASGI application: the doors that *make* makes of `WORDS`, each at its path."""

    def __init__(self, make: Callable[[SendingDialect], ASGIApp], clock: Clock) -> None:
        self._doors: dict[str, ASGIApp] = {
            path: TrialDoor(words, make(words), clock) for path, words in WORDS.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope["path"].lower().rstrip("/")
        door = self._doors.get(path)
        if path in ABSENT_WORDS:
            door = refused(PostmarkProblem(UNSUPPORTED, ABSENT_WORDS[path], status=501))
        elif door is None:
            problem = PostmarkProblem(NOT_FOUND, f"There is nothing at {scope['path'][:200]}.", status=404)
            door = refused(problem)
        elif scope["method"] != "POST":
            said = f"The method {scope['method'][:20]} is not for this; use POST."
            door = refused(PostmarkProblem(NOT_FOUND, said, status=405, headers={"Allow": "POST"}))
        await door(scope, receive, send)
