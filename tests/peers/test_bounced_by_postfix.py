"""A real Postfix takes a mail and reports later that it failed: to the return path, which this node reads.

The Postfix passes mail on to a scripted host, and what comes back to the node under test.
"""

import re
import smtplib
import time
from collections.abc import Iterator

import pytest

from angarium.core.ids import parse_id
from angarium.events.port import Happening, Timeline, Whose
from angarium.events.sqlite.store import SqliteEventStore
from angarium.testing.lab import Lab, LabSink, submit_over
from angarium.testing.node import Node
from angarium.testing.peers import Postfix
from angarium.testing.programs import free_port

CONFIG = """
Hostname = "mail.sender.test"
Bounce_Domain = "back.sender.test"
Routes = ( "127.0.0.1:{postfix}" )
ESMTP_Listener "clear" {{ Auth_Without_TLS = true Relay_Hosts = ( ) Listen "127.0.0.1:{clear}" {{ }} }}
"""
TEXT = b"From: Shop <shop@sender.test>\r\nSubject: Your order\r\n\r\nThanks!\r\n"
ARF = """\
From: <fbl@provider.test>
Subject: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary=b

--b
Content-Type: text/plain

Somebody has called this mail unwanted.
--b
Content-Type: message/feedback-report

Feedback-Type: abuse
User-Agent: Provider/1.0
Version: 1

--b
Content-Type: message/rfc822

Return-Path: <{return_path}>
From: Shop <shop@sender.test>
To: redacted
Subject: Your order

Thanks!
--b--
"""


class Place:
    """The node, the Postfix it sends by, and the host behind that; and a login at the node."""

    def __init__(self, sink: LabSink) -> None:
        self.sink = sink
        self.clear = free_port()
        self.node: Node
        self.postfix: Postfix

    def client(self) -> smtplib.SMTP:
        login = self.node.cli("logins", "create", f"shop {time.time()}", "--set", "track_bounces=true")
        client = smtplib.SMTP("127.0.0.1", self.clear, local_hostname="shop.test")
        client.login(login["username"], login["secret"])
        return client

    def timeline(self, message: str) -> Timeline:
        """What the event store has of a message."""
        found = SqliteEventStore(self.node.data / "events").timeline(parse_id(message), Whose())
        return found or Timeline([], [])

    def wait_for(self, message: str, type: str) -> Happening:
        """Wait until something of *type* has happened to a message, and return it: the only one."""
        found: list[Happening] = []

        def enough() -> bool:
            found[:] = [each for each in self.timeline(message).happenings if each.type == type]
            return bool(found)

        self.node.program.wait_until(enough, f"{type} of {message}")
        (happening,) = found
        return happening


@pytest.fixture
def place() -> Iterator[Place]:
    with Lab() as lab:
        sink = lab.sink("on rcpt to gone@*: reply 550 5.1.1 no such user here")
        place = Place(sink)
        maps = f"inline:{{ back.sender.test=smtp:[127.0.0.1]:{place.clear}, far.test=smtp:[127.0.0.1]:{sink.port} }}"
        settings = {"transport_maps": maps, "relay_domains": "far.test"}
        with Postfix(transport="discard:", settings=settings) as place.postfix:
            config = CONFIG.format(postfix=place.postfix.port, clear=place.clear)
            with Node(config, workers=2) as place.node:
                place.node.cli("init")
                yield place


def is_suppressed(place: Place, address: str) -> bool:
    """Whether the next mail to *address* ends as suppressed."""
    with place.client() as client:
        message = submit_over(client, "shop@sender.test", [address], TEXT)
    ended = {"delivered", "suppressed", "bounced"}
    place.node.program.wait_until(
        lambda: bool(ended & {each.type for each in place.timeline(message).happenings}), "an end"
    )
    return "suppressed" in {each.type for each in place.timeline(message).happenings}


def test_of_two_recipients_the_one_that_failed_later_has_bounced(place: Place) -> None:
    with place.client() as client:
        message = submit_over(client, "shop@sender.test", ["gone@far.test", "ann@far.test"], TEXT)
    bounce = place.wait_for(message, "late_bounce")
    assert (bounce.address, bounce.reason) == ("gone@far.test", "no_such_recipient")
    assert "550 5.1.1 no such user here" in bounce.reply
    states = {each.address: each.state for each in place.timeline(message).recipients}
    assert states == {"gone@far.test": "bounced", "ann@far.test": "delivered"}

    (arrived,) = place.sink.to("ann@far.test")  # each by a return path of its own
    assert re.fullmatch(r"b-[a-z2-7]{48}@back\.sender\.test", arrived.reverse_path)
    with smtplib.SMTP("127.0.0.1", place.clear, local_hostname="provider.test") as provider:
        text = ARF.format(return_path=arrived.reverse_path).replace("\n", "\r\n").encode()
        submit_over(provider, "fbl@provider.test", ["fbl@back.sender.test"], text)
    complaint = place.wait_for(message, "complaint")
    assert (complaint.address, complaint.details["type"]) == ("ann@far.test", "abuse")
    # what came back is told with what the node still knows of the message
    story = place.node.cli("message", message)
    assert {each["recipient"]: each["state"] for each in story["recipients"]} == states
    assert [each["type"] for each in story["events"]] == [
        "received",
        "delivered",
        "delivered",
        "late_bounce",
        "complaint",
    ]
    read = place.node.wait_for_event("read", 2)
    assert [each["note"] for each in read] == ["late_bounce", "complaint"]

    place.node.program.wait_until(lambda: is_suppressed(place, "gone@far.test"), "a suppression")
    assert not is_suppressed(place, "else@far.test")
