"""What the recorder makes of an answer."""

import msgspec
import pytest

from angarium.core.records import Attempt, Stage
from angarium.core.reply import Reply
from angarium.feedback.classify import Verdict, classify
from angarium.node.recorder.judge import reason_of
from angarium.testing.happenings import event, reception


def judged(reply: Reply | None, stage: Stage) -> str:
    bounced = event(reception(1), "bounced", "bounced", reply=reply)
    return reason_of(msgspec.structs.replace(bounced, attempt=Attempt(started_at=0.0, stage=stage)))


def test_the_stage_counts() -> None:
    assert judged(Reply(550, "5.1.1", "user unknown"), "rcpt") == "no_such_recipient"
    assert judged(Reply(550, "5.1.1", "user unknown"), "final") == "refused_by_recipient"
    assert judged(Reply(550, "5.1.1", "user unknown"), "mail") == "sender_refused"
    assert judged(None, "rcpt") == ""


def test_whose_host_it_is_counts() -> None:
    reply = Reply(550, "", "Mailbox unavailable or access denied")
    at_qq = Attempt(started_at=0.0, stage="rcpt", host="mx3.qq.com")
    bounced = event(reception(1), "bounced", "bounced", reply=reply)
    assert reason_of(msgspec.structs.replace(bounced, attempt=at_qq)) == "rate"
    assert judged(reply, "rcpt") == "no_such_recipient"


def test_what_is_different_in_each_answer_is_judged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counting(answer: str, status: str, stage: str, provider: str) -> Verdict:
        asked.append(answer)
        return classify(answer, status, stage, provider)

    monkeypatch.setattr("angarium.node.recorder.judge.classify", counting)
    replies = [
        Reply(552, "5.2.2", f"no room {number:x}d1si1997204pbd.83 - full mailbox") for number in range(50)
    ]
    assert {judged(reply, "rcpt") for reply in replies} == {"mailbox_full"}
    assert len(asked) == 1
