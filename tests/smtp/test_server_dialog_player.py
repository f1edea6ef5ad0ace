"""The player of dialogs tells the truth about them, and plays with live servers too."""

import asyncio

import pytest

from angarium.testing.dialog import Dialog, DialogError, parse_dialog, play, play_live
from angarium.testing.server_peer import ServerPeer

HAPPY = """
S: 220 mx.test
C: EHLO client.example
S: 250
C: MAIL FROM:<alice@example.org>
C: RCPT TO:<bob@example.net>
C: DATA
S: 250 2.1.0
S: 250 2.1.5
S: 354
C*2: text
C> a\\x62c\\r\\n.\\r\\n
S: 250 2.0.0 taken
C: QUIT
S: 221
= closed
"""


class Shell(asyncio.Protocol):
    """As little of a server as there can be."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.peer = transport, ServerPeer()
        transport.write(self.peer.take_output())

    def data_received(self, data: bytes) -> None:
        self.peer.send(data)
        self.transport.write(self.peer.take_output())
        if self.peer.closing:
            self.transport.close()


async def play_with_a_server(dialog: Dialog) -> None:
    server = await asyncio.get_running_loop().create_server(Shell, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        await play_live(dialog, host, port)


def test_the_same_dialog_with_a_machine_and_with_a_live_server() -> None:
    dialog = parse_dialog(HAPPY)
    peer = ServerPeer()
    play(dialog, peer)
    assert peer.handler.bodies == [b"text\r\ntext\r\nabc\r\n"]
    asyncio.run(play_with_a_server(dialog))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("S: 220\nC: NOOP\nS: 500", "dialog:3: expected '500', but the peer said '250 2.0.0 ok'"),
        ("S: 220\nC: EHLO\nS: 501\nS: 250", "dialog:4: expected '250', but the peer said nothing"),
        ("S: 220\nC: EHLO me\nS: 250-mx.test\nS: 250 HELP", "dialog:4: expected '250 HELP'"),
        ("S: 220\n= closed", "dialog:2: the connection is not closed"),
    ],
)
def test_a_dialog_that_goes_another_way_is_an_error(text: str, complaint: str) -> None:
    with pytest.raises(DialogError) as failed:
        play(parse_dialog(text), ServerPeer())
    assert str(failed.value).startswith(complaint)


def test_a_live_dialog_that_goes_another_way_is_an_error() -> None:
    for text in ("S: 220\nC: NOOP\nS: 500", "S: 220\nC: QUIT\nS: 221\nS: 250", "S: 220\nC: NOOP\n= closed"):
        with pytest.raises(DialogError):
            asyncio.run(play_with_a_server(parse_dialog(text)))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("S: 220\nC: NOOP", "dialog: the peer went on with '250 2.0.0 ok'"),
        (
            "S: 220\n= mail <a@example.org>",
            "dialog:2: expected 'mail <a@example.org>', but what happened is []",
        ),
        ("S: 220\n! dance", "dialog:2: 'dance' is nothing that can be done to the server machine"),
        ("S: 220\nX: NOOP", "dialog:2: a line begins with"),
    ],
)
def test_what_only_a_machine_shows_is_looked_at_too(text: str, complaint: str) -> None:
    with pytest.raises(DialogError) as failed:
        play(parse_dialog(text), ServerPeer())
    assert str(failed.value).startswith(complaint)


def test_a_live_server_is_not_set_up_by_a_dialog() -> None:
    for text in ("@ limit max_errors 1\nS: 220", "S: 220\n! shutdown"):
        with pytest.raises(DialogError):
            asyncio.run(play_with_a_server(parse_dialog(text)))


def test_lines_of_ours_are_one_write_unless_parted() -> None:
    dialog = parse_dialog("C: one\nC: two\n--\nC> th\\x72ee\\0\n# no matter\nC*2: x")
    assert [step.data for step in dialog.steps] == [b"one\r\ntwo\r\n", b"three\0x\r\nx\r\n"]
