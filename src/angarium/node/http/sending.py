"""The doors of a worker by which mail comes in by HTTP: each dialect at its paths."""

from typing import Final, NamedTuple

from starlette.types import ASGIApp

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.http.manage.sending.dialect import Batch, OneMessage
from angarium.http.postmark.sending.paths import SEGMENT, EmailPaths
from angarium.http.sending.bodies import Bodies
from angarium.http.sending.dialect import SendingDialect
from angarium.http.sending.door import SendingDoor
from angarium.node.identities import WorkerIdentities
from angarium.submission.intake.intake import Intake
from angarium.submission.requests.requests import Requests

DIALECTS: Final[dict[str, SendingDialect]] = {
    "/manage/v1/messages": OneMessage(),
    "/manage/v1/messages/batch": Batch(),
}
"""What is answered at which path, if it is posted: `http.front.SENDING_PATHS`."""


class SendingDoors(NamedTuple):
    """The doors: *posted* by their whole paths, *segments* by the first segment of their paths, in any case."""

    posted: dict[str, ASGIApp]
    segments: dict[str, ASGIApp]


def sending_doors(intake: Intake, identities: WorkerIdentities, clock: Clock, log: Log) -> SendingDoors:
    """Return the doors of a worker."""
    directory = identities.directory
    requests = Requests(
        intake, directory, directory.owners, identities.clearance, identities.templates, identities.lists
    )

    def bounds() -> tuple[int, int]:
        options = intake.config.globals
        return options.http_max_body_size, options.http_bodies_memory

    bodies = Bodies(bounds)

    def door(dialect: SendingDialect) -> ASGIApp:
        return SendingDoor(dialect, requests, bodies, clock, log)

    posted = {path: door(dialect) for path, dialect in DIALECTS.items()}
    return SendingDoors(posted, {SEGMENT: EmailPaths(door, clock)})
