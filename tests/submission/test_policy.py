"""Who may relay, which lane mail takes, when mail is refused."""

import pytest

from angarium.config.records import InboundOptions
from angarium.config.values import cidrs, domains
from angarium.core.records import BULK, TRANSACTIONAL
from angarium.spool.port import SpoolError, SpoolFull, SpoolStatus
from angarium.submission.intake.admission import Load, refusal
from angarium.submission.policy import Relay, entrance_policy, lane_of, refuses_session
from angarium.submission.replies import reply_to

CLOSED = InboundOptions(relay_hosts=cidrs("192.0.2.0/24"))
STRANGER = "198.51.100.7"


def denies(options: InboundOptions, peer: str, sender: str, recipient: str) -> bool:
    return not Relay.of_peer(options, peer).may_pass(sender, recipient)


@pytest.mark.parametrize(
    ("options", "peer", "sender", "recipient", "denied"),
    [
        (CLOSED, STRANGER, "a.example", "b.example", True),
        (CLOSED, "192.0.2.9", "a.example", "b.example", False),
        (CLOSED, "::ffff:192.0.2.9", "a.example", "b.example", False),
        (CLOSED, "", "a.example", "b.example", False),  # a Unix socket: its file mode guards it
        (InboundOptions(open_relay=True), STRANGER, "a.example", "b.example", False),
        (InboundOptions(relay_domains=domains("b.example")), STRANGER, "a.example", "b.example", False),
        (InboundOptions(relay_domains=domains("*.b.example")), STRANGER, "a.example", "b.example", True),
        (
            InboundOptions(relay_for_sending_domains=domains("a.example")),
            STRANGER,
            "a.example",
            "b.example",
            False,
        ),
        # The null sender belongs to nobody's domain: it opens nothing.
        (InboundOptions(relay_for_sending_domains=domains("*")), STRANGER, "", "b.example", True),
    ],
)
def test_relaying_needs_one_reason(
    options: InboundOptions, peer: str, sender: str, recipient: str, denied: bool
) -> None:
    assert denies(options, peer, sender, recipient) is denied


def test_the_priority_header_chooses_the_lane_where_the_listener_lets_it() -> None:
    policy = entrance_policy(InboundOptions(lane=BULK))
    assert lane_of(policy, " Transactional ") == TRANSACTIONAL
    assert lane_of(policy, "whatever") == BULK
    assert lane_of(entrance_policy(InboundOptions(lane=BULK, priority_header=False)), "transactional") == BULK


def test_session_limits_count_the_session_that_asks() -> None:
    options = InboundOptions(listener_sessions=10, sessions_per_peer=2)
    assert refuses_session(options, 10, 2) is None
    assert refuses_session(options, 11, 2) is not None
    assert refuses_session(options, 10, 3) is not None
    assert refuses_session(InboundOptions(listener_sessions=0, sessions_per_peer=0), 10**6, 10**6) is None


@pytest.mark.parametrize(
    ("error", "load", "code"),
    [
        (None, Load(9, 10, 9, 9, 10), None),
        (SpoolFull("disk"), Load(0, 10, 0, 0, 10), 452),
        (SpoolError("sync failed"), Load(0, 10, 0, 0, 10), 451),
        (None, Load(10, 10, 0, 0, 10), 452),
        (None, Load(0, 10, 10, 0, 10), 451),
        (None, Load(0, 10, 5, 10, 10), 451),
        (None, Load(0, 10, 4, 1000, 10), None),  # what is not held may be used again
        (None, Load(10**9, 0, 10**12, 10**12, 0), None),
    ],
)
def test_admission_is_refused_early_and_for_now(
    error: SpoolError | None, load: Load, code: int | None
) -> None:
    problem = refusal(SpoolStatus(error, "", 0, 0, 0, 0), load)
    assert (reply_to(problem).code if problem else None) == code
