"""Whose token a request to Postmark's API shows, and whether it allows what is asked."""

from typing import Final, Protocol

from starlette.requests import Request

from angarium.dialects.postmark.problem import (
    ACCOUNT_TOKEN_SENTENCE,
    BAD_TOKEN,
    MAINTENANCE,
    NO_TOKEN_SENTENCE,
    SUSPENDED,
    PostmarkProblem,
    bad_token,
)
from angarium.http.api.endpoint import Endpoint
from angarium.identity.grants import implied
from angarium.identity.principal import Principal
from angarium.sql.errors import StoreError

SERVER_HEADER: Final = "x-postmark-server-token"
ACCOUNT_HEADER: Final = "x-postmark-account-token"


class TokenKeeper(Protocol):
    """Tells whose a token is."""

    async def principal_of(self, token: str, peer_ip: str) -> Principal | None:
        """Return who shows *token*, a server token or an API key, in lower case; None when it is nobody's, disabled,
        expired or not for this peer. Raises `StoreError` when it cannot be known at the moment.
        """
        ...


class TokenGate:
    """Admits requests that show a good token of the kind that is wanted.

    A server token, or an API key in its place, is for one server. An account token is an API key. A server token may do
    all that concerns its server; of an API key the grants tell.
    """

    def __init__(self, keeper: TokenKeeper) -> None:
        self._keeper = keeper

    async def server(self, request: Request, endpoint: Endpoint) -> Principal:
        """Return whose server token a request shows. Raises PostmarkProblem."""
        token = _token(request, SERVER_HEADER)
        if not token:
            said = ACCOUNT_TOKEN_SENTENCE if _token(request, ACCOUNT_HEADER) else NO_TOKEN_SENTENCE
            raise PostmarkProblem(BAD_TOKEN, said)
        principal = await self._known(token, request)
        if principal is None:
            raise bad_token("Server")
        if principal.server is not None and principal.server.suspended:
            raise _suspended(f"server {principal.server.name}")
        return _allowed(principal, endpoint)

    async def account(self, request: Request, endpoint: Endpoint) -> Principal:
        """Return whose account token a request shows. Raises PostmarkProblem."""
        token = _token(request, ACCOUNT_HEADER)
        if not token:
            is_other = bool(_token(request, SERVER_HEADER))
            raise bad_token("Account") if is_other else PostmarkProblem(BAD_TOKEN, NO_TOKEN_SENTENCE)
        principal = await self._known(token, request)
        if principal is None or principal.kind != "api_key":
            raise bad_token("Account")
        return _allowed(principal, endpoint)

    async def _known(self, token: str, request: Request) -> Principal | None:
        peer = request.client.host if request.client else ""
        try:
            return await self._keeper.principal_of(token.lower(), peer)
        except StoreError as error:
            said = "The service is in maintenance: the identity store does not answer. Try again in a moment."
            raise PostmarkProblem(MAINTENANCE, said, headers={"Retry-After": "5"}) from error


def _token(request: Request, header: str) -> str:
    return request.headers.get(header, "").strip()


def _allowed(principal: Principal, endpoint: Endpoint) -> Principal:
    if principal.account.suspended:
        raise _suspended(f"account {principal.account.name}")
    grant = endpoint.grant
    if principal.kind == "api_key" and grant is not None and grant not in implied(principal.grants):
        raise PostmarkProblem(BAD_TOKEN, f"The API key lacks the grant {grant}; use one that has it.")
    return principal


def _suspended(who: str) -> PostmarkProblem:
    return PostmarkProblem(SUSPENDED, f"The {who} is suspended; ask who runs this service.")
