"""The doors of a worker by which mail comes in by HTTP: each dialect at its paths."""

from typing import Final

from starlette.types import ASGIApp

from angarium.core.clock import Clock
from angarium.core.log import Log
from angarium.http.manage.sending.dialect import Batch, OneMessage
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


def sending_doors(intake: Intake, identities: WorkerIdentities, clock: Clock, log: Log) -> dict[str, ASGIApp]:
    """Return the doors by their paths."""
    directory = identities.directory
    requests = Requests(intake, directory, directory.owners, identities.clearance)

    def bounds() -> tuple[int, int]:
        options = intake.config.globals
        return options.http_max_body_size, options.http_bodies_memory

    bodies = Bodies(bounds)
    return {path: SendingDoor(dialect, requests, bodies, clock, log) for path, dialect in DIALECTS.items()}
