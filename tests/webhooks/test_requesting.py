"""Tokens of OAuth 2.0: asked for once, kept while they hold, asked for anew where one is not believed."""

import asyncio
from collections.abc import Mapping

from angarium.fetch.answer import HttpAnswer, Unanswered
from angarium.fetch.fetcher import Method
from angarium.identity.webhooks import SigningSecret, WatchedWebhook, Webhook, WebhookSecrets
from angarium.testing.clock import ManualClock
from angarium.webhooks.requesting import Requester
from angarium.webhooks.trial import sample

HOOK = Webhook(
    id=1, account=1, name="n", url="https://hook.test/", created_at=0.0, auth="oauth2",
    token_url="https://token.test/", client_id="me", scope="events",
)  # fmt: skip
KEPT = WebhookSecrets(signing=(SigningSecret("whsec_AAAA", 0.0),), client_secret="hush")


class Peers:
    """Gives a new token each time, and believes the newest."""

    def __init__(self) -> None:
        self.given = 0
        self.bodies: list[bytes] = []
        self.shown: list[str] = []
        self.token_status = 200

    async def ask(
        self, method: Method, url: str, headers: Mapping[str, str], body: bytes = b""
    ) -> HttpAnswer:
        if url == HOOK.token_url:
            self.given += 1
            self.bodies.append(body)
            said = b'{"access_token": "t%d", "token_type": "bearer", "expires_in": 3600}' % self.given
            return HttpAnswer(self.token_status, (), said, False, "")
        self.shown.append(headers["Authorization"])
        return HttpAnswer(200 if self.shown[-1] == f"Bearer t{self.given}" else 401, (), b"", False, "")


def tell(requester: Requester) -> HttpAnswer | Unanswered:
    event = sample("delivered", HOOK)
    return asyncio.run(requester.tell(WatchedWebhook(HOOK, KEPT, 1), event.id, [event], 0, 1))


def test_a_token_is_kept_until_shortly_before_its_end() -> None:
    peers, clock = Peers(), ManualClock(1_000.0)
    requester = Requester(peers, clock)
    tell(requester)
    tell(requester)
    assert (peers.shown, peers.bodies) == (["Bearer t1"] * 2, [b"grant_type=client_credentials&scope=events"])
    clock.at += 3_599
    tell(requester)
    assert peers.shown[-1] == "Bearer t2"


def test_one_that_is_not_believed_any_more_is_asked_for_anew_once() -> None:
    peers = Peers()
    requester = Requester(peers, ManualClock(1_000.0))
    tell(requester)
    peers.given += 1  # somebody else has one now, and ours holds no more
    answer = tell(requester)
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, peers.shown) == (200, ["Bearer t1", "Bearer t1", "Bearer t3"])


def test_no_token_is_no_answer_and_says_why() -> None:
    peers = Peers()
    peers.token_status = 403
    said = tell(Requester(peers, ManualClock(1_000.0)))
    assert str(said) == "no token: https://token.test/ answered 403"
    assert peers.shown == []
