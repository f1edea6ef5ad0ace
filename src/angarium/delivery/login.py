"""How an outgoing session logs in: from options to what the client machine wants. Reads the password's file."""

import asyncio
from functools import partial
from pathlib import Path
from secrets import token_urlsafe

from angarium.config.records import OutboundOptions
from angarium.config.verification import shows_secret
from angarium.core.errors import AngariumError
from angarium.smtp.client.events import ClientAuth
from angarium.smtp.sasl.client import client_exchange
from angarium.smtp.sasl.exchange import ClientExchange

_MOST_BYTES = 65_536
_NONCE_BYTES = 18


class LoginSetupError(AngariumError):
    """The login is not complete, or its file cannot be read. The text names the option and no secret."""


async def login_of(options: OutboundOptions) -> ClientAuth | None:
    """Return how to log in under *options*, None where none is wanted. Raises LoginSetupError.

    The file is read each time, in a thread: one who renews a token there need not tell us.
    """
    mechanism = options.outbound_smtp_auth_type
    if mechanism == "none":
        return None
    user = options.outbound_smtp_auth_user
    if user is None:
        raise LoginSetupError("Outbound_SMTP_AUTH_User is not set; name who logs in")
    secret = await _secret(options)
    return ClientAuth(
        mechanism=mechanism,
        begin=partial(_exchange, mechanism, user, secret),
        needs_tls=shows_secret(options),
        secret=secret,
    )


def _exchange(mechanism: str, user: str, secret: str) -> ClientExchange:
    return client_exchange(mechanism, user, secret, token_urlsafe(_NONCE_BYTES))


async def _secret(options: OutboundOptions) -> str:
    if options.outbound_smtp_auth_pass is not None:
        return options.outbound_smtp_auth_pass.value
    path = options.outbound_smtp_auth_pass_file
    if path is None:
        raise LoginSetupError("Outbound_SMTP_AUTH_Pass is not set; set it or Outbound_SMTP_AUTH_Pass_File")
    return await asyncio.to_thread(_read, path)


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise LoginSetupError(f"Outbound_SMTP_AUTH_Pass_File cannot be read: {words}") from None
    secret = data.decode("utf-8", "replace").strip("\r\n")
    if not secret or len(data) > _MOST_BYTES or "\ufffd" in secret or "\n" in secret:
        raise LoginSetupError("Outbound_SMTP_AUTH_Pass_File must hold one line of UTF-8, the password")
    return secret
