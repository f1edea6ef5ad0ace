"""Which command may be said when, and what it leads to: the table of a server session, and its theory. Pure.

**What is read.** The connection is in one *state*, which says what the next bytes are:

    connect ── greet ──► command ◄──────────── the answer ───────────── waiting ◄── a command, the end of a body
                           │ │ └── a line too long ──► skip ── its end ──► command
                           │ ├── AUTH ──► waiting ── challenge ──► auth ── response ──► waiting
                           │ ├── DATA ──► data ── the dot ──► waiting
                           │ └── BDAT ──► chunk ── its last byte ──► command, or waiting behind the last chunk
                           └── STARTTLS ──► tls ── secured ──► command

Whatever ends the connection (QUIT, 421, 521, a peer that is gone) leads to *closed*.

**What is in order.** A command is judged by the *phase* of the transaction (RFC 5321 §3.3 and §4.1.4). One that is out
of order is refused, and nothing changes; one that is answered with less than 400 leads on:

    start ── HELO, EHLO ──► ready ── MAIL ──► sender ── RCPT ──► recipients ── DATA ──► text ── the dot ──► rest
                                                │                  ▲    └──── BDAT ──► chunks ── LAST ────► rest
                                                └─ in vain ─► nobody
    from any phase:    RSET ──► rest        HELO, EHLO ──► ready        STARTTLS, XCLIENT ──► start

*rest* is where MAIL was said: `ready`, or `start` where HELO is not required. What leads back from an open transaction
makes it void, and the handler hears of it; so do a body and a chunk that are refused, and the end of the connection.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from angarium.core.reply import Reply
from angarium.smtp.server import answers

State = Literal["connect", "command", "skip", "auth", "data", "chunk", "waiting", "tls", "closed"]
"""*connect*: the greeting was not sent. *skip*: inside a line that is too long. *auth*: before the response to a
challenge. *data*, *chunk*: inside a body. *waiting*: for the handler's answer. *tls*: for the handshake. *closed*:
nothing more is read; the connection ends once the output is sent.
"""

Phase = Literal["start", "ready", "sender", "nobody", "recipients", "text", "chunks"]
"""*start*: the peer has not said who it is. *ready*: it has, and there is no transaction. *sender*: MAIL was taken.
*nobody*: recipients were named, and none was taken. *recipients*: one was. *text*: DATA was taken. *chunks*: BDAT was.
"""
Rest = Literal["rest"]

TIME_LIMITS: dict[State, Literal["command_timeout_s", "data_timeout_s"]] = {
    "command": "command_timeout_s",  # RFC 5321 §4.5.3.2.7
    "skip": "command_timeout_s",
    "auth": "command_timeout_s",
    "data": "data_timeout_s",
    "chunk": "data_timeout_s",
}
"""The limit of the time that the peer has in a state; in all others it owes nothing."""


@dataclass(frozen=True, slots=True)
class CommandRule:
    """The place of a command.

    *refused*: our answer in phases in which it is out of order; "say EHLO first" only where that is required. An answer
    below 400 leads to *onward*, a phase of the transaction, or to *back*, a phase without one; else the phase stays.
    *group*: "any" may be followed by other commands in one write, "last" may not (RFC 2920 §3.1), "free" is not
    checked. *state*: where something else than a command comes next. *idle* commands bring no mail nearer.
    """

    refused: Mapping[Phase, Reply]
    onward: Phase | None = None
    back: Phase | Rest | None = None
    group: Literal["any", "last", "free"] = "any"
    state: Literal["data", "chunk", "tls", "closed"] | None = None
    idle: bool = False


def _in_transaction(reply: Reply) -> dict[Phase, Reply]:
    return {"sender": reply, "nobody": reply, "recipients": reply, "chunks": reply}


_ALWAYS: dict[Phase, Reply] = {}
_AFTER_HELO: dict[Phase, Reply] = {"start": answers.HELO_FIRST}
_AFTER_MAIL: dict[Phase, Reply] = {"start": answers.MAIL_FIRST, "ready": answers.MAIL_FIRST}
_AFTER_RCPT = _AFTER_MAIL | {"sender": answers.RCPT_FIRST, "nobody": answers.NO_RECIPIENTS}
_NOT_AFTER_BDAT: dict[Phase, Reply] = {"chunks": answers.BDAT_UNDER_WAY}

RULES = {
    # RFC 5321 §4.1.1.1; at any time, and a transaction is void by it: §4.1.4
    "HELO": CommandRule(_ALWAYS, back="ready", group="last", idle=True),
    "EHLO": CommandRule(_ALWAYS, back="ready", group="last", idle=True),
    # RFC 5321 §4.1.1.2; 503 in mid transaction, and before HELO: §4.1.4
    "MAIL": CommandRule(_AFTER_HELO | _in_transaction(answers.NESTED_MAIL), "sender"),
    # RFC 5321 §4.1.1.3; 503 without a sender: §3.3; not between chunks: RFC 3030 §2
    "RCPT": CommandRule(_AFTER_MAIL | _NOT_AFTER_BDAT, "recipients"),
    # RFC 5321 §4.1.1.4; 503 or 554 without recipients: §3.3; not between chunks: RFC 3030 §2
    "DATA": CommandRule(_AFTER_RCPT | _NOT_AFTER_BDAT, "text", group="last", state="data"),
    # RFC 3030 §2; the chunk comes in any case, so that its command may be followed by it
    "BDAT": CommandRule(_AFTER_RCPT, "chunks", group="free", state="chunk"),
    "RSET": CommandRule(_ALWAYS, back="rest", idle=True),  # RFC 5321 §4.1.1.5
    "VRFY": CommandRule(_ALWAYS, group="last", idle=True),  # RFC 5321 §4.1.1.6
    "HELP": CommandRule(_ALWAYS, idle=True),  # RFC 5321 §4.1.1.8
    "NOOP": CommandRule(_ALWAYS, group="last", idle=True),  # RFC 5321 §4.1.1.9
    "QUIT": CommandRule(_ALWAYS, group="free", state="closed"),  # RFC 5321 §4.1.1.10
    # RFC 4954 §4: not in mid transaction; after EHLO, and once, as `AuthExchange` sees to
    "AUTH": CommandRule(_in_transaction(answers.AUTH_TOO_LATE), group="last", idle=True),
    # RFC 3207 §4; the session begins anew: §4.2. What stands behind it is looked at apart, see `_drop_injection`
    "STARTTLS": CommandRule(_AFTER_HELO, back="start", group="free", state="tls", idle=True),
    # Postfix's XCLIENT_README: not in mid transaction; the session begins anew
    "XCLIENT": CommandRule(
        _AFTER_HELO | _in_transaction(answers.XCLIENT_TOO_LATE), back="start", group="last", idle=True
    ),
    "": CommandRule(_ALWAYS, group="free", idle=True),  # any other word: RFC 5321 §4.2.4
}
