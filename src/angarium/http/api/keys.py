"""Requests that come with an API key: whose it is, and whether it allows what they ask."""

from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request

from angarium.http.api.caller import Authenticator, Caller, key_of
from angarium.http.api.endpoint import Endpoint
from angarium.http.api.problem import HttpProblem, unavailable
from angarium.identity.grants import implied
from angarium.sql.errors import StoreError

_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="angarium"'}


class KeyGate:
    """Admits requests that show a good key with the grant that the endpoint wants.

    *call* makes what the handlers get as their first argument, of who asks and what was asked.
    """

    def __init__(self, authenticator: Authenticator, call: Callable[[Caller, Request], Any]) -> None:
        self._authenticator = authenticator
        self._call = call

    async def __call__(self, request: Request, endpoint: Endpoint) -> Any:
        """See application.Admit."""
        caller = await self._caller(request)
        _may(caller, endpoint)
        return self._call(caller, request)

    async def _caller(self, request: Request) -> Caller:
        key = key_of(request.headers.raw)
        peer = request.client.host if request.client else ""
        try:
            caller = await self._authenticator.authenticate(key, peer) if key else None
        except StoreError as error:
            raise unavailable() from error
        if caller is None:
            said = "the API key is not good, or not for this address" if key else "there is no API key"
            raise HttpProblem(
                "not-authenticated",
                f"{said}; send one as `Authorization: Bearer KEY`; `angarium keys create` makes one",
                headers=_CHALLENGE,
            )
        return caller


def _may(caller: Caller, endpoint: Endpoint) -> None:
    if caller.account.suspended:
        raise HttpProblem(
            "not-allowed", f"account {caller.account.name} is suspended; ask who runs this node"
        )
    if endpoint.grant is not None and endpoint.grant not in implied(caller.grants):
        raise HttpProblem("not-allowed", f"the API key lacks the grant {endpoint.grant}; use one that has it")
