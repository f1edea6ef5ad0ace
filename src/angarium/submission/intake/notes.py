"""What the log and the counters hear of messages that are taken in, or are not."""

from collections.abc import Sequence
from typing import Any

from angarium.core.errors import AngariumError
from angarium.core.ids import MessageId, format_id
from angarium.core.log import Log
from angarium.core.metrics import Counters
from angarium.core.records import Message
from angarium.core.submission import Problem, Submission
from angarium.identity.principal import Principal
from angarium.spool.port import SpoolError
from angarium.submission.intake.ports import Facts
from angarium.submission.replies import leading, refusal_of


class Notes:
    """Writes them down. A refusal stands there as an SMTP reply, whatever door it was said at."""

    def __init__(self, log: Log, counters: Counters, facts: Facts) -> None:
        self._log = log
        self._counters = counters
        self._facts = facts

    def count(self, problems: Sequence[Problem]) -> None:
        """Count a message that is refused, or taken to fail, for *problems*."""
        self._counters.add("problems_total", leading(problems).reason.label)

    def received(self, message: Message, failing: Sequence[Problem]) -> None:
        """The message is durable. *failing* is why it will only be reported as failed."""
        origin = message.origin
        fields: dict[str, Any] = {
            "message": format_id(message.id),
            "sender": message.reverse_path,
            "recipients": len(message.recipients),
            "size": message.size,
            "binding": message.binding,
            "lane": "bulk" if message.lane else "transactional",
            "peer": origin.peer,
            "listener": origin.listener,
            "session": origin.session,
        }
        if message.account:
            fields |= {
                "account": message.account,
                "server": message.server,
                "stream": message.options.stream,
            }
        if message.refusal is not None:
            fields |= {"reason": leading(failing).reason.label, "refusal": str(message.refusal)}
        if message.submission:
            fields["submission"] = format_id(message.submission)
        self._log.add("info", "received", message.received_at, fields)

    def refused(self, submission: Submission[Principal], at: float, problems: Sequence[Problem]) -> None:
        """The message is not taken."""
        self.count(problems)
        origin, principal = submission.origin, submission.principal
        reason, reply = leading(problems).reason.label, str(refusal_of(problems))
        self._note_refusal(submission, reason, reply)
        whose = {} if principal is None else {"account": principal.account.id, "login": principal.name}
        self._log.info(
            "refused",
            at,
            message=format_id(submission.id),
            reason=reason,
            reply=reply,
            sender=submission.envelope.reverse_path,
            recipients=len(submission.envelope.recipients),
            peer=origin.peer,
            listener=origin.listener,
            session=origin.session,
            **whose,
        )

    def _note_refusal(self, submission: Submission[Principal], reason: str, reply: str) -> None:
        origin, principal = submission.origin, submission.principal
        server = principal.server if principal is not None else None
        self._facts.note(
            "refusal",
            account=principal.account.id if principal is not None else 0,
            server=server.id if server is not None else 0,
            listener=origin.listener,
            peer=origin.peer,
            session=origin.session,
            reply=reply,
            reason=reason,
            sender=submission.envelope.reverse_path,
        )

    def not_stored(self, now: float, submission: Submission[Principal], error: SpoolError) -> None:
        """The spool could not take the message."""
        self._note_refusal(submission, "storage", "")
        message_id = format_id(submission.id)
        self._log.error("refused", now, message=message_id, reason="storage", error=str(error))

    def not_counted(self, now: float, message_id: MessageId, error: AngariumError) -> None:
        """The store could not say whether the recipients are within the quota."""
        self._log.error("quota", now, message=format_id(message_id), error=str(error))

    def fault(self, now: float, message_id: MessageId, error: Exception) -> None:
        """Something unforeseen has happened."""
        self._log.fault(now, error, message=format_id(message_id))
