"""Every counter, gauge and histogram of the product: what it counts, its labels, and what to look for.

Labels are bounded: a verdict, a reason or a name that the operator has given, never an address or a domain. The page
docs/metrics.md is made from this table (`catalogue.docs`).
"""

from typing import Final, Literal, NamedTuple, get_args

from angarium.core.operations import ConditionName
from angarium.core.providers import OTHER, PROVIDERS
from angarium.core.records import EventType, Stage
from angarium.core.submission import Reason

PREFIX: Final = "angarium_"

Kind = Literal["counter", "gauge", "histogram"]


class Label(NamedTuple):
    """One label. *values* are those that are shown from the start, with 0; there may be others."""

    name: str
    values: tuple[str, ...] = ()


class Metric(NamedTuple):
    """One metric. *help* is a sentence, *look* what an operator makes of it. *bounds* are the upper ends of the buckets
    of a histogram, without infinity. Of a gauge the workers' numbers are added up, or with *is_worst* the largest is
    taken. One that is *on_disk* is still true of a worker that does not answer: what it said last counts.
    """

    kind: Kind
    help: str
    labels: tuple[Label, ...] = ()
    look: str = ""
    bounds: tuple[float, ...] = ()
    is_worst: bool = False
    on_disk: bool = False


def unit_of(name: str) -> str:
    """Return the unit that a metric's name ends in, or "" where it counts things."""
    word = name.removesuffix("_total").rpartition("_")[2]
    return word if word in ("seconds", "bytes") else ""


_RESULTS: Final = Label(
    "result",
    (
        *("ok", "unknown", "wrong", "disabled", "expired", "suspended", "smtp_off", "grant", "network"),
        *("blocked", "not_kept", "malformed", "cancelled", "store"),
    ),
)
_EVENTS: Final = Label("type", tuple(name for name in get_args(EventType) if name != "received"))
_REASONS: Final = Label("reason", tuple(dict.fromkeys(reason.label for reason in Reason)))
_VERDICTS: Final = Label("verdict", ("delivered", "transient", "permanent", "ambiguous", "untried"))
_LEFT_OUT: Final = Label(
    "kind",
    (
        "refusal",
        "login_failed",
        "open",
        "initial_open",
        "click",
        "unsubscribe",
        "link_unsubscribe",
        "resubscribe",
    ),
)
_STATES: Final = Label("state", ("active", "in_flight", "delayed", "held"))
_LANES: Final = Label("lane", ("transactional", "bulk"))
_PROVIDERS: Final = Label("provider", (*PROVIDERS, OTHER))

_MOMENTS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_STAGES: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_TRANSACTIONS: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_WAITS: Final = (0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600, 3 * 24 * 3600)

