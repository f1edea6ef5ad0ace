"""What to say of a name that is no option: known elsewhere, or a misspelling."""

from collections.abc import Iterable
from functools import lru_cache

from angarium.config.known import KNOWN_OPTIONS, KNOWN_STANZAS, KnownName
from angarium.config.options import ScopeKind
from angarium.config.tables import OPTIONS
from angarium.core.suggest import closest


@lru_cache(maxsize=1024)
def unknown_option(name: str, scope: ScopeKind | None = None) -> tuple[str, str]:
    """Return what is wrong with the option *name*, and what to do. Guesses from *scope* go before others."""
    known = KNOWN_OPTIONS.get(name.lower()) or KNOWN_STANZAS.get(name.lower())
    if known is not None:
        return not_served(known, "leave it out")
    here = [option.name for option in OPTIONS if scope in option.scopes]
    return f"unknown option {name}", guess(name, here) or guess(name, [option.name for option in OPTIONS])


def not_served(known: KnownName, nothing: str) -> tuple[str, str]:
    """Return why *known* cannot stand, and what to write; *nothing* where nothing takes its place."""
    message = f"{known.name} is known from Momentum and not served: {known.reason}"
    if known.instead.startswith("write"):
        return message, known.instead
    return message, f"{nothing}; {known.instead}" if known.instead else nothing


def guess(name: str, known: Iterable[str]) -> str:
    """Return `did you mean …?` when one of *known* is close, else nothing. Case makes no difference."""
    by_length = sorted(known, key=len)
    longer = (other for other in by_length if len(name) > 3 and other.lower().startswith(name.lower()))
    close = next(longer, None) or closest(name, by_length, 0.7)
    return f"did you mean {close}?" if close and _may_be_meant(name, close) else ""


def _may_be_meant(name: str, other: str) -> bool:
    """Whether a slip may have made *name* of *other*.

    What begins with another word is of another feature: `Foo_Body_Timeout` is no slip of `Body_Timeout`.
    """
    ours, theirs = name.lower().split("_"), other.lower().split("_")
    if sorted(ours) == sorted(theirs) or closest("".join(ours), ["".join(theirs)], 0.9) is not None:
        return True
    return ours[0] == theirs[0] or closest(ours[0], [theirs[0]], 0.75) is not None
