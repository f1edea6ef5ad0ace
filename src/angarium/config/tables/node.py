"""The options for the node as a whole."""

from angarium.config import kinds as k
from angarium.config.options import G, NoLimit, Option


def _row(
    name: str,
    kind: k.Kind,
    unit: str,
    sentence: str,
    minimum: int | None = None,
    maximum: int | None = None,
    reload: bool = True,
    no_limit: NoLimit | None = None,
) -> Option:
    return Option(name, "global", G, kind, unit, sentence, minimum, maximum, reload, no_limit)


def _fixed(
    name: str,
    kind: k.Kind,
    unit: str,
    sentence: str,
    minimum: int | None = None,
    maximum: int | None = None,
    no_limit: NoLimit | None = None,
) -> Option:
    return _row(name, kind, unit, sentence, minimum, maximum, reload=False, no_limit=no_limit)


_LONGEST_TTL = 2**32 - 1

_PROCESS = (
    _row("Hostname", k.OWN_NAME, "", "The node's own name (default: the system's)."),
    _fixed("Workers", k.INT, "processes", "Worker processes; 0 = one per core.", 0, 256),
    _row(
        "Drain_Timeout", k.SECONDS, "s", "How long a stop waits for deliveries under way to finish.", 0, 3600
    ),
    _row(
        "Worker_Timeout",
        k.SECONDS,
        "s",
        "A worker that has said nothing for so long is stuck; it is killed and started again.",
        3,
        86_400,
    ),
    _fixed(
        "Log_Format",
        k.enum("auto", "json", "pretty"),
        "",
        "How log records are written; `auto` is pretty on a terminal and JSON elsewhere.",
    ),
    _row("Log_Level", k.enum("debug", "info", "warning", "error"), "", "The least that is logged."),
    _row(
        "Match_Cache_Size",
        k.INT,
        "entries",
        "Domains, hosts and peers whose options are remembered.",
        16,
        10_000_000,
    ),
)

_SPOOL = (
    _fixed("Data_Directory", k.PATH, "", "Folder of all that the node keeps; `--data` goes before it."),
    _fixed("SpoolBase", k.PATH, "", "Folder of the spool (default: `spool` in the data folder)."),
    _row(
        "Drop_Directory",
        k.OPTIONAL_PATH,
        "",
        "Folder where `angarium sendmail` leaves mail while no node answers; the node collects it (default: none).",
    ),
    _fixed("Spool_Segment_Size", k.SIZE, "bytes", "Size of a journal segment.", 1 << 20, 1 << 32),
    _fixed(
        "Spool_Max_Journal_Size",
        k.SIZE,
        "bytes",
        "What a worker's journal may grow to before its oldest messages are settled.",
        1 << 22,
        1 << 44,
    ),
    _fixed(
        "Spool_Min_Free_Space",
        k.SIZE,
        "bytes",
        "With less free space on the disk, new mail is answered 452.",
        0,
        1 << 50,
    ),
    _fixed(
        "Spool_History_Segments",
        k.INT,
        "segments",
        "Finished segments that are kept for readers.",
        0,
        10_000,
    ),
    _fixed(
        "Large_Message_Threshold",
        k.SIZE,
        "bytes",
        "Bodies above it are received into a file of their own instead of memory.",
        65_536,
        1 << 28,
    ),
)

_IDENTITY = (
    _fixed(
        "Identity_Store",
        k.DATABASE,
        "",
        'Database of accounts, keys and domains, `"postgresql://user@host/name"` '
        "(default: SQLite in the data folder).",
    ),
    _fixed(
        "Secrets_Key_File",
        k.OPTIONAL_PATH,
        "",
        "File with the keys under which secrets are encrypted (default: `identity/secrets.key` in the data folder).",
    ),
)

_PAGES = (
    _row(
        "Page_Hosts",
        k.DOMAINS,
        "",
        "Names besides `localhost`, the loopback addresses and `Hostname` under which the [pages](pages.md) are served "
        "by the HTTP listeners; under all others there are none.",
    ),
)

_TRACKING = (
    _row(
        "Tracking_Domain",
        k.WEB_ORIGIN,
        "",
        'Where readers\' programs reach the HTTP listeners, `"https://clicks.example.com"`: opens and clicks of mail '
        "that asks for it are tracked there, see [tracking](tracking.md).",
    ),
    _row(
        "Hosted_Image_Retention",
        k.INT,
        "days",
        "How long pictures are kept that were lifted out of mail (`host_images`), from the last mail that left with "
        "them, see [tracking](tracking.md#pictures); 0 = no limit.",
        0,
        36_500,
        no_limit=NoLimit(0),
    ),
)

