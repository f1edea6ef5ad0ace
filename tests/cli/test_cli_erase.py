"""A recipient erased at a terminal, where no node runs: counted, asked about, done, told of in the audit log."""

import json

import pytest

from angarium.events.bodies.port import TextToKeep, body_of
from angarium.events.bodies.store import BodyStore
from angarium.events.port import Whose
from angarium.events.sqlite.store import SqliteEventStore
from angarium.query.nodes import Everything
from angarium.testing.happenings import reception

BOB = "bob@example.com"


@pytest.fixture
def data(cli, tmp_path):
    """A data folder with two messages to Bob, of two accounts, one to Ann, and their texts."""
    assert cli("init", "--data", str(tmp_path), "--json").exit_code == 0
    events, texts = SqliteEventStore(tmp_path / "events"), BodyStore(tmp_path / "texts")
    mails = [
        reception(1, to=(BOB,), account=1),
        reception(2, to=(BOB,), account=2),
        reception(3, to=("ann@example.com",), account=1),
    ]
    events.take(mails)
    texts.take([TextToKeep(each.message, body_of(each.message), "2030-01-01", b"text") for each in mails])
    events.close()
    texts.close()
    return tmp_path


def addresses(data):
    store = SqliteEventStore(data / "events")
    found = sorted(mail.address for mail in store.search(Everything(), Whose(), limit=9).found)
    store.close()
    return found


def test_what_would_be_erased_is_counted_first(cli, data):
    done = cli("erase", "BOB@example.com", "--dry-run", "--data", str(data))
    mark = done.stdout.split()[-1]
    assert done.stdout == f"2 recipients would be erased; the audit log calls it recipient {mark}\n"
    assert addresses(data) == ["ann@example.com", BOB, BOB]
    assert mark not in cli("audit", "--data", str(data)).stdout


def test_it_is_asked_about_and_done(cli, data):
    refused = cli("erase", BOB, "--data", str(data), answer="n\n")
    assert (refused.exit_code, len(addresses(data))) == (1, 3)
    assert "nothing brings it back: 2 recipients. Go on?" in refused.stderr
    done = cli("erase", BOB, "--data", str(data), answer="y\n")
    assert done.stdout.startswith("2 recipients erased, and 2 kept texts; the audit log calls it recipient ")
    assert addresses(data) == ["", "", "ann@example.com"]
    told = cli("audit", "--data", str(data), "--json").stdout
    assert [each["action"] for each in json.loads(told)][-2:] == ["erase", "erased"]
    assert "bob" not in told


def test_of_one_account_and_as_json(cli, data):
    done = json.loads(cli("erase", BOB, "--account", "1", "--yes", "--json", "--data", str(data)).stdout)
    assert (done["id"], done["found"], done["texts"], done["dry_run"]) == (1, 1, 1, False)
    assert addresses(data) == ["", "ann@example.com", BOB]


def test_what_is_no_address_is_refused(cli, data):
    assert "write it whole" in cli("erase", "bob", "--yes", "--data", str(data)).stderr
