"""Whatever a peer says, in whatever order, the session stays whole and lets nobody in who has proved nothing."""

import asyncio

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

WORDS = [
    b"EHLO client.test",
    b"HELO client.test",
    b"AUTH PLAIN",
    b"AUTH PLAIN =",
    b"AUTH PLAIN AGFubgB3cm9uZw==",  # ann, wrong
    b"AUTH LOGIN",
    b"AUTH CRAM-MD5",
    b"AUTH DIGEST-MD5",
    b"AUTH SCRAM-SHA-256 biwsbj1hbm4scj1ub25jZQ==",  # n,,n=ann,r=nonce
    b"YW5u",
    b"YW5uIDAxMjM0NTY3ODlhYmNkZWYwMTIzNDU2Nzg5YWJjZGVm",  # ann and a digest
    b"*",
    b"STARTTLS",
    b"XCLIENT ADDR=198.51.100.9 LOGIN=nobody",
    b"XCLIENT ADDR=[UNAVAILABLE]",
    b"MAIL FROM:<a@a.test>",
    b"RCPT TO:<b@b.test>",
    b"DATA",
    b"BDAT 3 LAST",
    b".",
    b"RSET",
    b"NOOP",
]
LINES = st.lists(st.sampled_from(WORDS) | st.binary(max_size=40), max_size=25)


@given(lines=LINES, is_proxy=st.booleans(), leaves=st.booleans())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_order_of_words_lets_anybody_in(door, lines, is_proxy, leaves):
    async def run():
        house = door(
            "Auth_Without_TLS = true\nXCLIENT_Hosts = ( 192.0.2.1 )\nStrict_Pipelining = false\n"
            "Max_Errors_Per_Connection = 1000\nAuth_Failures_To_Block = 0\nRelay_Hosts = ( 192.0.2.99 )"
        )
        talk = house.session("192.0.2.1" if is_proxy else "198.51.100.7")
        for line in lines:
            talk.session.data_received(line + b"\r\n")
            await asyncio.sleep(0)
        if leaves:
            talk.session.connection_lost(None)
        for _ in range(5):
            await asyncio.sleep(0)
        assert house.count("auth_total", "ok") == 0
        assert house.intake.taken == []
        assert house.events("bug") == []
        if not leaves:
            talk.session.connection_lost(None)
        assert house.session_counts.open == []

    asyncio.run(run())
