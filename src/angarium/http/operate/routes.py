"""The operators' interface, served: only the node's owner reaches the socket, so no key is asked for."""

from starlette.requests import Request
from starlette.routing import BaseRoute

from angarium.http.api.application import make_routes
from angarium.http.api.endpoint import Endpoint
from angarium.http.operate.table import OPERATE, Operations


def make_operate_routes(operations: Operations) -> list[BaseRoute]:
    """Return the interface as routes. To be served where only the owner comes, never on a port."""

    async def admit(request: Request, endpoint: Endpoint) -> Operations:
        return operations

    return make_routes(OPERATE, admit)
