"""What libraries log stands in the node's log, and nothing is written beside it."""

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest

from angarium.core.clock import SystemClock
from angarium.node.logs import hear_libraries
from angarium.testing.log import kept_log, records_of


@pytest.fixture(autouse=True)
def _libraries_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = list(root.handlers)
    yield
    root.handlers[:] = before


def test_what_a_library_logs_is_a_record_of_ours_from_any_thread(capfd: pytest.CaptureFixture[str]) -> None:
    log = kept_log()
    log.level = "debug"

    def elsewhere() -> None:
        logging.getLogger("some.library").warning("%d tries", 3)

    async def story() -> None:
        hear_libraries(log, SystemClock())
        failed = {"message": "a task has failed", "exception": KeyError("unforeseen")}
        asyncio.get_running_loop().call_exception_handler(failed)
        thread = threading.Thread(target=elsewhere)
        thread.start()
        await asyncio.to_thread(thread.join)
        await asyncio.sleep(0)

    asyncio.run(story())
    logging.getLogger("some.library").error("after the end of the loop")
    first, second = records_of(log)
    assert (first["event"], first["level"], first["error"]) == ("bug", "error", "asyncio: a task has failed")
    assert "KeyError: 'unforeseen'" in first["traceback"]
    assert (second["level"], second["error"]) == ("debug", "some.library: 3 tries")
    assert "failed" not in capfd.readouterr().err
