"""`angarium bounces`: listed, counted, shown with what has followed, undone; what is held, decided."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from angarium.cli.main import main
from angarium.config.records import GlobalOptions
from angarium.core.records import Attempt
from angarium.core.reply import Reply
from angarium.events.sqlite.store import SqliteEventStore
from angarium.identity.secrets import KeyRing
from angarium.identity.store.place import open_database
from angarium.identity.store.store import IdentityStore
from angarium.node.recorder.causes import CauseWriter
from angarium.node.recorder.deliveries import Deliveries
from angarium.testing.happenings import event, reception

Ask = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data of a node where a burst from one provider is held, and one recipient of another does not exist."""
    data = tmp_path_factory.mktemp("data")
    ring = KeyRing.load_or_create(data / "identity" / "secrets.key")
    database = open_database(f"sqlite:///{data}/identity/identity.db")
    database.migrate()
    store, events = IdentityStore(database, ring, time.time), SqliteEventStore(data / "events")
    store.accounts.create("shop", actor="test")
    for number in range(22):
        host, domain = ("mx.example.com", "example.com") if number == 0 else ("a.l.google.com", "gmail.com")
        mail = reception(number, time.time() - 60, to=(f"r{number}@{domain}",), account=1)
        attempt = Attempt(started_at=time.time(), stage="rcpt", host=host)
        gone = Reply(550, "5.1.1", "no such user")
        events.take([mail, event(mail, "bounced", "bounced", reply=gone, attempt=attempt)])
    writer = CauseWriter(
        events, store, Deliveries(), GlobalOptions, reader="here", kept=events.last, now=time.time
    )
    while writer.step():
        pass
    events.close()
    database.close()
    return data


@pytest.fixture
def ask(told: Path) -> Ask:
    def asked(*arguments: str) -> tuple[int, Any]:
        result = CliRunner().invoke(main, ["bounces", *arguments, "--data", str(told), "--json"])
        return result.exit_code, json.loads(result.stdout) if result.stdout else result.stderr

    return asked


def test_without_a_command_they_are_listed(ask: Ask, told: Path) -> None:
    _, page = ask("--limit", "2")
    assert [each["address"] for each in page["bounces"]] == ["r21@gmail.com", "r20@gmail.com"]
    _, older = ask("--limit", "100", "--before", str(page["next"]))
    assert len(older["bounces"]) == 20
    shown = CliRunner().invoke(main, ["bounces", "to:r0", "--data", str(told)])
    assert "r0@example.com  no_such_recipient     10  other" in shown.stdout


def test_nothing_is_told_by_the_exit_code(ask: Ask) -> None:
    assert ask("to:nobody")[0] == 1
    assert ask("--type", "complaint")[0] == 1


def test_they_are_counted(ask: Ask) -> None:
    _, summary = ask("--by", "domain")
    assert [(each["key"], each["count"]) for each in summary["groups"]] == [
        ("gmail.com", 21),
        ("example.com", 1),
    ]


def test_one_is_shown_and_undone(ask: Ask) -> None:
    _, page = ask("to:r0")
    number = str(page["bounces"][0]["id"])
    _, story = ask("show", number)
    (cause,) = story["suppressions"]
    assert (cause["what"], cause["holds"]) == ("r0@example.com", True)
    assert ask("activate", number) == (0, {"undone": 1, "suppressed": False})
    assert ask("activate", number) == (1, {"undone": 0, "suppressed": False})
    assert ask("show", "1") == (
        1,
        "angarium: there is no bounce 1; `angarium bounces` lists those there are\n",
    )


def test_what_is_held_is_released_or_discarded(ask: Ask, told: Path) -> None:
    _, bursts = ask("held")
    assert [(each["burst"], each["count"]) for each in bursts] == [("google", 21)]
    _, page = ask("to:r5")
    assert ask("activate", str(page["bounces"][0]["id"])) == (0, {"undone": 1, "suppressed": False})
    refused = CliRunner().invoke(main, ["bounces", "release", "google", "--data", str(told)], input="n\n")
    assert (refused.exit_code, "20 held suppressions will be released" in refused.stderr) == (1, True)
    assert ask("release", "google", "--yes") == (0, {"changed": 20})
    code, said = ask("discard", "google")
    assert (code, said) == (1, "angarium: nothing is held under 'google'; see `angarium bounces held`\n")
    assert ask("discard")[0] == 2
