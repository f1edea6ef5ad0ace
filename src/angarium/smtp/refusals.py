"""What a peer's refusal is about, where that is not the mail: the command, its parameters, the number of recipients,
the session, or the missing encryption. Pure; in the spellings of the field.

The caller knows what was said before, and asks only what is possible: a refusal *may* be about the parameters if there
were some. What follows from a wrong guess is one more try, whose answer counts.
"""

import re
from typing import Final

from angarium.core.reply import Reply

IN_VAIN: Final = "refused in clear text, and encryption has come to nothing"
ANOTHER_TIME: Final = "the peer may offer more another time"

_COMMAND: Final = (500, 502, 503)
_PARAMETERS: Final = (500, 501, 502, 503, 504, 555)
_ENCRYPTION: Final = (523, 538)
_SPEAKS_OF_ENCRYPTION = re.compile(
    r"starttls|\b(?:tls|ssl)\b|encrypt|\bsecure(?:d|ly)? (?:connection|channel|session|transport)", re.I
)
_SPEAKS_OF_LOGIN = re.compile(r"authenti", re.I)
_SPEAKS_OF_TOO_MANY = re.compile(
    r"\btoo many (?:\w+ ){0,2}?(?:recipients|rcpts?\b)"
    r"|\b(?:limit|max|maximum|maximal|number) (?:\w+ ){0,2}?recipients\b"
    r"|\brecipients (?:\w+ ){0,3}?(?:limit|exceed)"
    r"|\brecipient limit\b",
    re.I,
)
_SPEAKS_OF_SESSION = re.compile(
    r"\btoo many (?:\w+ ){0,2}?(?:messages|e?-?mails|transactions)\b"
    r"|\b(?:limit|max|maximum|maximal|number) (?:\w+ ){0,2}?(?:messages|e?-?mails|transactions)\b"
    r"|\b(?:messages|mails|transactions?) (?:\w+ ){0,3}?(?:limit|exceed)"
    r"|\b(?:per|in|on|for) (?:this |the |one |a |each |your )?(?:smtp )?(?:connection|session)\b"
    r"|\breconnect|\b(?:new|another) (?:connection|session)\b",
    re.I,
)
_SPEAKS_OF_PIPELINING = re.compile(r"pipelin|synchroni[sz]", re.I)
_SPEAKS_OF_CHUNKS = re.compile(r"\bbdat\b|\bchunk", re.I)


def is_about_command(reply: Reply) -> bool:
    """Whether the command was not understood, or not expected (RFC 5321 §4.2.2; RFC 3463 §3.6)."""
    return reply.code in _COMMAND or reply.enhanced == "5.5.1"


def is_about_pipelining(reply: Reply) -> bool:
    """Whether commands that came without waiting may have been refused for that."""
    return is_about_command(reply) or speaks_of_pipelining(reply)


def speaks_of_pipelining(reply: Reply) -> bool:
    """Whether the refusal says so in as many words, which stand behind all kinds of codes."""
    return _SPEAKS_OF_PIPELINING.search(reply.text) is not None


def is_about_chunks(reply: Reply) -> bool:
    """Whether BDAT may have been refused for itself, not for the message in it."""
    return (
        is_about_command(reply)
        or is_about_parameters(reply)
        or reply.enhanced == "4.5.1"
        or _SPEAKS_OF_CHUNKS.search(reply.text) is not None
    )


def is_about_parameters(reply: Reply) -> bool:
    """Whether it may be the parameters of a command that were not understood, rather than what it was about."""
    if reply.enhanced:
        return reply.enhanced in ("5.5.2", "5.5.4") or (
            reply.code in _PARAMETERS and not reply.enhanced.startswith("5.1.")
        )
    return reply.code in _PARAMETERS


def is_about_session(reply: Reply) -> bool:
    """Whether a session that has taken mail takes no more (4.4.2: it was idle too long, 4.5.3: there was enough)."""
    return is_about_command(reply) or reply.enhanced[1:] in (".4.2", ".5.3") or speaks_of_session(reply)


def speaks_of_session(reply: Reply) -> bool:
    """Whether the refusal says so in as many words, of the session or of the messages in it."""
    return _SPEAKS_OF_SESSION.search(reply.text) is not None


def is_about_number(reply: Reply) -> bool:
    """Whether a recipient was one too many, where others were taken before (RFC 5321 §4.5.3.1.10).

    552 says so in the words of RFC 821. With another enhanced code 452 and 552 speak of a full mailbox or disk.
    """
    return names_number(reply) or (reply.code in (452, 552) and not reply.enhanced)


def names_number(reply: Reply) -> bool:
    """Whether the refusal says so in as many words; they stand behind all kinds of codes but those of mailboxes."""
    if reply.enhanced[1:3] == ".2":
        return False
    return reply.enhanced[1:] == ".5.3" or _SPEAKS_OF_TOO_MANY.search(reply.text) is not None


def is_about_encryption(reply: Reply) -> bool:
    """Whether what was refused may be taken in an encrypted session (RFC 3207 §4, RFC 5248 §2)."""
    if reply.code == 530 and not _SPEAKS_OF_LOGIN.search(reply.text):
        return True
    if reply.code in _ENCRYPTION or reply.enhanced[1:] in (".7.10", ".7.11"):
        return True
    is_of_address = reply.enhanced[1:3] in (".1", ".2")
    return not is_of_address and _SPEAKS_OF_ENCRYPTION.search(reply.text) is not None


def temporary(reply: Reply, why: str) -> Reply:
    """Return the refusal that *reply* is for now: *why* says what may be otherwise next time."""
    enhanced = f"4{reply.enhanced[1:]}" if reply.enhanced else ""
    return Reply(451, enhanced, f"[internal] {why}: {reply}")
