"""What to say of a name that is no option: known elsewhere, or a misspelling."""

from collections.abc import Iterable

from angarium.config.known import KNOWN_NOT_SERVED, REMARKS
from angarium.config.options import ScopeKind
from angarium.config.tables import OPTIONS
from angarium.core.suggest import closest


def unknown_option(name: str, scope: ScopeKind | None = None) -> tuple[str, str]:
    """Return what is wrong with the option *name*, and what to do. Guesses from *scope* go before others."""
    if name.lower() in KNOWN_NOT_SERVED:
        shown = KNOWN_NOT_SERVED[name.lower()]
        return f"{shown} is known, but not supported yet", REMARKS.get(name.lower(), "leave it out")
    here = [option.name for option in OPTIONS if scope in option.scopes]
    return f"unknown option {name}", guess(name, here) or guess(name, [option.name for option in OPTIONS])


def guess(name: str, known: Iterable[str]) -> str:
    """Return `did you mean …?` when one of *known* is close, else nothing. Case makes no difference."""
    close = closest(name, known, 0.7)
    return f"did you mean {close}?" if close else ""
