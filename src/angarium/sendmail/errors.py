"""What `sendmail` ends with when it has not sent: a sentence and the exit status that programs know (sysexits.h)."""

import os

from angarium.core.errors import AngariumError


class SendmailError(AngariumError):
    """The mail is not taken. *status* is the exit status."""

    status = os.EX_SOFTWARE


class SendmailUsage(SendmailError):
    """The command is called in a way that means nothing here."""

    status = os.EX_USAGE


class NotSent(SendmailError):
    """The node said no: the same mail would be refused again."""

    def __init__(self, sentence: str, status: int) -> None:
        super().__init__(sentence)
        self.status = status


class NotNow(SendmailError):
    """The node does not take the mail now: the same mail may be taken later."""

    status = os.EX_TEMPFAIL


class NoAnswer(NotNow):
    """No node answers, or not to the end: it would be so for any mail."""
