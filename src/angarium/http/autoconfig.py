"""Tells mail programs where to send (Thunderbird autoconfig, Outlook autodiscover), from the listeners in force."""

import re
from collections.abc import Callable
from typing import Final, Literal, NamedTuple
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from angarium.config.model import Config
from angarium.config.records import LOOPBACK
from angarium.config.values import ListenAddress

MAX_BODY_BYTES: Final = 65_536

_PLAIN_PORTS = (587, 2525, 25)
_ADDRESS = re.compile(r"[^\s@<>&\"']{1,64}@([A-Za-z0-9.-]{1,253})")
_REQUESTED = re.compile(rb"<(?:\w+:)?EMailAddress>([^<]{1,400})</")
"""Without blanks around: a pattern that tried every way to share them out would take hours for a body of blanks."""
_XML: Final = "application/xml"


class Outgoing(NamedTuple):
    """A way to send, as mail programs are told it."""

    host: str
    port: int
    socket: Literal["STARTTLS", "SSL"]


def outgoing(config: Config) -> list[Outgoing]:
    """Return the TCP sockets to send by that encrypt and let users log in, the one to prefer first.

    TLS from the first byte goes before STARTTLS (RFC 8314 §3.3), then the usual ports.
    """
    found = {
        Outgoing(_host(config, listen), listen.port, socket)
        for listener in config.listeners
        for listen in listener.listens
        if listen.port and (socket := _socket(config, listener.name, listen.name)) is not None
    }
    return sorted(found, key=_rank)


def _socket(config: Config, listener: str, listen: str) -> Literal["STARTTLS", "SSL"] | None:
    """Return how a socket encrypts; None when it does not, or takes no logins."""
    offered = config.inbound(listener, listen, "").smtp_extensions
    if "AUTH" not in offered:
        return None
    if config.listen_options(listener, listen).use_ssl:
        return "SSL"
    return "STARTTLS" if "STARTTLS" in offered else None


def _host(config: Config, listen: ListenAddress) -> str:
    """Return the node's name, or the address of a socket that only this machine can reach."""
    return listen.host if LOOPBACK.contains(listen.host) else config.globals.hostname


def _rank(way: Outgoing) -> tuple[bool, int, int]:
    place = _PLAIN_PORTS.index(way.port) if way.port in _PLAIN_PORTS else len(_PLAIN_PORTS)
    return way.socket != "SSL", place, way.port


def make_autoconfig_routes(config_of: Callable[[], Config]) -> list[BaseRoute]:
    """Return the routes; *config_of* returns the configuration in force."""

    async def thunderbird(request: Request) -> Response:
        domain = _domain_of(request.query_params.get("emailaddress", ""))
        config = config_of()
        text = autoconfig(domain or config.globals.hostname, config.globals.hostname, outgoing(config))
        return _answer(text)

    async def outlook(request: Request) -> Response:
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MAX_BODY_BYTES:
                return Response(status_code=413)
        found = _REQUESTED.search(body)
        address = found[1].decode("utf-8", "replace").strip() if found else ""
        if not _domain_of(address):
            return _answer(_refusal("the request names no e-mail address"), 400)
        return _answer(autodiscover(address, outgoing(config_of())))

    return [
        Route("/.well-known/autoconfig/mail/config-v1.1.xml", thunderbird),
        Route("/mail/config-v1.1.xml", thunderbird),
        Route("/autodiscover/autodiscover.xml", outlook, methods=["POST"]),
        Route("/Autodiscover/Autodiscover.xml", outlook, methods=["POST"]),
    ]


def autoconfig(domain: str, hostname: str, ways: list[Outgoing]) -> str:
    """Return Thunderbird's document: only how to send, for there are no mailboxes here."""
    servers = "".join(
        f"""    <outgoingServer type="smtp">
      <hostname>{escape(way.host)}</hostname>
      <port>{way.port}</port>
      <socketType>{way.socket}</socketType>
      <authentication>password-cleartext</authentication>
      <username>%EMAILADDRESS%</username>
    </outgoingServer>
"""
        for way in ways
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<clientConfig version="1.1">
  <emailProvider id="{escape(hostname)}">
    <domain>{escape(domain)}</domain>
    <displayName>{escape(hostname)}</displayName>
    <displayShortName>{escape(hostname)}</displayShortName>
{servers}  </emailProvider>
</clientConfig>
"""


_RESPONSE = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
_OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"


def autodiscover(address: str, ways: list[Outgoing]) -> str:
    """Return Outlook's document for the user *address*."""
    protocols = "".join(
        f"""      <Protocol>
        <Type>SMTP</Type>
        <Server>{escape(way.host)}</Server>
        <Port>{way.port}</Port>
        <LoginName>{escape(address)}</LoginName>
        <DomainRequired>off</DomainRequired>
        <SPA>off</SPA>
        <Encryption>{"SSL" if way.socket == "SSL" else "TLS"}</Encryption>
        <AuthRequired>on</AuthRequired>
        <UsePOPAuth>off</UsePOPAuth>
        <SMTPLast>off</SMTPLast>
      </Protocol>
"""
        for way in ways
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Autodiscover xmlns="{_RESPONSE}">
  <Response xmlns="{_OUTLOOK}">
    <Account>
      <AccountType>email</AccountType>
      <Action>settings</Action>
{protocols}    </Account>
  </Response>
</Autodiscover>
"""


def _refusal(message: str) -> str:
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<Autodiscover xmlns="{_RESPONSE}">
  <Response>
    <Error>
      <ErrorCode>600</ErrorCode>
      <Message>{escape(message)}</Message>
    </Error>
  </Response>
</Autodiscover>
"""


def _domain_of(address: str) -> str:
    found = _ADDRESS.fullmatch(address) if address.isprintable() else None  # XML has no word for the rest
    return found[1].lower() if found else ""


def _answer(text: str, status: int = 200) -> Response:
    return Response(text, status, {"Cache-Control": "no-store"}, _XML)
