"""Commands at a real terminal of 80 and of 120 columns, and in a pipe: the text as it is seen."""

import re
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from angarium.core.operations import Glance, Health, NodeInfo, Queues
from angarium.testing.terminal import Terminal, plain

pytestmark = pytest.mark.process

ANGARIUM = str(Path(sys.executable).with_name("angarium"))


@pytest.fixture
def at_terminal(tmp_path):
    def run(*words, columns=80, **environment):
        command = [ANGARIUM, *words, "--data", str(tmp_path)]
        with Terminal(command, columns=columns, environment={"TZ": "UTC", **environment}) as terminal:
            terminal.ended()
            return terminal

    return run


def queues(now):
    reason = {
        "kind": "limit",
        "option": "Outbound_Throttle_Messages",
        "where": "/etc/angarium/angarium.conf:12",
        "text": "throttle 50/60 of binding_group warm-up-2026 in force for this destination",
    }
    row = {
        "binding": "warm-up-2026",
        "domain": "newsletter.recipients.a-large-mail-provider.example.com",
        "active": 1204,
        "in_flight": 12,
        "connections": 3,
        "oldest": now - 7530,
        "next_try": now + 3700,
        "last_reply": "421 4.7.28 Our system has detected an unusual rate of mail from your network; please slow down",
        "last_reply_at": now - 90,
        "held_by": [reason],
    }
    other = {"binding": "default", "domain": "a.example", "delayed": 3, "oldest": now - 150}
    totals = {"queues": 2, "waited_in": 2, "active": 1204, "delayed": 3}
    return {"rows": [row, other], "totals": totals, "problems": []}


AT_80 = """\
1207 recipients wait in 2 queues. Nothing holds it.

DOMAIN       BINDING       ACTIVE  DELAYED  HELD  FLIGHT  CONN  OLDEST  NEXT TRY
newsletter.recipients.a-large-mail-provider.example.com  warm-up-2026
                             1204        0     0      12     3   2h 5m  in 1h 1m
    why: throttle 50/60 of binding_group warm-up-2026 in force for this
        destination (Outbound_Throttle_Messages, /etc/angarium/angarium.conf:12)
    last reply at HH:MM:SSZ (1 min ago): 421 4.7.28 Our system has detected an
        unusual rate of mail from your network; please slow down
a.example    default            0        3     0       0     0      2m  -
"""
AT_120 = """\
1207 recipients wait in 2 queues. Nothing holds it.

DOMAIN                                               BINDING       ACTIVE  DELAYED  HELD  FLIGHT  CONN  OLDEST  NEXT TRY
newsletter.recipients.a-large-mail-provider.example.com  warm-up-2026
                                                                     1204        0     0      12     3   2h 5m  in 1h 1m
    why: throttle 50/60 of binding_group warm-up-2026 in force for this destination (Outbound_Throttle_Messages,
        /etc/angarium/angarium.conf:12)
    last reply at HH:MM:SSZ (1 min ago): 421 4.7.28 Our system has detected an unusual rate of mail from your network;
        please slow down
a.example                                            default            0        3     0       0     0      2m  -
"""


def steady(text):
    return re.sub(r"\d\d:\d\d:\d\dZ", "HH:MM:SSZ", text)


@pytest.mark.parametrize(("columns", "text"), [(80, AT_80), (120, AT_120)])
def test_the_queue_at_a_terminal(at_terminal, control, columns, text):
    control.says["queues"] = queues(time.time())
    assert steady(at_terminal("queue", columns=columns).text) == text


def test_in_a_pipe_each_row_and_each_reason_is_one_line_without_colours(control, tmp_path):
    control.says["queues"] = queues(time.time())
    command = [ANGARIUM, "queue", "--data", str(tmp_path)]
    shown = subprocess.run(command, capture_output=True, text=True, env={"TZ": "UTC"}, check=True).stdout
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 2 + 1 + 3 + 1
    assert any(line.endswith("please slow down") for line in shown.splitlines())


@pytest.mark.parametrize(
    ("environment", "coloured"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"CLICOLOR": "0"}, False), ({"TERM": "dumb"}, False)],
)
def test_what_matters_is_bright_unless_colours_are_not_wanted(at_terminal, control, environment, coloured):
    control.says["queues"] = queues(time.time())
    shown = at_terminal("queue", **environment).shown
    assert ("\x1b" in shown) is coloured
    assert ("\x1b[33m    why: throttle" in shown) is coloured


