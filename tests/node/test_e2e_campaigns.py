"""Mailings from one end to the other: a form by HTTP, and orders that the workers make into messages."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from angarium.core.clock import SystemClock
from angarium.core.fields import Fields, Form, NamedMailbox, Personal, written_form
from angarium.core.ids import MessageId, new_id
from angarium.core.options import Options
from angarium.core.orders import MailOrder, sliced
from angarium.core.records import ForwardPath
from angarium.spool.files.orders.shelf import OrderShelf, orders_folder
from angarium.testing.lab import Lab, LabSink
from angarium.testing.node import ANGARIUM, Node
from angarium.testing.programs import PATIENCE_S, run
from angarium.testing.spool import make_message

pytestmark = pytest.mark.process

CONFIG = 'Routes = ( "127.0.0.1:{port}" )\nMax_Retry_Interval = 3600'


class Place:
    """A node with a sender who has a key."""

    def __init__(self, folder: Path, sink: LabSink) -> None:
        self.sink = sink
        self.data = folder / "data"
        first = json.loads(run([ANGARIUM, "init", "--data", str(self.data), "--json"]))
        self.key = first["key"]["secret"]
        self.node = Node(CONFIG.format(port=sink.port), folder=folder, workers=2)

    def post(self, body: dict[str, Any]) -> Any:
        return self.ask("POST", "/messages", body, 202)

    def ask(self, method: str, path: str, body: Any = None, status: int = 200) -> Any:
        client = http.client.HTTPConnection("127.0.0.1", self.node.http_port, timeout=PATIENCE_S)
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json"}
        client.request(method, f"/manage/v1{path}", None if body is None else json.dumps(body), headers)
        answer = client.getresponse()
        said = json.loads(answer.read())
        client.close()
        assert answer.status == status, said
        return said

    def run(self, *args: str) -> Any:
        return json.loads(run([ANGARIUM, *args, "--data", str(self.data), "--json"]))

    def order(self, name: str, number: int) -> MessageId:
        """Place an order of messages to three recipients each."""
        now = SystemClock().now()
        id = MessageId(new_id(now))
        fields = Fields(author=(NamedMailbox("a@shop.example"),), subject="Hi {{n}}", text="Dear {{n}}")
        form = Form(fields=fields, language="mustachio", hostname="mail.shop.example")
        message = replace(
            make_message(received_at=now),
            id=id, recipients=(), is_form=True, author_domain="shop.example", options=Options(campaign=name),
        )  # fmt: skip
        paths = [
            ForwardPath(address=f"{name}{n}@{name}.example", domain=f"{name}.example") for n in range(number)
        ]
        personal = [Personal("", b'{"n": %d}' % n) for n in range(number)]
        order = MailOrder(id=id, made_at=now, message=message, shares=2, name=name)
        stored = written_form(form, b"Subject: Hi {{n}}\r\n")
        OrderShelf(orders_folder(self.data)).place(order, stored, list(sliced(paths, personal, 3)))
        return id


@pytest.fixture(scope="module")
def place(shared_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    made = Place(tmp_path_factory.mktemp("node"), shared_lab.sink())
    with made.node:
        yield made


def test_each_gets_a_text_of_its_own_and_whose_data_breaks_it_keeps_nobody(place: Place) -> None:
    people = [
        {"address": f"p{n}@far.example", "data": {"name": f"N{n}", "list": [1] if n != 1 else 7}}
        for n in range(3)
    ]
    said = place.post(
        {
            "from": "shop@far.example",
            "to": people,
            "subject": "Hello {{name}}",
            "text": "{{#each list}}{{.}}{{/each}} for {{name}}",
        }
    )
    for n in (0, 2):
        (message,) = place.sink.wait_for_mail_to(f"p{n}@far.example")
        assert b"Subject: Hello N%d\r\n" % n in message.data
        assert b"1 for N%d\r\n" % n in message.data
    place.node.program.wait_until(lambda: len(_ends(place, said["id"])) == 3, "the end of all")
    assert sorted(_ends(place, said["id"])) == ["delivered", "delivered", "generation_failure"]
    assert place.sink.to("p1@far.example") == []


def _ends(place: Place, message: str) -> list[str]:
    events = place.run("message", message)["events"]
    return [each["type"] for each in events if each["type"] in ("delivered", "generation_failure")]


def test_an_order_is_made_by_all_workers_and_each_recipient_gets_it_once(place: Place) -> None:
    id = place.order("spring", 20)
    for n in range(20):
        (message,) = place.sink.wait_for_mail_to(f"spring{n}@spring.example")
        assert b"Subject: Hi %d\r\n" % n in message.data
    shown = place.run("campaigns", "show", id.hex())
    place.node.program.wait_until(
        lambda: place.run("campaigns", "show", "spring")["state"] == "made", "its end"
    )
    assert (shown["recipients"], shown["slices"]) == (20, 7)
    assert {len(place.sink.to(f"spring{n}@spring.example")) for n in range(20)} == {1}


def test_an_order_is_paused_and_goes_on_and_another_is_cancelled(place: Place) -> None:
    shelf = OrderShelf(orders_folder(place.data))
    later = place.order("later", 3)
    assert place.run("campaigns", "cancel", "later")["state"] == "cancelled"
    shelf.mark(paused := place.order("paused", 3), "paused")
    assert place.run("campaigns", "resume", paused.hex())["state"] in ("making", "made")
    for n in range(3):
        place.sink.wait_for_mail_to(f"paused{n}@paused.example")
    states = {each["name"]: each["state"] for each in place.run("campaigns", "list")}
    assert states["later"] == "cancelled"
    with pytest.raises(Exception, match="cannot be taken back"):
        place.run("campaigns", "resume", later.hex())


def test_mail_to_a_stored_list_is_a_campaign_and_each_on_it_gets_a_text_of_their_own(place: Place) -> None:
    people = [{"address": f"l{n}@list.example", "name": f"L{n}", "data": {"n": n}} for n in range(3)]
    kept = place.ask("POST", "/recipient-lists", {"alias": "news", "recipients": people}, 201)
    body = {"from": "shop@far.example", "recipient_list": "news", "subject": "No {{n}}", "text": "{{name}}"}
    said = place.post({**body, "campaign": "to-list"})
    for n in range(3):
        (message,) = place.sink.wait_for_mail_to(f"l{n}@list.example")
        assert b"Subject: No %d\r\n" % n in message.data
    shown = place.ask("GET", f"/campaigns/{said['id']}")
    assert (shown["name"], shown["list"], shown["recipients"]) == ("to-list", kept["id"], 3)
    wrong = place.ask("POST", "/messages", {**body, "recipient_list": "olds", "to": ["a@far.example"]}, 400)
    assert {error["pointer"] for error in wrong["errors"]} == {"/to", "/recipient_list"}


def test_mail_that_is_scheduled_is_listed_and_cancelled_and_stays_so(place: Place) -> None:
    body = {
        "from": "shop@far.example",
        "to": ["later@far.example"],
        "text": "x",
        "send_at": "2027-06-01T09:00:00Z",
    }
    id = place.post({**body, "tags": ["scheduled"]})["id"]
    listing = "/messages?query=status:queued%20AND%20tag:scheduled"
    place.node.program.wait_until(lambda: place.ask("GET", listing)["data"], "it in the listing")
    (waiting,) = place.ask("GET", listing)["data"]
    (wait,) = place.ask("GET", f"/messages/{id}")["waits"]
    assert (waiting["message"], wait["next_try_at"]) == (id, "2027-06-01T09:00:00Z")
    assert place.ask("DELETE", f"/messages/{id}") == {
        "id": id,
        "cancelled": 1,
        "in_flight": 0,
        "problems": [],
    }
    assert "nothing of message" in place.ask("DELETE", f"/messages/{id}", status=409)["detail"]
    place.node.program.wait_until(lambda: not place.ask("GET", listing)["data"], "its end")
    assert place.ask("GET", f"/messages/{id}")["recipients"][0]["status"] == "cancelled"
