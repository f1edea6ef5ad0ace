"""Whether text for a person is coloured. Pure."""

from collections.abc import Mapping


def wants_colours(is_terminal: bool, environment: Mapping[str, str]) -> bool:
    """Return whether to write colours and bold letters to something that is a terminal, or is none.

    NO_COLOR (no-color.org) goes before CLICOLOR_FORCE, and that before CLICOLOR; empty is as good as not set.
    """
    if environment.get("NO_COLOR"):
        return False
    if environment.get("CLICOLOR_FORCE", "") not in ("", "0"):
        return True
    return is_terminal and environment.get("CLICOLOR") != "0" and environment.get("TERM") != "dumb"
