"""How webhooks are shown, and what they were told. Pure but for the time of day."""

import time

from angarium.cli.tables import Column, Row
from angarium.cli.times import upcoming, when
from angarium.identity.webhooks import Webhook
from angarium.webhooks.records import KeptLetter
from angarium.webhooks.standing import WebhookStanding
from angarium.webhooks.trial import Trial

WEBHOOK_COLUMNS = (
    Column("ID", numeric=True),
    Column("ACCOUNT", numeric=True),
    Column("NAME", flexible=True),
    Column("DIALECT"),
    Column("STATE"),
    Column("BEHIND", numeric=True),
    Column("WAITING", numeric=True),
    Column("DEAD", numeric=True),
    Column("URL", flexible=True),
)
LETTER_COLUMNS = (
    Column("ID"),
    Column("SINCE"),
    Column("TRIES", numeric=True),
    Column("EVENTS", numeric=True),
    Column("ANSWER", numeric=True),
    Column("WHY", flexible=True),
)


def webhook_row(webhook: Webhook, standing: WebhookStanding) -> Row:
    """Return a webhook as a row of `WEBHOOK_COLUMNS`."""
    cells = [
        *(str(webhook.id), str(webhook.account), webhook.name, webhook.dialect, standing.state),
        *(str(standing.behind), str(standing.waiting), str(standing.dead), webhook.url),
    ]
    now = time.time()
    details = []
    if not webhook.enabled:
        details.append(f"off since {when(webhook.off_at, now)}: {webhook.off_reason}")
    elif standing.state in ("fails", "left alone"):
        again = f", again {upcoming(standing.next_try_at, now)}" if standing.next_try_at else ""
        details.append(f"fails since {when(standing.failing_since, now)}: {standing.error}{again}")
    return Row(cells, details)


def letter_row(letter: KeptLetter) -> Row:
    """Return what was to be told as a row of `LETTER_COLUMNS`."""
    now = time.time()
    cells = [
        *(letter.id, when(letter.first_at, now), str(letter.tries), str(len(letter.numbers))),
        *(str(letter.status or "-"), letter.error),
    ]
    if letter.state == "waiting":
        return Row(cells, [f"waiting, again {upcoming(letter.due_at, now)}"])
    return Row(cells, [letter.state])


def trial_lines(told: Trial) -> list[str]:
    """Return what was sent in a try, and what came of it."""
    verdict = "taken" if told.taken else f"not taken: {told.error}"
    answered = [f"HTTP {told.status}", *(f"{name}: {value}" for name, value in told.answer_headers.items())]
    return [
        f"POST {told.url}",
        *(f"{name}: {value}" for name, value in told.headers.items()),
        "",
        told.body,
        "",
        *(answered if told.status else []),
        *(["", *told.answer.splitlines()] if told.answer else []),
        f"{verdict} ({told.took_ms} ms)",
    ]