def test_colours_can_be_had_in_a_pipe(control, tmp_path):
    control.says["queues"] = queues(time.time())
    command = [ANGARIUM, "queue", "--data", str(tmp_path)]
    shown = subprocess.run(
        command, capture_output=True, text=True, env={"CLICOLOR_FORCE": "1"}, check=True
    ).stdout
    assert "\x1b[33m    why: throttle" in shown


def glance(at, now):
    node = NodeInfo("1.0", 42, at - 3600, "/data", workers=2)
    counters = [("events_total", ("delivered",), 250.0 * at), ("connections_open", (), 4.0)]
    found = msgspec.convert(queues(now), Queues)
    return Glance(at, node, Health(), found, counters)


TOP_80 = """\
angarium 1.0, up 1 h, 2 workers. Ready: takes mail.
per second: received 0, delivered 250, delayed 0, bounced 0, expired 0, sessions
    in 0, connections out 0, 0 B in; CPU 0 %
now: sessions in 0, connections out 4, recipients active 0, in flight 0, delayed
    0, held 0, journal 0 B in 0 segments
1207 recipients wait in 2 queues. Nothing holds it.

DOMAIN              WAITING  FLIGHT  CONN  OLDEST  NEXT TRY  WHY
newsletter.recipi…     1204      12     3   2h 5m  in 1h 1m  throttle 50/60 of …
a.example                 3       0     0      2m  -

q quits   sort: w [waiting]  o oldest  f flight  n next  d domain
"""
TOP_120 = """\
angarium 1.0, up 1 h, 2 workers. Ready: takes mail.
per second: received 0, delivered 250, delayed 0, bounced 0, expired 0, sessions in 0, connections out 0, 0 B in; CPU
    0 %
now: sessions in 0, connections out 4, recipients active 0, in flight 0, delayed 0, held 0, journal 0 B in 0 segments
1207 recipients wait in 2 queues. Nothing holds it.

DOMAIN                           BINDING       WAITING  FLIGHT  CONN  OLDEST  NEXT TRY  WHY
newsletter.recipients.a-large-…  warm-up-2026     1204      12     3   2h 5m  in 1h 1m  throttle 50/60 of binding_group…
a.example                        default             3       0     0      2m  -

q quits   sort: w [waiting]  o oldest  f flight  n next  d domain
"""


def screen(shown):
    """The last screen that was drawn, without the blanks that it is filled up with."""
    last = plain(shown).rpartition("angarium 1.0")
    return "\n".join(line.rstrip() for line in f"{last[1]}{last[2]}".splitlines()).rstrip() + "\n"


@pytest.fixture
def top(control, tmp_path):
    """Start `angarium top` at a terminal, over a node that has been looked at twice and is silent then."""
    now = time.time()
    control.items["top"] = [glance(now - 1, now), glance(now, now)]
    control.endless.add("top")
    control.says["top"] = None

    def start(columns=80):
        command = [ANGARIUM, "top", "--data", str(tmp_path)]
        return Terminal(command, columns=columns, environment={"TZ": "UTC", "NO_COLOR": "1"})

    return start


@pytest.mark.parametrize(("columns", "text"), [(80, TOP_80), (120, TOP_120)])
def test_top_is_a_line_a_queue_and_q_ends_it(top, columns, text):
    with top(columns) as terminal:
        terminal.read_until("delivered 250")
        terminal.type("q")
        assert terminal.ended() == 0
        assert screen(terminal.shown) == text
        assert terminal.shown.endswith("\x1b[?1049l")  # the screen is as it was


def test_top_is_drawn_anew_when_the_terminal_gets_another_size(top):
    with top(80) as terminal:
        terminal.read_until("delivered 250")
        terminal.read_until("d domain")
        terminal.resize(120, 24)
        terminal.read_until("d domain")
        assert "newsletter.recipients.a-large-…" in terminal.shown


def test_a_key_sorts_the_queues_of_top_and_the_node_is_asked_anew(top, control):
    with top() as terminal:
        terminal.read_until("delivered 250")
        terminal.type("o")
        terminal.read_until("o [oldest]")
        terminal.type("q")
        assert terminal.ended() == 0
    assert [args["sort"] for op, args in control.asked] == ["waiting", "oldest"]


def test_ctrl_c_ends_top_as_q_does(top):
    with top() as terminal:
        terminal.read_until("delivered 250")
        terminal.type("\x03")
        assert terminal.ended() == 0
        assert terminal.shown.endswith("\x1b[?1049l")


def test_when_the_node_goes_away_top_says_so_and_ends(top, control):
    control.endless.clear()
    with top() as terminal:
        assert terminal.ended() == 3
        assert "hung up; it may have stopped" in terminal.text
