"""Recipients that a request leaves out since they are suppressed: everybody else keeps what is theirs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from angarium.core.fields import Fields, Form, NamedMailbox, Personal, personal_at
from angarium.core.records import ForwardPath, Origin
from angarium.core.submission import Reason
from angarium.identity.principal import Principal
from angarium.submission.requests.mail import Mail
from angarium.submission.requests.requests import Requests
from angarium.suppressions.decide import Stop
from angarium.testing.intake import IntakeDesk, a_principal

FORM = Form(
    fields=Fields(author=(NamedMailbox("shop@example.org"),), subject="Hi", text="Dear {{name}}"),
    language="mustachio",
)


class Anybody:
    """Implements Senders and Owners: no key is looked at, and no domain is another's."""

    async def authenticate(self, claim: Any, peer_ip: str, way: Any = "smtp") -> Any:
        raise AssertionError

    def note_use(self, principal: Principal, now: float) -> None:
        raise AssertionError

    def now(self, domain: str) -> frozenset[int] | None:
        return frozenset()

    async def get(self, domain: str) -> frozenset[int]:
        raise AssertionError


class Suppressed:
    """Implements SuppressedRecipients: everybody whose name begins with `gone`."""

    async def stop_at_door(self, path: ForwardPath, facts: Any) -> Stop | None:
        return Stop("hard_bounce", "test") if path.address.startswith("gone") else None


@pytest.mark.parametrize(
    "names",
    [
        ("gone0", "p1", "p2"),
        ("p0", "gone1", "p2", "gone3", "p4"),
        ("p0", "p1", "gone2"),
    ],
)
def test_nobody_gets_the_data_of_one_who_is_left_out(tmp_path: Path, names: tuple[str, ...]) -> None:
    mail = Mail(
        recipients=[ForwardPath(address=f"{name}@b.example", domain="b.example") for name in names],
        content=FORM,
        personal=[Personal(name, b'{"name": "%s"}' % name.encode()) for name in names],
        refuses_suppressed=True,
    )

    async def take() -> Any:
        desk = IntakeDesk(tmp_path)
        requests = Requests(desk.intake, Anybody(), Anybody(), Suppressed())
        receipts = await requests.take(a_principal("api_key"), [mail], Origin(listener="http"))
        return receipts, [(message, desk.own[message.id]) for message, _ in desk.entered]

    (receipt,), ((message, own),) = asyncio.run(take())
    left = [name for name in names if not name.startswith("gone")]
    assert [path.address for path in message.recipients] == [f"{name}@b.example" for name in left]
    assert [personal_at(own, index) for index in range(len(left))] == [
        Personal(name, b'{"name": "%s"}' % name.encode()) for name in left
    ]
    out = [(path.address.partition("@")[0], problem.reason) for path, problem in receipt.refused]
    assert out == [(name, Reason.SUPPRESSED) for name in names if name.startswith("gone")]
