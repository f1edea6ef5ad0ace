"""What answers and returned mail mean."""

from pathlib import Path
from typing import Any

import click

from angarium.cli.options import Failure, json_option
from angarium.cli.output import print_json, print_lines
from angarium.cli.tables import Cell, Toned
from angarium.core.providers import provider_of
from angarium.feedback.classify import Verdict, classify
from angarium.feedback.consequences import Consequence, Earlier, Occurrence, SuppressionRules, follows
from angarium.feedback.parts import MOST_BYTES
from angarium.feedback.reading import ReportedRecipient, read_feedback
from angarium.feedback.sections import REPLY
from angarium.feedback.vendors import postmark_type


@click.group()
def bounce_command() -> None:
    """Say what an answer or a returned mail means."""


@bounce_command.command("classify")
@click.argument("reply", nargs=-1, required=True)
@click.option(
    "--stage",
    type=click.Choice(["mail", "rcpt", "data"]),
    default="rcpt",
    show_default=True,
    help="The command that was answered: data is the whole message.",
)
@click.option(
    "--host", default="", metavar="NAME", help="The host that answered: some providers mean another thing."
)
@json_option
def classify_command(reply: tuple[str, ...], stage: str, host: str, as_json: bool) -> None:
    """Say why a peer that answers REPLY does not take mail, which rule says so, and what follows from it."""
    answer = " ".join(reply)
    code = REPLY.search(answer)
    verdict = classify(answer, (code["status"] or "") if code else "", stage, provider_of(host))
    if as_json:
        print_json(_record(verdict))
    else:
        print_lines(_lines(verdict))


@bounce_command.command("read")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, allow_dash=True))
@json_option
def read_command(file: Path, as_json: bool) -> None:
    """Say what a returned mail in FILE (- for standard input) is, whom it is about, and why it came back."""
    try:
        with click.open_file(str(file), "rb") as opened:
            feedback = read_feedback(opened.read(MOST_BYTES))
    except OSError as error:
        raise Failure(f"{file} cannot be read: {(error.strerror or str(error)).lower()}") from error
    verdicts = [_verdict(each) for each in feedback.recipients]
    if as_json:
        recipients = [
            {**each._asdict(), **_record(verdict)}
            for each, verdict in zip(feedback.recipients, verdicts, strict=True)
        ]
        print_json({"kind": feedback.kind, "message_id": feedback.message_id, "complaint": feedback.complaint,
                    "recipients": recipients})  # fmt: skip
        return
    about = feedback.message_id or "no message that it names"
    print_lines([Toned(f"{feedback.kind.replace('_', ' ')}, about {about}")])
    for each, verdict in zip(feedback.recipients, verdicts, strict=True):
        print_lines([Toned(f"{each.address}: {each.action}", "bright"), f"    {each.reply}"])
        if each.action in ("failed", "delayed") and feedback.kind == "bounce":
            print_lines([f"    {line.text if isinstance(line, Toned) else line}" for line in _lines(verdict)])


def _verdict(recipient: ReportedRecipient) -> Verdict:
    return classify(recipient.reply, recipient.status, recipient.stage)


def _record(verdict: Verdict) -> dict[str, Any]:
    reason, then = verdict.reason, _follows(verdict)
    return {
        "reason": reason.name,
        "class": reason.number,
        "class_name": reason.bounce_class.name,
        "category": reason.bounce_class.category,
        "fault": reason.fault,
        "is_permanent": verdict.is_hard,
        "rule": verdict.rule,
        "postmark": _postmark(reason.name),
        "follows": {"effect": then.effect, "rule": then.rule, "why": then.why},
    }


def _postmark(reason: str) -> str:
    found = postmark_type("bounced", reason)
    return found.name if found is not None else ""


_THEN = {
    "nothing": "nothing follows",
    "note": "nothing follows yet",
    "suppress": "the address is suppressed",
}


def _follows(verdict: Verdict) -> Consequence:
    """Return what follows from a bounce with this verdict, by the rules that hold where nothing else is said."""
    return follows(Occurrence("bounced", verdict), Earlier(), SuppressionRules())


def _lines(verdict: Verdict) -> list[Cell]:
    reason, found = verdict.reason, verdict.reason.bounce_class
    then = _follows(verdict)
    rule = f"rule {verdict.rule!r}" if verdict.rule else "no rule knows these words"
    return [
        Toned(f"{reason.name}: {reason.about}", "bright"),
        f"class {found.number}, {found.name} ({found.category}); Postmark: {_postmark(reason.name)}; {rule}",
        f"at fault: {reason.fault}",
        f"{_THEN[then.effect]}: {then.why} (rule {then.rule!r})",
    ]
