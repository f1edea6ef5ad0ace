"""The PROXY protocol: what is read, what is refused, and that reads may end anywhere."""

from ipaddress import IPv4Address, IPv6Address
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from angarium.smtp.proxy import Incomplete, ProxyError, ProxyHeader, parse_proxy

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PORTS = st.integers(0, 65_535)


def binary(command: int, family: int, rest: bytes) -> bytes:
    return SIGNATURE + pack("!BBH", command, family, len(rest)) + rest


V4 = bytes([192, 0, 2, 7, 198, 51, 100, 1]) + pack("!HH", 40123, 25)
V6 = IPv6Address("2001:db8::7").packed + IPv6Address("2001:db8::1").packed + pack("!HH", 40123, 25)


@pytest.mark.parametrize(
    ("line", "source", "destination"),
    [
        (b"PROXY TCP4 192.0.2.7 198.51.100.1 40123 25\r\n", ("192.0.2.7", 40123), ("198.51.100.1", 25)),
        (b"PROXY TCP6 2001:DB8::7 2001:db8::1 0 65535\r\n", ("2001:db8::7", 0), ("2001:db8::1", 65535)),
        (b"PROXY UNKNOWN\r\n", None, None),
        (b"PROXY UNKNOWN ffff::1 ffff::2 65535 65535\r\n", None, None),
    ],
)
def test_version_1(line: bytes, source: object, destination: object) -> None:
    assert parse_proxy(line + b"EHLO x\r\n") == ProxyHeader(len(line), source, destination, 1)


@pytest.mark.parametrize(
    ("header", "source", "destination"),
    [
        (binary(0x21, 0x11, V4), ("192.0.2.7", 40123), ("198.51.100.1", 25)),
        (binary(0x21, 0x11, V4 + b"\x04\x00\x02hi"), ("192.0.2.7", 40123), ("198.51.100.1", 25)),
        (binary(0x21, 0x21, V6), ("2001:db8::7", 40123), ("2001:db8::1", 25)),
        (binary(0x21, 0x31, b"/run/client".ljust(108, b"\0") + b"/run/mta".ljust(108, b"\0")), None, None),
        (binary(0x21, 0x00, b""), None, None),
    ],
)
def test_version_2(header: bytes, source: object, destination: object) -> None:
    assert parse_proxy(header + b"EHLO x\r\n") == ProxyHeader(len(header), source, destination, 2)


@pytest.mark.parametrize("header", [binary(0x20, 0x11, V4), binary(0x20, 0x00, b"")])
def test_a_proxy_may_speak_for_itself(header: bytes) -> None:
    assert parse_proxy(header + b"EHLO x\r\n") == ProxyHeader(len(header), None, None, 2, is_own=True)


@pytest.mark.parametrize(
    "data",
    [
        b"EHLO client.example\r\n",
        b"proxy TCP4 192.0.2.7 198.51.100.1 40123 25\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40123\r\n",
        b"PROXY TCP4 192.0.2.7  198.51.100.1 40123 25\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 40123 25 \r\n",
        b"PROXY TCP4 192.0.2.07 198.51.100.1 40123 25\r\n",
        b"PROXY TCP4 2001:db8::7 2001:db8::1 40123 25\r\n",
        b"PROXY TCP6 192.0.2.7 198.51.100.1 40123 25\r\n",
        b"PROXY TCP6 fe80::1%eth0 2001:db8::1 40123 25\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 65536 25\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 040 25\r\n",
        b"PROXY TCP4 192.0.2.7 198.51.100.1 -1 25\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 ٣ 25\r\n".encode(),
        b"PROXY UDP4 192.0.2.7 198.51.100.1 40123 25\r\n",
        b"PROXY \r\n",
        b"PROXY UNKNOWN" + b"x" * 94,
        binary(0x11, 0x11, V4),
        binary(0x22, 0x11, V4),
        binary(0x21, 0x12, V4),
        binary(0x21, 0x41, V4),
        binary(0x21, 0x11, V4[:-1]),
        binary(0x21, 0x31, b"/run/client"),
        binary(0x20, 0x00, b"x" * 4097),
    ],
)
def test_what_is_no_header(data: bytes) -> None:
    with pytest.raises(ProxyError):
        parse_proxy(data)


def test_a_peer_that_sends_something_else_is_found_out_at_its_first_byte() -> None:
    with pytest.raises(ProxyError):
        parse_proxy(b"E")


def test_a_length_that_is_refused_is_not_waited_for() -> None:
    with pytest.raises(ProxyError):
        parse_proxy(SIGNATURE + b"\x21\x11\xff\xff")


def test_the_longest_line_is_read() -> None:
    line = b"PROXY UNKNOWN ".ljust(105, b"x") + b"\r\n"
    assert parse_proxy(line) == ProxyHeader(107, None, None, 1)


def read(data: bytes) -> ProxyHeader | Incomplete | None:
    """Return None for what is refused."""
    try:
        return parse_proxy(data)
    except ProxyError:
        return None


STARTS = st.sampled_from(
    [b"", b"PROXY TCP4 ", b"PROXY TCP6 ::1 ", b"PROXY UNKNOWN", SIGNATURE + b"\x21\x11\0", SIGNATURE]
)
PIECES = st.sampled_from(
    [b"192.0.2.7 ", b"::1 ", b"25", b" ", b"\r\n", b"\x0c", b"\0", b"\xff", b"\x20\0\0\3abc"]
)


@given(STARTS, st.lists(PIECES | st.binary(max_size=20), max_size=12))
def test_reads_may_end_anywhere(start: bytes, pieces: list[bytes]) -> None:
    data = start + b"".join(pieces)
    whole = read(data)
    for end in range(len(data)):
        early = read(data[:end])
        if isinstance(whole, ProxyHeader):
            assert early == (whole if end >= whole.consumed else Incomplete())
        elif whole is None:
            assert not isinstance(early, ProxyHeader)
        else:
            assert early == Incomplete()


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for start in (b"", b"PROXY ", SIGNATURE):
        found = read(start + data)
        assert not isinstance(found, ProxyHeader) or 0 < found.consumed <= len(start + data)


@given(st.ip_addresses(v=4), PORTS, st.ip_addresses(v=6), PORTS, st.binary(max_size=50))
def test_what_a_proxy_writes_is_read(
    four: IPv4Address, port: int, six: IPv6Address, other: int, additions: bytes
) -> None:
    line = f"PROXY TCP4 {four} {four} {port} {other}\r\n".encode()
    assert parse_proxy(line)[1:3] == ((str(four), port), (str(four), other))  # type: ignore[index]
    header = binary(0x21, 0x21, six.packed * 2 + pack("!HH", port, other) + additions)
    assert parse_proxy(header)[1:3] == ((str(six), port), (str(six), other))  # type: ignore[index]