_RETURNS = (
    _row(
        "Bounce_Domain",
        k.OPTIONAL_DOMAIN,
        "",
        "Domain whose mail comes to this node: bounces go there of senders who log in and whose own domain has no "
        "return path, see [bounces](bounces.md).",
    ),
    _row(
        "Bounce_Domains",
        k.DOMAINS,
        "",
        "Domains of which all mail is read as bounces and complaints, whatever is before the @, from anybody.",
    ),
    _row(
        "Feedback_Addresses",
        k.MAILBOXES,
        "",
        "Addresses besides `fbl@` and `complaints@` of the node's own domains whose mail is read as bounces and "
        "complaints.",
    ),
    _row(
        "Postmaster_Address",
        k.OPTIONAL_MAILBOX,
        "",
        "Who gets what people write to `postmaster@`, `abuse@` and `mailer-daemon@` of the node's own domains "
        "(default: it is kept as an event).",
    ),
    _row(
        "Return_Path_Lifetime",
        k.SECONDS,
        "s",
        "How long after a message was accepted its bounces are taken.",
        3600,
        10**8,
    ),
    _row(
        "Feedback_Max_Size",
        k.SIZE,
        "bytes",
        "Largest bounce or complaint that is taken; of a large one the first megabyte is read.",
        65_536,
        1 << 30,
    ),
    _row(
        "Feedback_Per_Minute",
        k.INT,
        "messages",
        "Bounces and complaints that a worker takes from one address in a minute; more are answered 451; 0 = no limit.",
        0,
        10**9,
        no_limit=NoLimit(0),
    ),
    _row(
        "Suppress_Gone_Domains_After",
        k.INT,
        "days",
        "An address is suppressed when its domain did not exist on so many different days; 0 = never.",
        0,
        30,
    ),
    _row(
        "Suppress_After_Failures",
        k.INT,
        "failures",
        "So many failures of one class in a row, of whoever's fault, suppress as well; 0 = never.",
        0,
        1000,
    ),
    _row(
        "Bounce_Burst_Percent",
        k.INT,
        "%",
        "When so much of what a provider answers are hard bounces, they suppress nobody until somebody has looked at "
        "them; 0 = always suppress.",
        0,
        100,
    ),
    _row(
        "Bounce_Burst_Minimum",
        k.INT,
        "bounces",
        "With fewer hard bounces than these there is no burst.",
        1,
        1_000_000,
    ),
    _row("Bounce_Burst_Window", k.SECONDS, "s", "The time in which they are counted.", 60, 86_400),
)

_EVENTS = (
    _row(
        "Machine_Networks",
        k.CIDRS,
        "",
        "Openings and clicks from these networks are of programs and not of people: scanners, data centres.",
    ),
    _fixed(
        "Event_Database",
        k.POSTGRESQL,
        "",
        'Database of what has happened to mail, `"postgresql://user@host/name"` (default: SQLite in the data folder).',
    ),
    _row(
        "Event_Retention",
        k.INT,
        "days",
        "How long what has happened to mail is kept, from the day it was accepted, see [event store](event-store.md); "
        "0 = no limit.",
        0,
        36_500,
        no_limit=NoLimit(0),
    ),
    _row(
        "Address_Retention",
        k.INT,
        "days",
        "How long it is kept whom that was about: addresses, senders, subjects, replies' texts, see "
        "[event store](event-store.md#addresses); 0 = as long as the rest of it.",
        0,
        36_500,
        no_limit=NoLimit(0),
    ),
    _row(
        "Event_Store_Max_Size",
        k.SIZE,
        "bytes",
        "What that may take; the oldest days go before their time; 0 = no limit.",
        0,
        1 << 50,
        no_limit=NoLimit(0),
    ),
    _row(
        "Kept_Texts_Max_Size",
        k.SIZE,
        "bytes",
        "What the texts of mail may take that are kept since streams ask for it (`keep_body_days`); those that end "
        "first go before their time; 0 = no limit.",
        0,
        1 << 50,
        no_limit=NoLimit(0),
    ),
)

_FETCHING = (
    _row(
        "Fetch_Networks",
        k.CIDRS,
        "",
        "Networks that the node sends HTTP requests to though they are private, loopback, link-local or a tunnel: "
        "webhooks and whatever else is told by somebody where to go, see [webhooks](webhooks.md).",
    ),
    _row(
        "Fetch_Connect_Timeout",
        k.SECONDS,
        "s",
        "How long a connection for such a request may take, with its encryption.",
        1,
        60,
    ),
    _row("Webhook_Timeout", k.SECONDS, "s", "How long a webhook may take to answer, in all.", 1, 300),
    _row(
        "Webhook_Retries",
        k.DURATIONS,
        "s",
        "How long is waited at most between the tries to tell a webhook of something that it does not take; behind the "
        "last it is a dead letter.",
    ),
    _row(
        "Webhook_Off_After",
        k.SECONDS,
        "s",
        "A webhook that has taken nothing for so long is switched off.",
        3600,
        31_536_000,
    ),
    _fixed(
        "Webhook_Max_Requests",
        k.INT,
        "requests",
        "Requests to webhooks that are under way at a time; those of slow ones have as many places of their own.",
        1,
        10_000,
    ),
)

