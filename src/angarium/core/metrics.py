"""Every counter and gauge of the product with its help text, and the plain numbers behind them.

A worker counts in a `Counters`; the supervisor adds the workers' numbers up and shows them under `/metrics`.
Labels are bounded: a verdict or a reason, never an address.
"""

from typing import Literal, NamedTuple


class Metric(NamedTuple):
    """One metric. *label* names its only label, or is empty."""

    kind: Literal["counter", "gauge"]
    help: str
    label: str = ""


METRICS: dict[str, Metric] = {
    "sessions_total": Metric("counter", "SMTP sessions begun."),
    "sessions_refused_total": Metric("counter", "SMTP sessions refused at the door, by reason.", "reason"),
    "sessions_open": Metric("gauge", "SMTP sessions open now."),
    "auth_total": Metric(
        "counter", "Logins by SMTP AUTH, by result: ok, or why nobody was let in.", "result"
    ),
    "tls_handshakes_total": Metric("counter", "TLS handshakes of SMTP sessions, by result.", "result"),
    "tls_certificate_not_after": Metric(
        "gauge", "When a listener's certificate ends, in Unix time.", "certificate"
    ),
    "received_messages_total": Metric("counter", "Messages accepted and durable."),
    "received_recipients_total": Metric("counter", "Recipients of accepted messages."),
    "received_bytes_total": Metric("counter", "Bytes of accepted messages, without trace lines."),
    "refused_messages_total": Metric(
        "counter", "Messages refused at the end of data, by reply code.", "code"
    ),
    "problems_total": Metric(
        "counter",
        "Messages refused, or taken and reported as failed, for what they say, by reason.",
        "reason",
    ),
    "facts_left_out_total": Metric(
        "counter", "Refusals and failed logins that were too many to be written down, by kind.", "kind"
    ),
    "events_total": Metric("counter", "State changes of recipients, by event type.", "type"),
    "attempts_total": Metric("counter", "Recipients' delivery attempts, by verdict.", "verdict"),
    "connections_open": Metric("gauge", "Outbound connections open now."),
    "connections_total": Metric(
        "counter",
        "Outbound connections tried, by result: ready, failed, retried (once more without encryption).",
        "result",
    ),
    "recipients_active": Metric("gauge", "Recipients in memory, ready or in flight."),
    "recipients_settled": Metric("gauge", "Recipients in the settled store."),
    "queues": Metric("gauge", "Queues (binding and domain) with mail."),
    "journal_bytes": Metric("gauge", "Bytes of live journal segments."),
    "journal_segments": Metric("gauge", "Live journal segments."),
    "resident_body_bytes": Metric("gauge", "Bytes of message bodies kept in memory."),
    "memory_held_bytes": Metric(
        "gauge", "About what mail, sessions and connections have in the workers' memory, by their own books."
    ),
    "memory_resident_bytes": Metric("gauge", "Memory of the workers as the system counts it."),
    "spool_unwell": Metric("gauge", "1 while a spool partition is unwell or full."),
    "reports_total": Metric("counter", "Delivery status notifications made, by action.", "action"),
    "worker_restarts_total": Metric("counter", "Workers started again after they died."),
    "cpu_seconds_total": Metric("counter", "CPU seconds used by workers."),
}


class Counters:
    """The numbers of one process: metric name, or name and label value, to number."""

    __slots__ = ("values",)

    def __init__(self) -> None:
        self.values: dict[tuple[str, str], float] = {}

    def add(self, name: str, label: str = "", amount: float = 1) -> None:
        """Count *amount* more."""
        key = (name, label)
        self.values[key] = self.values.get(key, 0) + amount

    def set(self, name: str, value: float, label: str = "") -> None:
        """Set a gauge."""
        self.values[name, label] = value

    def forget(self, name: str) -> None:
        """Forget what was set under *name*, with all its labels."""
        for key in [key for key in self.values if key[0] == name]:
            del self.values[key]
