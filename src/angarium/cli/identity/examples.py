"""What `angarium init` prints: the secrets, and examples that can be pasted as they are. Pure."""

import shlex
from pathlib import Path
from typing import Literal, NamedTuple

from angarium.config.model import Config
from angarium.config.values import ListenAddress

ANYBODY = "someone@example.com"
"""Stands for a recipient of one's own choice."""
_WILDCARDS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_ORDER = (587, 2525, 25)
"""Ports that programs send by, the usual first."""


class FirstSecrets(NamedTuple):
    """The secrets of a new node."""

    token: str
    key: str
    user: str
    password: str


class Smtp(NamedTuple):
    """A socket to send by, as a program on this machine reaches it."""

    host: str
    port: int
    tls: Literal["starttls", "implicit"]


class Endpoints(NamedTuple):
    """Where this node takes mail and commands; None when it does not by TCP. *manage* is the manage API's address."""

    smtp: Smtp | None
    manage: str | None


def endpoints(config: Config) -> Endpoints:
    """Return the best sockets of a configuration."""
    found = [
        Smtp(_reachable(listen.host), listen.port, tls)
        for listener in config.listeners
        for listen in listener.listens
        if listen.port and (tls := _tls(config, listener.name, listen.name)) is not None
    ]
    http = [listen for listen in config.http_listens if listen.port]
    return Endpoints(min(found, key=_rank, default=None), _url(http[0]) if http else None)


def login_link(config: Config, secret: str) -> str:
    """Return the address that logs in to the pages with *secret*, as a browser on this machine reaches them."""
    http = [listen for listen in config.http_listens if listen.port]
    return f"{_base(http[0]) if http else 'http://127.0.0.1:8080'}/ui/login?link={secret}"


def _tls(config: Config, listener: str, listen: str) -> Literal["starttls", "implicit"] | None:
    """Return how a socket encrypts; None when a program cannot log in there, or not without a proxy."""
    offered = config.inbound(listener, listen, "").smtp_extensions
    options = config.listen_options(listener, listen)
    if "AUTH" not in offered or options.proxy_protocol:
        return None
    if options.use_ssl:
        return "implicit"
    return "starttls" if "STARTTLS" in offered else None


def _rank(smtp: Smtp) -> tuple[bool, int]:
    order = _ORDER.index(smtp.port) if smtp.port in _ORDER else len(_ORDER)
    return smtp.tls == "implicit", order


def _reachable(host: str) -> str:
    return _WILDCARDS.get(host, host)


def _url(listen: ListenAddress) -> str:
    return f"{_base(listen)}/manage/v1"


def _base(listen: ListenAddress) -> str:
    host = _reachable(listen.host)
    return f"http://{f'[{host}]' if ':' in host else host}:{listen.port}"


def examples(first: FirstSecrets, where: Endpoints, recipient: str = ANYBODY) -> dict[str, str]:
    """Return an example for each program, by its name."""
    found: dict[str, str] = {}
    if where.smtp is not None:
        found["swaks"] = _swaks(first, where.smtp, recipient)
        found["smtplib"] = _smtplib(first, where.smtp, recipient)
    if where.manage is not None:
        found["send"] = _send(first, where.manage, recipient)
        found["curl"] = _curl(first, where.manage)
    return found


def _swaks(first: FirstSecrets, smtp: Smtp, recipient: str) -> str:
    """The password goes by the environment: a command line can be read by every user of the machine."""
    tls = "--tls" if smtp.tls == "starttls" else "--tls-on-connect"
    return (
        f"SWAKS_OPT_auth_password={shlex.quote(first.password)} swaks --server {smtp.host} --port {smtp.port} \\\n"
        f"  {tls} --auth PLAIN --auth-user {shlex.quote(first.user)} \\\n"
        f"  --from you@example.com --to {recipient}"
    )


def _smtplib(first: FirstSecrets, smtp: Smtp, recipient: str) -> str:
    kind = "SMTP" if smtp.tls == "starttls" else "SMTP_SSL"
    start = "    smtp.starttls()\n" if smtp.tls == "starttls" else ""
    return (
        "python3 - <<'END'\n"
        "import smtplib\n"
        f'with smtplib.{kind}("{smtp.host}", {smtp.port}) as smtp:\n'
        f"{start}"
        f'    smtp.login("{first.user}", "{first.password}")\n'
        f'    smtp.sendmail("you@example.com", ["{recipient}"],\n'
        f'                  "From: you@example.com\\r\\nTo: {recipient}\\r\\n"\n'
        '                  "Subject: Hello\\r\\n\\r\\nIt works.\\r\\n")\n'
        'print("taken")\n'
        "END"
    )


def _curl(first: FirstSecrets, manage: str) -> str:
    return f"echo 'Authorization: Bearer {first.key}' | curl --globoff --header @- {manage}/servers"


def _send(first: FirstSecrets, manage: str, recipient: str) -> str:
    said = f'{{"from": "you@example.com", "to": ["{recipient}"], "subject": "Hello", "text": "It works."}}'
    return (
        f"echo 'Authorization: Bearer {first.key}' | curl --globoff --header @- \\\n"
        f"  --header 'Content-Type: application/json' {manage}/messages \\\n"
        f"  --data '{said}'"
    )


def page(first: FirstSecrets, where: Endpoints, data: Path, recipient: str = ANYBODY) -> str:
    """Return everything as text."""
    lines = [
        f"The first account of {data} is made. What follows is shown only now; keep it safe.",
        "",
        f"  SMTP login    user name {first.user}",
        f"                password  {first.password}",
        f"  server token  {first.token}",
        f"  API key       {first.key}",
    ]
    own = "; put your own addresses in" if recipient == ANYBODY else ""
    titles = {
        "swaks": f"Send with swaks (the node must run{own}):",
        "smtplib": "Send with Python:",
        "send": "Send by HTTP:",
        "curl": "Ask the manage API:",
    }
    for name, example in examples(first, where, recipient).items():
        lines += ["", titles[name], "", *example.splitlines()]
    return "\n".join(lines)
