"""Commands at a real terminal of 80 and of 120 columns, and in a pipe: the text as it is seen."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from angarium.testing.terminal import Terminal

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
