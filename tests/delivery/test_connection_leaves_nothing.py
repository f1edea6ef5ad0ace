"""What the encryption of an outgoing connection takes (256 kB) is free again when the connection has ended, however it
ended, and whoever still knows of it. Played with the collector of garbage switched off: it may be hours away.
"""

import asyncio
import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from angarium.config.records import OutboundOptions
from angarium.queue.plan import Address
from angarium.testing.authority import CertificateAuthority
from angarium.testing.caller import OutboundCaller, run_on
from angarium.testing.sink import Sink

TIMES = 15


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.slow
@pytest.mark.parametrize(
    "script",
    ["", "on final: close", "on rcpt: reply 421 4.3.2 enough", "on handshake: close", "on ehlo: close"],
)
def test_nothing_of_an_encrypted_connection_is_left(tmp_path: Path, no_collector: None, script: str) -> None:
    context = CertificateAuthority(tmp_path).issue("mx1.test").server_context()

    async def play() -> None:
        async with Sink(f"hostname mx1.test\ntls starttls\n{script}\n", context=context) as sink:
            host, port = sink.address
            caller = OutboundCaller(Address("mx1.test", host, port), OutboundOptions(tls="required"))
            for _ in range(TIMES):
                connection = await caller.call()
                if connection is not None:
                    connection.quit()
                    await connection.gone.wait()
        while _encryptions():  # noqa: ASYNC110 - nobody tells of an object that goes
            await asyncio.sleep(0)

    run_on("uvloop", play())


def _encryptions() -> int:
    """Count what encrypts a connection, on either side, and is not gone."""
    return sum(type(each).__name__ == "SSLProtocol" for each in gc.get_objects())
