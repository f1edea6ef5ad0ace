"""What may stand in the texts and lists of bodies, as the OpenAPI document tells it. Told only: the store checks, and
says in a sentence what to write instead.

The formats `line`, `name`, `cidr`, `domain` and `label` are words of ours: one line of printable characters; such a
line that is no number alone; a network or an address; a domain name of two labels or more; a name under a domain;
`query` is the search language; `zone` the name of a time zone, or nothing; `time-of-query` a time as that language
writes it, `end-of-query` a later one; `web-address` a URL to send to; `header-name` and `header-value` make a header
field.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from angarium.dialects.postmark.names import RESERVED_STREAMS
from angarium.events.catalogue import KINDS
from angarium.events.port import PLACE
from angarium.feedback.occurrences import BOUNCE_TYPES
from angarium.identity import checks
from angarium.identity.grants import GRANTS
from angarium.identity.records import ROLE_CHECK
from angarium.identity.roles import ROLES
from angarium.query.parser import LONGEST
from angarium.sql.checks import Check


def _told(**schema: Any) -> msgspec.Meta:
    return msgspec.Meta(extra_json_schema=schema)


_TYPE: Final = "|".join(KINDS)
_BOUNCE: Final = "|".join(BOUNCE_TYPES)
_LINE: Final = _told(maxLength=checks.LONGEST_TEXT, format="line")
_NAME: Final = _told(minLength=1, maxLength=checks.LONGEST_TEXT, format="name")
_DESCRIPTION: Final = _told(maxLength=checks.LONGEST_DESCRIPTION, format="line")
_EMAIL: Final = _told(format="email", maxLength=320)
_ZONE: Final = _told(format="zone")
_STREAM: Final = _told(pattern=f"^{checks.STREAM_ID}$", **{"not": {"pattern": f"^{RESERVED_STREAMS}"}})

SHAPES: Final[Mapping[Check, msgspec.Meta]] = {
    checks.text: _LINE,
    checks.name: _NAME,
    checks.description: _DESCRIPTION,
    checks.email: _EMAIL,
    checks.stream_id: _STREAM,
    checks.zone: _ZONE,
    ROLE_CHECK: _told(enum=list(ROLES)),
}
"""What there is to tell of a text that is checked so."""

Line = Annotated[str, _LINE]
Run = Annotated[str, _told(maxLength=60, format="line")]
"""The name of what was brought in together."""
Email = Annotated[str, _EMAIL]
WebhookName = Annotated[str, _NAME]
StreamId = Annotated[str, _STREAM]
DomainName = Annotated[str, _told(minLength=3, format="domain")]
ReturnPath = Annotated[str, _told(format="label")]
Password = Annotated[
    str,
    _told(minLength=checks.SHORTEST_PASSWORD, maxLength=checks.LONGEST_PASSWORD, pattern="^[^\\u0000]*$"),
]
Networks = Annotated[tuple[Annotated[str, _told(format="cidr")], ...], _told(maxItems=checks.MOST_NETWORKS)]
Grants = Annotated[tuple[Annotated[str, _told(enum=list(GRANTS))], ...], _told(minItems=1)]
Moment = Annotated[datetime, msgspec.Meta(tz=True, extra_json_schema={"pattern": "^(197[1-9]|19[89]|[2-9])"})]
"""After 1970 and before the year 10000."""
QueryText = Annotated[str, _told(maxLength=LONGEST, format="query")]
MessagePlace = Annotated[str, msgspec.Meta(pattern=f"^{PLACE}$")]
EventTypes = Annotated[str, _told(pattern=f"^$|^({_TYPE})(,({_TYPE}))*$")]
BounceTypes = Annotated[str, _told(pattern=f"^$|^({_BOUNCE})(,({_BOUNCE}))*$")]
EndText = Annotated[str, _told(maxLength=40, format="end-of-query")]
TimeText = Annotated[str, _told(maxLength=40, format="time-of-query")]
ZoneName = Annotated[str, _ZONE]
EventNumber = Annotated[int, msgspec.Meta(ge=0, lt=2**62)]
Suppressed = Annotated[str, _told(minLength=3, maxLength=1_000, format="suppressed")]
Scope = Annotated[
    str, msgspec.Meta(pattern=rf"^(\*|\*/transactional|\*/broadcast|[0-9]{{1,9}}/{checks.STREAM_ID})$")
]
