"""Who says whether there are colours: NO_COLOR before CLICOLOR_FORCE before CLICOLOR before the terminal."""

import pytest

from angarium.core.colours import wants_colours


@pytest.mark.parametrize(
    ("environment", "at_a_terminal", "in_a_pipe"),
    [
        ({}, True, False),
        ({"NO_COLOR": "1"}, False, False),
        ({"NO_COLOR": ""}, True, False),
        ({"CLICOLOR": "0"}, False, False),
        ({"CLICOLOR": "1"}, True, False),
        ({"CLICOLOR_FORCE": "1"}, True, True),
        ({"CLICOLOR_FORCE": "0"}, True, False),
        ({"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False, False),
        ({"CLICOLOR_FORCE": "1", "CLICOLOR": "0"}, True, True),
        ({"TERM": "dumb"}, False, False),
    ],
)
def test_who_decides(environment, at_a_terminal, in_a_pipe):
    assert wants_colours(True, environment) is at_a_terminal
    assert wants_colours(False, environment) is in_a_pipe
