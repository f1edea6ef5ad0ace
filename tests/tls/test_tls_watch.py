"""The node's own certificate, and the eye on all of them."""

import asyncio
import stat
from datetime import UTC, datetime, timedelta

import pytest

from angarium.config.load import parse_config
from angarium.core.metrics import Counters
from angarium.testing.authority import CertificateAuthority
from angarium.testing.clock import ManualClock
from angarium.testing.log import kept_log, records_of
from angarium.tls.certificate import TlsProblem, read_certificate
from angarium.tls.server.own import LIFETIME_DAYS, ensure_own_certificate, own_pair
from angarium.tls.server.watch import CertificateWatch

NOW = 1_795_000_000.0
DAY_S = 86_400


def own(folder):
    return read_certificate(own_pair(folder).certificate)


# -- the node's own


def test_it_is_made_once_and_for_the_names_of_this_machine(tmp_path):
    assert ensure_own_certificate(tmp_path, "Mail.example.com", NOW)
    made = own(tmp_path)
    assert made.names == ("mail.example.com", "localhost", "127.0.0.1", "::1")
    assert made.subject == made.issuer
    assert not ensure_own_certificate(tmp_path, "mail.example.com", NOW + DAY_S)
    assert own(tmp_path) == made
    assert stat.S_IMODE((tmp_path / "tls/key.pem").stat().st_mode) == 0o600


def test_it_is_made_anew_when_it_has_expired(tmp_path):
    ensure_own_certificate(tmp_path, "mail.example.com", NOW)
    assert ensure_own_certificate(tmp_path, "mail.example.com", NOW + LIFETIME_DAYS * DAY_S)
    assert not own(tmp_path).is_expired(NOW + LIFETIME_DAYS * DAY_S)


def test_it_is_made_anew_for_another_name(tmp_path):
    ensure_own_certificate(tmp_path, "mail.example.com", NOW)
    assert ensure_own_certificate(tmp_path, "mx.example.com", NOW)


@pytest.mark.parametrize("file", ["certificate.pem", "key.pem"])
@pytest.mark.parametrize("text", [None, "", "nonsense", "other"])
def test_files_that_do_not_belong_together_are_made_anew(tmp_path, file, text):
    ensure_own_certificate(tmp_path, "mail.example.com", NOW)
    path = tmp_path / "tls" / file
    if text is None:
        path.unlink()
    elif text == "other":
        issued = CertificateAuthority(tmp_path).issue("mail.example.com")
        path.write_bytes((issued.certificate if file == "certificate.pem" else issued.key).read_bytes())
    else:
        path.write_text(text)
    assert ensure_own_certificate(tmp_path, "mail.example.com", NOW)
    assert not ensure_own_certificate(tmp_path, "mail.example.com", NOW)


def test_a_name_that_is_an_address_or_very_long_is_no_obstacle(tmp_path):
    ensure_own_certificate(tmp_path, "192.0.2.1", NOW)
    assert own(tmp_path).names == ("localhost", "192.0.2.1", "127.0.0.1", "::1")
    long = ".".join(["a" * 60] * 4)
    ensure_own_certificate(tmp_path, long, NOW)
    assert own(tmp_path).names[0] == long


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "tls").write_text("a file where a folder should be")
    with pytest.raises(TlsProblem, match=r"tls: .*; the node writes its own certificate there"):
        ensure_own_certificate(tmp_path, "mail.example.com", NOW)


# -- the watch


class Watched:
    """A watch over one certificate of a file's own, with the records it logged."""

    def __init__(self, folder):
        self.folder, self.clock, self.counters = folder, ManualClock(NOW), Counters()
        self.clock.at = datetime.now(UTC).timestamp()
        self.authority = CertificateAuthority(folder)
        self.file = folder / "shown.pem"
        self.renewed = 0
        self.kept_log = kept_log()
        self.watch = CertificateWatch(folder, self.clock, self.kept_log, self.counters)
        text = f'ESMTP_Listener "a" {{ TLS_Certificate = "{self.file}" Listen "127.0.0.1:2525" {{ }} }}'
        self.config = parse_config(text, "angarium.conf")

    def put(self, name="mail.test", **more):
        issued = self.authority.issue(name, **more)
        fresh = self.folder / "fresh.pem"
        fresh.write_bytes(issued.both.read_bytes())
        fresh.rename(self.file)
        return read_certificate(self.file)

    def look(self):
        async def changed():
            self.renewed += 1

        asyncio.run(self.watch.look(self.config, changed))

    def log(self, level):
        return [record for record in records_of(self.kept_log) if record["level"] == level]

    @property
    def shown_until(self):
        return self.counters.values["tls_certificate_not_after_timestamp_seconds", str(self.file)]


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


def test_files_that_did_not_change_are_left_alone(watched):
    watched.put()
    watched.watch.prepare(watched.config)
    watched.look()
    assert watched.renewed == 0


def test_a_new_file_is_told_of_once(watched):
    first = watched.put()
    watched.watch.prepare(watched.config)
    assert watched.shown_until == first.not_after
    second = watched.put(ends=datetime.now(UTC) + timedelta(days=90))
    watched.look()
    watched.look()
    assert watched.renewed == 1
    assert watched.shown_until == second.not_after


def test_a_bad_new_file_is_spoken_of_once_and_changes_nothing(watched):
    first = watched.put()
    watched.watch.prepare(watched.config)
    watched.file.write_text("half a file")
    watched.look()
    watched.look()
    assert watched.renewed == 0
    assert watched.shown_until == first.not_after
    (record,) = watched.log("error")
    assert "the certificates in force stay so" in record["error"]
    watched.put()
    watched.look()
    assert watched.renewed == 1


def test_a_bad_file_at_the_start_is_an_error_that_says_whose(watched):
    with pytest.raises(TlsProblem, match=r"shown\.pem: no such file or directory"):
        watched.watch.prepare(watched.config)


@pytest.mark.parametrize(("days", "said"), [(-1, "has expired"), (13, "expires soon"), (15, None)])
def test_an_end_that_is_near_is_spoken_of(watched, days, said):
    now = datetime.now(UTC)
    watched.put(begins=now - timedelta(days=30), ends=now + timedelta(days=days))
    watched.watch.prepare(watched.config)
    problems = [record["problem"] for record in watched.log("warning")]
    assert [problem[: len(said or "")] for problem in problems] == ([said] if said else [])
