"""Mail that waits is cancelled by the manage API: what is answered to what the workers say."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId
from angarium.core.operations import Changed
from angarium.http.api.problem import HttpProblem
from angarium.http.manage import cancelling
from angarium.http.manage.cancelling import CancelledView, cancel_message
from angarium.http.manage.happened import MessageView, OneQuery
from angarium.sql.errors import Conflict, NotFound

ID = "0" * 32


def asked(answer: Any, monkeypatch: pytest.MonkeyPatch, *, is_known: bool = True) -> CancelledView:
    def story(call: Any, message: str, query: OneQuery) -> MessageView:
        if not is_known:
            raise NotFound(f"message {message}")
        return MessageView(ID, [], [])

    async def cancel(message: MessageId, note: str) -> Changed:
        assert (is_known, message, note) == (True, MessageId(bytes(16)), "cancelled by API key 1")
        if isinstance(answer, Exception):
            raise answer
        return answer if answer is not None else await asyncio.get_running_loop().create_future()

    monkeypatch.setattr(cancelling, "story_of", story)
    call: Any = SimpleNamespace(cancelling=cancel, actor="API key 1")
    return asyncio.run(cancel_message(call, ID, OneQuery()))


def test_what_was_cancelled_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    done = Changed(2, 1, ["worker 1: no answer"])
    assert asked(done, monkeypatch) == CancelledView(ID, 2, 1, ["worker 1: no answer"])


@pytest.mark.parametrize(
    ("done", "said"), [(Changed(), "nothing of message"), (Changed(0, 1), "is being handed over just now")]
)
def test_what_has_gone_is_a_conflict(done: Changed, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Conflict, match=said):
        asked(done, monkeypatch)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Changed(problems=["worker 1: it is gone"]), "worker 1: it is gone"),
        (AngariumError("nobody delivers"), "nobody delivers"),
        (None, "no answer within 0 s"),
    ],
)
def test_who_cannot_say_is_asked_again(answer: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancelling, "PATIENCE_S", 0)
    with pytest.raises(HttpProblem, match=said) as caught:
        asked(answer, monkeypatch)
    assert caught.value.status == 503


def test_anothers_message_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound):
        asked(Changed(1), monkeypatch, is_known=False)