METRICS: Final[dict[str, Metric]] = {
    # the door
    "sessions_total": Metric("counter", "SMTP sessions begun.", look="Its rate is the load at the door."),
    "sessions_refused_total": Metric(
        "counter",
        "SMTP sessions refused at the door, by reason.",
        (Label("reason", ("too_many", "proxy")),),
        "Growing: raise `Listener_Sessions` or `Sessions_Per_Peer`, or look who calls so often.",
    ),
    "sessions_open": Metric(
        "gauge", "SMTP sessions open now.", look="Near `Listener_Sessions`: new clients get 421."
    ),
    "auth_total": Metric(
        "counter",
        "Logins by SMTP AUTH, by result: ok, or why nobody was let in.",
        (_RESULTS,),
        "Many `wrong` or `unknown`: somebody guesses passwords, or an application has an old one; the log has "
        "`auth_failed` records with the address. `blocked` counts those turned away unheard.",
    ),
    "tls_handshakes_total": Metric(
        "counter",
        "TLS handshakes of SMTP sessions, by result.",
        (Label("result", ("full", "resumed", "failed")),),
        "Growing `failed`: clients that do not trust the certificate or speak only old versions; the log says which.",
    ),
    "wrong_protocol_total": Metric(
        "counter",
        "Clients that spoke another protocol than the socket they came to, by what they spoke.",
        (Label("spoken", ("TLS", "SMTP", "HTTP")),),
        "Growing: an application has the wrong port or kind of encryption; `wrong_protocol` records say which and what "
        "to set.",
    ),
    "tls_certificate_not_after_timestamp_seconds": Metric(
        "gauge",
        "When a listener's certificate ends, in Unix time.",
        (Label("certificate"),),
        "Warn two weeks before: `angarium_tls_certificate_not_after_timestamp_seconds - time() < 1209600`.",
    ),
    "received_messages_total": Metric(
        "counter", "Messages accepted and durable.", look="Its rate is what comes in."
    ),
    "received_recipients_total": Metric(
        "counter",
        "Recipients of accepted messages.",
        look="Compare with `events_total`: every recipient ends in one terminal event.",
    ),
    "received_bytes_total": Metric("counter", "Bytes of accepted messages, without trace lines."),
    "acceptance_seconds": Metric(
        "histogram",
        "From the end of a message's text to the answer that it is durable.",
        look="`histogram_quantile(0.99, sum by (le) (rate(angarium_acceptance_seconds_bucket[5m])))`: above a quarter "
        "of a second the disk is slow to sync, or the cores are busy.",
        bounds=_MOMENTS,
    ),
    "refused_messages_total": Metric(
        "counter",
        "Messages refused at the end of data, by reply code.",
        (Label("code", ("451", "452", "550", "552", "554")),),
        "`452` growing: the spool is full or nearly so; see `/readyz`. `5xx`: clients send what is not taken.",
    ),
    "feedback_total": Metric(
        "counter",
        "Bounces, complaints and other mail to the node itself that was taken: to be read, or passed on to "
        "`Postmaster_Address`.",
        (Label("becomes", ("read", "passed_on")),),
        'Its rate beside that of `events_total{type="delivered"}` is how much comes back.',
    ),
    "feedback_read_total": Metric(
        "counter",
        "What mail to the node itself said when it was read, by the event that it became.",
        (Label("type", ("late_bounce", "complaint", "auto_reply", "unsubscribe", "feedback")),),
        "`feedback` growing beside the others: much comes back that belongs to no mail, or that nobody understands; "
        "`angarium events --type feedback --json` shows it.",
    ),
    "feedback_refused_total": Metric(
        "counter",
        "Recipients of such mail that were refused, by reason.",
        (Label("reason", ("altered", "expired", "unknown", "size", "rate")),),
        "`altered` growing: somebody makes return paths up. `rate`: a host sends more than `Feedback_Per_Minute`, and "
        "comes again later.",
    ),
    "problems_total": Metric(
        "counter",
        "Messages refused, or taken and reported as failed, for what they say, by reason.",
        (_REASONS,),
        "`unknown_stream`, `domain`, `option_syntax` …: somebody's program is set up wrongly; the log records "
        "`refused` and `received` (with `refusal`) say whose. Reasons: [message-options.md](message-options.md).",
    ),
    "facts_left_out_total": Metric(
        "counter",
        "Refusals, failed logins, and what a reader does again and again, too many to be written down, by kind.",
        (_LEFT_OUT,),
        "Growing: somebody is refused many times a second; the journal tells of 20 a second and of how many more "
        "there were. Or a link or picture is asked for more than five times a minute.",
    ),
    # the way out
    "events_total": Metric(
        "counter",
        "State changes of recipients, by event type.",
        (_EVENTS,),
        "`delivered`, `bounced`, `expired` and `cancelled` are ends; much `delayed` means that destinations put off: "
        "`angarium queue` says which. Any `ambiguous` may be a duplicate.",
    ),
    "attempts_total": Metric(
        "counter",
        "Recipients' delivery attempts, by the provider whose host they were made at and by verdict.",
        (_PROVIDERS, _VERDICTS),
        "The share of `transient` shows how willing a provider is. All together: "
        "`sum by (verdict) (rate(angarium_attempts_total[5m]))`.",
    ),
    "binding_attempts_total": Metric(
        "counter",
        "The same attempts by binding; of bindings after the 50th of the configuration, as `other`.",
        (Label("binding"), _VERDICTS),
        "`permanent` growing at one binding alone: its address or its mail has a bad name.",
    ),
    "attempt_stage_seconds": Metric(
        "histogram",
        "How long peers took over each stage of a connection or a transaction, unless it was answered with the one "
        "before; of a worker's transactions after the first thousand, every eighth.",
        (Label("stage", get_args(Stage)),),
        "Slow `connect`: the network; slow `banner` or `mail`: peers hold us off; slow `final`: they scan before they "
        "answer.",
        bounds=_STAGES,
    ),
    "transaction_seconds": Metric(
        "histogram",
        "How long peers took over whole transactions, by provider; of a worker's after the first thousand, every "
        "eighth.",
        (_PROVIDERS,),
        "Growing at one provider: it holds us off, or has trouble.",
        bounds=_TRANSACTIONS,
    ),
    "queue_seconds": Metric(
        "histogram",
        "From the reception of a recipient's message to the beginning of its first attempt, by lane.",
        (_LANES,),
        "Transactional above a second while bulk is sent: limits or cores are short.",
        bounds=_WAITS,
    ),
    "delivery_seconds": Metric(
        "histogram",
        "From the reception of a recipient's message to when the peer had taken it, by lane.",
        (_LANES,),
        "With retries it takes hours: look at the median for the good days and at p99 for the put-off mail.",
        bounds=_WAITS,
    ),
    "connections_open": Metric(
        "gauge",
        "Outbound connections open now.",
        look="At `Server_Max_Outbound_Connections`: that limit holds mail.",
    ),
    "connections_total": Metric(
        "counter",
        "Outbound connections tried, by result: ready, failed, retried (once more without encryption).",
        (Label("result", ("ready", "failed", "retried")),),
        "Many failed: `angarium queue` says which hosts rest.",
    ),
    "reports_total": Metric(
        "counter",
        "Delivery status notifications made, by action.",
        (Label("action", ("failed", "delayed", "delivered", "relayed")),),
    ),
    # what waits
    "recipients": Metric(
        "gauge",
        "Recipients that wait, by state: due, with a peer, waiting for their time or for room in memory, held.",
        (_STATES,),
        "`delayed` grows while destinations put off or are dead: `angarium queue` says why. `held` is set aside until "
        "somebody decides.",
        on_disk=True,
    ),
    "oldest_recipient_seconds": Metric(
        "gauge",
        "How long ago the oldest of them was received, by state; 0 where there is none.",
        (_STATES,),
        "`active` above a few minutes: something holds mail that is due.",
        is_worst=True,
        on_disk=True,
    ),
    "queues": Metric("gauge", "Queues (binding and domain) with mail.", on_disk=True),
    # the machine
    "journal_bytes": Metric("gauge", "Bytes of live journal segments.", on_disk=True),
    "journal_segments": Metric(
        "gauge",
        "Live journal segments.",
        look="Staying near the limit: stragglers keep old segments; they are settled by force, which costs writes.",
        on_disk=True,
    ),
    "resident_body_bytes": Metric("gauge", "Bytes of message bodies kept in memory."),
    "memory_held_bytes": Metric(
        "gauge",
        "About what mail, sessions and connections have in the workers' memory, by their own books.",
        look="Near `Memory_Limit` times the workers: mail is answered 451.",
    ),
    "memory_resident_bytes": Metric(
        "gauge",
        "Memory of the workers as the system counts it.",
        look="Far above what is held for long, and growing: something is not given back; tell us.",
    ),
    "spool_unwell": Metric(
        "gauge",
        "1 while a spool partition is unwell or full.",
        look="1: look at `angarium status` at once; mail is refused or a disk call has failed.",
        is_worst=True,
    ),
    "disk_free_bytes": Metric(
        "gauge",
        "Bytes of the data folder's disk that are free to the node.",
        look="Below `Spool_Min_Free_Space` mail is answered 452.",
    ),
    "disk_size_bytes": Metric("gauge", "Bytes of the data folder's disk."),
    "cpu_seconds_total": Metric("counter", "CPU seconds used by workers.", look="Its rate, in cores."),
    # the node
    "build_info": Metric(
        "gauge",
        "1, with the version of the program and of Python.",
        (Label("version"), Label("python")),
        "Whether all nodes run the same: `count by (version) (angarium_build_info)`.",
    ),
    "start_timestamp_seconds": Metric(
        "gauge", "When the node was started, in Unix time.", look="Changing: it was restarted."
    ),
    "config_loaded_timestamp_seconds": Metric(
        "gauge", "When the configuration in force was read, in Unix time."
    ),
    "config_reload_failed": Metric(
        "gauge",
        "1 since a reload was refused, until one succeeds.",
        look="1: what is in force is not what stands in the file; the log record `reload` says why.",
    ),
    "condition": Metric(
        "gauge",
        "1 while that is the matter with the node.",
        (Label("name", get_args(ConditionName)),),
        "1: `angarium status` says it in a sentence, and docs/operations.md what to do.",
        is_worst=True,
    ),
    "log_lost_lines_total": Metric(
        "counter",
        "Lines of the log that were lost, since nobody read it or the disk did not take them.",
        look="Growing: read the log, or have it written elsewhere. No mail waits for it.",
    ),
    "workers": Metric("gauge", "Workers that the node has."),
    "workers_ready": Metric(
        "gauge",
        "Workers that have read their spool and answer.",
        look="Fewer than `angarium_workers` for long: `/readyz` says why.",
    ),
    "worker_restarts_total": Metric(
        "counter",
        "Workers started again after they died.",
        look="Any growth: a worker died; the log says how.",
    ),
    "recorder_restarts_total": Metric(
        "counter",
        "How often the recorder was started again after it died.",
        look="Any growth: the log says how. Mail goes on; what has happened is found later.",
    ),
    "recorder_lag_seconds": Metric(
        "gauge",
        "How long ago that happened which the recorder reads now; 0 when it has read all. Of a silent one it grows.",
        look="Growing: searches do not find the newest mail, and the journals take more of the disk.",
    ),
    "webhooks": Metric("gauge", "Webhooks that there are, switched on or off."),
    "webhooks_off": Metric(
        "gauge",
        "Webhooks that were switched off since they took nothing for long, or are gone.",
        look="Above 0: `angarium webhooks list` says which, and why.",
    ),
    "webhooks_failing": Metric(
        "gauge", "Webhooks that are left alone at the moment, since they failed in a row."
    ),
    "webhook_lag_seconds": Metric(
        "gauge",
        "How long ago that happened which waits longest to be told to a webhook that works.",
        look="Growing: webhooks are slower than what happens, or `Webhook_Max_Requests` are too few.",
    ),
    "webhook_requests_total": Metric(
        "counter",
        "Requests to webhooks, by what came of them.",
        (Label("outcome", ("taken", "failed")),),
    ),
    "webhook_events_total": Metric("counter", "Events that webhooks have taken."),
    "webhook_dead_letters_total": Metric(
        "counter",
        "What webhooks did not take however often it was tried.",
        look="Any growth: `angarium webhooks dead` says what, and why; replay it or drop it.",
    ),
    "webhooks_restarts_total": Metric(
        "counter",
        "How often the process that tells webhooks was started again after it died.",
        look="Any growth: the log says how. Nothing is lost: it goes on where it stopped.",
    ),
    "suppressions_held": Metric(
        "gauge",
        "Suppressions that are held since much failed at once, and wait for somebody's word.",
        look="Above 0: `angarium bounces held` says what failed; release it or discard it.",
    ),
    "recorder_taken_total": Metric(
        "counter",
        "What the recorder has stored, by type: receptions, events, and facts as opens or complaints.",
        (Label("type", ("received", "delivered", "bounced", "open", "click", "complaint", "late_bounce")),),
    ),
    "bounces_total": Metric(
        "counter",
        "Recipients that failed for good, by the category of the reason (docs/bounces.md).",
        (Label("category", ("hard", "soft", "block", "admin", "undetermined")),),
        "`block` growing: a peer does not want this node's mail; `angarium report --by provider` says who.",
    ),
    "event_store_bytes": Metric(
        "gauge",
        "What is kept of what has happened to mail takes on the disk.",
        look="Near Event_Store_Max_Size: the oldest days are dropped before their time.",
    ),
    "events_too_late_total": Metric(
        "counter",
        "What was not recorded, since it happened to mail of a day that is no longer kept: openings after months.",
    ),
    "kept_texts_bytes": Metric(
        "gauge",
        "What the kept texts of mail take on the disk.",
        look="Near Kept_Texts_Max_Size: those that end first are dropped before their time.",
    ),
    "kept_texts_left_out_total": Metric(
        "counter",
        "Texts of mail that were to be kept and are not, since there was no room.",
        look="Growing: raise Kept_Texts_Max_Size, or have fewer kept (`keep_body_days`).",
    ),
}
