"""What is counted of attempts: labels are few whatever peers and mail are called."""

import asyncio

import pytest

from angarium.config.load import parse_config
from angarium.config.records import OutboundOptions
from angarium.core.address import Address
from angarium.core.metrics import Counters
from angarium.core.records import Attempt
from angarium.core.reply import Reply
from angarium.delivery.tally import ALL_OF_FIRST, MOST_BINDINGS, ONE_IN, Tally, binding_labels, binding_zeros
from angarium.engine.view import ConfigView
from angarium.queue.commands import Result, Verdict
from angarium.testing.caller import LOOPS, OutboundCaller, a_message, run_on
from angarium.testing.programs import free_port
from angarium.testing.sink import Sink


def result(verdict: Verdict, host: str = "", binding: str = "default") -> Result:
    recipient = a_message()
    recipient.binding = binding
    return Result(
        recipient, verdict, Reply(250, "2.0.0", "ok"), Attempt(started_at=0, stage="final", host=host)
    )


def tally_of(config: str = "") -> tuple[Tally, Counters]:
    counters = Counters()
    return Tally(ConfigView(parse_config(config, "angarium.conf")), counters), counters


def test_attempts_are_counted_by_provider_and_by_binding():
    tally, counters = tally_of('Binding "news" { }')
    tally.ended(
        [result("delivered", "alt1.gmail-smtp-in.l.google.com", "news"), result("transient", "mx.small.test")]
    )
    assert dict(counters.values) == {
        ("attempts_total", "google", "delivered"): 1,
        ("binding_attempts_total", "news", "delivered"): 1,
        ("attempts_total", "other", "transient"): 1,
        ("binding_attempts_total", "default", "transient"): 1,
    }


def test_names_that_anybody_can_make_up_are_counted_as_one():
    tally, counters = tally_of()
    for number in range(1000):
        tally.ended([result("permanent", f"mx{number}.attacker.test", f"gone{number}")])
        tally.transaction(f"mx{number}.attacker.test", (("mail", 1.0), ("final", 2.0)))
    assert dict(counters.values) == {
        ("attempts_total", "other", "permanent"): 1000,
        ("binding_attempts_total", "other", "permanent"): 1000,
    }
    assert {key[1] for key, _ in counters.numbers() if key[0] == "transaction_seconds_count"} == {"other"}


def test_of_many_bindings_the_first_have_numbers_of_their_own_in_every_worker_the_same():
    config = parse_config("".join(f'Binding "b{number}" {{ }}\n' for number in range(200)), "angarium.conf")
    labels = binding_labels(config)
    assert list(labels) == ["default", *(f"b{number}" for number in range(MOST_BINDINGS - 1))]
    assert {tuple(names) for _, names, _ in binding_zeros(config)} >= {
        ("b0", "delivered"),
        ("default", "transient"),
    }


def test_each_stage_is_counted_and_the_transaction_is_their_sum():
    tally, counters = tally_of()
    tally.transaction("mx.yahoodns.net", (("mail", 20.0), ("rcpt", 0.0), ("final", 4000.0)))
    numbers = dict(counters.numbers())
    numbers = dict(counters.numbers())
    assert numbers["attempt_stage_seconds_bucket", "final", "2.5"] == 0
    assert numbers["attempt_stage_seconds_bucket", "final", "5.0"] == 1
    assert ("attempt_stage_seconds_count", "rcpt") not in numbers  # it was not waited for
    assert numbers["transaction_seconds_sum", "yahoo"] == pytest.approx(4.02)


def test_of_very_many_transactions_samples_are_timed_and_all_attempts_counted():
    tally, counters = tally_of()
    for _ in range(ALL_OF_FIRST + 80 * ONE_IN):
        tally.transaction("mx.small.test", (("mail", 20.0),))
        tally.ended([result("delivered")])
    numbers = dict(counters.numbers())
    assert numbers["transaction_seconds_count", "other"] == ALL_OF_FIRST + 80
    assert numbers["attempts_total", "other", "delivered"] == ALL_OF_FIRST + 80 * ONE_IN


@pytest.mark.parametrize("loop", LOOPS)
def test_a_connection_says_how_long_each_stage_took_of_its_opening_and_then_of_a_transaction(loop):
    async def work():
        async with Sink("hostname mx1.test\ntls starttls\n") as sink:
            caller = OutboundCaller(Address("mx1.test", *sink.address), OutboundOptions())
            connection = await caller.open()
            assert connection is not None
            opening = [stage for stage, _ in connection.timings]
            await caller.deliver(connection, a_message())
            connection.quit()
            await connection.gone.wait()
            return opening, [stage for stage, _ in connection.timings]

    opening, transaction = run_on(loop, work())
    assert opening == ["connect", "banner", "ehlo", "tls"]
    assert transaction == ["mail", "rcpt", "final"]


def test_a_connection_that_is_refused_was_waited_for_all_the_same():
    async def work():
        caller = OutboundCaller(Address("mx1.test", "127.0.0.1", free_port()), OutboundOptions())
        opening = asyncio.ensure_future(caller.open())
        await asyncio.sleep(0)
        [connection] = caller.dialer.connections.values()
        assert await opening is None
        return [stage for stage, _ in connection.timings]

    assert run_on("uvloop", work()) == ["connect"]
