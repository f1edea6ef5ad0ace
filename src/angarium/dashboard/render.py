"""From what a page shows to HTML. What comes from outside is escaped, and what cannot be seen is made visible."""

import unicodedata
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_UNSEEN: Final = frozenset(("Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"))
_KEPT: Final = frozenset("\n\t")


def visible(text: object) -> str:
    """Return *text* with what cannot be seen, or turns the direction of writing, written as `⟨U+202E⟩`."""
    return "".join(
        f"⟨U+{ord(char):04X}⟩" if unicodedata.category(char) in _UNSEEN and char not in _KEPT else char
        for char in str(text)
    )


def moment(at: datetime | float | None) -> Markup:
    """Return a time as it is read, in UTC, and as programs read it; a dash where there is none."""
    if at is None:
        return Markup("–")
    when = datetime.fromtimestamp(at, UTC) if isinstance(at, int | float) else at.astimezone(UTC)
    full = when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return Markup('<time datetime="{}" title="{}">{}</time>').format(full, full, f"{when:%Y-%m-%d %H:%M:%S}")


def share(rate: Any) -> str:
    """Return a rate with what it is of: `0.42 % of 12,304`, or `3 of 41` where there are too few to say more."""
    if rate is None or rate.share is None:
        return "not measured"
    if rate.of < 100:
        return f"{rate.count:,} of {rate.of:,}"
    return f"{rate.share * 100:.2f} % of {rate.of:,}"


def number(value: float | None) -> str:
    """Return a number with its thousands apart; what is not measured says so."""
    return "not measured" if value is None else f"{value:,}"


def render(template: str, **values: Any) -> str:
    """Return a page."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("angarium.dashboard"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_seen,
    )
    made.filters |= {"moment": moment, "share": share, "number": number}
    return made


def _seen(value: object) -> object:
    """Make what a template puts in visible, unless it is HTML already."""
    return value if hasattr(value, "__html__") else escape(visible(value))
