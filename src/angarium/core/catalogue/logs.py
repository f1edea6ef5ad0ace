"""Every record of the log and every field, described once.

A field means the same in every record, and is of one kind. The page docs/logs.md is made from these tables
(`catalogue.docs`); what a node logs is held against them (`faults_of`).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple

from angarium.core.records import EventType

Kind = Literal["text", "id", "number", "moment", "yes or no", "list", "map"]
LogLevel = Literal["debug", "info", "warning", "error"]


class LogField(NamedTuple):
    """One field. *sentence* says what it is."""

    kind: Kind
    sentence: str


class LogRecord(NamedTuple):
    """One record. *fields* are those that it may have besides `COMMON`; which are there, *sentence* says, or their own.

    *levels* are those it is logged at.
    """

    sentence: str
    fields: tuple[str, ...] = ()
    levels: tuple[LogLevel, ...] = ("info",)


COMMON: Final = ("at", "level", "event", "worker", "cut")

FIELDS: Final[dict[str, LogField]] = {
    # every record
    "at": LogField("moment", "when it happened"),
    "level": LogField("text", "`debug`, `info`, `warning` (for some day) or `error` (somebody must act)"),
    "event": LogField("text", "which record this is"),
    "worker": LogField("number", "the worker that it happened in, or that it is about"),
    "cut": LogField("yes or no", "true: what was too long for a line is shortened, and ends in `…`"),
    # whose mail, and which
    "message": LogField("id", "the message, as `angarium message` takes it"),
    "submission": LogField(
        "id", "the first of several messages made of one submission; absent: the message itself"
    ),
    "sender": LogField("text", "the reverse path; empty for `<>`"),
    "recipient": LogField("text", "the recipient's address"),
    "recipients": LogField("number", "how many recipients"),
    "to": LogField("list", "the recipients' addresses"),
    "subject": LogField("text", "the Subject field"),
    "day": LogField("text", "the day (UTC) of the mail whose events have gone"),
    "until": LogField("text", "the last day on which it was to be kept"),
    "taken_bytes": LogField("number", "what it takes on the disk"),
    "most_bytes": LogField("number", "what it may take"),
    "size": LogField("number", "bytes of the message with its trace lines"),
    "lane": LogField("text", "`transactional` or `bulk`"),
    "account": LogField("number", "the account that it belongs to"),
    "server": LogField("number", "the server that it belongs to"),
    "stream": LogField("text", "the stream that was asked for"),
    "login": LogField("text", "who has logged in, as `angarium` names logins"),
    "binding": LogField("text", "the binding"),
    "domain": LogField("text", "the routing domain; of `domain` records the sending domain"),
    "return_path": LogField("text", "the domain that bounces come back to, or are to"),
    "tracking": LogField("text", "the name that readers' programs came by"),
    # suppressions
    "about": LogField("number", "how many entries, about"),
    "number": LogField("number", "the last change of the suppressions that it has; of `images` how many"),
    "whole": LogField("yes or no", "whether it was made of all of them, or of what had changed"),
    # a session in
    "session": LogField("text", "the session, the same in all records about it"),
    "listener": LogField("text", "the listener's name"),
    "peer": LogField("text", "the other side, `address:port`; empty for mail made here"),
    "helo": LogField("text", "the name that the client gave"),
    "via": LogField("text", "the proxy that named the client"),
    "commands": LogField("number", "commands of the session"),
    "errors": LogField("number", "commands that were refused as wrong"),
    "injected_bytes": LogField(
        "number", "bytes that came behind STARTTLS in clear text, and were thrown away"
    ),
    "messages": LogField("number", "messages: taken, found in the journal, or concerned"),
    "bytes": LogField("number", "bytes of text that came at the ends of data"),
    "ended": LogField("text", "how it ended; of a session empty: by QUIT, or the peer hung up"),
    "mechanism": LogField("text", "the SASL mechanism"),
    "user": LogField("text", "the user name that was given, shortened; empty where none was"),
    "tls": LogField("text", "version and cipher; empty or absent for clear text"),
    "tls_resumed": LogField("yes or no", "whether the TLS session was resumed"),
    "tls_peer": LogField("text", "whose certificate the client showed"),
    "again_at": LogField("moment", "when logins of that network are heard again"),
    "spoken": LogField("text", "the protocol that the client spoke"),
    # what was said, and why
    "reply": LogField(
        "text", "the SMTP reply: the peer's, ours to the client, or `[internal]` with our own words"
    ),
    "refusal": LogField(
        "text", "what the recipients of mail bounce with that was taken only to be reported as failed"
    ),
    "reason": LogField(
        "text", "why, in a word: see [message options](message-options.md) and [refusals](refusals.md)"
    ),
    "note": LogField("text", "why, in words, where no reply says it"),
    "problem": LogField("text", "what is wrong, and often what to do"),
    "error": LogField("text", "what went wrong"),
    "traceback": LogField("text", "where in the program, the end of it"),
    "command": LogField("text", "the step that was being carried out"),
    # an attempt
    "attempts": LogField("number", "attempts finished so far"),
    "next_at": LogField("moment", "when it is tried next; null where it is not waiting"),
    "age_s": LogField("number", "seconds since the message was received"),
    "host": LogField("text", "the mail host's name"),
    "stage": LogField("text", "how far the attempt came: the answer it waited for last"),
    "timings_ms": LogField("map", "milliseconds waited at each stage"),
    "result": LogField("text", "`failed`, or `retried` (once more without encryption)"),
    "fault": LogField("text", "what the failure speaks against: `address`, `host`, `site` or `local` (us)"),
    "keywords": LogField("text", "the extensions that are done without"),
    "for_s": LogField("number", "for so many seconds"),
    # an operator's command
    "action": LogField("text", "`flush`, `hold`, `release`, `fail`, `reroute` or `rebind`"),
    "state": LogField("text", "`queued` or `held`, null: both; of `worker`: `ready`"),
    "target": LogField("text", "the domain or binding that mail was given to"),
    "changed": LogField("number", "recipients changed"),
    "in_flight": LogField("number", "recipients left alone, since a peer has them"),
    # the node
    "seconds": LogField("number", "how long it took; of `draining` how long it may take"),
    "addresses": LogField("map", "who listens where"),
    "passed_in_vain": LogField("list", "sockets that the service manager passed and nothing answers on"),
    "said": LogField("text", "what it was to be told"),
    "pid": LogField("number", "the process id"),
    "lived_s": LogField("number", "seconds since it was started"),
    "again_in_s": LogField("number", "seconds until the next try"),
    "retry_s": LogField("number", "seconds until connections are taken again"),
    "settled_recipients": LogField("number", "recipients in the settled store"),
    "torn_bytes": LogField(
        "number", "bytes of an unfinished last write, which nobody was told to be durable"
    ),
    "damaged": LogField("number", "records that were set aside in a file"),
    "unknown": LogField("number", "records that a newer program has written, passed over"),
    "drained": LogField("number", "partitions of workers that there are no more, whose mail leaves"),
    "left_alone": LogField("number", "partitions that could not be opened"),
    "folder": LogField("text", "the partition's folder"),
    "waiting_for": LogField("text", "the folder that another process still has"),
    "generation": LogField("number", "of the configuration in force"),
    "kept_generation": LogField("number", "of the configuration that stays in force"),
    "changed_listeners": LogField("list", "listeners whose sessions end, to begin anew"),
    "needs_restart": LogField("list", "options whose change takes a restart"),
    "warnings": LogField("list", "what is taken of the configuration, and worth a look"),
    "servers": LogField("list", "the name servers asked from now on"),
    "verified": LogField("yes or no", "whether the domain's records prove it now"),
    "what": LogField("text", "what cannot be done"),
    "lasted_s": LogField("number", "seconds that it lasted"),
    "certificate": LogField("text", "the certificate's file"),
    "not_after": LogField("moment", "when the certificate ends"),
    "made": LogField("text", "the certificate that the node has made for itself"),
    "renewed": LogField("yes or no", "true: the files were read anew"),
    "option": LogField("text", "the option that names the file"),
    "path": LogField("text", "that file"),
    "file": LogField("text", "the file"),
    "text": LogField("text", "what is the matter; of the configuration with file and line"),
    "name": LogField("text", "which condition"),
    "order": LogField("id", "the mailing"),
    "webhook": LogField("number", "the webhook, as `angarium webhooks list` has it"),
    "letter": LogField(
        "text", "what was to be told in one request, by its id: that of the event, where it is one"
    ),
    "tries": LogField("number", "how often it was tried"),
    "advice": LogField("text", "what to do"),
}

_PEER: Final = ("session", "listener", "peer")
_EVENT: Final = (
    *("message", "recipient", "binding", "domain", "attempts", "reply", "note", "next_at", "age_s"),
)
_TRIED: Final = (*_EVENT, "peer", "host", "stage", "timings_ms", "tls")
_OF_ATTEMPTS: Final = frozenset({"delivered", "delayed", "bounced", "expired", "ambiguous"})

_EVENTS: Final[dict[EventType, str]] = {
    "delivered": "A peer has taken a message over for a recipient.",
    "delayed": "A temporary failure; it is tried again at `next_at`.",
    "bounced": "A permanent failure.",
    "expired": "It was too old, or tried too often.",
    "ambiguous": "The connection was lost between the final dot and its answer: it may have been delivered. It is "
    "tried again or held, as `Ambiguous_Delivery` says.",
    "intent": "Where ambiguous deliveries are held: an attempt begins.",
    "suppressed": "The recipient is on a suppression list.",
    "generation_failure": "Its text could not be made: the template failed with the recipient's data.",
    "generation_rejection": "Its text may not be sent, or nothing can be made of the template.",
    "cancelled": "An operator gave it up.",
    "held": "It was set aside.",
    "released": "It is back in its queue.",
    "flushed": "It is due at once.",
    "rerouted": "Its routing domain was changed.",
    "rebound": "Its binding was changed.",
    "read": "Mail to this node, a bounce or the like, was read.",
}

RECORDS: Final[dict[str, LogRecord]] = {
    # mail comes in
    "session": LogRecord(
        "A session has ended; one for each.",
        (
            *_PEER,
            *("helo", "commands", "errors", "via", "injected_bytes", "tls", "tls_resumed", "tls_peer"),
            *("messages", "bytes", "recipients", "login", "seconds", "ended"),
        ),
    ),
    "received": LogRecord(
        "A message is durable and was answered with 250. With `refusal` it was taken only to be reported as failed.",
        (
            *("message", "sender", "recipients", "size", "binding", "lane", "peer", "listener", "session"),
            *("account", "server", "stream", "reason", "refusal", "submission"),
        ),
    ),
    "refused": LogRecord(
        "A message was not taken at the end of its data.",
        (
            *("message", "reason", "reply", "sender", "recipients", "peer", "listener", "session"),
            *("account", "login", "error"),
        ),
        ("info", "error"),
    ),
    "rejected": LogRecord(
        "A command was refused; of many in a session the first twenty are told.", (*_PEER, "reply")
    ),
    "auth": LogRecord("A login.", (*_PEER, "mechanism", "user", "login", "account")),
    "auth_failed": LogRecord(
        "A login that failed: a warning where somebody may be guessing. The reasons are those of "
        "[`angarium_auth_total`](metrics.md).",
        (*_PEER, "mechanism", "user", "reason", "login", "again_at", "error"),
        ("info", "warning"),
    ),
    "tls_failed": LogRecord("A handshake of a session came to nothing.", (*_PEER, "reason"), ("warning",)),
    "wrong_protocol": LogRecord(
        "A client speaks what this socket does not.", (*_PEER, "spoken", "problem"), ("warning",)
    ),
    "quota": LogRecord(
        "Nobody could say whether recipients are within the quota; the message was put off.",
        ("message", "error"),
        ("error",),
    ),
    # mail goes out
    **{
        name: LogRecord(sentence, _TRIED if name in _OF_ATTEMPTS else _EVENT)
        for name, sentence in _EVENTS.items()
    },
    "connection": LogRecord(
        "A connection out did not become ready for mail.",
        ("result", "domain", "binding", "peer", "host", "stage", "fault", "reply"),
    ),
    "distrust": LogRecord(
        "A peer does not keep what it offers; extensions are done without.",
        ("peer", "host", "keywords", "for_s"),
    ),
    "signing": LogRecord("A signature could not be made; the mail waits.", ("message", "error"), ("error",)),
    "suppressions": LogRecord(
        "The file that workers look suppressed recipients up in was made anew.", ("about", "number", "whole")
    ),
    "suppressions_outage": LogRecord(
        "That file cannot be made; what changes is kept in memory.", ("what", "error"), ("error",)
    ),
    "suppressions_outage_over": LogRecord("It can be made again.", ("what", "lasted_s")),
    "webhooks": LogRecord(
        "Webhooks are not told of what happens; it is told as soon as it can be.",
        ("error", "ended", "lived_s", "again_in_s"),
        ("error", "warning"),
    ),
    "webhook_off": LogRecord(
        "A webhook was switched off; its account sees why.", ("webhook", "reason"), ("error",)
    ),
    "webhook_dead": LogRecord(
        "A webhook would not be told of something, and it is not tried again by itself.",
        ("webhook", "letter", "tries", "error"),
        ("warning",),
    ),
    "suppression": LogRecord(
        "Whether a recipient is suppressed cannot be looked up; the mail waits.",
        ("domain", "error"),
        ("warning",),
    ),
    "images": LogRecord(
        "Hosted pictures that no mail has left with for long are gone, or cannot be removed.",
        ("number", "error"),
        ("info", "error"),
    ),
    "order": LogRecord(
        "Nothing could be done for a mailing that is made into messages in the background; it is tried again.",
        ("order", "error"),
        ("error",),
    ),
    "body": LogRecord("A body cannot be read; the mail waits.", ("message", "file", "error"), ("error",)),
    "report": LogRecord("A report to a sender could not be made.", ("message", "error"), ("error",)),
    "changed": LogRecord(
        "An operator's command was carried out, in one worker.",
        (
            *("action", "domain", "binding", "message", "state", "target", "note", "changed", "in_flight"),
            "seconds",
        ),
    ),
    # the spool
    "recovered": LogRecord(
        "A worker has read its spool.",
        ("messages", "recipients", "settled_recipients", "torn_bytes", "damaged", "unknown", "seconds"),
    ),
    "spool": LogRecord(
        "What became of the partitions of workers that there are no more, or why one is waited for.",
        ("drained", "left_alone", "folder", "waiting_for", "error"),
        ("info", "warning", "error"),
    ),
    "settle": LogRecord("Mail could not be settled; it stays in the journal.", ("error",), ("error",)),
    "page": LogRecord(
        "Settled mail could not be read; it is tried again.", ("error", "again_in_s"), ("error",)
    ),
    "expiry": LogRecord(
        "What has expired could not be looked for; it is tried again.", ("error", "again_in_s"), ("error",)
    ),
    "waiting_mail": LogRecord(
        "The mail of accounts that waits could not be counted; their bounds hold later.",
        ("error",),
        ("error",),
    ),
    # the node
    "start": LogRecord("The node could not start.", ("error",), ("error",)),
    "configuration": LogRecord("Which file is read, where none was named.", ("file", "note")),
    "config": LogRecord("The configuration has what may be a mistake.", ("text",), ("warning",)),
    "condition": LogRecord(
        "Something about the node or the machine that can be seen at the start; see "
        "[what is the matter](operations.md#what-is-the-matter).",
        ("name", "text", "advice"),
        ("warning",),
    ),
    "listening": LogRecord(
        "The sockets are open. A warning tells what is not as was asked for.",
        ("addresses", "problem", "passed_in_vain"),
        ("info", "warning"),
    ),
    "service_manager": LogRecord(
        "The service manager could not be told how the node is.", ("error", "said"), ("warning",)
    ),
    "worker": LogRecord(
        "A worker is ready, has died and is started again, or was killed since it said nothing.",
        ("pid", "state", "error", "ended", "lived_s", "again_in_s"),
        ("info", "error"),
    ),
    "recorder": LogRecord(
        "The process that writes down what happened has died and is started again, or cannot write. Mail goes on.",
        ("ended", "lived_s", "again_in_s", "error"),
        ("warning", "error"),
    ),
    "events_dropped": LogRecord(
        "What has happened to mail took more than Event_Store_Max_Size: the oldest day has gone before its time.",
        ("day", "taken_bytes", "most_bytes"),
        ("warning",),
    ),
    "texts_dropped": LogRecord(
        "Kept texts of mail took more than Kept_Texts_Max_Size: those that end first have gone before their time.",
        ("until", "taken_bytes", "most_bytes"),
        ("warning",),
    ),
    "texts_left_out": LogRecord(
        "Kept texts of mail take Kept_Texts_Max_Size, all up to the same day: no more are kept until some are over.",
        ("taken_bytes", "most_bytes"),
        ("warning",),
    ),
    "reload": LogRecord(
        "The configuration was read again, or was refused and the old one stays in force.",
        ("generation", "changed_listeners", "needs_restart", "warnings", "kept_generation", "error"),
        ("info", "error"),
    ),
    "draining": LogRecord(
        "The node stops: what is under way is finished. A warning says what was not.",
        ("seconds", "error"),
        ("info", "warning"),
    ),
    "stopped": LogRecord("A worker has ended in order."),
    "tls": LogRecord(
        "About the listeners' certificates, or the files that outgoing TLS needs.",
        ("made", "renewed", "certificate", "not_after", "problem", "option", "path", "error"),
        ("info", "warning", "error"),
    ),
    "dns": LogRecord(
        "The name servers of the machine have changed, or there is none.",
        ("servers", "problem"),
        ("info", "warning"),
    ),
    "domain": LogRecord(
        "A sending domain's records prove it, or prove it no more; or its return path does not lead here any more.",
        ("domain", "account", "verified", "return_path", "tracking", "error", "again_in_s"),
        ("info", "warning"),
    ),
    "secrets": LogRecord("The file with the node's keys cannot be read.", ("error",), ("error",)),
    "request_keys": LogRecord(
        "Keys of requests cannot be looked up or kept; mail that has one is put off.", ("error",), ("error",)
    ),
    "identity_outage": LogRecord("The identity store does not answer.", ("what", "error"), ("error",)),
    "identity_outage_over": LogRecord("It answers again.", ("what", "lasted_s")),
    "accept": LogRecord(
        "Connections cannot be taken: no descriptors or memory are left.", ("error", "retry_s"), ("error",)
    ),
    "collected": LogRecord(
        "What the `sendmail` command left in the drop folder was taken, or could not be.",
        ("file", "error"),
        ("info", "error"),
    ),
    "caught": LogRecord(
        "Mail was caught instead of sent: see `angarium serve --catch`.", ("sender", "to", "subject", "file")
    ),
    "bug": LogRecord(
        "Something unforeseen. The mail concerned is put off; tell us. At `debug`, what a library warns of.",
        ("error", "traceback", "message", "messages", "domain", "command", *_PEER),
        ("error", "debug"),
    ),
}

_MOMENT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_PYTHON: Final[dict[Kind, tuple[type, ...]]] = {
    "text": (str,),
    "id": (str,),
    "number": (int, float),
    "moment": (str,),
    "yes or no": (bool,),
    "list": (list,),
    "map": (dict,),
}


def faults_of(record: Mapping[str, Any]) -> Iterator[str]:
    """Return in what ways a record of the log, decoded, is not as it is described. None where it is."""
    name = record.get("event")
    described = RECORDS.get(str(name))
    if described is None:
        yield f"record {name!r} is not described"
        return
    if record.get("level") not in described.levels:
        yield f"{name} is not logged at level {record.get('level')!r}"
    for field, value in record.items():
        if field not in described.fields and field not in COMMON:
            yield f"{name} has no field {field!r}"
        elif not _is_of(FIELDS[field].kind, value):
            yield f"{name}: {field} is no {FIELDS[field].kind}: {value!r}"


def _is_of(kind: Kind, value: object) -> bool:
    if value is None:
        return True
    if not isinstance(value, _PYTHON[kind]) or (kind == "number" and isinstance(value, bool)):
        return False
    return kind != "moment" or _MOMENT.fullmatch(str(value)) is not None
