"""The fetcher over loopback sockets: what goes out, what is taken of an answer, and what is never reached."""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from angarium.config.values import NOWHERE, CidrSet, cidrs
from angarium.dns.records import Answer, RecordType
from angarium.fetch.answer import HttpAnswer, Unanswered
from angarium.fetch.fetcher import Fetcher, FetchSettings
from angarium.testing.authority import CertificateAuthority
from angarium.testing.receiver import OK, RawReceiver

HERE = cidrs("127.0.0.0/8")


class Names:
    """A resolver that knows what it is told, and says one thing after the other for a name that has several."""

    def __init__(self, **said: list[str]) -> None:
        self.said = {name.replace("_", "."): texts for name, texts in said.items()}
        self.asked = 0

    async def query(self, name: str, type: RecordType, since: float = 0.0) -> Answer:
        self.asked += 1
        texts = self.said.get(name, [name] if name[0].isdigit() or ":" in name else [])
        of_kind = tuple(text for text in texts if (":" in text) == (type == "AAAA"))
        return Answer("found", of_kind, 60) if of_kind else Answer("nxdomain")


def fetcher(
    names: Names | None = None,
    networks: CidrSet = HERE,
    context: ssl.SSLContext | None = None,
    **settings: float,
) -> Fetcher:
    made = FetchSettings(networks=networks, **settings)  # type: ignore[arg-type]
    return Fetcher(names or Names(), lambda: made, context)


def run(what: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(what())  # type: ignore[arg-type]


async def refusal(of: Awaitable[HttpAnswer]) -> Unanswered:
    with pytest.raises(Unanswered) as caught:
        await of
    return caught.value


def test_a_request_goes_out_as_it_is_and_its_answer_comes_back() -> None:
    async def go() -> None:
        async with RawReceiver() as receiver:
            out = fetcher()
            answer = await out.ask("POST", receiver.url + "?a=1", {"X-Own": "1"}, b"{}")
            assert (answer.status, answer.body, answer.peer) == (200, b"OK", "127.0.0.1")
            assert receiver.requests == [
                b"POST /hook?a=1 HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: */*\r\nX-Own: 1\r\n"
                b"Content-Length: 2\r\n\r\n{}" % receiver.port
            ]
            out.close()

    run(go)


def test_a_connection_is_used_again_and_one_that_was_closed_meanwhile_is_made_anew() -> None:
    async def go() -> None:
        async with RawReceiver() as receiver:
            out = fetcher()
            for _ in range(3):
                await out.ask("POST", receiver.url, {}, b"x")
            assert (receiver.connections, len(receiver.requests)) == (1, 3)
            receiver.answer = lambda request: b"" if receiver.connections == 1 else OK
            assert (await out.ask("POST", receiver.url, {}, b"y")).status == 200
            assert receiver.connections == 2
            out.close()

    run(go)


ANSWERS = {
    b"HTTP/1.1 204 No Content\r\n\r\n": (204, b""),
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n": (200, b"abc"),
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK: (200, b"OK"),
    b"HTTP/1.0 500 Oops\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbad": (500, b"bad"),
    OK + OK: (200, b"OK"),
}


@pytest.mark.parametrize("said", ANSWERS)
def test_an_answer_is_read(said: bytes) -> None:
    async def go() -> None:
        async with RawReceiver(lambda request: said) as receiver:
            out = fetcher()
            answer = await out.ask("POST", receiver.url, {}, b"")
            assert (answer.status, answer.body) == ANSWERS[said]
            out.close()

    run(go)


def test_a_body_without_a_length_ends_with_the_connection() -> None:
    async def go() -> None:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        answer = await fetcher().ask("GET", f"http://127.0.0.1:{port}/", {})
        assert (answer.body, answer.is_cut) == (b"all of it", False)
        server.close()

    run(go)


def test_no_more_of_a_body_is_taken_than_there_is_room_for() -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 5_000

    async def go() -> None:
        async with RawReceiver(lambda request: said) as receiver:
            out = fetcher(most_bytes=1_000)
            answer = await out.ask("GET", receiver.url, {})
            assert (len(answer.body), answer.is_cut, out.kept) == (1_000, True, 0)

    run(go)


BROKEN = {
    b"SSH-2.0-OpenSSH\r\n": "no HTTP",
    b"": "closed before",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n": "no HTTP",
    b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000: "longer than",
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nab": "no HTTP",
}


@pytest.mark.parametrize("said", BROKEN)
def test_what_is_no_answer_is_told(said: bytes) -> None:
    async def go() -> None:
        async with RawReceiver(lambda request: said) as receiver:
            out = fetcher()
            error = await refusal(out.ask("POST", receiver.url, {}, b""))
            assert error.stage == "answer"
            assert BROKEN[said] in str(error)
            assert out.kept == 0

    run(go)


def test_a_redirect_is_an_answer_and_nobody_goes_there() -> None:
    async def go() -> None:
        async with RawReceiver() as elsewhere, RawReceiver() as receiver:
            said = f"HTTP/1.1 302 Found\r\nLocation: {elsewhere.url}\r\nContent-Length: 0\r\n\r\n"
            receiver.answer = lambda request: said.encode()
            out = fetcher()
            answer = await out.ask("POST", receiver.url, {}, b"")
            assert answer.is_redirect
            assert answer.header("location") == elsewhere.url
            assert elsewhere.requests == []
            out.close()

    run(go)


def test_silence_ends_with_the_time_that_there_is() -> None:
    async def go() -> None:
        async with RawReceiver(lambda request: None) as receiver:
            error = await refusal(fetcher(answer_s=0.05).ask("POST", receiver.url, {}, b""))
            assert (error.stage, str(error)) == ("answer", "no answer within 0.05 s")

    run(go)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "0x7f000001", "2130706433", "inside.test"],
)
def test_nothing_inside_is_reached_under_any_name(host: str) -> None:
    async def go() -> None:
        names = Names(localhost=["127.0.0.1", "::1"], inside_test=["8.8.8.8", "127.0.0.1"])
        async with RawReceiver() as receiver:
            error = await refusal(
                fetcher(names, NOWHERE).ask("POST", f"http://{host}:{receiver.port}/", {}, b"")
            )
            assert error.stage == "refused"
            assert receiver.connections == 0

    run(go)


