"""Campaigns by the manage API: looked at and steered by those whose they are, on the shelf that the workers read."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from angarium.core.ids import MessageId, format_id, new_id
from angarium.core.orders import MailOrder, Share, sliced
from angarium.core.records import ForwardPath
from angarium.spool.files.orders.shelf import OrderShelf, orders_folder
from angarium.testing.spool import make_message

CUSTOMER = "customer-key"
NOON = 1_700_049_600.0
LATER = 4_000_000_000.0


@pytest.fixture
def shelf(tmp_path: Path) -> OrderShelf:
    return OrderShelf(orders_folder(tmp_path))


@pytest.fixture
def place(shelf: OrderShelf) -> Any:
    """Place an order of 2,500 recipients of an account, in two shares; return its id."""

    def placed(account: int, name: str, at: float = NOON, **how: Any) -> str:
        id = MessageId(new_id(at))
        due_at = how.pop("due_at", None)
        message = replace(
            make_message(received_at=at), id=id, recipients=(), account=account, server=account, due_at=due_at
        )
        order = MailOrder(id=id, made_at=at, message=message, shares=2, name=name, **how)
        paths = [ForwardPath(address=f"{n}@b.example", domain="b.example") for n in range(2_500)]
        slices = [] if order.source else list(sliced(paths, ()))
        shelf.place(order, b"form", slices, is_whole=not order.source)
        return format_id(id)

    return placed


def ids(answer: Any) -> list[str]:
    assert answer.status == 200, answer.body
    return [each["id"] for each in answer.json["data"]]


def test_a_campaign_is_shown_with_how_far_it_has_come(api: Any, place: Any, shelf: OrderShelf) -> None:
    id = place(1, "spring")
    shelf.advance(MessageId(bytes.fromhex(id)), 0, Share(worker=0, next=2))
    assert api("GET", f"/manage/v1/campaigns/{id}").json == {
        "id": id,
        "name": "spring",
        "state": "making",
        "account": 1,
        "server": 1,
        "received_at": "2023-11-15T12:00:00Z",
        "send_at": None,
        "recipients": 2500,
        "messages": 3,
        "made": 1,
        "list": None,
    }


def test_one_that_is_scheduled_and_one_whose_list_is_not_read_yet(api: Any, place: Any) -> None:
    scheduled = api("GET", f"/manage/v1/campaigns/{place(1, 'later', due_at=LATER)}").json
    assert (scheduled["state"], scheduled["send_at"]) == ("scheduled", "2096-10-02T07:06:40Z")
    of_list = api("GET", f"/manage/v1/campaigns/{place(1, 'list', source='7')}").json
    assert (of_list["list"], of_list["recipients"], of_list["messages"]) == (7, None, None)


def test_they_are_listed_newest_first_page_by_page(api: Any, place: Any) -> None:
    first, second, third = (place(1, "spring", NOON + number) for number in range(3))
    page = api("GET", "/manage/v1/campaigns?limit=2")
    assert ids(page) == [third, second]
    assert ids(api("GET", page.json["next"])) == [first]
    other = place(1, "summer", NOON + 9)
    assert ids(api("GET", "/manage/v1/campaigns?name=summer")) == [other]


def test_each_account_has_its_own(api: Any, place: Any, shelf: OrderShelf) -> None:
    ours, theirs = place(1, "ours"), place(2, "theirs", NOON + 1)
    assert ids(api("GET", "/manage/v1/campaigns")) == [theirs, ours]
    assert ids(api("GET", "/manage/v1/campaigns?account=1")) == [ours]
    assert ids(api("GET", "/manage/v1/campaigns", key=CUSTOMER)) == [theirs]
    for way, path in (("GET", ""), ("POST", "/pause"), ("POST", "/resume"), ("POST", "/cancel")):
        assert api(way, f"/manage/v1/campaigns/{ours}{path}", key=CUSTOMER).status == 404
        assert api(way, f"/manage/v1/campaigns/{'0' * 32}{path}").status == 404
        assert api(way, f"/manage/v1/campaigns/spring{path}").status == 404
    assert shelf.marks(MessageId(bytes.fromhex(ours))) == set()


def test_it_is_paused_resumed_and_cancelled_for_good(api: Any, place: Any, shelf: OrderShelf) -> None:
    id = place(2, "spring")
    name = MessageId(bytes.fromhex(id))

    def steer(how: str) -> Any:
        return api("POST", f"/manage/v1/campaigns/{id}/{how}", key=CUSTOMER)

    assert (steer("pause").json["state"], shelf.marks(name)) == ("paused", {"paused"})
    assert (steer("resume").json["state"], shelf.marks(name)) == ("making", set())
    assert (steer("cancel").json["state"], shelf.marks(name)) == ("cancelled", {"cancelled"})
    assert steer("cancel").status == 200
    refused = steer("resume")
    assert (refused.status, refused.json["detail"]) == (
        409,
        f"campaign {id}: it was cancelled, which cannot be taken back",
    )