_REQUESTS = (
    _row(
        "HTTP_Max_Body_Size",
        k.SIZE,
        "bytes",
        "What a request by which mail is sent may have at most; beyond it is answered 413.",
        65_536,
        1 << 30,
    ),
    _row(
        "HTTP_Bodies_Memory",
        k.SIZE,
        "bytes",
        "What the requests have together by which mail is sent at the same time to one worker; a further one is "
        "answered 503.",
        1 << 20,
        1 << 40,
    ),
    _row(
        "Forbidden_Attachments",
        k.ENDINGS,
        "",
        "Endings of the names of files that are not sent with mail that is made of fields; `( )`: none.",
    ),
)

_MEMORY = (
    _fixed(
        "Max_Resident_Messages",
        k.INT,
        "recipients",
        "Recipients that a worker keeps in memory; the others wait on disk.",
        100,
        100_000_000,
        no_limit=NoLimit(100_000_000),
    ),
    _fixed("Body_Cache_Size", k.SIZE, "bytes", "Bodies that a worker keeps in memory.", 1 << 20, 1 << 40),
    _row(
        "Memory_Limit",
        k.SIZE,
        "bytes",
        "What mail and connections may take of a worker's memory before new mail is answered 451; 0 = no limit.",
        0,
        1 << 44,
        no_limit=NoLimit(0),
    ),
    _row(
        "Max_Queued_Recipients",
        k.INT,
        "recipients",
        "Queued recipients of the node above which new mail is answered 452; 0 = no limit.",
        0,
        10**12,
        no_limit=NoLimit(0),
    ),
    _row(
        "Account_Max_Queued_Recipients",
        k.INT,
        "recipients",
        "Queued recipients of one account above which its mail is answered 452, unless its own limit says otherwise; "
        "0 = no limit.",
        0,
        10**12,
        no_limit=NoLimit(0),
    ),
    _row(
        "Account_Max_Queued_Bytes",
        k.SIZE,
        "bytes",
        "The same for the bytes that are to be sent: the size of each message times its queued recipients.",
        0,
        1 << 60,
        no_limit=NoLimit(0),
    ),
)

_DELIVERY = (
    _row(
        "Server_Max_Outbound_Connections",
        k.INT,
        "connections",
        "Open connections of the whole node (Momentum: 20000).",
        1,
        1_000_000,
        no_limit=NoLimit(1_000_000, by_zero=False),
    ),
    _row(
        "Prohibited_Hosts",
        k.HOSTS,
        "",
        "Where no mail goes unless Gateway or Routes say so, see [routing](routing.md); `private` covers the other "
        "words and the private ranges, `( )` lets mail go anywhere.",
    ),
    _row("Skip_Hosts", k.CIDRS, "", "Addresses that are never tried; a domain's other addresses are."),
    _row("Use_IPv6", k.BOOL, "", "Whether IPv6 addresses are looked up and tried."),
    _row(
        "Prefer_IPv6_MXs", k.BOOL, "", "Whether IPv6 addresses are tried first among hosts of one preference."
    ),
)

_NAMES = (
    _row(
        "DNS_Servers",
        k.SOCKETS,
        "",
        "Resolvers to ask; port 53 if none is given (default: those of Resolv_Conf).",
    ),
    _row("Resolv_Conf", k.PATH, "", "File that names the resolvers where DNS_Servers does not."),
    _row("DNS_Timeout", k.SECONDS, "s", "Wait for one answer before the question is sent again.", 1, 60),
    _row("DNS_Deadline", k.SECONDS, "s", "Wait for an answer in all.", 1, 300),
    _fixed("DNS_Cache_Size", k.INT, "entries", "Answers that a worker remembers.", 100, 10_000_000),
    _row("Min_DNS_TTL", k.SECONDS, "s", "Least time an answer is remembered.", 0, 86_400),
    _row(
        "Max_DNS_TTL",
        k.SECONDS,
        "s",
        "Longest time an answer is remembered.",
        1,
        _LONGEST_TTL,
        no_limit=NoLimit(_LONGEST_TTL, by_zero=False),
    ),
    _row(
        "DNS_Negative_TTL", k.SECONDS, "s", "Longest time the absence of an answer is remembered.", 0, 86_400
    ),
)

ROWS: tuple[Option, ...] = (
    *_PROCESS,
    *_SPOOL,
    *_IDENTITY,
    *_EVENTS,
    *_REQUESTS,
    *_FETCHING,
    *_PAGES,
    *_TRACKING,
    *_RETURNS,
    *_MEMORY,
    *_DELIVERY,
    *_NAMES,
)
