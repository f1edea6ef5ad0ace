"""Messages from outside: whatever they hold, an answer or nothing comes out."""

import dns.message
from hypothesis import given
from hypothesis import strategies as st

from angarium.dns.records import Question
from angarium.dns.wire import build_query, is_truncated, parse_response, read_response
from angarium.testing.dns import answer_from, parse_zone

ZONE = parse_zone("""
a.test MX 10 mx.a.test
a.test MX 20 c.test
a.test TXT "v=1"
a.test A 192.0.2.1
c.test CNAME a.test
""")


@given(
    st.sampled_from([Question(name, type_) for name in ("a.test", "c.test") for type_ in ("MX", "A", "TXT")]),  # type: ignore[arg-type]
    st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), max_size=6),
    st.integers(0, 200),
)
def test_a_damaged_message_never_raises(question: Question, damage: list[tuple[int, int]], cut: int) -> None:
    query = build_query(question)
    wire = bytearray(answer_from(ZONE, query).to_wire())
    for place, value in damage:
        wire[place % len(wire)] = value
    data = bytes(wire[: len(wire) - cut] if cut < 100 else wire)
    is_truncated(query, data)
    response = parse_response(query, data)
    if response is not None:
        answer, next_name = read_response(response)
        assert answer.status in ("found", "nodata", "nxdomain", "failure")
        assert next_name is None or next_name.isascii()


@given(st.binary(max_size=100))
def test_junk_is_no_response(data: bytes) -> None:
    query = build_query(Question("a.test", "A"))
    assert parse_response(query, data) is None
    assert parse_response(query, query.id.to_bytes(2, "big") + data) is None or data


def test_every_query_has_a_random_id_and_asks_for_recursion() -> None:
    queries = [build_query(Question("a.test", "MX")) for _ in range(50)]
    assert len({query.id for query in queries}) > 40
    again = dns.message.from_wire(queries[0].to_wire())
    assert "RD" in dns.flags.to_text(again.flags)
    assert again.payload == 1232