def test_a_name_that_moves_is_looked_at_each_time_also_when_a_connection_is_kept() -> None:
    async def go() -> None:
        names = Names(moving_test=["127.0.0.1"])
        async with RawReceiver() as receiver:
            out = fetcher(names)
            url = f"http://moving.test:{receiver.port}/"
            await out.ask("POST", url, {}, b"")
            names.said["moving.test"] = ["10.0.0.1"]
            error = await refusal(out.ask("POST", url, {}, b""))
            assert str(error) == "moving.test is not to be reached: 10.0.0.1 is private; see Fetch_Networks"
            assert (receiver.connections, len(receiver.requests)) == (1, 1)
            out.close()

    run(go)


def test_a_name_is_asked_for_once_and_just_what_was_looked_at_is_connected_to() -> None:
    """A second look-up could say something else: none is made."""

    async def go() -> None:
        names = Names(pinned_test=["127.0.0.1"])
        async with RawReceiver() as receiver:
            out = fetcher(names)
            answer = await out.ask("POST", f"http://pinned.test:{receiver.port}/", {}, b"")
            assert (names.asked, answer.peer) == (2, "127.0.0.1")  # A and AAAA
            assert f"Host: pinned.test:{receiver.port}\r\n".encode() in receiver.requests[0]
            out.close()

    run(go)


def test_the_pin_keeps_the_name_for_the_certificate_and_the_server(tmp_path: Path) -> None:
    async def go() -> None:
        authority = CertificateAuthority(tmp_path)
        receiver = RawReceiver()
        await receiver.start(context=authority.issue("hook.test").server_context())
        context = ssl.create_default_context(cafile=authority.file)
        out = fetcher(Names(hook_test=["127.0.0.1"], other_test=["127.0.0.1"]), HERE, context)
        assert (await out.ask("POST", f"https://hook.test:{receiver.port}/", {}, b"")).status == 200
        assert receiver.server_names == ["hook.test"]
        error = await refusal(out.ask("POST", f"https://other.test:{receiver.port}/", {}, b""))
        assert error.stage == "tls"
        assert "certificate is not believed" in str(error)
        out.close()
        await receiver.stop()

    run(go)


def test_ports_of_other_services_are_refused() -> None:
    async def go() -> None:
        names = Names(outside_test=["8.8.8.8"])
        with pytest.raises(Unanswered, match="port 25 is not for HTTP"):
            await fetcher(names).check("http://outside.test:25/")
        assert len(await fetcher(names).check("http://outside.test:8443/")) == 1

    run(go)


def test_no_line_is_smuggled_into_a_request() -> None:
    async def go() -> None:
        async with RawReceiver() as receiver:
            error = await refusal(fetcher().ask("POST", receiver.url, {"X": "1\r\nY: 2"}, b""))
            assert error.stage == "refused"
            assert receiver.connections == 0

    run(go)


def test_nobody_at_home_and_a_name_that_is_nowhere_are_told_apart() -> None:
    async def go() -> None:
        async with RawReceiver() as receiver:
            port = receiver.port
        assert (await refusal(fetcher().ask("POST", f"http://127.0.0.1:{port}/", {}, b""))).stage == "connect"
        nowhere = await refusal(fetcher().ask("POST", "http://nowhere.test/", {}, b""))
        assert (nowhere.stage, str(nowhere)) == ("name", "nowhere.test has no address in the DNS")

    run(go)


@pytest.mark.parametrize("rounds", [300, pytest.param(20_000, marks=pytest.mark.long)])
def test_requests_that_are_given_up_at_any_moment_leave_nothing_behind(rounds: int) -> None:
    """httpcore#1093: a waiting request that was cancelled kept its place, until there was none."""

    async def go() -> None:
        chance = random.Random(7)
        async with RawReceiver(lambda request: None if chance.random() < 0.1 else OK) as receiver:
            out = fetcher(answer_s=0.05)

            async def give_up() -> None:
                asking = asyncio.ensure_future(out.ask("POST", receiver.url, {}, b"x" * 1_000))
                for _ in range(chance.randrange(12)):
                    await asyncio.sleep(0)
                asking.cancel()
                await asyncio.gather(asking, return_exceptions=True)

            for _ in range(rounds // 20):
                await asyncio.gather(*(give_up() for _ in range(20)))
            receiver.answer = lambda request: OK
            answers = await asyncio.gather(*(out.ask("POST", receiver.url, {}, b"") for _ in range(20)))
            assert {answer.status for answer in answers} == {200}
            assert out.kept == 1
            out.close()

    run(go)
